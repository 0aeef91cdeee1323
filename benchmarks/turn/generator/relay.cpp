// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"
#include "modes.hpp"
#include "network.hpp"
#include "sessions.hpp"
#include "traffic.hpp"

#include <sys/socket.h>
#include <algorithm>

namespace stile::bench {
namespace {

constexpr std::size_t set_up_at_once = 16;

// Where the packet filter of the run drops everything.
constexpr Port discard{9};

// What bench_turn_bare is told on its command line.
constexpr Port bare_peer{30009};

// Everything that one run opens, and the lanes through it.
struct Setup {
    std::vector<Session> sessions;
    drivers::FileDescriptor peer;
    std::vector<drivers::FileDescriptor> sinks;  // at the server's place, for Way::Direct
    std::vector<Lane> lanes;
    std::vector<Receiver> receivers;
};

turn::ChannelNumber channel_of(std::size_t flow) {
    return {static_cast<std::uint16_t>(turn::ChannelNumber::first + flow)};
}

// Ports of bench_turn_bare follow the one that clients send to.
SocketAddress bare_relayed(const Options& options, std::size_t flow) {
    const auto port = static_cast<std::uint16_t>(options.server.port.value + 1 + flow);
    return {options.relay.value_or(options.server.ip), Port{port}};
}

// The server's address that those who send use.
IpAddress facing_sender(const Options& options) {
    return options.direction == Direction::Up ? options.server.ip
                                              : options.relay.value_or(options.server.ip);
}

void set_up_relayed(const Options& options, Setup& setup) {
    const SocketAddress peer = drivers::bound_address(setup.peer.get());
    for (std::size_t i = 0; i < options.flows; ++i) {
        setup.sessions[i].channel = channel_of(i);
        if (options.way == Way::Bare) setup.sessions[i].relayed = bare_relayed(options, i);
    }
    if (options.way == Way::Turn) {
        Progress{options, set_up_at_once}.establish(setup.sessions, peer);
    }
    const bool up = options.direction == Direction::Up;
    for (std::size_t i = 0; i < options.flows; ++i) {
        const Session& session = setup.sessions[i];
        if (up) {
            setup.lanes.push_back({.sender = session.socket.get(),
                                   .sent_on = session.channel,
                                   .source = session.relayed});
        } else {
            setup.lanes.push_back(
                {.sender = setup.peer.get(), .to = session.relayed, .arrives_on = session.channel});
            setup.receivers.push_back({session.socket.get(), static_cast<std::uint32_t>(i)});
        }
    }
    if (up) {
        setup.receivers.push_back({setup.peer.get(), std::nullopt});
        return;
    }
    // A relay that knows no TURN learns its clients from what they send.
    for (const Session& session : setup.sessions) {
        const auto header = turn::channel_header(session.channel, 0);
        send_train(session.socket.get(), nullptr, BytesView{header}, 1);
    }
}

void set_up_direct(const Options& options, Setup& setup) {
    const bool up = options.direction == Direction::Up;
    const std::size_t sinks = up ? 1 : options.flows;
    for (std::size_t i = 0; i < sinks; ++i) {
        setup.sinks.push_back(
            open_udp(options.server_namespace, {facing_sender(options), Port{0}}));
        const auto flow = static_cast<std::uint32_t>(i);
        setup.receivers.push_back(
            {setup.sinks.back().get(), up ? std::nullopt : std::optional{flow}});
    }
    const SocketAddress peer = drivers::bound_address(setup.peer.get());
    for (std::size_t i = 0; i < options.flows; ++i) {
        const Session& session = setup.sessions[i];
        if (up) {
            connect_to(session.socket.get(), drivers::bound_address(setup.sinks[0].get()));
            setup.lanes.push_back({.sender = session.socket.get(),
                                   .sent_on = channel_of(i),
                                   .arrives_on = channel_of(i),
                                   .source = session.local});
        } else {
            setup.lanes.push_back({.sender = setup.peer.get(),
                                   .to = drivers::bound_address(setup.sinks[i].get()),
                                   .source = peer});
        }
    }
}

void set_up_drop(const Options& options, Setup& setup) {
    const SocketAddress nowhere{facing_sender(options), discard};
    for (std::size_t i = 0; i < options.flows; ++i) {
        const Session& session = setup.sessions[i];
        if (options.direction == Direction::Up) {
            connect_to(session.socket.get(), nowhere);
            setup.lanes.push_back({.sender = session.socket.get(), .sent_on = channel_of(i)});
        } else {
            setup.lanes.push_back({.sender = setup.peer.get(), .to = nowhere});
        }
    }
}

// What the peer gets for the first datagrams of a relay that learns; the client for its own.
void drain(const Setup& setup) {
    std::array<std::byte, 64> buffer{};
    sleep_until(steady_now() + 20'000'000);
    while (recv(setup.peer.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) >= 0) {
    }
}

std::string describe(TrafficResult result, const Options& options) {
    JsonObject json;
    json.add("sent", result.sent).add("received", result.received);
    json.add("lost", options.way == Way::Drop ? 0 : result.sent - result.received);
    json.add("duplicates", result.duplicates).add("corrupt", result.corrupt);
    json.add("misrouted", result.misrouted).add("reordered", result.reordered);
    json.add("refused_sends", result.refused_sends);
    json.add("measured_sent", result.measured_sent);
    json.add("measured_received", result.measured_received);
    json.add(result.used);
    if (!result.latencies.empty()) {
        std::ranges::sort(result.latencies);
        const auto at = [&](double share) {
            const auto last = static_cast<double>(result.latencies.size() - 1);
            return static_cast<double>(result.latencies[static_cast<std::size_t>(last * share)]);
        };
        json.add("latency_p50", at(0.5) * 1e-9).add("latency_p99", at(0.99) * 1e-9);
        json.add("latency_max", at(1.0) * 1e-9);
    }
    return std::move(json).finish();
}

}  // namespace

std::string run_relay(const Options& options) {
    if (options.payload < least_payload || options.payload > 1472) give_up("payload is 16 to 1472");
    if (options.flows > turn::ChannelNumber::last - turn::ChannelNumber::first + 1U) {
        give_up("more flows than channel numbers");
    }
    Setup setup;
    setup.sessions = open_sessions(options, options.flows);
    setup.peer = open_udp(options.peer_namespace,
                          {options.peer, options.way == Way::Bare ? bare_peer : Port{0}});
    switch (options.way) {
        case Way::Turn:
        case Way::Bare:
            set_up_relayed(options, setup);
            break;
        case Way::Direct:
            set_up_direct(options, setup);
            break;
        case Way::Drop:
            set_up_drop(options, setup);
            break;
    }
    drain(setup);
    const CpuAccounting accounting{options.server_processes};
    Traffic traffic{options, accounting, std::move(setup.lanes), std::move(setup.receivers)};
    TrafficResult result = traffic.run();
    if (options.way == Way::Turn) Progress{options, set_up_at_once}.release(setup.sessions);
    return describe(std::move(result), options);
}

}  // namespace stile::bench
