// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "turnd.hpp"

#include <stile/relay/prepare.hpp>
#include <stile/relay/self_check.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <chrono>

namespace stile::turnd {

std::expected<Config, std::string> load_config(const std::string& named) {
    const std::string name = named.empty() ? std::string{default_config_file} : named;
    if (named.empty() && ::access(name.c_str(), F_OK) != 0) {
        return Config{"", relay::default_settings_file()};
    }
    const auto text = relay::read_file(name, "The configuration");
    if (!text) return std::unexpected(app::to_text(text.error()));
    auto file = relay::parse_settings_file(*text, name);
    if (!file) return std::unexpected(file.error().text);
    return Config{name, *std::move(file)};
}

std::expected<relay::StateFolder, app::Problem> open_state(const relay::SettingsFile& file) {
    return relay::StateFolder::open(
        relay::StateFolder::choose(file.state_directory, "stile-turnd"));
}

int check(const std::string& config_name) {
    const auto config = load_config(config_name);
    if (!config) {
        fmt::print(stderr, "{}", config.error());
        return static_cast<int>(app::ExitCode::BadConfiguration);
    }
    fmt::print("The configuration is good: {}\n",
               config->name.empty() ? "all defaults, there is no file" : config->name);
    const auto state = open_state(config->file);
    if (!state) return app::fail(state.error());
    const auto settings = relay::prepare(config->file, *state, relay::Machine::this_one());
    if (!settings) return app::fail(settings.error());
    relay::raise_descriptor_limit();
    // A server that runs here holds the ports already.
    const bool runs = ::access(state->socket_path().c_str(), F_OK) == 0;
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto findings = relay::self_check(
        config->file, *settings, runs ? relay::Ports::InUseByUs : relay::Ports::Probe, now);
    fmt::print("{}", relay::to_text(findings));
    if (relay::any_fatal(findings)) return static_cast<int>(app::ExitCode::BadConfiguration);
    return 0;
}

}  // namespace stile::turnd
