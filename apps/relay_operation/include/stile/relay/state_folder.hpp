// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/text_file.hpp>
#include <stile/turn/time_limited.hpp>

#include <array>
#include <expected>
#include <string>
#include <vector>

namespace stile::relay {

// What a relay keeps between two starts, in a folder of its own (0700, files 0600): the secret that
// it made for itself and the key of its nonces. Not thread-safe.
class StateFolder {
public:
    // Where the state of `program` lies: what the configuration says, else STATE_DIRECTORY (systemd
    // sets it), else for root /var/lib/PROGRAM, else XDG_STATE_HOME/PROGRAM, else
    // ~/.local/state/PROGRAM.
    static std::string choose(const std::string& configured, const std::string& program);
    // Makes the folder where it is missing.
    static std::expected<StateFolder, app::Problem> open(std::string path);

    const std::string& path() const { return path_; }
    std::string socket_path() const { return path_ + "/admin.sock"; }

    // The newest first; made at the first call. One a line in the file "secrets".
    std::expected<std::vector<turn::SharedSecret>, app::Problem> secrets() const;
    // A new one before the others, of which `keep` stay. Credentials made with a secret that does
    // not stay are worth nothing from the next reload on.
    std::expected<turn::SharedSecret, app::Problem> add_secret(std::size_t keep) const;
    std::expected<std::array<std::byte, 32>, app::Problem> nonce_key() const;

private:
    explicit StateFolder(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

using app::read_file;
// Replaces the file at once, mode 0600.
std::expected<void, app::Problem> write_file(const std::string& path, std::string_view text);

}  // namespace stile::relay
