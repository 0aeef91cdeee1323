// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/drivers/udp_limits.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <vector>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;

const SocketAddress any_v4 = *SocketAddress::parse("127.0.0.1:0");
const SocketAddress any_v6 = *SocketAddress::parse("[::1]:0");

std::unique_ptr<UdpSocket> open(Loop& loop, SocketAddress local, const UdpOptions& options = {}) {
    auto socket = UdpSocket::open(loop, local, options);
    REQUIRE_MESSAGE(socket.has_value(), (socket ? "" : socket.error().text));
    return *std::move(socket);
}

struct Collected {
    explicit Collected(UdpSocket& socket) {
        socket.on_datagrams([this](std::span<const Datagram> batch) {
            ++batches;
            for (const Datagram& datagram : batch) {
                paths.push_back(datagram.path);
                payloads.push_back(to_bytes(datagram.payload));
            }
        });
    }
    std::vector<Path> paths;
    std::vector<Bytes> payloads;
    int batches = 0;
};

Bytes numbered(std::size_t size, std::size_t seed) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + seed * 17);
    return bytes;
}

TEST_CASE("udp socket: a datagram arrives with both addresses, IPv4 and IPv6") {
    for (const SocketAddress& any : {any_v4, any_v6}) {
        CAPTURE(any.to_string());
        Loop loop;
        const auto sender = open(loop, any);
        const auto receiver = open(loop, any);
        Collected collected{*receiver};
        const Bytes payload = to_bytes("hello");
        sender->send(Transmit{{sender->local_address(), receiver->local_address()}, payload});
        REQUIRE(loop.run_until([&] { return collected.payloads.size() == 1; }, 5s) ==
                Loop::Outcome::Done);
        CHECK(collected.payloads[0] == payload);
        CHECK(collected.paths[0].remote == sender->local_address());
        CHECK(collected.paths[0].local == receiver->local_address());
    }
}

TEST_CASE("udp socket: an empty datagram is a datagram") {
    Loop loop;
    const auto sender = open(loop, any_v4);
    const auto receiver = open(loop, any_v4);
    Collected collected{*receiver};
    sender->send(Transmit{{sender->local_address(), receiver->local_address()}, {}});
    REQUIRE(loop.run_until([&] { return collected.payloads.size() == 1; }, 5s) ==
            Loop::Outcome::Done);
    CHECK(collected.payloads[0].empty());
}

TEST_CASE("udp socket: on a wildcard the local address is the one that was sent to") {
    Loop loop;
    const auto sender = open(loop, any_v4);
    const auto receiver = open(loop, *SocketAddress::parse("0.0.0.0:0"));
    Collected collected{*receiver};
    const SocketAddress there{*IpAddress::parse("127.0.0.7"), receiver->local_address().port};
    sender->send(Transmit{{sender->local_address(), there}, as_bytes("x")});
    REQUIRE(loop.run_until([&] { return collected.paths.size() == 1; }, 5s) == Loop::Outcome::Done);
    CHECK(collected.paths[0].local == there);

    // And the answer leaves from there.
    Collected answers{*sender};
    receiver->send(Transmit{collected.paths[0], as_bytes("y")});
    REQUIRE(loop.run_until([&] { return answers.paths.size() == 1; }, 5s) == Loop::Outcome::Done);
    CHECK(answers.paths[0].remote == there);
}

TEST_CASE("udp socket: a segmented send arrives as its datagrams, byte for byte") {
    for (const auto offload : {UdpOptions::Offload::Automatic, UdpOptions::Offload::Off}) {
        Loop loop;
        const auto sender = open(loop, any_v4);
        const auto receiver = open(loop, any_v4, {.offload = offload});
        Collected collected{*receiver};
        const Bytes whole = numbered(20 * 1200 + 77, 1);
        sender->send({{sender->local_address(), receiver->local_address()}, whole, 1200, {}});
        REQUIRE(loop.run_until([&] { return collected.payloads.size() == 21; }, 5s) ==
                Loop::Outcome::Done);
        Bytes joined;
        for (const Bytes& payload : collected.payloads) {
            joined.insert(joined.end(), payload.begin(), payload.end());
        }
        CHECK(joined == whole);
        CHECK(collected.payloads[19].size() == 1200);
        CHECK(collected.payloads[20].size() == 77);
        CHECK(sender->segmentation() == UdpSocket::Segmentation::Works);
        CHECK(sender->counters().send_calls == 1);
        // Loopback hands a segmented send over whole where the receiver takes it so.
        if (offload == UdpOptions::Offload::Automatic)
            CHECK(receiver->counters().receive_calls == 1);
    }
}

TEST_CASE("udp socket: the most segments of one send, and one datagram of the most octets") {
    Loop loop;
    const auto sender = open(loop, any_v4);
    const auto receiver = open(loop, any_v4);
    Collected collected{*receiver};
    const Path path{sender->local_address(), receiver->local_address()};
    const Bytes segments = numbered(most_segments_a_send * 1000, 2);
    sender->send({path, segments, 1000, {}});
    const Bytes large = numbered(most_octets_a_send, 3);
    sender->send(Transmit{path, large});
    REQUIRE(loop.run_until([&] { return collected.payloads.size() == most_segments_a_send + 1; },
                           5s) == Loop::Outcome::Done);
    CHECK(collected.payloads.back() == large);
}

TEST_CASE("udp socket: a batch keeps order and bytes whatever is merged") {
    for (const auto offload : {UdpOptions::Offload::Automatic, UdpOptions::Offload::Off}) {
        Loop loop;
        const auto sender = open(loop, any_v4, {.offload = offload});
        const auto one = open(loop, any_v4);
        const auto two = open(loop, any_v4);
        Collected at_one{*one};
        Collected at_two{*two};
        std::vector<Bytes> payloads;
        std::vector<bool> to_one;
        const Bytes prefix = to_bytes("\x40\x01\x02\x03");
        for (std::size_t i = 0; i < 200; ++i) {
            payloads.push_back(numbered(i % 7 == 6 ? 300 + i : 500, i));
            to_one.push_back(i % 20 < 15);
        }
        payloads[3].clear();
        std::vector<Outgoing> batch;
        std::vector<Bytes> expected_one;
        std::vector<Bytes> expected_two;
        for (std::size_t i = 0; i < payloads.size(); ++i) {
            const UdpSocket& receiver = to_one[i] ? *one : *two;
            const bool prefixed = i % 3 == 0;
            batch.push_back({{sender->local_address(), receiver.local_address()},
                             payloads[i],
                             {},
                             prefixed ? BytesView{prefix} : BytesView{}});
            Bytes whole = prefixed ? prefix : Bytes{};
            whole.insert(whole.end(), payloads[i].begin(), payloads[i].end());
            (to_one[i] ? expected_one : expected_two).push_back(whole);
        }
        sender->send_batch(batch);
        REQUIRE(loop.run_until(
                    [&] { return at_one.payloads.size() + at_two.payloads.size() == 200; }, 5s) ==
                Loop::Outcome::Done);
        CHECK(at_one.payloads == expected_one);
        CHECK(at_two.payloads == expected_two);
        CHECK(sender->counters().sent == 200);
    }
}

TEST_CASE("udp socket: an unreachable port neither stops nor closes it") {
    for (const auto icmp : {UdpOptions::IcmpErrors::Ignored, UdpOptions::IcmpErrors::Reported}) {
        Loop loop;
        const auto sender = open(loop, any_v4, {.icmp_errors = icmp});
        const auto receiver = open(loop, any_v4);
        SocketAddress closed;
        {
            const auto gone = open(loop, any_v4);
            closed = gone->local_address();
        }
        Collected back{*sender};
        std::vector<IcmpError> errors;
        sender->on_icmp_error([&](const IcmpError& error) { errors.push_back(error); });
        Collected collected{*receiver};
        for (int i = 0; i < 5; ++i) {
            sender->send(Transmit{{sender->local_address(), closed}, as_bytes("lost")});
        }
        sender->send(
            Transmit{{sender->local_address(), receiver->local_address()}, as_bytes("kept")});
        REQUIRE(loop.run_until([&] { return collected.payloads.size() == 1; }, 5s) ==
                Loop::Outcome::Done);
        receiver->send(Transmit{collected.paths[0], as_bytes("answer")});
        REQUIRE(loop.run_until([&] { return back.payloads.size() == 1; }, 5s) ==
                Loop::Outcome::Done);
        if (icmp == UdpOptions::IcmpErrors::Reported) {
            REQUIRE_FALSE(errors.empty());
            CHECK(errors[0].destination == closed);
            CHECK(errors[0].type == 3);  // destination unreachable
            CHECK(errors[0].code == 3);  // port
        } else {
            CHECK(errors.empty());
        }
    }
}

TEST_CASE("udp socket: what cannot be sent is counted, and what follows leaves") {
    Loop loop;
    const auto sender = open(loop, any_v4);
    const auto receiver = open(loop, any_v4);
    Collected collected{*receiver};
    const Bytes too_large(most_octets_a_send + 1);
    const Path path{sender->local_address(), receiver->local_address()};
    const Path other_family{sender->local_address(), any_v6};
    const std::vector<Outgoing> batch{{path, too_large, {}, {}},
                                      {other_family, as_bytes("no"), {}, {}},
                                      {path, as_bytes("yes"), {}, {}}};
    sender->send_batch(batch);
    REQUIRE(loop.run_until([&] { return collected.payloads.size() == 1; }, 5s) ==
            Loop::Outcome::Done);
    CHECK(collected.payloads[0] == to_bytes("yes"));
    CHECK(sender->counters().send_errors == 2);
    CHECK(sender->counters().sent == 1);
}

TEST_CASE("udp socket: may be destroyed by its own callback") {
    Loop loop;
    const auto sender = open(loop, any_v4);
    auto receiver = open(loop, any_v4);
    const Path path{sender->local_address(), receiver->local_address()};
    receiver->on_datagrams([&](std::span<const Datagram>) { receiver.reset(); });
    sender->send(Transmit{path, as_bytes("end")});
    CHECK(loop.run_until([&] { return !receiver; }, 5s) == Loop::Outcome::Done);
}

TEST_CASE("udp socket: a port that is taken is an error that names it") {
    Loop loop;
    const auto first = open(loop, any_v4);
    const auto second = UdpSocket::open(loop, first->local_address());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == EADDRINUSE);
    CHECK(second.error().text.contains(first->local_address().to_string()));
}

TEST_CASE("udp socket: several share a port where all asked to") {
    Loop loop;
    const UdpOptions shared{.reuse_port = UdpOptions::ReusePort::Yes};
    const auto first = open(loop, any_v4, shared);
    const auto second = open(loop, first->local_address(), shared);
    CHECK(second->local_address() == first->local_address());
}

TEST_CASE("udp socket: reports the receive buffer that it was granted") {
    Loop loop;
    const auto socket = open(loop, any_v4, {.receive_buffer = 100'000});
    CHECK(socket->granted_receive_buffer() == 100'000);
}

TEST_CASE("source address: loopback is reached from loopback") {
    const auto source = source_address_for(*SocketAddress::parse("127.0.0.9:9"));
    REQUIRE(source.has_value());
    CHECK(source->is_loopback());
}

}  // namespace
}  // namespace stile::drivers
