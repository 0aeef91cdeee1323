// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/relay/operation.hpp>

#include <expected>
#include <optional>
#include <string>

namespace stile::turnd {

inline constexpr std::string_view version = "0.1.0";
inline constexpr std::string_view default_config_file = "/etc/stile/stile-turnd.toml";

// Which file, and what it says.
struct Config {
    std::string name;
    relay::SettingsFile file;
};

// The named file, or the default one if it is there, or all defaults. The error is for a person.
std::expected<Config, std::string> load_config(const std::string& named);

std::expected<relay::StateFolder, app::Problem> open_state(const relay::SettingsFile& file);

// Each gives the exit code.
int serve(const std::string& config_name);
int check(const std::string& config_name);

struct SecretOptions {
    enum class Action : std::uint8_t { Show, Rotate };
    Action action = Action::Show;
};
int show_secret(const Config& config, const SecretOptions& options);

struct CredentialOptions {
    std::string user;
    std::uint64_t lifetime_seconds = 86'400;
    std::string realm;  // empty: the default one
    enum class Output : std::uint8_t { Explained, Json };
    Output output = Output::Explained;
};
int make_credential(const Config& config, const CredentialOptions& options);

// Where the running server takes commands.
std::string socket_of(const relay::SettingsFile& file);
// Of a configuration file that is not good: what it says of the state directory still counts.
std::string socket_of_broken(const std::string& named);

}  // namespace stile::turnd
