// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.hpp"

#include <stile/app/problem.hpp>
#include <stile/drivers/server_store.hpp>

#include <expected>
#include <string>

namespace stile::stiled {

// Where the state lies: what the configuration says, else STATE_DIRECTORY (systemd sets it), else
// XDG_STATE_HOME/stiled, else ~/.local/state/stiled; for root /var/lib/stiled.
std::string state_directory(const Config& config);
std::expected<drivers::ServerStore, app::Problem> open_store(const Config& config);

// The named file, or the default one if it is there, or all defaults. The error is for a person.
std::expected<Config, std::string> load_config(const std::string& named);

// Serves until SIGINT or SIGTERM; the exit code. The file is read again on SIGHUP.
int run(const Config& config, const std::string& config_file);

// Where the running server takes commands about its relay.
std::string admin_socket(const Config& config);

struct AccountOptions {
    std::string user;
    enum class Kind : std::uint8_t { Modern, Compatible };
    Kind kind = Kind::Modern;
    enum class Output : std::uint8_t { Explained, LinkOnly };
    Output output = Output::Explained;
};
// Makes an account. Prints a login link; for a compatible account a password too.
int add_user(const Config& config, const AccountOptions& options);
// A new login link for an account that is there.
int new_link(const Config& config, const AccountOptions& options);
int list_users(const Config& config);
int remove_user(const Config& config, const std::string& user);

}  // namespace stile::stiled
