// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/diagnosis.hpp>
#include <stile/nat_probe/nat_words.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <utility>

namespace stile::nat_probe {
namespace {

using app::ExitCode;
using Level = Finding::Level;

double in_milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

std::string seconds_text(Duration duration) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    if (seconds < 120) return fmt::format("{} s", seconds);
    if (seconds < 7200) return fmt::format("{} min", seconds / 60);
    if (seconds < 172'800) return fmt::format("{} h", seconds / 3600);
    return fmt::format("{} days", seconds / 86'400);
}

using PortMapping = NetworkFindings::PortMapping;

class Doctor {
public:
    explicit Doctor(const NetworkFindings& found) : found_(found) {}

    Diagnosis run() {
        judge_addresses();
        judge_server();
        judge_clock();
        judge_udp();
        judge_nat();
        judge_tcp();
        judge_port_mapping();
        judge_relay();
        conclude();
        return std::move(diagnosis_);
    }

private:
    using Server = NetworkFindings::Server;

    void add(std::string topic, Level level, std::string found, std::string means = {},
             std::string fix = {}) {
        diagnosis_.findings.push_back(
            {std::move(topic), level, std::move(found), std::move(means), std::move(fix)});
    }

    const NetworkFindings::Udp* answered_udp() const {
        const auto udp = std::ranges::find_if(
            found_.udp, [](const auto& one) { return one.mapped.has_value(); });
        return udp == found_.udp.end() ? nullptr : &*udp;
    }
    bool relay_works() const {
        return found_.server && found_.server->relay && found_.server->relay->relayed;
    }

    void judge_addresses() {
        const auto count = [&](AddressFamily family) {
            return std::ranges::count(found_.addresses, family, &IpAddress::family);
        };
        if (found_.addresses.empty()) {
            return add("Network", Level::Bad, "no interface has an address", "there is no network",
                       "connect to one");
        }
        if (count(AddressFamily::V4) == 0 && found_.nat64) {
            add("IPv4", Level::Good,
                fmt::format("by the network's NAT64, {}/{}", found_.nat64->address.to_string(),
                            found_.nat64->length),
                "peers with IPv4 alone are reached through it");
        } else if (count(AddressFamily::V4) == 0) {
            add("IPv4", Level::Note, "none", "peers with IPv4 alone are reached by a relay");
        }
        const auto six = std::ranges::find(found_.addresses, AddressFamily::V6, &IpAddress::family);
        if (six == found_.addresses.end()) {
            add("IPv6", Level::Note, "none", "the NAT of IPv4 decides",
                "IPv6 needs no NAT: ask the provider for it");
        } else if (six->is_private()) {
            add("IPv6", Level::Note, fmt::format("{}, in this site only", six->to_string()));
        } else {
            add("IPv6", Level::Good, six->to_string(),
                "no NAT is in the way to peers that have it, too");
        }
    }

    void judge_reach(const char* topic, const Reach& reach, const char* means) {
        using drivers::CloseReason;
        if (reach.took) {
            return add(topic, Level::Good,
                       fmt::format("reached in {:.0f} ms, certificate and name are right",
                                   in_milliseconds(*reach.took)));
        }
        if (!reach.failure) {
            return add(topic, Level::Bad, "no answer in time", means,
                       "see whether stiled runs there and a firewall is in between");
        }
        const std::string why =
            fmt::format("{} ({})", drivers::to_string(reach.failure->reason), reach.failure->text);
        switch (reach.failure->reason) {
            case CloseReason::Expired:
                judged_expired_ = true;
                return add(topic, Level::Bad, why,
                           "the server's certificate is not valid at this machine's time",
                           "set the clock (timedatectl set-ntp true); if it is right, the server's "
                           "certificate has run out: see 'stiled check' there");
            case CloseReason::Untrusted:
            case CloseReason::WrongName:
                return add(topic, Level::Bad, why, "what answers there is not your server",
                           "somebody may be in between: ask the server's operator");
            case CloseReason::RejectedByPeer:
                return add(topic, Level::Bad, why, "the server does not take this login",
                           "log in again with a new link: stiled user link NAME");
            case CloseReason::Refused:
                return add(topic, Level::Bad, why, means, "start stiled there");
            case CloseReason::Local:
            case CloseReason::PeerClosed:
            case CloseReason::Truncated:
            case CloseReason::Reset:
            case CloseReason::Unreachable:
            case CloseReason::TimedOut:
            case CloseReason::Protocol:
            case CloseReason::Proxy:
            case CloseReason::Failed:
                break;
        }
        add(topic, Level::Bad, why, means,
            "see whether stiled runs there and a firewall is in between");
    }

    void judge_server() {
        if (!found_.server) {
            return add("Server", Level::Note, "nobody is logged in here",
                       "relay, clock and certificates cannot be tested",
                       "stile login LINK, or name a STUN server with --stun");
        }
        const Server& server = *found_.server;
        if (server.not_found) {
            return add("Server", Level::Bad, server.not_found->what, server.not_found->cause,
                       server.not_found->fix);
        }
        judge_reach("HTTPS", server.https, "without it there are no relay credentials");
        judge_reach("SIP", server.sips, "without it nobody is found and nobody finds you");
    }

    void judge_clock() {
        if (found_.clock_ahead) {
            const Duration ahead = *found_.clock_ahead;
            const Duration off = ahead < Duration::zero() ? -ahead : ahead;
            const std::string words =
                off < std::chrono::seconds{2}
                    ? "as the server's"
                    : fmt::format("{} {} the server's", seconds_text(off),
                                  ahead < Duration::zero() ? "behind" : "ahead of");
            if (off < tolerated_skew) {
                add("Clock", Level::Good, words);
            } else {
                add("Clock", off < harmful_skew ? Level::Note : Level::Bad, words,
                    "certificates and relay credentials are good for a time, and two clocks "
                    "differ on it",
                    "set the clock that is wrong: timedatectl set-ntp true");
            }
        }
        if (!found_.certificate_until) return;
        const Duration left = *found_.certificate_until - found_.wall_clock;
        if (left <= Duration::zero()) {
            add("Login", Level::Bad, "this login's certificate has run out",
                "the server and peers refuse it", "log in again with a new link");
        } else if (left < std::chrono::hours{24 * 14}) {
            add("Login", Level::Note,
                fmt::format("this login's certificate runs out in {}", seconds_text(left)), "",
                "log in again with a new link");
        }
    }

    void judge_udp() {
        if (found_.udp.empty()) return;
        const NetworkFindings::Udp* const udp = answered_udp();
        if (udp == nullptr) {
            return add("UDP", Level::Bad,
                       fmt::format("no answer from {}", found_.udp.front().server.to_string()),
                       answered_tcp() ? "UDP does not get out of this network, TCP does: sessions "
                                        "go over TCP, by a relay most often, and slower"
                                      : "UDP does not get out of this network, or the server is "
                                        "not there",
                       answered_tcp() ? "let UDP out in the firewall, to any port"
                                      : "check the network and the server");
        }
        std::string words = udp->local.ip == udp->mapped->ip
                                ? fmt::format("works, {}: no NAT", udp->mapped->to_string())
                                : fmt::format("works, public address {}, behind a NAT ({} here)",
                                              udp->mapped->to_string(), udp->local.to_string());
        if (udp->round_trip) {
            words += fmt::format(", {:.1f} ms", in_milliseconds(*udp->round_trip));
        }
        add("UDP", Level::Good, words);
    }

    void judge_nat() {
        const NetworkFindings::Udp* const udp = answered_udp();
        if (udp == nullptr) return;
        const connect::NatKnowledge& nat = found_.nat;
        const bool translated = udp->local.ip != udp->mapped->ip;
        std::string words;
        if (const auto mapping = nat.mapping()) {
            words = describe(*mapping);
        } else if (nat.maps_per_destination()) {
            words = "another address for each destination";
        } else if (!nat.may_be({stun::MappingBehavior::AddressAndPortDependent,
                                stun::FilteringBehavior::EndpointIndependent}) &&
                   !nat.may_be({stun::MappingBehavior::AddressAndPortDependent,
                                stun::FilteringBehavior::AddressAndPortDependent})) {
            words = "the same address for all ports of a destination";
        } else {
            words = "how it maps is not known";
        }
        words += "; ";
        if (const auto filtering = nat.filtering()) {
            words += describe(*filtering);
        } else if (!nat.may_be(
                       {nat.mapping().value_or(stun::MappingBehavior::AddressAndPortDependent),
                        stun::FilteringBehavior::AddressAndPortDependent}) &&
                   nat.mapping()) {
            words += "strangers' ports are let in";
        } else {
            words += "how it filters is not known";
        }
        if (translated && udp->local.port == udp->mapped->port) words += "; keeps ports";
        const connect::Prospect prospect = connect::prospect(nat);
        add(translated ? "NAT" : "Firewall", nat.maps_per_destination() ? Level::Note : Level::Good,
            words,
            fmt::format("direct with {} of 9 kinds of NAT",
                        prospect.certain == prospect.possible
                            ? fmt::format("{}", prospect.certain)
                            : fmt::format("{} to {}", prospect.certain, prospect.possible)),
            nat.maps_per_destination()
                ? "a router with a setting like 'full cone' or 'endpoint-independent NAT', port "
                  "mapping, or IPv6"
                : "");
    }

    bool answered_tcp() const { return found_.tcp && found_.tcp->mapped; }

    void judge_tcp() {
        if (!found_.tcp) return;
        const auto& tcp = *found_.tcp;
        if (!tcp.mapped) {
            const std::string why = tcp.failure
                                        ? fmt::format("{}", drivers::to_string(tcp.failure->reason))
                                        : std::string{"no answer"};
            return add("TCP", Level::Note, fmt::format("{} from {}", why, tcp.server.to_string()),
                       "STUN over TCP is not to be had there");
        }
        std::string words = tcp.local == *tcp.mapped
                                ? std::string{"works, no NAT"}
                                : fmt::format("works, seen as {}", tcp.mapped->to_string());
        if (tcp.mapping) words += "; " + describe(*tcp.mapping);
        add("TCP", Level::Good, words);
    }

    void judge_port_mapping() {
        switch (found_.gateway) {
            case NetworkFindings::Gateway::NotAsked:
                return;
            case NetworkFindings::Gateway::Silent:
                return add("Mapping", Level::Note, "no router opens ports by PCP, NAT-PMP or UPnP",
                           "the NAT alone decides",
                           "switch PCP or UPnP on in the router, if you trust this network");
            case NetworkFindings::Gateway::Maps:
                break;
        }
        judge_forwarding();
        judge_pinholes();
    }

    // "PCP opens 203.0.113.1:40000 over UDP, 203.0.113.1:40001 over TCP".
    std::string mappings_in_words(PortMapping::Effect effect, std::string_view verb) const {
        std::string words;
        std::string by;
        for (const PortMapping& mapping : found_.port_mappings) {
            if (mapping.effect != effect) continue;
            if (!words.empty()) words += ", ";
            if (std::exchange(by, mapping.by) != mapping.by) {
                words += fmt::format("{} {} ", mapping.by, verb);
            }
            words += fmt::format("{} over {}", mapping.external.to_string(),
                                 mapping.protocol == PortMapping::Protocol::Udp ? "UDP" : "TCP");
        }
        return words;
    }

    void judge_forwarding() {
        const std::string words = mappings_in_words(PortMapping::Effect::Forwards, "opens");
        if (words.empty()) return;
        const bool is_private =
            std::ranges::any_of(found_.port_mappings, [](const PortMapping& mapping) {
                return mapping.effect == PortMapping::Effect::Forwards &&
                       mapping.external.ip.is_private();
            });
        if (is_private) {
            return add("Mapping", Level::Note, words,
                       "that is a private address: another NAT is behind the router");
        }
        add("Mapping", Level::Good, words, "everybody can reach you there");
    }

    void judge_pinholes() {
        const std::string words = mappings_in_words(PortMapping::Effect::LetsThrough, "lets in");
        if (words.empty()) return;
        add("Firewall", Level::Good, words, "everybody can reach you there");
    }

    void judge_relay() {
        if (!found_.server) return;
        const Server& server = *found_.server;
        if (server.no_credentials && !server.not_found) {
            return add("Relay", Level::Bad, server.no_credentials->what,
                       server.no_credentials->cause.empty() ? server.no_credentials->evidence
                                                            : server.no_credentials->cause,
                       server.no_credentials->fix);
        }
        if (!server.relay) return;
        const RelayFindings& relay = *server.relay;
        if (relay.failure || !relay.relayed) return judge_relay_failure(relay);
        std::string words = fmt::format("gives {}", relay.relayed->to_string());
        if (relay.allocated_in) {
            words += fmt::format(" in {:.0f} ms", in_milliseconds(*relay.allocated_in));
        }
        if (relay.peer_refused) {
            return add("Relay", Level::Good,
                       words + fmt::format("; not tried with data: {} {}", relay.peer_refused->code,
                                           relay.peer_refused->reason),
                       "its policy denies your own address, as it does for private networks");
        }
        switch (relay.loop) {
            case RelayFindings::Loop::Returned:
                return add("Relay", Level::Good,
                           words + fmt::format(", a packet went there and back in {:.1f} ms",
                                               in_milliseconds(
                                                   relay.round_trip.value_or(Duration::zero()))));
            case RelayFindings::Loop::Lost:
                return add("Relay", Level::Bad, words + ", and nothing passes through it",
                           "a firewall keeps the relay's ports closed, or its external address is "
                           "wrong",
                           "let UDP in to the relay ports of the server; see 'stiled check' there");
            case RelayFindings::Loop::NotTried:
                break;
        }
        add("Relay", Level::Good, words);
    }

    void judge_relay_failure(const RelayFindings& relay) {
        if (!relay.failure) {
            return add("Relay", Level::Bad, "no answer in time", "no relay over UDP",
                       "see the line about UDP");
        }
        const auto& failure = relay.failure->failure;
        if (failure && failure->code != 0) {
            const bool credentials = failure->kind == turn::FailureKind::Unauthenticated ||
                                     failure->kind == turn::FailureKind::WrongCredentials;
            refused_ = credentials;
            return add("Relay", Level::Bad,
                       fmt::format("refuses: {} {}", failure->code, failure->reason),
                       credentials ? "the relay does not take the credentials that the server gave"
                                   : std::string{turn::to_string(failure->kind)},
                       credentials ? "compare the clocks of server and relay, which agree on how "
                                     "long a password is good"
                                   : "see the server's log");
        }
        add("Relay", Level::Bad,
            failure ? std::string{turn::to_string(failure->kind)} : relay.failure->text,
            "no relay over UDP", "see the line about UDP");
    }

    // ---- the verdict -------------------------------------------------------------------------

    void conclude() {
        const NetworkFindings::Udp* const udp = answered_udp();
        const bool reaches_server = !found_.server || found_.server->sips.took;
        const bool direct = udp != nullptr;
        diagnosis_.calls = calls_word(udp);
        diagnosis_.verdict = verdict_text();
        if (!found_.server) {
            diagnosis_.code = direct || found_.udp.empty() ? ExitCode::Done : ExitCode::NoPath;
            if (found_.addresses.empty()) diagnosis_.code = ExitCode::NoPath;
            return;
        }
        const auto not_trusted = [](const Reach& reach) {
            using drivers::CloseReason;
            return reach.failure && (reach.failure->reason == CloseReason::Expired ||
                                     reach.failure->reason == CloseReason::Untrusted ||
                                     reach.failure->reason == CloseReason::WrongName ||
                                     reach.failure->reason == CloseReason::RejectedByPeer);
        };
        const Server& server = *found_.server;
        const bool login_refused =
            server.no_credentials && server.no_credentials->code == ExitCode::NotAuthorised;
        if (server.not_found) {
            diagnosis_.code = server.not_found->code;
            diagnosis_.verdict = "the server is not found: nobody is reached";
        } else if (not_trusted(server.sips) || not_trusted(server.https)) {
            diagnosis_.code = ExitCode::NotAuthorised;
            diagnosis_.verdict = judged_expired_
                                     ? "the server's certificate is not valid at this machine's "
                                       "time: nobody is reached until that agrees"
                                     : "the server and this login do not recognise each other";
        } else if (!reaches_server) {
            diagnosis_.code = ExitCode::NoPath;
            diagnosis_.verdict = "the server cannot be reached: nobody is found";
        } else if (!direct && !relay_works()) {
            diagnosis_.code = ExitCode::NoPath;
        } else if (login_refused || refused_) {
            diagnosis_.code = ExitCode::NotAuthorised;
        }
    }

    std::string calls_word(const NetworkFindings::Udp* udp) const {
        if (udp == nullptr) {
            if (found_.udp.empty()) return "unknown";
            return relay_works() ? "relay-always" : "none";
        }
        const auto mapping = found_.nat.mapping();
        const auto filtering = found_.nat.filtering();
        if (found_.nat.maps_per_destination()) return "relay-often";
        if (!filtering && !mapping) return "unknown";
        return filtering == stun::FilteringBehavior::EndpointIndependent ? "direct"
                                                                         : "direct-mostly";
    }

    std::string verdict_text() const {
        const std::string relay = !found_.server  ? ""
                                  : relay_works() ? "; the relay covers the rest"
                                                  : "; there is no relay for the rest";
        if (diagnosis_.calls == "direct") return "direct with everybody who can send UDP";
        if (diagnosis_.calls == "direct-mostly") return "direct with most networks" + relay;
        if (diagnosis_.calls == "relay-often") {
            return "direct only with networks that let in strangers' ports" + relay;
        }
        if (diagnosis_.calls == "relay-always") return "everybody is reached by the relay alone";
        if (diagnosis_.calls == "none") return "no UDP, and so nobody is reached";
        return found_.udp.empty() ? "there is no server to ask: name one with --stun"
                                  : "UDP works; what the NAT does is not known" + relay;
    }

    const NetworkFindings& found_;
    Diagnosis diagnosis_;
    bool judged_expired_ = false;
    bool refused_ = false;
};

}  // namespace

Diagnosis diagnose(const NetworkFindings& found) { return Doctor{found}.run(); }

std::string_view to_string(Finding::Level level) {
    switch (level) {
        case Level::Good:
            return "good";
        case Level::Note:
            return "note";
        case Level::Bad:
            return "bad";
    }
    return {};
}

}  // namespace stile::nat_probe
