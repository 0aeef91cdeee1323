// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "accounting.hpp"
#include "options.hpp"
#include "payload.hpp"

#include <stile/drivers/file_descriptor.hpp>
#include <stile/turn/channel_data.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace stile::bench {

// The way of one flow's datagrams, from a socket of ours to a socket of ours.
struct Lane {
    int sender = -1;
    std::optional<SocketAddress> to;             // absent: the sender is connected
    std::optional<turn::ChannelNumber> sent_on;  // absent: payload alone
    std::optional<turn::ChannelNumber> arrives_on;
    std::optional<SocketAddress> source;  // that it arrives from; absent: not looked at
};

struct Receiver {
    int fd = -1;
    std::optional<std::uint32_t> flow;  // the only one that may arrive here
};

struct TrafficResult {
    // Of the whole run with its warm-up and what came in late.
    std::uint64_t sent = 0;
    std::uint64_t received = 0;  // each once
    std::uint64_t duplicates = 0;
    std::uint64_t corrupt = 0;    // octets differ
    std::uint64_t misrouted = 0;  // right octets from a wrong source, or to a wrong socket
    std::uint64_t reordered = 0;
    std::uint64_t refused_sends = 0;
    // Of the measured time alone.
    std::uint64_t measured_sent = 0;
    std::uint64_t measured_received = 0;
    CpuTimes used;
    std::vector<std::int64_t> latencies;  // nanoseconds
};

// Sends on all lanes in turn, at the rate or with a window, and receives what comes, in one thread:
// both ends and the clocks are the same, and the server has the other processors.
class Traffic {
public:
    Traffic(const Options& options, const CpuAccounting& accounting, std::vector<Lane> lanes,
            std::vector<Receiver> receivers);
    TrafficResult run();

private:
    void send_due(std::int64_t now);
    bool send_one();
    void receive();
    std::size_t receive_from(const Receiver& receiver);
    void judge(const Receiver& receiver, BytesView datagram, const SocketAddress& source,
               std::int64_t arrived);
    bool is_counting_latency() const { return options_.latency == Options::Latency::Measured; }

    const Options& options_;
    const CpuAccounting& accounting_;
    std::vector<Lane> lanes_;
    std::vector<Receiver> receivers_;
    PayloadMaker payloads_;
    Received book_;
    TrafficResult result_;
    std::vector<std::uint32_t> sequences_;
    std::size_t next_lane_ = 0;
    std::int64_t started_ = 0;
    std::int64_t last_arrival_ = 0;
    std::uint64_t written_off_ = 0;  // of the window: lost, as nothing came for long
    double skipped_ = 0;             // packets not sent because we were too late for them
    bool measuring_ = false;
    Bytes outgoing_;
    drivers::FileDescriptor poll_;
};

}  // namespace stile::bench
