// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "coturn_settings.hpp"

#include <stile/base/socket_address.hpp>
#include <stile/turn/limits.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stile::relay {
namespace {

using Kind = ImportNote::Kind;

class Writer {
public:
    Writer(CoturnSettings settings, ImportTarget target, ImportNotes& notes)
        : from_(std::move(settings)), target_(target), notes_(notes) {
        if (from_.listening.empty()) from_.listening = {"0.0.0.0", "::"};
    }

    std::string write() {
        out_ = fmt::format("# Taken over from turnserver.conf. See {}(8).\n",
                           is_stiled() ? "stiled" : "stile-turnd");
        out_ += fmt::format("{} = {}\n", is_stiled() ? "domain" : "realm", quoted(from_.realm));
        if (from_.has_tls() && !is_stiled()) out_ += certificate_lines();
        if (is_stiled()) {
            write_stiled_listen();
        } else {
            write_listen();
        }
        write_turn();
        write_tenants();
        write_metrics();
        return std::move(out_);
    }

private:
    bool is_stiled() const { return target_ == ImportTarget::Stiled; }

    void note(std::string_view option, Kind kind, std::string reason) {
        notes_.turn_to(option);
        notes_.add(kind, std::move(reason));
    }

    std::string certificate_lines() const {
        return fmt::format("certificate = {}\nkey = {}\n", quoted(from_.certificate),
                           quoted(from_.key));
    }

    std::vector<std::string> at_port(std::uint16_t port) const {
        std::vector<std::string> all;
        for (const std::string& ip : from_.listening) {
            all.push_back(SocketAddress{*IpAddress::parse(ip), Port{port}}.to_string());
        }
        return all;
    }

    // UDP and TCP have the same ones.
    std::vector<std::string> plain_listeners() const {
        std::vector<std::string> plain = at_port(from_.port);
        plain.insert(plain.end(), from_.extra.begin(), from_.extra.end());
        return plain;
    }

    void write_listen() {
        std::string section;
        if (!from_.has("no-udp")) {
            section += fmt::format("udp = {}\n", quoted_list(plain_listeners()));
        }
        section += tcp_line();
        if (from_.has_tls() && !from_.has("no-tls")) {
            section += fmt::format("tls = {}\n", quoted_list(at_port(from_.tls_port)));
        }
        if (from_.has_tls() && !from_.has("no-dtls")) {
            section += fmt::format("dtls = {}\n", quoted_list(at_port(from_.tls_port)));
        }
        section += alternate_line();
        if (section.empty()) {
            return note("no-udp", Kind::NotTaken,
                        "nothing would be listened to: UDP and TCP at port 3478 it is");
        }
        out_ += "\n[listen]\n" + section;
    }

    std::string tcp_line() const {
        std::vector<std::string> items;
        if (!from_.has("no-tcp")) {
            for (const std::string& address : plain_listeners()) items.push_back(quoted(address));
        }
        if (from_.proxy_port != 0) {
            for (const std::string& address : at_port(from_.proxy_port)) {
                items.push_back(
                    fmt::format("{{ address = {}, proxy_protocol = true }}", quoted(address)));
            }
        }
        return items.empty() ? "" : fmt::format("tcp = [{}]\n", fmt::join(items, ", "));
    }

    // RFC 5780 needs two addresses of one family.
    std::string alternate_line() const {
        if (from_.has("no-rfc5780") || from_.has("no-udp")) return "";
        std::vector<IpAddress> candidates;
        for (const std::string& text : from_.listening) {
            const auto ip = IpAddress::parse(text);
            if (ip->is_v4() && !ip->is_unspecified()) candidates.push_back(*ip);
        }
        const std::uint16_t port = from_.alternate_port != 0
                                       ? from_.alternate_port
                                       : static_cast<std::uint16_t>(from_.port + 1);
        if (candidates.size() != 2 || port == from_.port || port == 0) return "";
        return fmt::format("alternate = {}\n",
                           quoted(SocketAddress{candidates.at(1), Port{port}}.to_string()));
    }

    // UDP, DTLS and TCP have one list there, and TLS another.
    void write_stiled_listen() {
        out_ += fmt::format("\n[listen]\nturn = {}\n", quoted_list(plain_listeners()));
        if (from_.has_tls() && !from_.has("no-tls")) {
            out_ += fmt::format("turns = {}\n", quoted_list(at_port(from_.tls_port)));
        }
        for (const char* name : {"no-udp", "no-tcp", "no-dtls"}) {
            if (!from_.has(name)) continue;
            note(name, Kind::NotTaken, "UDP, DTLS and TCP are served at the same addresses");
        }
        if (from_.proxy_port != 0) {
            note("tcp-proxy-port", Kind::NotTaken, "the PROXY protocol is for stile-turnd");
        }
    }

    void write_turn() {
        out_ += "\n[turn]\n";
        write_relay_addresses();
        if (is_stiled() && from_.has_tls()) out_ += certificate_lines();
        write_external();
        write_ports();
        for (const auto& [key, value] : from_.turn) out_ += fmt::format("{} = {}\n", key, value);
        if (!from_.has("no-tcp-relay")) out_ += "tcp_relays = true\n";
        // Its clients may choose among all the channel numbers of RFC 5766.
        out_ += "rfc5766_channels = true\n";
        write_peers();
        const auto own = from_.tenants.find(from_.realm);
        if (own != from_.tenants.end()) write_keys(own->second);
    }

    void write_relay_addresses() {
        std::vector<std::string> relays;
        for (const std::string& ip : from_.relays.empty() ? from_.listening : from_.relays) {
            if (IpAddress::parse(ip)->is_unspecified()) continue;
            const auto external = from_.mapped.extract(ip);
            relays.push_back(external ? mapped_address(ip, external.mapped()) : quoted(ip));
        }
        for (const auto& [local, external] : from_.mapped) {
            relays.push_back(mapped_address(local, external));
        }
        if (!relays.empty()) {
            out_ += fmt::format("relay_addresses = [{}]\n", fmt::join(relays, ", "));
        }
    }

    static std::string mapped_address(const std::string& local, const std::string& external) {
        return fmt::format("{{ local = {}, external = {} }}", quoted(local), quoted(external));
    }

    // One for all relay addresses of a family: several are those of several relay addresses.
    void write_external() {
        std::vector<std::string> kept;
        std::set<AddressFamily> seen;
        for (const std::string& text : from_.external) {
            if (!seen.insert(IpAddress::parse(text)->family()).second) {
                note("external-ip", Kind::NotTaken,
                     fmt::format("{} has no relay address beside it: write EXTERNAL/LOCAL", text));
                continue;
            }
            kept.push_back(text);
        }
        if (!kept.empty()) out_ += fmt::format("external_addresses = {}\n", quoted_list(kept));
    }

    void write_ports() {
        const CoturnSettings defaults;
        if (from_.first_port == defaults.first_port && from_.last_port == defaults.last_port) {
            return;
        }
        if (from_.first_port < 1024 || from_.first_port > from_.last_port) {
            return note("min-port", Kind::NotTaken, "relay ports are a range from 1024 to 65535");
        }
        out_ += fmt::format("relay_ports = \"{}-{}\"\n", from_.first_port, from_.last_port);
    }

    // There an allowed range wins over a denied one, here it is the other way round.
    void write_peers() {
        if (from_.has("allow-loopback-peers")) {
            for (const char* range : {"127.0.0.0/8", "::1/128"}) {
                from_.allowed.push_back(*parse_range(range));
            }
        }
        write_prefixes("allow_peers", "allowed-peer-ip", prefixes_without(from_.allowed, {}));
        write_prefixes("deny_peers", "denied-peer-ip",
                       prefixes_without(from_.denied, from_.allowed));
        note("", Kind::Differs,
             "private and other special-purpose peers, which coturn relays to unless they are "
             "denied, are refused here unless allow_peers opens them");
    }

    void write_prefixes(std::string_view key, std::string_view option,
                        std::vector<IpPrefix> prefixes) {
        constexpr std::size_t most = turn::most_policy_prefixes / 4;
        if (prefixes.size() > most) {
            note(option, Kind::NotTaken,
                 fmt::format("of {} ranges only {} are taken", prefixes.size(), most));
            prefixes.resize(most);
        }
        std::vector<std::string> texts;
        for (const IpPrefix& prefix : prefixes) texts.push_back(prefix.to_string());
        if (!texts.empty()) out_ += fmt::format("{} = {}\n", key, quoted_list(texts));
    }

    void write_keys(const CoturnSettings::Credentials& credentials) {
        if (!credentials.secrets.empty()) {
            out_ += fmt::format("secrets = {}\n", quoted_list(credentials.secrets));
        }
        if (credentials.token_keys.empty()) return;
        const std::string& name = from_.server_name.empty() ? from_.realm : from_.server_name;
        out_ += fmt::format("oauth = {{ server_name = {}, keys = [{}] }}\n", quoted(name),
                            fmt::join(credentials.token_keys, ", "));
    }

    void write_accounts(std::string_view table, const CoturnSettings::Credentials& credentials) {
        if (credentials.accounts.empty()) return;
        out_ += fmt::format("\n[{}]\n", table);
        for (const auto& [name, value] : credentials.accounts) {
            out_ += fmt::format("{} = {}\n", quoted(name), value);
        }
    }

    void write_tenants() {
        for (const auto& [realm, credentials] : from_.tenants) {
            if (realm == from_.realm) {
                write_accounts(is_stiled() ? "turn.accounts" : "accounts", credentials);
            } else if (is_stiled()) {
                note("userdb", Kind::NotTaken,
                     fmt::format("realm '{}': there is one realm, the domain; stile-turnd has "
                                 "several",
                                 realm));
            } else {
                out_ += fmt::format("\n[tenants.{}]\n", quoted(realm));
                write_keys(credentials);
                write_accounts(fmt::format("tenants.{}.accounts", quoted(realm)), credentials);
                note("userdb", Kind::Differs,
                     fmt::format("realm '{0}' needs a listener of its own: give it one with "
                                 "tenant = \"{0}\" under [listen]; coturn chooses realms by ORIGIN",
                                 realm));
            }
        }
    }

    void write_metrics() {
        if (!from_.has("prometheus")) return;
        const auto ip = IpAddress::parse(from_.metrics_address);
        const SocketAddress at{ip.value_or(IpAddress::v4({127, 0, 0, 1})),
                               Port{from_.metrics_port}};
        out_ += fmt::format("\n[metrics]\nlisten = {}\n", quoted(at.to_string()));
        if (!ip) {
            note("prometheus", Kind::Differs,
                 "at 127.0.0.1 only; coturn shows metrics at all addresses");
        }
    }

    CoturnSettings from_;
    ImportTarget target_;
    ImportNotes& notes_;
    std::string out_;
};

}  // namespace

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string quoted_list(const std::vector<std::string>& items) {
    std::vector<std::string> all;
    for (const std::string& item : items) all.push_back(quoted(item));
    return fmt::format("[{}]", fmt::join(all, ", "));
}

std::string write_coturn_settings(CoturnSettings settings, ImportTarget target,
                                  ImportNotes& notes) {
    return Writer{std::move(settings), target, notes}.write();
}

}  // namespace stile::relay
