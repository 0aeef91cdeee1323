// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "turnd.hpp"

#include <stile/base/text.hpp>
#include <stile/relay/prepare.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace stile::turnd {
namespace {

using nlohmann::json;

WallTime wall_now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// The tenant's secrets as the server has them.
std::expected<turn::SharedSecret, app::Problem> secret_of(const Config& config,
                                                          const std::string& realm) {
    const auto state = open_state(config.file);
    if (!state) return std::unexpected(state.error());
    auto settings = relay::prepare(config.file, *state, relay::Machine::this_one());
    if (!settings) return std::unexpected(settings.error());
    const auto& tenants = settings->tenants;
    const auto tenant =
        realm.empty() ? tenants.begin() : std::ranges::find(tenants, realm, &relay::Tenant::realm);
    if (tenant == tenants.end()) {
        return std::unexpected(app::Problem{app::ExitCode::NotFound,
                                            fmt::format("There is no realm '{}'", realm), "", "",
                                            "see [tenants] in the configuration"});
    }
    if (tenant->secrets.empty()) {
        return std::unexpected(app::Problem{
            app::ExitCode::NotFound, fmt::format("Realm '{}' has no secret", tenant->realm),
            "its users have accounts with passwords", "", "add secrets to the configuration"});
    }
    return tenant->secrets.front();
}

// Where clients find the server, as far as this machine can tell.
std::vector<std::string> addresses_of(const Config& config) {
    std::vector<std::string> uris;
    const auto machine = relay::machine_addresses();
    for (const relay::Listener& listener : config.file.settings.listeners) {
        SocketAddress address = listener.address;
        if (address.ip.is_unspecified()) {
            const auto own = std::ranges::find(machine, address.ip.family(), &IpAddress::family);
            if (own == machine.end()) continue;
            address.ip = *own;
        }
        const auto& external = config.file.external_addresses;
        const auto outside = std::ranges::find(external, address.ip.family(), &IpAddress::family);
        if (outside != external.end()) address.ip = *outside;
        const bool secure =
            listener.kind == relay::ListenerKind::Tls || listener.kind == relay::ListenerKind::Dtls;
        const bool stream =
            listener.kind == relay::ListenerKind::Tls || listener.kind == relay::ListenerKind::Tcp;
        const std::string& name = config.file.server_name;
        const std::string place =
            name.empty() ? address.to_string() : fmt::format("{}:{}", name, address.port.value);
        std::string uri = fmt::format("{}:{}?transport={}", secure ? "turns" : "turn", place,
                                      stream ? "tcp" : "udp");
        // By name both families are one.
        if (std::ranges::find(uris, uri) == uris.end()) uris.push_back(std::move(uri));
    }
    return uris;
}

}  // namespace

std::string socket_of(const relay::SettingsFile& file) {
    return relay::StateFolder::choose(file.state_directory, "stile-turnd") + "/admin.sock";
}

std::string socket_of_broken(const std::string& named) {
    relay::SettingsFile file;
    const auto text =
        relay::read_file(named.empty() ? std::string{default_config_file} : named, "The file");
    constexpr std::string_view key = "state_directory";
    std::string_view rest = text ? std::string_view{*text} : std::string_view{};
    while (!rest.empty()) {
        std::string_view line = trim(take_until(rest, '\n'));
        if (!line.starts_with(key)) continue;
        (void)take_until(line, '"');
        file.state_directory = take_until(line, '"');
        break;
    }
    return socket_of(file);
}

int show_secret(const Config& config, const SecretOptions& options) {
    if (options.action == SecretOptions::Action::Rotate) {
        const auto state = open_state(config.file);
        if (!state) return app::fail(state.error());
        if (const auto first = state->secrets(); !first) return app::fail(first.error());
        const auto made = state->add_secret(1);
        if (!made) return app::fail(made.error());
        // A server that runs notices the file by itself.
        fmt::print("{}\n", made->secret);
        return 0;
    }
    const auto secret = secret_of(config, "");
    if (!secret) return app::fail(secret.error());
    fmt::print("{}\n", secret->secret);
    return 0;
}

int make_credential(const Config& config, const CredentialOptions& options) {
    const auto secret = secret_of(config, options.realm);
    if (!secret) return app::fail(secret.error());
    const WallTime expires = wall_now() + std::chrono::seconds{options.lifetime_seconds};
    const auto made = turn::make_time_limited(*secret, expires, options.user);
    const std::vector<std::string> uris = addresses_of(config);
    if (options.output == CredentialOptions::Output::Json) {
        fmt::print("{}\n", json{{"username", made.username},
                                {"password", made.password},
                                {"ttl", options.lifetime_seconds},
                                {"uris", uris}}
                               .dump(2));
        return 0;
    }
    fmt::print("Good until {:%Y-%m-%d %H:%M} UTC:\n\n  username  {}\n  password  {}\n", expires,
               made.username, made.password);
    for (const std::string& uri : uris) fmt::print("  server    {}\n", uri);
    return 0;
}

}  // namespace stile::turnd
