// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../src/bpf/attachment.hpp"
#include "../src/bpf/programs.hpp"
#include "frames.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <span>

namespace stile::drivers::kernel::testing {

enum class Outcome : std::uint8_t { Left, Delivered, Sent, Broken };

struct Ran {
    Outcome outcome = Outcome::Broken;
    Bytes frame;
};

// The programs, run on frames in memory by the kernel (BPF_PROG_TEST_RUN), with one channel.
class Bench {
public:
    // Empty, and the reason printed, where this process may not load programs.
    static std::optional<Bench> make(KernelMode mode);

    struct Ends {
        SocketAddress server, client, relayed, peer;
    };
    static Ends ends_v4();
    static Ends ends_v6();
    static Ends ends_4_to_6();  // an IPv4 client, an IPv6 peer
    static Ends ends_6_to_4();

    void install(const Ends& ends);
    relay_channel& channel() { return programs_.channels()[0]; }
    relay_hop& hop_to_peer() { return programs_.hops()[1]; }
    relay_hop& hop_to_client() { return programs_.hops()[2]; }
    Programs& programs() { return programs_; }
    KernelMode mode() const { return mode_; }

    Ran run(BytesView frame) const;
    std::uint64_t counted(relay_count what) const { return programs_.counts()[what]; }

    static constexpr std::uint16_t number = 0x4abc;

private:
    Bench(Programs programs, KernelMode mode) : programs_(std::move(programs)), mode_(mode) {}
    Programs programs_;
    KernelMode mode_;
};

// Runs the body in each mode that this process may load.
template <class Body>
void in_each_mode(Body body) {
    for (const auto mode : {KernelMode::XdpNative, KernelMode::Tc, KernelMode::XdpGeneric}) {
        CAPTURE(to_text(mode));
        if (auto bench = Bench::make(mode)) body(*bench);
    }
}

std::uint64_t monotonic_nanoseconds();
inline constexpr std::uint64_t second = 1'000'000'000;

}  // namespace stile::drivers::kernel::testing
