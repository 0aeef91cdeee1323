// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "coturn_settings.hpp"

#include <stile/base/socket_address.hpp>
#include <stile/base/text.hpp>
#include <stile/turn/limits.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace stile::relay {
namespace {

using Kind = ImportNote::Kind;

std::string unquote(std::string_view value) {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
    }
    return std::string{value};
}

// One line after the other.
class Reader {
public:
    explicit Reader(ImportNotes& notes) : notes_(notes) {}

    CoturnSettings read(std::string_view text) {
        for (std::size_t number = 1; !text.empty(); ++number) {
            const std::string_view line = trim(take_until(text, '\n'));
            if (!line.empty() && line.front() != '#') read_line(line, number);
        }
        return std::move(settings_);
    }

private:
    struct Handler {
        std::string_view option;
        void (Reader::*read)();
    };

    void read_line(std::string_view line, std::size_t number);
    void not_taken(std::string reason) { notes_.add(Kind::NotTaken, std::move(reason)); }

    // ---- values of one shape -------------------------------------------------------------------

    template <auto Member>
    void take_text() {
        settings_.*Member = value_;
    }

    template <auto Member>
    void take_ip() {
        const auto address = IpAddress::parse(value_);
        if (!address) return not_taken("this is no IP address");
        (settings_.*Member).push_back(address->to_string());
    }

    template <auto Member>
    void take_port() {
        const auto value = parse_unsigned(value_, 65535);
        if (!value) return not_taken("this is no port");
        if (*value != 0) settings_.*Member = static_cast<std::uint16_t>(*value);
    }

    template <auto Member>
    void take_range() {
        add_range(value_, settings_.*Member, notes_);
    }

    void take_switch() { settings_.switches.insert(option_); }

    void take_quota(std::string_view key, std::uint64_t most, std::string_view default_quota) {
        const auto value = parse_unsigned(value_, UINT32_MAX);
        if (!value) return not_taken("this is no number");
        if (*value == 0) {
            return notes_.add(Kind::Differs, fmt::format("0 is no limit there; here the default of "
                                                         "{} stays, or set {}",
                                                         default_quota, key));
        }
        settings_.turn[std::string{key}] = std::to_string(std::min(*value, most));
    }

    void take_lifetime(std::string_view here) {
        if (value_ != here) not_taken(fmt::format("{} s, as RFC 8656 says", here));
    }

    // ---- each with a meaning of its own --------------------------------------------------------

    void alternate_tls_port() { not_taken("RFC 5780 is answered over UDP and plain TCP only"); }

    void external_ip() {
        std::string_view rest = value_;
        const auto external = IpAddress::parse(take_until(rest, '/'));
        const auto local = IpAddress::parse(rest);
        if (!external || (!rest.empty() && !local)) {
            return not_taken("this is no IP address; names are not resolved");
        }
        if (local) {
            settings_.mapped[local->to_string()] = external->to_string();
        } else {
            settings_.external.push_back(external->to_string());
        }
    }

    void aux_server() {
        const auto address = SocketAddress::parse(value_);
        if (!address) return not_taken("this is no address with a port");
        settings_.extra.push_back(address->to_string());
    }

    void realm() {
        if (!settings_.realm.empty()) {
            return not_taken("a second default realm; make a table in [tenants]");
        }
        settings_.realm = value_;
    }

    void secret() { settings_.secrets.push_back(value_); }

    void user() {
        const std::size_t colon = value_.find(':');
        if (colon == std::string::npos || colon == 0 || colon + 1 == value_.size()) {
            return not_taken("this is not NAME:PASSWORD or NAME:0xKEY");
        }
        settings_.accounts.push_back(
            {notes_.line(), value_.substr(0, colon), value_.substr(colon + 1)});
    }

    void separator() {
        if (value_ != ":") not_taken("names are EXPIRY:USER, with a colon");
    }

    // Said when it is known whether the database has keys.
    void oauth() { settings_.oauth_line = notes_.line(); }

    void user_quota() { take_quota("allocations_per_user", 10'000, "10"); }
    void total_quota() { take_quota("allocations", turn::most_allocations, "16000"); }

    void max_bps() {
        const auto value = parse_unsigned(value_, 1ULL << 32U);
        if (!value || *value == 0) return;
        settings_.turn["octets_per_second_per_user"] = std::to_string(*value);
        notes_.add(Kind::Differs, "counts all sessions of a user together, here, not each");
    }

    void relay_threads() {
        const auto value = parse_unsigned(value_, 128);
        if (value) settings_.turn["shards"] = std::to_string(*value);
    }

    void stale_nonce() {
        const auto value = parse_unsigned(value_.empty() ? "600" : value_, 86'400 * 365);
        const std::uint64_t time = value && *value != 0 ? *value : 86'400;
        settings_.turn["nonce_lifetime"] =
            std::to_string(std::clamp<std::uint64_t>(time, 60, 86'400));
        if (!value || *value == 0 || *value > 86'400) {
            notes_.add(Kind::Differs,
                       "nonces live a day at most here; clients get new ones unseen");
        }
    }

    void longest_lifetime() {
        const auto value = parse_unsigned(value_, 86'400 * 365);
        const std::uint64_t time = std::clamp<std::uint64_t>(value.value_or(3600), 600, 3600);
        settings_.turn["longest_lifetime"] = std::to_string(time);
        if (time != value.value_or(0)) {
            notes_.add(Kind::Differs, fmt::format("{} s here", time));
        }
    }

    void channel_lifetime() { take_lifetime("600"); }
    void permission_lifetime() { take_lifetime("300"); }
    void mobility() { settings_.turn["mobility"] = "true"; }

    static const std::array<Handler, 43> handlers;

    ImportNotes& notes_;
    CoturnSettings settings_;
    std::string option_;
    std::string value_;
};

using S = CoturnSettings;
constexpr std::array<Reader::Handler, 43> Reader::handlers{{
    {"listening-ip", &Reader::take_ip<&S::listening>},
    {"relay-ip", &Reader::take_ip<&S::relays>},
    {"listening-port", &Reader::take_port<&S::port>},
    {"tls-listening-port", &Reader::take_port<&S::tls_port>},
    {"alt-listening-port", &Reader::take_port<&S::alternate_port>},
    {"alt-tls-listening-port", &Reader::alternate_tls_port},
    {"tcp-proxy-port", &Reader::take_port<&S::proxy_port>},
    {"min-port", &Reader::take_port<&S::first_port>},
    {"max-port", &Reader::take_port<&S::last_port>},
    {"external-ip", &Reader::external_ip},
    {"aux-server", &Reader::aux_server},
    {"realm", &Reader::realm},
    {"static-auth-secret", &Reader::secret},
    {"user", &Reader::user},
    {"userdb", &Reader::take_text<&S::userdb>},
    {"db", &Reader::take_text<&S::userdb>},
    {"rest-api-separator", &Reader::separator},
    {"oauth", &Reader::oauth},
    {"server-name", &Reader::take_text<&S::server_name>},
    {"user-quota", &Reader::user_quota},
    {"total-quota", &Reader::total_quota},
    {"max-bps", &Reader::max_bps},
    {"relay-threads", &Reader::relay_threads},
    {"stale-nonce", &Reader::stale_nonce},
    {"max-allocate-lifetime", &Reader::longest_lifetime},
    {"channel-lifetime", &Reader::channel_lifetime},
    {"permission-lifetime", &Reader::permission_lifetime},
    {"no-udp", &Reader::take_switch},
    {"no-tcp", &Reader::take_switch},
    {"no-tls", &Reader::take_switch},
    {"no-dtls", &Reader::take_switch},
    {"no-tcp-relay", &Reader::take_switch},
    {"no-rfc5780", &Reader::take_switch},
    {"allow-loopback-peers", &Reader::take_switch},
    {"mobility", &Reader::mobility},
    {"cert", &Reader::take_text<&S::certificate>},
    {"pkey", &Reader::take_text<&S::key>},
    {"denied-peer-ip", &Reader::take_range<&S::denied>},
    {"allowed-peer-ip", &Reader::take_range<&S::allowed>},
    {"prometheus", &Reader::take_switch},
    {"prometheus-port", &Reader::take_port<&S::metrics_port>},
    {"prometheus-address", &Reader::take_text<&S::metrics_address>},
    {"prometheus-ip", &Reader::take_text<&S::metrics_address>},
}};

void Reader::read_line(std::string_view line, std::size_t number) {
    while (line.starts_with('-')) line.remove_prefix(1);
    const std::size_t end = line.find_first_of("= \t");
    option_ = line.substr(0, end);
    value_ = end == std::string_view::npos ? "" : unquote(trim(line.substr(end + 1)));
    notes_.turn_to(option_, number);
    const auto* const handler = std::ranges::find(handlers, option_, &Handler::option);
    if (handler != handlers.end()) return (this->*handler->read)();
    if (const CoturnOption* fixed = find_fixed_option(option_)) {
        return notes_.add(fixed->kind, std::string{fixed->reason});
    }
    not_taken("this option is not known here");
}

}  // namespace

void add_range(std::string_view text, std::vector<AddressRange>& list, ImportNotes& notes) {
    if (const auto range = parse_range(text)) {
        list.push_back(*range);
    } else {
        notes.add(Kind::NotTaken, fmt::format("'{}' is no range of addresses", text));
    }
}

CoturnSettings read_coturn_settings(std::string_view text, ImportNotes& notes) {
    return Reader{notes}.read(text);
}

}  // namespace stile::relay
