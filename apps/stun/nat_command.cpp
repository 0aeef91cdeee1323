// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "probing.hpp"

#include <stile/drivers/random.hpp>
#include <stile/nat_probe/connection_probe.hpp>
#include <stile/nat_probe/nat_words.hpp>

#include <fmt/format.h>

namespace stile::probe {
namespace {

using nat_probe::Consequence;
using nat_probe::Translation;
using TcpFindings = nat_probe::ConnectionProbe::Findings;
using UdpFindings = stun::BehaviorDiscovery::Findings;

// The longest that a machine takes by itself: six tests of 5.5 s, three of `patience`.
constexpr Duration udp_bound = std::chrono::seconds{40};

nlohmann::ordered_json address_json(const std::optional<SocketAddress>& address) {
    return address ? nlohmann::ordered_json(address->to_string()) : nlohmann::ordered_json();
}

template <class Behavior>
nlohmann::ordered_json word_json(const std::optional<Behavior>& behavior) {
    return behavior ? nlohmann::ordered_json(nat_probe::to_string(*behavior))
                    : nlohmann::ordered_json();
}

std::string nat_words(const SocketAddress& local, const SocketAddress& mapped) {
    if (local == mapped) return fmt::format("{}: no NAT", mapped.to_string());
    return fmt::format("{}: behind a NAT ({} here) that {} the port", mapped.to_string(),
                       local.to_string(), local.port == mapped.port ? "kept" : "changed");
}

constexpr std::string_view untold =
    "not known: this server has one address only; ask one with two (RFC 5780)";

void tell_udp(Report& report, const Place& place, const UdpFindings& found) {
    const SocketAddress local = place.local();
    auto& json = report.json()["udp"];
    json["mapped"] = address_json(found.mapped);
    json["local"] = local.to_string();
    if (!found.mapped) {
        report.line("UDP", place.no_udp ? place.no_udp->cause : "no answer");
        return;
    }
    const bool translated = *found.mapped != local;
    json["nat"] = translated;
    json["port_kept"] = found.mapped->port == local.port;
    json["mapping"] = word_json(found.mapping);
    json["filtering"] = word_json(found.filtering);
    if (found.round_trip) json["round_trip_ms"] = in_milliseconds(*found.round_trip);
    report.line("UDP", nat_words(local, *found.mapped));
    report.line("  mapping",
                found.mapping ? nat_probe::describe(*found.mapping) : std::string{untold});
    report.line("  filtering",
                found.filtering ? nat_probe::describe(*found.filtering) : std::string{untold});
    if (found.fragments) {
        const bool pass = *found.fragments == stun::FragmentHandling::Pass;
        json["fragments"] = pass ? "pass" : "lost";
        report.line("  fragments", pass ? "pass" : "are lost: keep datagrams below 1,200 octets");
    }
    if (found.rewritten) {
        json["rewritten"] = found.rewritten->to_string();
        report.line("  warning", fmt::format("something rewrites addresses in packets ({})",
                                             found.rewritten->to_string()));
    }
}

void tell_tcp(Report& report, const SocketAddress& local, const TcpFindings& found) {
    auto& json = report.json()["tcp"];
    json["mapped"] = address_json(found.mapped);
    json["local"] = local.to_string();
    if (!found.mapped) {
        report.line("TCP", found.refusal != 0 ? fmt::format("refused: error {}", found.refusal)
                                              : "no answer: the server serves no TCP, or it is "
                                                "blocked");
        return;
    }
    json["nat"] = *found.mapped != local;
    json["port_kept"] = found.mapped->port == local.port;
    json["mapping"] = word_json(found.mapping);
    report.line("TCP", nat_words(local, *found.mapped));
    report.line("  mapping",
                found.mapping ? nat_probe::describe(*found.mapping) : std::string{untold});
}

void tell_consequence(Report& report, const SocketAddress& local, const UdpFindings& found) {
    Consequence means{"unknown", "not known without the mapping and the filtering"};
    if (!found.mapped) {
        means = {"relay-always", "no UDP: calls need a relay (TURN) that takes TCP or TLS"};
    } else if (found.mapping && found.filtering) {
        means =
            nat_probe::consequence(*found.mapped == local ? Translation::None : Translation::Some,
                                   *found.mapping, *found.filtering);
    }
    report.line("For calls", means.text);
    report.json()["calls"] = means.word;
}

}  // namespace

int nat(const NatOptions& options) {
    const CommonOptions& common = options.common;
    drivers::Loop loop;
    crypto::RandomStream random{drivers::random_seed()};
    const bool asks_tcp = options.tcp == NatOptions::Tcp::Tested;
    auto place =
        find_place(loop, random, common, 1, asks_tcp ? NoUdp::IsAFinding : NoUdp::IsTheEnd);
    if (!place) return fail(common.format, place.error());
    const SocketAddress local = place->local();

    std::optional<UdpFindings> udp;
    if (!place->no_udp) {
        stun::BehaviorDiscovery machine{
            loop.now(),
            {.local = local, .server = place->server, .padding = options.padding},
            random.fork()};
        run_machine(
            loop, place->sockets, machine, [&](const UdpFindings& found) { udp = found; },
            [&] { return udp.has_value(); }, udp_bound);
    }
    if (!udp) udp.emplace();

    std::optional<TcpFindings> tcp;
    SocketAddress tcp_local;
    if (asks_tcp) {
        nat_probe::ConnectionProbe probe{
            loop,
            {.local = local.ip, .server = place->server, .patience = common.patience},
            random.fork()};
        loop.run_until([&] { return probe.findings().has_value(); }, 4 * common.patience);
        tcp = probe.findings();
        tcp_local = probe.local();
    }
    if (udp->refusal != 0) return fail(common.format, refused(place->server, udp->refusal, ""));
    if (!udp->mapped && !(tcp && tcp->mapped)) {
        return fail(common.format, place->no_udp
                                       ? *place->no_udp
                                       : no_answer(place->server, Transport::Udp, udp_bound));
    }

    Report report{common.format};
    report.json()["server"] = place->server.to_string();
    const std::string& software = udp->mapped ? udp->software : tcp->software;
    report.line("Server", software.empty()
                              ? place->server.to_string()
                              : fmt::format("{}, {}", place->server.to_string(), software));
    if (!software.empty()) report.json()["software"] = software;
    report.json()["other"] = address_json(udp->mapped ? udp->other : tcp->other);
    tell_udp(report, *place, *udp);
    if (tcp) tell_tcp(report, tcp_local, *tcp);
    tell_consequence(report, local, *udp);
    report.print();
    return 0;
}

}  // namespace stile::probe
