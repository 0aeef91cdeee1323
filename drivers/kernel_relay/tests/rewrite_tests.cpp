// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#ifdef STILE_KERNEL_RELAY
#include "programs_fixture.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <random>

namespace stile::drivers::kernel::testing {

namespace {

constexpr std::initializer_list<std::size_t> lengths = {0,   1,   2,   3,   4,    5,   171,
                                                        172, 511, 512, 513, 1023, 1400};
// Which kind of checksum leaves for the kind that came.
Checksum expected_checksum(KernelMode mode, Checksum came, bool to_v6) {
    if (came == Checksum::None) return to_v6 ? Checksum::Whole : Checksum::None;
    if (came == Checksum::Partial && mode == KernelMode::XdpNative) return Checksum::Whole;
    return came;
}

Bytes to_server(const Bench::Ends& ends, BytesView payload, const FrameOptions& options = {}) {
    return make_frame(ends.client, ends.server, payload, options);
}

Bytes to_relay(const Bench::Ends& ends, BytesView payload, const FrameOptions& options = {}) {
    return make_frame(ends.peer, ends.relayed, payload, options);
}

void check_to_peer(Bench& bench, const Bench::Ends& ends, std::size_t octets, Checksum checksum,
                   std::size_t padding = 0) {
    CAPTURE(octets);
    CAPTURE(static_cast<int>(checksum));
    CAPTURE(padding);
    const auto payload = sample(octets);
    const auto ran = bench.run(to_server(ends, channel_data(Bench::number, payload, padding),
                                         {.checksum = checksum, .traffic_class = 0xb9}));
    REQUIRE(ran.outcome == Outcome::Sent);
    const auto frame = read_frame(ran.frame);
    REQUIRE(frame);
    CHECK(frame->from == ends.relayed);
    CHECK(frame->to == ends.peer);
    CHECK(frame->payload == payload);
    CHECK(frame->next_hop == "a1a1a1a1a1a1");
    CHECK(frame->hop_limit == 63);
    CHECK(frame->traffic_class == 0xb9);
    CHECK(frame->trailer == 0);
    CHECK(frame->checksum == expected_checksum(bench.mode(), checksum, ends.peer.ip.is_v6()));
}

void check_to_client(Bench& bench, const Bench::Ends& ends, std::size_t octets, Checksum checksum) {
    CAPTURE(octets);
    CAPTURE(static_cast<int>(checksum));
    const auto payload = sample(octets);
    const auto ran = bench.run(to_relay(ends, payload, {.checksum = checksum}));
    if (bench.mode() == KernelMode::XdpGeneric && checksum == Checksum::Partial) {
        // It may be a train of datagrams.
        CHECK(ran.outcome == Outcome::Left);
        return;
    }
    REQUIRE(ran.outcome == Outcome::Sent);
    const auto frame = read_frame(ran.frame);
    REQUIRE(frame);
    CHECK(frame->from == ends.server);
    CHECK(frame->to == ends.client);
    CHECK(frame->payload == channel_data(Bench::number, payload));
    CHECK(frame->next_hop == "a2a2a2a2a2a2");
    CHECK(frame->checksum == expected_checksum(bench.mode(), checksum, ends.client.ip.is_v6()));
}

}  // namespace

TEST_CASE("kernel relay: ChannelData goes to the peer without its header, in every length") {
    in_each_mode([](Bench& bench) {
        for (const auto& ends :
             {Bench::ends_v4(), Bench::ends_v6(), Bench::ends_4_to_6(), Bench::ends_6_to_4()}) {
            CAPTURE(ends.client.to_string());
            CAPTURE(ends.peer.to_string());
            bench.install(ends);
            for (const auto octets : lengths) {
                check_to_peer(bench, ends, octets, Checksum::Whole);
                check_to_peer(bench, ends, octets, Checksum::Partial);
                if (ends.client.ip.is_v4()) check_to_peer(bench, ends, octets, Checksum::None);
            }
        }
    });
}

TEST_CASE("kernel relay: what a peer sends goes to the client as ChannelData, in every length") {
    in_each_mode([](Bench& bench) {
        for (const auto& ends :
             {Bench::ends_v4(), Bench::ends_v6(), Bench::ends_4_to_6(), Bench::ends_6_to_4()}) {
            CAPTURE(ends.client.to_string());
            CAPTURE(ends.peer.to_string());
            bench.install(ends);
            for (const auto octets : lengths) {
                check_to_client(bench, ends, octets, Checksum::Whole);
                check_to_client(bench, ends, octets, Checksum::Partial);
                if (ends.peer.ip.is_v4()) check_to_client(bench, ends, octets, Checksum::None);
            }
        }
    });
}

TEST_CASE("kernel relay: checksums are right for random payloads") {
    std::mt19937_64 random{20261122};
    in_each_mode([&](Bench& bench) {
        for (int i = 0; i < 400; ++i) {
            CAPTURE(i);
            const auto ends = i % 2 == 0 ? Bench::ends_v4() : Bench::ends_v6();
            bench.install(ends);
            Bytes payload(random() % 1400);
            for (auto& octet : payload) octet = static_cast<std::byte>(random());
            const auto up = bench.run(to_server(ends, channel_data(Bench::number, payload)));
            // One in 65536 cannot be told from a partial one, and is left.
            if (up.outcome == Outcome::Left) continue;
            CHECK(read_frame(up.frame).value().checksum == Checksum::Whole);
            CHECK(read_frame(up.frame).value().payload == payload);
            if (!payload.empty()) payload[0] &= std::byte{0x3f};
            const auto down = bench.run(to_relay(ends, payload));
            if (down.outcome == Outcome::Left) continue;
            CHECK(read_frame(down.frame).value().checksum == Checksum::Whole);
        }
    });
}

TEST_CASE("kernel relay: a wrong checksum stays wrong") {
    in_each_mode([](Bench& bench) {
        for (const auto& ends : {Bench::ends_v4(), Bench::ends_v6(), Bench::ends_4_to_6()}) {
            bench.install(ends);
            const auto up = bench.run(to_server(ends, channel_data(Bench::number, sample(100)),
                                                {.checksum = Checksum::Wrong}));
            CHECK(read_frame(up.frame).value().checksum == Checksum::Wrong);
            const auto down = bench.run(to_relay(ends, sample(99), {.checksum = Checksum::Wrong}));
            CHECK(read_frame(down.frame).value().checksum == Checksum::Wrong);
        }
    });
}

TEST_CASE("kernel relay: padding after ChannelData is removed, more than that is left alone") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        for (const std::size_t padding : {1U, 2U, 3U}) {
            for (const std::size_t octets : {5U, 6U, 7U, 172U}) {
                for (const auto checksum : {Checksum::Whole, Checksum::Partial, Checksum::None}) {
                    check_to_peer(bench, ends, octets, checksum, padding);
                }
            }
        }
        const auto before = bench.counted(RELAY_ODD);
        for (const std::size_t padding : {4U, 100U}) {
            const auto frame = to_server(ends, channel_data(Bench::number, sample(8), padding));
            CHECK(bench.run(frame).outcome == Outcome::Left);
        }
        CHECK(bench.counted(RELAY_ODD) == before + 2);
    });
}

TEST_CASE("kernel relay: the octets that fill a short Ethernet frame are removed") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        const FrameOptions padded{.trailer = 13};
        const auto up = bench.run(to_server(ends, channel_data(Bench::number, sample(1)), padded));
        REQUIRE(up.outcome == Outcome::Sent);
        CHECK(read_frame(up.frame).value().payload == sample(1));
        CHECK(read_frame(up.frame).value().trailer == 0);
        const auto down = bench.run(to_relay(ends, sample(2), padded));
        REQUIRE(down.outcome == Outcome::Sent);
        CHECK(read_frame(down.frame).value().payload == channel_data(Bench::number, sample(2)));
        CHECK(read_frame(down.frame).value().trailer == 0);
    });
}

TEST_CASE("kernel relay: a length beyond the datagram is left to user space") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        auto payload = channel_data(Bench::number, sample(20));
        payload[3] = std::byte{21};
        CHECK(bench.run(to_server(ends, payload)).outcome == Outcome::Left);
        payload[2] = std::byte{0xff};
        payload[3] = std::byte{0xff};
        CHECK(bench.run(to_server(ends, payload)).outcome == Outcome::Left);
        // Too short for a header.
        payload.resize(3);
        CHECK(bench.run(to_server(ends, payload)).outcome == Outcome::Left);
        // A UDP length that differs from IP's.
        auto frame = to_server(ends, channel_data(Bench::number, sample(20)));
        frame[39] = std::byte{8};
        CHECK(bench.run(frame).outcome == Outcome::Left);
        // A frame that was cut.
        frame = to_server(ends, channel_data(Bench::number, sample(20)));
        frame.pop_back();
        CHECK(bench.run(frame).outcome == Outcome::Left);
    });
}

TEST_CASE("kernel relay: only the channel's own five-tuple and number pass") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        const auto left = [&](Bench::Ends other, std::uint16_t number) {
            CHECK(bench.run(to_server(other, channel_data(number, sample(20)))).outcome ==
                  Outcome::Left);
        };
        left(ends, 0x4abd);
        left(ends, 0x5000);
        left(ends, 0x3fff);
        auto other = ends;
        other.client.port.value ^= 1;
        left(other, Bench::number);
        other = ends;
        other.client.ip = IpAddress::v4({198, 51, 100, 8});
        left(other, Bench::number);
        other = ends;
        other.server.port.value = 3479;
        left(other, Bench::number);
        other = ends;
        other.peer.port.value = 6001;
        CHECK(bench.run(to_relay(other, sample(20))).outcome == Outcome::Left);
        other = ends;
        other.relayed.ip = ends.server.ip;
        CHECK(bench.run(to_relay(other, sample(20))).outcome == Outcome::Left);
    });
}

TEST_CASE("kernel relay: channel numbers of RFC 5766 pass where they are installed") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        const auto run = [&](std::uint16_t number) {
            return bench.run(to_server(ends, channel_data(number, sample(20)))).outcome;
        };
        CHECK(run(0x7fff) == Outcome::Left);
        REQUIRE(bench.programs().add_flow(to_key(ends.server, ends.client, 0x7fff), 0));
        CHECK(run(0x7fff) == Outcome::Sent);
        REQUIRE(bench.programs().add_flow(to_key(ends.server, ends.client, 0x8000), 0));
        CHECK(run(0x8000) == Outcome::Left);
    });
}

TEST_CASE("kernel relay: a peer may send what looks like ChannelData or a Binding request") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v6();
        bench.install(ends);
        const auto inner = channel_data(Bench::number, sample(20));
        const auto ran = bench.run(to_relay(ends, inner));
        REQUIRE(ran.outcome == Outcome::Sent);
        CHECK(read_frame(ran.frame).value().payload == channel_data(Bench::number, inner));
        Bytes binding(20);
        binding[1] = std::byte{1};
        const auto probe = bench.run(to_relay(ends, binding));
        REQUIRE(probe.outcome == Outcome::Sent);
        CHECK(read_frame(probe.frame).value().payload == channel_data(Bench::number, binding));
    });
}

TEST_CASE("kernel relay: fragments, IP options and wrong IP checksums are left to user space") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        const auto payload = channel_data(Bench::number, sample(20));
        for (const auto fragment :
             std::initializer_list<std::uint16_t>{0x2000, 1, 0x6000, 0x8000}) {
            CHECK(bench.run(to_server(ends, payload, {.fragment = fragment})).outcome ==
                  Outcome::Left);
        }
        CHECK(bench.run(to_server(ends, payload, {.ip_options = 4})).outcome == Outcome::Left);
        auto frame = to_server(ends, payload);
        frame[24] ^= std::byte{1};
        CHECK(bench.run(frame).outcome == Outcome::Left);
        // Neither UDP nor IP.
        frame = to_server(ends, payload);
        frame[23] = std::byte{6};
        CHECK(bench.run(frame).outcome == Outcome::Left);
        frame = to_server(ends, payload);
        frame[12] = std::byte{0x81};
        CHECK(bench.run(frame).outcome == Outcome::Left);
        // An extension header before UDP.
        const auto six = Bench::ends_v6();
        bench.install(six);
        frame = to_server(six, payload);
        frame[20] = std::byte{44};
        CHECK(bench.run(frame).outcome == Outcome::Left);
        frame = to_server(six, payload, {.checksum = Checksum::None});
        CHECK(bench.run(frame).outcome == Outcome::Left);
    });
}

TEST_CASE("kernel relay: the don't-fragment bit is copied, and set from IPv6 by size") {
    in_each_mode([](Bench& bench) {
        auto ends = Bench::ends_v4();
        bench.install(ends);
        const auto fragment_of = [&](std::uint16_t came, std::size_t octets) {
            const auto ran = bench.run(
                to_server(ends, channel_data(Bench::number, sample(octets)), {.fragment = came}));
            return read_frame(ran.frame).value().fragment;
        };
        CHECK(fragment_of(0x4000, 20) == 0x4000);
        CHECK(fragment_of(0, 20) == 0);
        ends = Bench::ends_6_to_4();
        bench.install(ends);
        // RFC 7915 Section 5.1: 1260 octets of IPv4.
        CHECK(fragment_of(0, 1232) == 0);
        CHECK(fragment_of(0, 1233) == 0x4000);
    });
}

TEST_CASE("kernel relay: an expired, paused or unresolved channel is left to user space") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        const auto up = to_server(ends, channel_data(Bench::number, sample(20)));
        const auto down = to_relay(ends, sample(20));
        const auto both = [&](Outcome expected) {
            CHECK(bench.run(up).outcome == expected);
            CHECK(bench.run(down).outcome == expected);
        };
        both(Outcome::Sent);
        const auto expired = bench.counted(RELAY_EXPIRED);
        bench.channel().until = monotonic_nanoseconds() - second;
        both(Outcome::Left);
        bench.channel().until = monotonic_nanoseconds() + 100 * second;
        bench.programs().settings().lease = monotonic_nanoseconds() - second;
        both(Outcome::Left);
        CHECK(bench.counted(RELAY_EXPIRED) == expired + 4);
        bench.programs().settings().lease = monotonic_nanoseconds() + 100 * second;
        bench.channel().flags = RELAY_PAUSED;
        both(Outcome::Left);
        bench.channel().flags = 0;
        both(Outcome::Sent);
        bench.hop_to_peer().ifindex = 0;
        bench.hop_to_client().ifindex = 0;
        both(Outcome::Left);
    });
}

TEST_CASE("kernel relay: what is too large for the way out, or at its last hop, is left") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        const auto up = [&](std::size_t octets, std::uint8_t hop_limit) {
            return bench
                .run(to_server(ends, channel_data(Bench::number, sample(octets)),
                               {.hop_limit = hop_limit}))
                .outcome;
        };
        const auto down = [&](std::size_t octets) {
            return bench.run(to_relay(ends, sample(octets))).outcome;
        };
        CHECK(up(20, 2) == Outcome::Sent);
        CHECK(up(20, 1) == Outcome::Left);
        CHECK(up(20, 0) == Outcome::Left);
        bench.hop_to_peer().mtu = 1000;
        bench.hop_to_client().mtu = 1000;
        CHECK(up(972, 64) == Outcome::Sent);
        CHECK(up(973, 64) == Outcome::Left);
        CHECK(down(968) == Outcome::Sent);
        CHECK(down(969) == Outcome::Left);
    });
}

TEST_CASE("kernel relay: native XDP sends only where frames can be redirected to") {
    auto bench = Bench::make(KernelMode::XdpNative);
    if (!bench) return;
    const auto ends = Bench::ends_v4();
    bench->install(ends);
    const auto frame = to_server(ends, channel_data(Bench::number, sample(20)));
    bench->hop_to_peer().flags = 0;
    CHECK(bench->run(frame).outcome == Outcome::Left);
    bench->hop_to_peer().ifindex = 1;  // where the frame comes from
    CHECK(bench->run(frame).outcome == Outcome::Sent);
}

TEST_CASE("kernel relay: on lo packets to this host are handed up, of the same family only") {
    in_each_mode([](Bench& bench) {
        auto ends = Bench::ends_v4();
        bench.install(ends);
        bench.hop_to_peer().ifindex = 1;
        bench.hop_to_peer().flags = RELAY_LOCAL;
        const bool is_native = bench.mode() == KernelMode::XdpNative;
        const auto frame = to_server(ends, channel_data(Bench::number, sample(20)));
        const auto ran = bench.run(frame);
        CHECK(ran.outcome == (is_native ? Outcome::Left : Outcome::Delivered));
        if (!is_native) CHECK(read_frame(ran.frame).value().to == ends.peer);
        ends = Bench::ends_4_to_6();
        bench.install(ends);
        CHECK(bench.run(frame).outcome == Outcome::Left);
    });
}

TEST_CASE("kernel relay: counts packets and payload octets of each channel") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        for (int i = 0; i < 3; ++i) {
            bench.run(to_server(ends, channel_data(Bench::number, sample(100), 2)));
        }
        bench.run(to_relay(ends, sample(70)));
        CHECK(bench.channel().peer_amount.packets == 3);
        CHECK(bench.channel().peer_amount.octets == 300);
        CHECK(bench.channel().client_amount.packets == 1);
        CHECK(bench.channel().client_amount.octets == 70);
        CHECK(bench.counted(RELAY_TO_PEER) == 3);
        CHECK(bench.counted(RELAY_TO_CLIENT) == 1);
        CHECK(bench.hop_to_peer().used == 1);
    });
}

TEST_CASE("kernel relay: a budget and the rates of an owner bite in both directions together") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.install(ends);
        const auto up = to_server(ends, channel_data(Bench::number, sample(100)));
        const auto down = to_relay(ends, sample(100));
        bench.channel().flags = RELAY_BUDGETED;
        bench.channel().budget = 250;
        CHECK(bench.run(up).outcome == Outcome::Sent);
        CHECK(bench.run(down).outcome == Outcome::Sent);
        CHECK(bench.run(up).outcome == Outcome::Left);
        CHECK(bench.run(down).outcome == Outcome::Left);
        CHECK(bench.channel().budget == 50);
        bench.channel().flags = 0;
        // A packet in a thousand seconds, three at once.
        bench.channel().owner = 7;
        auto& owner = bench.programs().owners()[7];
        owner = {};
        owner.packets = {.ahead = 0, .cost = (1000 * second) << 16U, .burst = 3000 * second};
        for (int i = 0; i < 3; ++i) {
            CHECK(bench.run(i % 2 == 0 ? up : down).outcome == Outcome::Sent);
        }
        CHECK(bench.run(up).outcome == Outcome::Left);
        CHECK(bench.run(down).outcome == Outcome::Left);
        owner = {};
        owner.octets = to_rate(KernelRate{.per_second = 1, .burst = 250});
        CHECK(bench.run(up).outcome == Outcome::Sent);
        CHECK(bench.run(down).outcome == Outcome::Sent);
        CHECK(bench.run(up).outcome == Outcome::Left);
        CHECK(bench.counted(RELAY_OVER_RATE) == 5);
    });
}

}  // namespace stile::drivers::kernel::testing
#endif
