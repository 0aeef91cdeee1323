// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "doctor.hpp"

#include <stile/nat_probe/nat_words.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <utility>

namespace stile::nat_probe {

double in_milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

Diagnosis Doctor::run() {
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

const NetworkFindings::Udp* Doctor::answered_udp() const {
    const auto udp =
        std::ranges::find_if(found_.udp, [](const auto& one) { return one.mapped.has_value(); });
    return udp == found_.udp.end() ? nullptr : &*udp;
}

bool Doctor::relay_works_over_udp() const {
    return found_.server && found_.server->relay && found_.server->relay->relayed;
}

bool Doctor::relay_works_over_stream() const {
    if (!found_.server || !found_.server->stream_relay) return false;
    using Way = NetworkFindings::StreamRelay::Way;
    const NetworkFindings::StreamRelay& relay = *found_.server->stream_relay;
    return relay.took || (relay.way == Way::ByProxy && found_.server->https.took);
}

std::string_view Doctor::stream_word() const {
    return found_.server->stream_relay->transport == turn::ClientTransport::Tls ? "TLS" : "TCP";
}

void Doctor::judge_addresses() {
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

void Doctor::judge_udp() {
    if (found_.udp.empty()) return;
    const NetworkFindings::Udp* const udp = answered_udp();
    if (udp == nullptr) return judge_blocked_udp();
    std::string words = udp->local.ip == udp->mapped->ip
                            ? fmt::format("works, {}: no NAT", udp->mapped->to_string())
                            : fmt::format("works, public address {}, behind a NAT ({} here)",
                                          udp->mapped->to_string(), udp->local.to_string());
    if (udp->round_trip) {
        words += fmt::format(", {:.1f} ms", in_milliseconds(*udp->round_trip));
    }
    add("UDP", Level::Good, words);
}

// As who uses it meets it: what goes on over TCP is no failure.
void Doctor::judge_blocked_udp() {
    const std::string words =
        fmt::format("no answer from {}", found_.udp.front().server.to_string());
    const char* const fix = "let UDP out in the firewall, to any port";
    if (relay_works_over_stream()) {
        return add("UDP", Level::Note, words,
                   fmt::format("UDP does not get out of this network; all works, and slower: "
                               "relayed over {}",
                               stream_word()),
                   fix);
    }
    if (answered_tcp()) {
        return add("UDP", Level::Bad, words,
                   "UDP does not get out of this network, TCP does: peers are reached that can be "
                   "over TCP",
                   fix);
    }
    add("UDP", Level::Bad, words,
        "UDP does not get out of this network, or the server is not there",
        "check the network and the server");
}

void Doctor::judge_nat() {
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
    } else if (!nat.may_be({nat.mapping().value_or(stun::MappingBehavior::AddressAndPortDependent),
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

void Doctor::judge_tcp() {
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

void Doctor::judge_port_mapping() {
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
std::string Doctor::mappings_in_words(PortMapping::Effect effect, std::string_view verb) const {
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

void Doctor::judge_forwarding() {
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

void Doctor::judge_pinholes() {
    const std::string words = mappings_in_words(PortMapping::Effect::LetsThrough, "lets in");
    if (words.empty()) return;
    add("Firewall", Level::Good, words, "everybody can reach you there");
}

Diagnosis diagnose(const NetworkFindings& found) { return Doctor{found}.run(); }

std::string_view to_string(Finding::Level level) {
    using Level = Finding::Level;
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
