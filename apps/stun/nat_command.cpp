// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "nat_words.hpp"
#include "probing.hpp"

#include <stile/drivers/random.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/stun/connection_mapping_discovery.hpp>

#include <fmt/format.h>
#include <deque>

namespace stile::probe {
namespace {

using TcpFindings = stun::ConnectionMappingDiscovery::Findings;
using UdpFindings = stun::BehaviorDiscovery::Findings;

// The longest that a machine takes by itself: six tests of 5.5 s, three of `patience`.
constexpr Duration udp_bound = std::chrono::seconds{40};

// Connects as the machine asks, from one local port; connections stay open to the end.
class TcpProbe {
public:
    TcpProbe(drivers::Loop& loop, const Place& place, Duration patience,
             crypto::RandomStream random)
        : loop_(loop),
          patience_(patience),
          from_{.ip = place.local().ip, .port = Port{0}},
          machine_(loop.now(), {.server = place.server, .patience = patience}, std::move(random)),
          timer_(loop, [this] {
              machine_.handle_timeout(loop_.now());
              pump();
          }) {}

    std::optional<TcpFindings> run() {
        pump();
        loop_.run_until([this] { return findings_.has_value(); }, 4 * patience_);
        return findings_;
    }
    SocketAddress local() const { return from_; }

private:
    void pump() {
        if (const auto target = machine_.poll_connect()) connect(*target);
        while (const auto transmit = machine_.poll_transmit()) {
            streams_.back()->write(transmit->payload);
        }
        timer_.arm(machine_.poll_timeout());
        if (auto found = machine_.poll_event()) findings_ = std::move(found);
    }
    void connect(const SocketAddress& target) {
        streams_.push_back(drivers::TcpStream::connect(
            loop_, target, {.connect_timeout = patience_, .local = from_}));
        drivers::TcpStream* stream = streams_.back().get();
        const auto then = [this](auto act) {
            return [this, act](auto&&... arguments) {
                act(arguments...);
                pump();
            };
        };
        stream->set_handlers({
            .on_open = then([this, target, stream] {
                from_ = stream->local_address();
                machine_.handle_connected(loop_.now(), target);
            }),
            .on_bytes = then([this, target](BytesView bytes) {
                machine_.handle_bytes(loop_.now(), target, bytes);
            }),
            .on_end = {},
            .on_writable = {},
            .on_closed = then([this, target](const drivers::Closed&) {
                machine_.handle_closed(loop_.now(), target);
            }),
        });
    }

    drivers::Loop& loop_;
    Duration patience_;
    SocketAddress from_;  // the first connection's port, for the others too
    stun::ConnectionMappingDiscovery machine_;
    drivers::Timer timer_;
    std::deque<std::unique_ptr<drivers::TcpStream>> streams_;
    std::optional<TcpFindings> findings_;
};

nlohmann::ordered_json address_json(const std::optional<SocketAddress>& address) {
    return address ? nlohmann::ordered_json(address->to_string()) : nlohmann::ordered_json();
}

template <class Behavior>
nlohmann::ordered_json word_json(const std::optional<Behavior>& behavior) {
    return behavior ? nlohmann::ordered_json(to_string(*behavior)) : nlohmann::ordered_json();
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
    report.line("  mapping", found.mapping ? describe(*found.mapping) : std::string{untold});
    report.line("  filtering", found.filtering ? describe(*found.filtering) : std::string{untold});
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
    report.line("  mapping", found.mapping ? describe(*found.mapping) : std::string{untold});
}

void tell_consequence(Report& report, const SocketAddress& local, const UdpFindings& found) {
    Consequence means{"unknown", "not known without the mapping and the filtering"};
    if (!found.mapped) {
        means = {"relay-always", "no UDP: calls need a relay (TURN) that takes TCP or TLS"};
    } else if (found.mapping && found.filtering) {
        means = consequence(*found.mapped == local ? Translation::None : Translation::Some,
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
        TcpProbe probe{loop, *place, common.patience, random.fork()};
        tcp = probe.run();
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
