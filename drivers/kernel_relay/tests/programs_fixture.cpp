// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#ifdef STILE_KERNEL_RELAY
#include "programs_fixture.hpp"

#include <doctest/doctest.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstring>
#include <ctime>

namespace stile::drivers::kernel::testing {

std::uint64_t monotonic_nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * second +
           static_cast<std::uint64_t>(now.tv_nsec);
}

std::optional<Bench> Bench::make(KernelMode mode) {
    auto programs = Programs::load(8);
    if (!programs) {
        MESSAGE("skipped: " << programs.error());
        return std::nullopt;
    }
    Bench bench{*std::move(programs), mode};
    bench.programs_.settings().lease = monotonic_nanoseconds() + 1000 * second;
    for (const std::uint32_t slot : {1U, 2U}) {
        auto& hop = bench.programs_.hops()[slot];
        hop.ifindex = 1000 + slot;
        hop.mtu = 1500;
        hop.flags = RELAY_TAKES_XDP;
        std::memset(hop.to, static_cast<int>(0xa0 + slot), 6);
        std::memset(hop.from, static_cast<int>(0xb0 + slot), 6);
    }
    return bench;
}

namespace {

SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

}  // namespace

Bench::Ends Bench::ends_v4() {
    return {.server = address("192.0.2.1:3478"),
            .client = address("198.51.100.7:40001"),
            .relayed = address("192.0.2.2:55555"),
            .peer = address("203.0.113.9:6000")};
}

Bench::Ends Bench::ends_v6() {
    return {.server = address("[2001:db8::1]:3478"),
            .client = address("[2001:db8:7::7]:40001"),
            .relayed = address("[2001:db8::2]:55555"),
            .peer = address("[2001:db8:9::9]:6000")};
}

Bench::Ends Bench::ends_4_to_6() {
    return {.server = ends_v4().server,
            .client = ends_v4().client,
            .relayed = ends_v6().relayed,
            .peer = ends_v6().peer};
}

Bench::Ends Bench::ends_6_to_4() {
    return {.server = ends_v6().server,
            .client = ends_v6().client,
            .relayed = ends_v4().relayed,
            .peer = ends_v4().peer};
}

void Bench::install(const Ends& ends) {
    const Path client_path{ends.server, ends.client};
    const Path peer_path{ends.relayed, ends.peer};
    channel() = {};
    channel().number = network_order(number);
    channel().to_peer = to_way(client_path, peer_path, 1);
    channel().to_client = to_way(peer_path, client_path, 2);
    channel().until = monotonic_nanoseconds() + 1000 * second;
    REQUIRE(programs_.add_flow(to_key(ends.server, ends.client, number), 0));
    REQUIRE(programs_.add_flow(to_key(ends.relayed, ends.peer, 0), 0));
}

Ran Bench::run(BytesView frame) const {
    Bytes out(65536);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()),
                .data_size_out = static_cast<std::uint32_t>(out.size()), .repeat = 1);
    REQUIRE(bpf_prog_test_run_opts(programs_.program(mode_), &options) == 0);
    Ran ran;
    out.resize(options.data_size_out);
    ran.frame = std::move(out);
    const bool same = std::ranges::equal(ran.frame, frame);
    const auto verdict = static_cast<int>(options.retval);
    if (mode_ == KernelMode::Tc) {
        if (verdict == -1 && same) ran.outcome = Outcome::Left;
        if (verdict == 0) ran.outcome = Outcome::Delivered;
        if (verdict == 7) ran.outcome = Outcome::Sent;
    } else {
        if (verdict == XDP_PASS) ran.outcome = same ? Outcome::Left : Outcome::Delivered;
        if (verdict == XDP_TX || verdict == XDP_REDIRECT) ran.outcome = Outcome::Sent;
    }
    return ran;
}

}  // namespace stile::drivers::kernel::testing
#endif
