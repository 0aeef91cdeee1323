// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/coturn_import.hpp>

#include "address_ranges.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/base/text.hpp>
#include <stile/relay/settings_file.hpp>
#include <stile/turn/limits.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace stile::relay {
namespace {

using Kind = ImportNote::Kind;

constexpr std::uint16_t plain_port = 3478;
constexpr std::uint16_t tls_port = 5349;
constexpr std::uint16_t coturn_metrics_port = 9641;

// Options without a counterpart, and why.
struct Fixed {
    std::string_view option;
    Kind kind;
    std::string_view reason;
};

constexpr std::string_view logging = "what happens is written to standard output; systemd keeps it";
constexpr std::string_view admin =
    "the running server is asked with 'stile-turnd sessions', 'trace', 'drain' and 'reload'";
constexpr std::string_view tls_choice = "TLS 1.2 and 1.3 with the system's modern ciphers, always";
constexpr std::string_view other_database =
    "only coturn's SQLite database is read: export the users with turnadmin into [accounts]";
constexpr std::string_view always = "always so here";

constexpr std::array fixed{
    Fixed{"listening-device", Kind::NotTaken, "name addresses instead: listening-ip"},
    Fixed{"relay-device", Kind::NotTaken, "name addresses instead: relay-ip"},
    Fixed{"no-auth", Kind::NotTaken,
          "a relay for everybody is never run; make accounts or secrets"},
    Fixed{"psql-userdb", Kind::NotTaken, other_database},
    Fixed{"mysql-userdb", Kind::NotTaken, other_database},
    Fixed{"mongo-userdb", Kind::NotTaken, other_database},
    Fixed{"redis-userdb", Kind::NotTaken, other_database},
    Fixed{"redis-statsdb", Kind::NotTaken, "see [metrics]: Prometheus and a usage file"},
    Fixed{"secret-key-file", Kind::NotTaken, "encrypted passwords are of databases not read here"},
    Fixed{"bps-capacity", Kind::NotTaken, "there is a rate a user, none of the whole server"},
    Fixed{"alternate-server", Kind::NotTaken,
          "clients are sent elsewhere only while draining: see [drain] redirect"},
    Fixed{"tls-alternate-server", Kind::NotTaken,
          "clients are sent elsewhere only while draining: see [drain] redirect"},
    Fixed{"no-udp-relay", Kind::NotTaken, "UDP relays are what this is for"},
    Fixed{"stun-only", Kind::NotTaken,
          "TURN is there, too; with no account and no shared secret handed out nobody relays"},
    Fixed{"no-stun", Kind::NotTaken, "Binding requests are always answered, at a limited rate"},
    Fixed{"secure-stun", Kind::NotTaken, "Binding requests need no credentials"},
    Fixed{"oauth", Kind::NotTaken, "keys of RFC 7635 are not taken over"},
    Fixed{"pkey-pwd", Kind::NotTaken, "the key must lie without a password, readable by its owner"},
    Fixed{"check-origin-consistency", Kind::NotTaken, "ORIGIN is no part of RFC 8656"},
    Fixed{"acme-redirect", Kind::NotTaken, "let the ACME client listen on port 80 itself"},
    Fixed{"server-relay", Kind::NotTaken, "it lets anybody in without permissions"},
    Fixed{"web-admin", Kind::NotTaken, admin},
    Fixed{"web-admin-ip", Kind::NotTaken, admin},
    Fixed{"web-admin-port", Kind::NotTaken, admin},
    Fixed{"web-admin-listen-on-workers", Kind::NotTaken, admin},
    Fixed{"prometheus-username-labels", Kind::NotTaken,
          "a label for each user makes metrics without bounds; see usage_file"},
    Fixed{"allocation-default-address-family", Kind::NotTaken,
          "IPv4 unless the client asks otherwise, as RFC 8656 says"},
    Fixed{"keep-address-family", Kind::NotTaken,
          "IPv4 unless the client asks otherwise, as RFC 8656 says"},
    Fixed{"server-name", Kind::NotNeeded, "used for OAuth only"},
    Fixed{"lt-cred-mech", Kind::NotNeeded, always},
    Fixed{"use-auth-secret", Kind::NotNeeded, "having secrets is enough"},
    Fixed{"fingerprint", Kind::NotNeeded, "present where the protocol wants it"},
    Fixed{"no-multicast-peers", Kind::NotNeeded, always},
    Fixed{"udp-self-balance", Kind::NotNeeded, always},
    Fixed{"no-software-attribute", Kind::NotNeeded, always},
    Fixed{"no-cli", Kind::NotNeeded, "there is none"},
    Fixed{"cli-ip", Kind::NotNeeded, admin},
    Fixed{"cli-port", Kind::NotNeeded, admin},
    Fixed{"cli-password", Kind::NotNeeded, admin},
    Fixed{"cli-max-output-sessions", Kind::NotNeeded, admin},
    Fixed{"verbose", Kind::NotNeeded, logging},
    Fixed{"Verbose", Kind::NotNeeded, logging},
    Fixed{"no-stdout-log", Kind::NotNeeded, logging},
    Fixed{"log-file", Kind::NotNeeded, logging},
    Fixed{"syslog", Kind::NotNeeded, logging},
    Fixed{"syslog-facility", Kind::NotNeeded, logging},
    Fixed{"simple-log", Kind::NotNeeded, logging},
    Fixed{"new-log-timestamp", Kind::NotNeeded, logging},
    Fixed{"new-log-timestamp-format", Kind::NotNeeded, logging},
    Fixed{"log-binding", Kind::NotNeeded, logging},
    Fixed{"pidfile", Kind::NotNeeded, "systemd knows the process"},
    Fixed{"proc-user", Kind::NotNeeded, "User= of the service file"},
    Fixed{"proc-group", Kind::NotNeeded, "Group= of the service file"},
    Fixed{"cipher-list", Kind::NotNeeded, tls_choice},
    Fixed{"ec-curve-name", Kind::NotNeeded, tls_choice},
    Fixed{"dh566", Kind::NotNeeded, tls_choice},
    Fixed{"dh1066", Kind::NotNeeded, tls_choice},
    Fixed{"dh2066", Kind::NotNeeded, tls_choice},
    Fixed{"dh-file", Kind::NotNeeded, tls_choice},
    Fixed{"no-tlsv1", Kind::NotNeeded, tls_choice},
    Fixed{"no-tlsv1_1", Kind::NotNeeded, tls_choice},
    Fixed{"no-tlsv1_2", Kind::NotNeeded, tls_choice},
    Fixed{"max-allocate-timeout", Kind::NotNeeded, "nothing is kept for who has not authenticated"},
    Fixed{"ne", Kind::NotNeeded, "a thread a core"},
    Fixed{"no-stun-backward-compatibility", Kind::NotNeeded, always},
    Fixed{"response-origin-only-with-rfc5780", Kind::NotNeeded, always},
};

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

std::string unquote(std::string_view value) {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
    }
    return std::string{value};
}

// Everything that the file says, and the writing of ours.
class Importer {
public:
    Importer(const CoturnUsers& users, ImportTarget target) : users_(users), target_(target) {}

    CoturnImport run(std::string_view text) {
        std::string_view rest = text;
        for (line_ = 1; !rest.empty(); ++line_) {
            std::string_view line = take_until(rest, '\n');
            if (line.ends_with('\r')) line.remove_suffix(1);
            line = trim(line);
            if (!line.empty() && line.front() != '#') read_line(line);
        }
        line_ = 0;
        option_.clear();
        import_database();
        write();
        result_.userdb = userdb_;
        return std::move(result_);
    }

private:
    struct Credentials {
        std::vector<std::string> secrets;
        std::map<std::string, std::string> accounts;  // name: TOML value
    };

    void note(Kind kind, std::string reason) {
        result_.notes.push_back({kind, line_, option_, std::move(reason)});
    }

    void read_line(std::string_view line) {
        while (line.starts_with('-')) line.remove_prefix(1);
        const std::size_t end = line.find_first_of("= \t");
        option_ = line.substr(0, end);
        value_ = end == std::string_view::npos ? "" : unquote(trim(line.substr(end + 1)));
        if (read_address() || read_credential() || read_limit() || read_switch()) return;
        const auto found = std::ranges::find(fixed, option_, &Fixed::option);
        if (found != fixed.end()) return note(found->kind, std::string{found->reason});
        note(Kind::NotTaken, "this option is not known here");
    }

    // ---- where ---------------------------------------------------------------------------------

    bool read_address() {
        if (option_ == "listening-ip") return take_ip(listening_);
        if (option_ == "relay-ip") return take_ip(relays_);
        if (option_ == "listening-port") return take_port(port_);
        if (option_ == "tls-listening-port") return take_port(tls_port_);
        if (option_ == "alt-listening-port") return take_port(alternate_port_);
        if (option_ == "alt-tls-listening-port") {
            note(Kind::NotTaken, "RFC 5780 is answered over UDP and plain TCP only");
            return true;
        }
        if (option_ == "tcp-proxy-port") return take_port(proxy_port_);
        if (option_ == "min-port") return take_port(first_port_);
        if (option_ == "max-port") return take_port(last_port_);
        if (option_ == "external-ip") {
            read_external();
            return true;
        }
        if (option_ == "aux-server") {
            if (const auto address = SocketAddress::parse(value_)) {
                extra_.push_back(address->to_string());
            } else {
                note(Kind::NotTaken, "this is no address with a port");
            }
            return true;
        }
        return false;
    }

    bool take_ip(std::vector<std::string>& list) {
        if (const auto address = IpAddress::parse(value_)) {
            list.push_back(address->to_string());
        } else {
            note(Kind::NotTaken, "this is no IP address");
        }
        return true;
    }

    bool take_port(std::uint16_t& port) {
        if (const auto value = parse_unsigned(value_, 65535)) {
            if (*value != 0) port = static_cast<std::uint16_t>(*value);
        } else {
            note(Kind::NotTaken, "this is no port");
        }
        return true;
    }

    void read_external() {
        std::string_view rest = value_;
        const auto external = IpAddress::parse(take_until(rest, '/'));
        const auto local = IpAddress::parse(rest);
        if (!external || (!rest.empty() && !local)) {
            return note(Kind::NotTaken, "this is no IP address; names are not resolved");
        }
        if (local) {
            mapped_[local->to_string()] = external->to_string();
        } else {
            external_.push_back(external->to_string());
        }
    }

    // ---- who -----------------------------------------------------------------------------------

    bool read_credential() {
        if (option_ == "realm") {
            if (realm_.empty()) {
                realm_ = value_;
            } else {
                note(Kind::NotTaken, "a second default realm; make a table in [tenants]");
            }
            return true;
        }
        if (option_ == "static-auth-secret") {
            secrets_.push_back(value_);
            return true;
        }
        if (option_ == "user") {
            const std::size_t colon = value_.find(':');
            if (colon == std::string::npos || colon == 0 || colon + 1 == value_.size()) {
                note(Kind::NotTaken, "this is not NAME:PASSWORD or NAME:0xKEY");
            } else {
                accounts_.push_back({line_, value_.substr(0, colon), value_.substr(colon + 1)});
            }
            return true;
        }
        if (option_ == "userdb" || option_ == "db") {
            userdb_ = value_;
            return true;
        }
        if (option_ == "rest-api-separator") {
            if (value_ != ":") note(Kind::NotTaken, "names are EXPIRY:USER, with a colon");
            return true;
        }
        return false;
    }

    // ---- how much ------------------------------------------------------------------------------

    bool read_limit() {
        if (option_ == "user-quota") {
            take_quota("allocations_per_user", 10'000,
                       "0 is no limit there; here the default of 10 stays, or set "
                       "allocations_per_user");
        } else if (option_ == "total-quota") {
            take_quota("allocations", turn::most_allocations,
                       "0 is no limit there; here the default of 16000 stays, or set allocations");
        } else if (option_ == "max-bps") {
            const auto value = parse_unsigned(value_, 1ULL << 32U);
            if (value && *value != 0) {
                turn_["octets_per_second_per_user"] = std::to_string(*value);
                note(Kind::Differs, "counts all sessions of a user together, here, not each");
            }
        } else if (option_ == "relay-threads") {
            const auto value = parse_unsigned(value_, 128);
            if (value) turn_["shards"] = std::to_string(*value);
        } else if (option_ == "stale-nonce") {
            const auto value = parse_unsigned(value_.empty() ? "600" : value_, 86'400 * 365);
            const std::uint64_t time = value && *value != 0 ? *value : 86'400;
            turn_["nonce_lifetime"] = std::to_string(std::clamp<std::uint64_t>(time, 60, 86'400));
            if (!value || *value == 0 || *value > 86'400) {
                note(Kind::Differs, "nonces live a day at most here; clients get new ones unseen");
            }
        } else if (option_ == "max-allocate-lifetime") {
            const auto value = parse_unsigned(value_, 86'400 * 365);
            const std::uint64_t time = std::clamp<std::uint64_t>(value.value_or(3600), 600, 3600);
            turn_["longest_lifetime"] = std::to_string(time);
            if (time != value.value_or(0)) note(Kind::Differs, fmt::format("{} s here", time));
        } else if (option_ == "channel-lifetime") {
            if (value_ != "600") note(Kind::NotTaken, "600 s, as RFC 8656 says");
        } else if (option_ == "permission-lifetime") {
            if (value_ != "300") note(Kind::NotTaken, "300 s, as RFC 8656 says");
        } else {
            return false;
        }
        return true;
    }

    void take_quota(const std::string& key, std::uint64_t most, std::string_view unlimited) {
        const auto value = parse_unsigned(value_, UINT32_MAX);
        if (!value) return note(Kind::NotTaken, "this is no number");
        if (*value == 0) return note(Kind::Differs, std::string{unlimited});
        turn_[key] = std::to_string(std::min(*value, most));
    }

    // ---- what ----------------------------------------------------------------------------------

    bool read_switch() {
        if (option_ == "no-udp" || option_ == "no-tcp" || option_ == "no-tls" ||
            option_ == "no-dtls" || option_ == "no-tcp-relay" || option_ == "no-rfc5780" ||
            option_ == "allow-loopback-peers") {
            switches_.insert(option_);
        } else if (option_ == "mobility") {
            turn_["mobility"] = "true";
        } else if (option_ == "cert") {
            certificate_ = value_;
        } else if (option_ == "pkey") {
            key_ = value_;
        } else if (option_ == "denied-peer-ip" || option_ == "allowed-peer-ip") {
            take_range(value_, option_ == "denied-peer-ip" ? denied_ : allowed_);
        } else if (option_ == "prometheus") {
            metrics_ = true;
        } else if (option_ == "prometheus-port") {
            take_port(metrics_port_);
        } else if (option_ == "prometheus-address" || option_ == "prometheus-ip") {
            metrics_address_ = value_;
        } else {
            return false;
        }
        return true;
    }

    void take_range(std::string_view text, std::vector<AddressRange>& list) {
        if (const auto range = parse_range(text)) {
            list.push_back(*range);
        } else {
            note(Kind::NotTaken, fmt::format("'{}' is no range of addresses", text));
        }
    }

    // ---- the database --------------------------------------------------------------------------

    void import_database() {
        if (realm_.empty()) realm_ = "localhost";
        for (const auto& [line, name, password] : accounts_) {
            Credentials& to = tenants_[realm_];
            if (password.starts_with("0x")) {
                const std::string key = to_lower(password.substr(2));
                if (!from_hex(key) || key.size() != 32) {
                    line_ = line;
                    option_ = "user";
                    note(Kind::NotTaken, "this is no key of 32 hexadecimal digits");
                    line_ = 0;
                    continue;
                }
                to.accounts[name] = fmt::format("{{ md5 = {} }}", quoted(key));
            } else {
                to.accounts[name] = quoted(password);
            }
        }
        for (const std::string& secret : secrets_) tenants_[realm_].secrets.push_back(secret);
        option_ = "userdb";
        for (const auto& account : users_.accounts) {
            if (account.name.empty() || account.key.size() != 32 || !from_hex(account.key)) {
                note(Kind::NotTaken, fmt::format("user '{}' of realm '{}' has no MD5 key",
                                                 account.name, account.realm));
                continue;
            }
            tenants_[account.realm.empty() ? realm_ : account.realm].accounts[account.name] =
                fmt::format("{{ md5 = {} }}", quoted(account.key));
        }
        for (const auto& secret : users_.secrets) {
            auto& list = tenants_[secret.realm.empty() ? realm_ : secret.realm].secrets;
            if (std::ranges::find(list, secret.secret) == list.end()) list.push_back(secret.secret);
        }
        for (const auto& range : users_.allowed) take_range(range.range, allowed_);
        for (const auto& range : users_.denied) take_range(range.range, denied_);
        if (users_.oauth_keys > 0) note(Kind::NotTaken, "keys of RFC 7635 are not taken over");
        for (auto& [realm, credentials] : tenants_) limit_secrets(realm, credentials.secrets);
    }

    void limit_secrets(const std::string& realm, std::vector<std::string>& secrets) {
        std::erase_if(secrets, [&](const std::string& secret) {
            if (secret.size() >= 8) return false;
            note(Kind::NotTaken,
                 fmt::format("a secret of realm '{}' has fewer than 8 characters", realm));
            return true;
        });
        if (secrets.size() > turn::most_shared_secrets) {
            note(Kind::NotTaken, fmt::format("realm '{}' has {} secrets, of which {} are taken",
                                             realm, secrets.size(), turn::most_shared_secrets));
            secrets.resize(turn::most_shared_secrets);
        }
    }

    // ---- the new file --------------------------------------------------------------------------

    void write() {
        std::string& out = result_.toml;
        out += fmt::format("# Taken over from turnserver.conf. See {}(8).\n",
                           is_stiled() ? "stiled" : "stile-turnd");
        out += fmt::format("{} = {}\n", is_stiled() ? "domain" : "realm", quoted(realm_));
        const bool tls = !certificate_.empty() && !key_.empty();
        if (tls && !is_stiled()) out += certificate_lines();
        write_listen(tls);
        write_turn();
        write_tenants();
        if (metrics_) {
            const std::string at = metrics_address_.empty() ? "127.0.0.1" : metrics_address_;
            const auto ip = IpAddress::parse(at);
            out += fmt::format("\n[metrics]\nlisten = {}\n",
                               quoted(SocketAddress{ip.value_or(IpAddress::v4({127, 0, 0, 1})),
                                                    Port{metrics_port_}}
                                          .to_string()));
            option_ = "prometheus";
            if (metrics_address_.empty()) {
                note(Kind::Differs, "at 127.0.0.1 only; coturn shows metrics at all addresses");
            }
        }
    }

    std::string certificate_lines() const {
        return fmt::format("certificate = {}\nkey = {}\n", quoted(certificate_), quoted(key_));
    }

    std::vector<std::string> at_port(std::uint16_t port) const {
        std::vector<std::string> all;
        for (const std::string& ip : listening_) {
            all.push_back(SocketAddress{*IpAddress::parse(ip), Port{port}}.to_string());
        }
        return all;
    }

    void write_listen(bool tls) {
        if (listening_.empty()) listening_ = {"0.0.0.0", "::"};
        std::vector<std::string> plain = at_port(port_);
        plain.insert(plain.end(), extra_.begin(), extra_.end());
        if (is_stiled()) return write_stiled_listen(plain, tls);
        std::string section;
        if (!switches_.contains("no-udp")) {
            section += fmt::format("udp = {}\n", quoted_list(plain));
        }
        const bool tcp = !switches_.contains("no-tcp");
        if (tcp || proxy_port_ != 0) {
            std::vector<std::string> items;
            if (tcp) {
                for (const std::string& address : plain) items.push_back(quoted(address));
            }
            if (proxy_port_ != 0) {
                for (const std::string& address : at_port(proxy_port_)) {
                    items.push_back(
                        fmt::format("{{ address = {}, proxy_protocol = true }}", quoted(address)));
                }
            }
            section += fmt::format("tcp = [{}]\n", fmt::join(items, ", "));
        }
        if (tls && !switches_.contains("no-tls")) {
            section += fmt::format("tls = {}\n", quoted_list(at_port(tls_port_)));
        }
        if (tls && !switches_.contains("no-dtls")) {
            section += fmt::format("dtls = {}\n", quoted_list(at_port(tls_port_)));
        }
        write_alternate(section);
        if (section.empty()) {
            option_ = "no-udp";
            note(Kind::NotTaken, "nothing would be listened to: UDP and TCP at port 3478 it is");
        } else {
            result_.toml += "\n[listen]\n" + section;
        }
    }

    // UDP, DTLS and TCP have one list there, and TLS another.
    void write_stiled_listen(const std::vector<std::string>& plain, bool tls) {
        std::string& out = result_.toml;
        out += fmt::format("\n[listen]\nturn = {}\n", quoted_list(plain));
        if (tls && !switches_.contains("no-tls")) {
            out += fmt::format("turns = {}\n", quoted_list(at_port(tls_port_)));
        }
        for (const char* name : {"no-udp", "no-tcp", "no-dtls"}) {
            if (!switches_.contains(name)) continue;
            option_ = name;
            note(Kind::NotTaken, "UDP, DTLS and TCP are served at the same addresses");
        }
        if (proxy_port_ != 0) {
            option_ = "tcp-proxy-port";
            note(Kind::NotTaken, "the PROXY protocol is for stile-turnd");
        }
    }

    // RFC 5780 needs two addresses of one family.
    void write_alternate(std::string& section) const {
        if (switches_.contains("no-rfc5780") || switches_.contains("no-udp")) return;
        std::vector<IpAddress> candidates;
        for (const std::string& text : listening_) {
            const auto ip = IpAddress::parse(text);
            if (ip->is_v4() && !ip->is_unspecified()) candidates.push_back(*ip);
        }
        const std::uint16_t port =
            alternate_port_ != 0 ? alternate_port_ : static_cast<std::uint16_t>(port_ + 1);
        if (candidates.size() == 2 && port != port_ && port != 0) {
            section += fmt::format("alternate = {}\n",
                                   quoted(SocketAddress{candidates.at(1), Port{port}}.to_string()));
        }
    }

    void write_turn() {
        std::string section;
        std::vector<std::string> relays;
        for (const std::string& ip : relays_.empty() ? listening_ : relays_) {
            if (IpAddress::parse(ip)->is_unspecified()) continue;
            const auto external = mapped_.extract(ip);
            relays.push_back(external ? fmt::format("{{ local = {}, external = {} }}", quoted(ip),
                                                    quoted(external.mapped()))
                                      : quoted(ip));
        }
        for (const auto& [local, external] : mapped_) {
            relays.push_back(
                fmt::format("{{ local = {}, external = {} }}", quoted(local), quoted(external)));
        }
        if (!relays.empty()) {
            section += fmt::format("relay_addresses = [{}]\n", fmt::join(relays, ", "));
        }
        if (is_stiled() && !certificate_.empty() && !key_.empty()) section += certificate_lines();
        write_external(section);
        write_ports(section);
        for (const auto& [key, value] : turn_) section += fmt::format("{} = {}\n", key, value);
        if (!switches_.contains("no-tcp-relay")) section += "tcp_relays = true\n";
        // Its clients may choose among all the channel numbers of RFC 5766.
        section += "rfc5766_channels = true\n";
        write_peers(section);
        const auto own = tenants_.find(realm_);
        if (own != tenants_.end() && !own->second.secrets.empty()) {
            section += fmt::format("secrets = {}\n", quoted_list(own->second.secrets));
        }
        if (!section.empty()) result_.toml += "\n[turn]\n" + section;
    }

    // One for all relay addresses of a family: several are those of several relay addresses.
    void write_external(std::string& section) {
        std::vector<std::string> kept;
        std::set<AddressFamily> seen;
        option_ = "external-ip";
        for (const std::string& text : external_) {
            const AddressFamily family = IpAddress::parse(text)->family();
            if (!seen.insert(family).second) {
                note(Kind::NotTaken,
                     fmt::format("{} has no relay address beside it: write EXTERNAL/LOCAL", text));
                continue;
            }
            kept.push_back(text);
        }
        if (!kept.empty()) section += fmt::format("external_addresses = {}\n", quoted_list(kept));
    }

    void write_ports(std::string& section) {
        if (first_port_ == 49152 && last_port_ == 65535) return;
        option_ = "min-port";
        if (first_port_ < 1024 || first_port_ > last_port_) {
            return note(Kind::NotTaken, "relay ports are a range from 1024 to 65535");
        }
        section += fmt::format("relay_ports = \"{}-{}\"\n", first_port_, last_port_);
    }

    // There an allowed range wins over a denied one, here it is the other way round.
    void write_peers(std::string& section) {
        if (switches_.contains("allow-loopback-peers")) {
            for (const char* range : {"127.0.0.0/8", "::1/128"}) {
                allowed_.push_back(*parse_range(range));
            }
        }
        const auto list = [&](std::string_view key, std::vector<IpPrefix> prefixes) {
            constexpr std::size_t most = turn::most_policy_prefixes / 4;
            option_ = fmt::format("{}-peer-ip", key == "allow_peers" ? "allowed" : "denied");
            if (prefixes.size() > most) {
                note(Kind::NotTaken,
                     fmt::format("of {} ranges only {} are taken", prefixes.size(), most));
                prefixes.resize(most);
            }
            std::vector<std::string> texts;
            for (const IpPrefix& prefix : prefixes) texts.push_back(prefix.to_string());
            if (!texts.empty()) section += fmt::format("{} = {}\n", key, quoted_list(texts));
        };
        list("allow_peers", prefixes_without(allowed_, {}));
        list("deny_peers", prefixes_without(denied_, allowed_));
        option_.clear();
        note(Kind::Differs,
             "private and other special-purpose peers, which coturn relays to unless they are "
             "denied, are refused here unless allow_peers opens them");
    }

    void write_tenants() {
        std::string& out = result_.toml;
        const auto write_accounts = [&](std::string_view table,
                                        const std::map<std::string, std::string>& accounts) {
            if (accounts.empty()) return;
            out += fmt::format("\n[{}]\n", table);
            for (const auto& [name, value] : accounts) {
                out += fmt::format("{} = {}\n", quoted(name), value);
            }
        };
        for (const auto& [realm, credentials] : tenants_) {
            if (realm == realm_) {
                write_accounts(is_stiled() ? "turn.accounts" : "accounts", credentials.accounts);
                continue;
            }
            if (is_stiled()) {
                option_ = "userdb";
                note(Kind::NotTaken, fmt::format("realm '{}': there is one realm, the domain; "
                                                 "stile-turnd has several",
                                                 realm));
                continue;
            }
            out += fmt::format("\n[tenants.{}]\n", quoted(realm));
            if (!credentials.secrets.empty()) {
                out += fmt::format("secrets = {}\n", quoted_list(credentials.secrets));
            }
            write_accounts(fmt::format("tenants.{}.accounts", quoted(realm)), credentials.accounts);
            option_ = "userdb";
            note(Kind::Differs,
                 fmt::format("realm '{}' needs a listener of its own: give it one with tenant = "
                             "{} under [listen]; coturn chooses realms by ORIGIN",
                             realm, quoted(realm)));
        }
    }

    struct Line {
        std::size_t line;
        std::string name;
        std::string password;
    };

    bool is_stiled() const { return target_ == ImportTarget::Stiled; }

    const CoturnUsers& users_;
    ImportTarget target_;
    CoturnImport result_;
    std::size_t line_ = 0;
    std::string option_;
    std::string value_;

    std::vector<std::string> listening_;
    std::vector<std::string> relays_;
    std::vector<std::string> extra_;
    std::vector<std::string> external_;
    std::map<std::string, std::string> mapped_;  // local: external
    std::uint16_t port_ = plain_port;
    std::uint16_t tls_port_ = tls_port;
    std::uint16_t alternate_port_ = 0;
    std::uint16_t proxy_port_ = 0;
    std::uint16_t first_port_ = 49152;
    std::uint16_t last_port_ = 65535;
    std::string realm_;
    std::string userdb_;
    std::string certificate_;
    std::string key_;
    std::vector<std::string> secrets_;
    std::vector<Line> accounts_;
    std::map<std::string, Credentials> tenants_;
    std::map<std::string, std::string> turn_;  // key: TOML value
    std::set<std::string, std::less<>> switches_;
    std::vector<AddressRange> allowed_;
    std::vector<AddressRange> denied_;
    bool metrics_ = false;
    std::uint16_t metrics_port_ = coturn_metrics_port;
    std::string metrics_address_;
};

}  // namespace

CoturnImport import_coturn(std::string_view text, const CoturnUsers& users, ImportTarget target) {
    return Importer{users, target}.run(text);
}

std::string to_text(const std::vector<ImportNote>& notes, std::string_view file_name) {
    std::string text;
    for (const ImportNote& note : notes) {
        const std::string_view verdict = note.kind == Kind::NotTaken  ? "not taken"
                                         : note.kind == Kind::Differs ? "differs"
                                                                      : "not needed";
        text += file_name;
        if (note.line != 0) text += fmt::format(":{}", note.line);
        if (!note.option.empty()) text += fmt::format(": {}", app::printable(note.option));
        text += fmt::format(": {}: {}\n", verdict, app::printable(note.reason));
    }
    return text;
}

}  // namespace stile::relay
