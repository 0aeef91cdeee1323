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
constexpr std::uint16_t https_port = 8443;

std::vector<SocketAddress> everywhere(std::uint16_t port) {
    return {{*IpAddress::parse("0.0.0.0"), Port{port}}, {*IpAddress::parse("::"), Port{port}}};
}

// Reads one file; the first mistake ends it.
class Reader {
public:
    Reader(std::string_view text, std::string_view name) : toml_(text, name) {}

    std::expected<Config, app::ConfigError> read() {
        const auto done = toml_.read({
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
        });
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
                    {key("sip", listen.sip), key("sips", listen.sips), key("turn", listen.turn),
                     key("https", listen.https)});
    }

    void read_turn(TomlNode node) {
        constexpr std::uint64_t most_allocations_per_user = 10'000;
        Config::Turn& turn = config_.turn;
        toml_.table(
            node, "[turn]",
            {
                {"relay_addresses",
                 [&](TomlNode value) { turn.relay_addresses = toml_.ip_addresses(value); }},
                {"relay_ports",
                 [&](TomlNode value) {
                     if (const auto ports = toml_.ports(value)) {
                         turn.relay_ports = {ports->first, ports->last};
                     }
                 }},
                {"allocations_per_user",
                 [&](TomlNode value) {
                     if (const auto count = toml_.number(value, 1, most_allocations_per_user)) {
                         turn.allocations_per_user = static_cast<std::uint32_t>(*count);
                     }
                 }},
                {"allow_peers", [&](TomlNode value) { turn.allow_peers = toml_.prefixes(value); }},
                {"rfc5766_channels",
                 [&](TomlNode value) {
                     using Channels = Config::Turn::Channels;
                     if (const auto taken = toml_.boolean(value)) {
                         turn.channels = *taken ? Channels::Rfc5766 : Channels::Rfc8656;
                     }
                 }},
            });
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

    TomlReader toml_;
    Config config_ = default_config();
};

}  // namespace

Config default_config() {
    Config config;
    config.listen = {everywhere(sip_port), everywhere(sips_port), everywhere(turn_port),
                     everywhere(https_port)};
    return config;
}

std::expected<Config, app::ConfigError> parse_config(std::string_view text, std::string_view name) {
    return Reader{text, name}.read();
}

}  // namespace stile::stiled
