// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/settings_file.hpp>

#include <stile/base/encoding.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace stile::relay {
namespace {

using app::TomlKey;
using app::TomlNode;

constexpr std::uint16_t turn_port = 3478;  // RFC 8656 Section 4

// Reads one file; the first mistake ends it.
class Reader {
public:
    Reader(std::string_view text, std::string_view name) : toml_(text, name) {}

    std::expected<SettingsFile, app::ConfigError> read() {
        std::vector<TomlKey> keys = turn_.certificate_keys();
        const std::vector<TomlKey> more{
            {"realm",
             [this](TomlNode node) {
                 if (auto value = realm(node)) settings().tenants.front().realm = *value;
             }},
            text("state_directory", file_.state_directory),
            {"nonce_key", [this](TomlNode node) { read_nonce_key(node); }},
            {"listen", [this](TomlNode node) { read_listen(node); }},
            {"turn", [this](TomlNode node) { toml_.table(node, "[turn]", turn_.keys()); }},
            {"accounts", [this](TomlNode node) { accounts_ = node; }},
            {"tenants", [this](TomlNode node) { tenants_ = node; }},
            {"metrics", [this](TomlNode node) { turn_.metrics(node); }},
            {"drain", [this](TomlNode node) { turn_.drain(node); }},
        };
        keys.insert(keys.end(), more.begin(), more.end());
        const auto done = toml_.read(keys, [this] { finish(); });
        if (!done) return std::unexpected(done.error());
        return std::move(file_);
    }

private:
    // A listener whose tenant is looked up when all tenants are known.
    struct Named {
        std::size_t listener = 0;
        std::string tenant;
        TomlNode node;
    };

    Settings& settings() { return file_.settings; }

    TomlKey text(std::string_view name, std::string& target) {
        return {name, [this, &target](TomlNode node) {
                    if (auto value = toml_.text(node)) target = *std::move(value);
                }};
    }

    std::optional<std::string> realm(TomlNode node) {
        auto value = toml_.text(node);
        if (!value) return std::nullopt;
        constexpr std::size_t most_realm_octets = 127;
        if (!value->empty() && value->size() <= most_realm_octets &&
            value->find_first_of("\"\\:\r\n") == std::string::npos) {
            return value;
        }
        toml_.complain(node, "this is no realm: a name without quotes and colons",
                       "such as \"example.org\"");
        return std::nullopt;
    }

    void read_nonce_key(TomlNode node) {
        const auto value = from_hex(toml_.text(node).value_or(""));
        if (!value || value->size() != settings().nonce_key.size()) {
            return toml_.complain(node, "64 hexadecimal digits are wanted here",
                                  "such as what 'openssl rand -hex 32' prints");
        }
        std::ranges::copy(*value, settings().nonce_key.begin());
    }

    void read_listen(TomlNode node) {
        settings().listeners.clear();
        file_.listeners = SettingsFile::Listeners::Given;
        const auto kind = [this](std::string_view name, ListenerKind value) {
            return TomlKey{name, [this, value](TomlNode list) {
                               toml_.list(list, [&](TomlNode one) { read_listener(one, value); });
                           }};
        };
        toml_.table(node, "[listen]",
                    {kind("udp", ListenerKind::Udp),
                     kind("tcp", ListenerKind::Tcp),
                     kind("tls", ListenerKind::Tls),
                     kind("dtls", ListenerKind::Dtls),
                     {"alternate", [this](TomlNode value) {
                          settings().alternate = toml_.socket_address(value);
                          alternate_ = value;
                      }}});
        if (!toml_.failed() && settings().listeners.empty()) {
            toml_.complain(node, "nothing would be listened to",
                           "leave [listen] out for port 3478 everywhere");
        }
    }

    void read_listener(TomlNode node, ListenerKind kind) {
        Listener listener{.kind = kind};
        std::optional<SocketAddress> address;
        std::string tenant;
        if (toml_.is_table(node)) {
            toml_.table(
                node, "a listener",
                {{"address", [&](TomlNode value) { address = toml_.socket_address(value); }},
                 text("tenant", tenant),
                 {"proxy_protocol", [&](TomlNode value) {
                      const auto wanted = toml_.boolean(value);
                      if (wanted.value_or(false)) {
                          listener.proxy_protocol = ProxyProtocol::Required;
                      }
                  }}});
            if (!toml_.failed() && !address) toml_.complain(node, "'address' is missing here");
        } else {
            address = toml_.socket_address(node);
        }
        if (toml_.failed()) return;
        const bool is_stream = kind == ListenerKind::Tcp || kind == ListenerKind::Tls;
        if (listener.proxy_protocol == ProxyProtocol::Required && !is_stream) {
            return toml_.complain(node, "the PROXY protocol is for tcp and tls only");
        }
        listener.address = *address;
        if (!tenant.empty()) named_.push_back({settings().listeners.size(), tenant, node});
        settings().listeners.push_back(listener);
    }

    // What may stand in any order in the file, related to each other.
    void finish() {
        turn_.finish();
        if (accounts_ && !toml_.failed()) turn_.read_accounts(*accounts_, 0);
        if (tenants_ && !toml_.failed()) read_tenants(*tenants_);
        for (const Named& named : named_) {
            if (toml_.failed()) return;
            const auto& tenants = settings().tenants;
            const auto found = std::ranges::find(tenants, named.tenant, &Tenant::realm);
            if (found == tenants.end()) {
                return toml_.complain(named.node,
                                      fmt::format("there is no tenant '{}'", named.tenant),
                                      "its realm must be the name of a table in [tenants]");
            }
            settings().listeners.at(named.listener).tenant =
                static_cast<std::size_t>(found - tenants.begin());
        }
        if (!toml_.failed()) check_alternate();
    }

    void read_tenants(TomlNode node) {
        toml_.names(node, [this](std::string_view name, TomlNode value) {
            auto& tenants = settings().tenants;
            if (std::ranges::find(tenants, name, &Tenant::realm) != tenants.end()) {
                return toml_.complain(value, "this realm is the default tenant's already");
            }
            // What [turn] says is where each tenant starts, but for who may relay.
            Tenant tenant{.realm = std::string{name}, .limits = tenants.front().limits};
            tenant.limits.authentication.third_party.clear();
            tenants.push_back(std::move(tenant));
            const std::size_t index = tenants.size() - 1;
            std::optional<TomlNode> accounts;
            std::vector<TomlKey> keys = turn_.tenant_keys(index);
            keys.push_back({"accounts", [&](TomlNode table) { accounts = table; }});
            toml_.table(value, fmt::format("[tenants.\"{}\"]", name), keys);
            if (accounts && !toml_.failed()) turn_.read_accounts(*accounts, index);
        });
    }

    // RFC 5780 Section 3: the second address differs in both address and port from the first, which
    // must be an address and no wildcard.
    void check_alternate() {
        const auto& alternate = settings().alternate;
        if (!alternate) return;
        const bool fits = std::ranges::any_of(settings().listeners, [&](const Listener& listener) {
            return listener.kind == ListenerKind::Udp && !listener.address.ip.is_unspecified() &&
                   listener.address.ip.family() == alternate->ip.family() &&
                   listener.address.ip != alternate->ip && listener.address.port != alternate->port;
        });
        if (!fits) {
            toml_.complain(*alternate_,
                           "a udp listener at another address and another port must be there",
                           "such as udp = [\"192.0.2.1:3478\"], alternate = \"192.0.2.2:3479\"");
        }
    }

    app::TomlReader toml_;
    SettingsFile file_ = default_settings_file();
    TurnSection turn_{toml_, file_};
    std::vector<Named> named_;
    std::optional<TomlNode> accounts_;
    std::optional<TomlNode> tenants_;
    std::optional<TomlNode> alternate_;
};

}  // namespace

SettingsFile default_settings_file() {
    SettingsFile file;
    file.settings.tenants.push_back({.realm = "localhost"});
    for (const ListenerKind kind : {ListenerKind::Udp, ListenerKind::Tcp}) {
        for (const char* ip : {"0.0.0.0", "::"}) {
            file.settings.listeners.push_back(
                {.kind = kind, .address = {*IpAddress::parse(ip), Port{turn_port}}});
        }
    }
    return file;
}

std::expected<SettingsFile, app::ConfigError> parse_settings_file(std::string_view text,
                                                                  std::string_view name) {
    return Reader{text, name}.read();
}

}  // namespace stile::relay
