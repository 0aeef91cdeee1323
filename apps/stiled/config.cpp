// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

namespace stile::stiled {
namespace {

using app::TomlKey;
using app::TomlNode;
using app::TomlReader;

constexpr std::uint16_t sip_port = 5060;
constexpr std::uint16_t sips_port = 5061;
constexpr std::uint16_t turn_port = 3478;
constexpr std::uint16_t turns_port = 5349;  // RFC 8656 Section 4
constexpr std::uint16_t https_port = 8443;
// A user's `stile` on several devices gathers at once.
constexpr std::size_t default_relays_per_user = 16;

std::vector<SocketAddress> everywhere(std::uint16_t port) {
    return {{*IpAddress::parse("0.0.0.0"), Port{port}}, {*IpAddress::parse("::"), Port{port}}};
}

// Reads one file; the first mistake ends it.
class Reader {
public:
    Reader(std::string_view text, std::string_view name) : toml_(text, name) {}

    std::expected<Config, app::ConfigError> read() {
        const std::vector<TomlKey> keys{
            {"domain",
             [this](TomlNode node) {
                 if (auto value = toml_.domain_name(node)) config_.domain = *std::move(value);
             }},
            {"public_address",
             [this](TomlNode node) { config_.public_address = toml_.ip_addresses(node); }},
            {"state_directory",
             [this](TomlNode node) {
                 if (auto value = toml_.text(node)) config_.state_directory = *std::move(value);
             }},
            {"listen", [this](TomlNode node) { read_listen(node); }},
            {"turn", [this](TomlNode node) { read_turn(node); }},
            {"accounts", [this](TomlNode node) { read_accounts(node); }},
            {"metrics", [this](TomlNode node) { turn_.metrics(node); }},
            {"drain", [this](TomlNode node) { turn_.drain(node); }},
        };
        const auto done = toml_.read(keys, [this] { finish(); });
        if (!done) return std::unexpected(done.error());
        return config_;
    }

private:
    void read_listen(TomlNode node) {
        const auto key = [this](std::string_view name, std::vector<SocketAddress>& list) {
            return TomlKey{name,
                           [this, &list](TomlNode value) { list = toml_.socket_addresses(value); }};
        };
        Config::Listen& listen = config_.listen;
        toml_.table(node, "[listen]",
                    {key("sip", listen.sip),
                     key("sips", listen.sips),
                     {"turn",
                      [this, &listen](TomlNode value) {
                          listen.turn = toml_.socket_addresses(value);
                          config_.relay.listeners = relay::SettingsFile::Listeners::Given;
                      }},
                     {"turns",
                      [this, &listen](TomlNode value) {
                          listen.turns = toml_.socket_addresses(value);
                          turns_ = Turns::Given;
                      }},
                     key("https", listen.https)});
    }

    void read_turn(TomlNode node) {
        std::vector<TomlKey> keys = turn_.keys();
        const std::vector<TomlKey> certificate = turn_.certificate_keys();
        keys.insert(keys.end(), certificate.begin(), certificate.end());
        toml_.table(node, "[turn]", keys);
    }

    // What may stand in any order in the file, related to each other.
    void finish() {
        relay::Settings& settings = config_.relay.settings;
        settings.tenants.front().realm = config_.domain;
        settings.listeners.clear();
        // Who chooses where TURN listens has said it all.
        const bool chosen = config_.relay.listeners == relay::SettingsFile::Listeners::Given;
        if (chosen && turns_ == Turns::Default) config_.listen.turns.clear();
        const auto listen = [&](relay::ListenerKind kind, const std::vector<SocketAddress>& all) {
            for (const SocketAddress& address : all) {
                settings.listeners.push_back({.kind = kind, .address = address});
            }
        };
        listen(relay::ListenerKind::Udp, config_.listen.turn);
        listen(relay::ListenerKind::Tcp, config_.listen.turn);
        listen(relay::ListenerKind::Tls, config_.listen.turns);
        if (config_.relay.external_source == relay::ExternalSource::Same &&
            !config_.public_address.empty()) {
            config_.relay.external_source = relay::ExternalSource::Given;
            config_.relay.external_addresses = config_.public_address;
        }
        turn_.finish();
    }

    void read_accounts(TomlNode node) {
        toml_.table(node, "[accounts]", {{"plain_compatible", [this](TomlNode value) {
                                              using Plain = Config::PlainCompatible;
                                              if (const auto allowed = toml_.boolean(value)) {
                                                  config_.plain_compatible =
                                                      *allowed ? Plain::Allowed : Plain::Refused;
                                              }
                                          }}});
    }

    enum class Turns : std::uint8_t { Default, Given };

    TomlReader toml_;
    Turns turns_ = Turns::Default;
    Config config_ = default_config();
    relay::TurnSection turn_{toml_, config_.relay};
};

}  // namespace

Config default_config() {
    Config config;
    config.listen.sip = everywhere(sip_port);
    config.listen.sips = everywhere(sips_port);
    config.listen.turn = everywhere(turn_port);
    config.listen.turns = everywhere(turns_port);
    config.listen.https = everywhere(https_port);
    config.relay = relay::default_settings_file();
    turn::ServerConfig& limits = config.relay.settings.tenants.front().limits;
    limits.relays_per_user = default_relays_per_user;
    limits.mobility = turn::Offer::Offered;
    return config;
}

std::string_view fixed_difference(const Config& running, const Config& wanted) {
    if (wanted.domain != running.domain) return "domain";
    if (wanted.public_address != running.public_address) return "public_address";
    if (wanted.state_directory != running.state_directory) return "state_directory";
    if (wanted.listen != running.listen) return "[listen]";
    if (wanted.plain_compatible != running.plain_compatible) return "plain_compatible";
    return "";
}

std::expected<Config, app::ConfigError> parse_config(std::string_view text, std::string_view name) {
    return Reader{text, name}.read();
}

}  // namespace stile::stiled
