// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#ifdef STILE_KERNEL_RELAY
#include "programs_fixture.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

namespace stile::drivers::kernel::testing {

namespace {

// RFC 8489 Section 5, without attributes.
Bytes binding_request() {
    Bytes request(20);
    request[1] = std::byte{1};
    request[4] = std::byte{0x21};
    request[5] = std::byte{0x12};
    request[6] = std::byte{0xa4};
    request[7] = std::byte{0x42};
    for (std::size_t i = 8; i < 20; ++i) request[i] = static_cast<std::byte>(0xa0 + i);
    return request;
}

// RFC 8489 Section 14.2.
Bytes binding_answer(const SocketAddress& client) {
    Bytes answer = binding_request();
    const auto octets = client.ip.octets();
    answer[0] = std::byte{1};
    answer[3] = static_cast<std::byte>(octets.size() + 8);
    for (const int octet :
         {0x00, 0x20, 0x00, static_cast<int>(octets.size()) + 4, 0x00, client.ip.is_v4() ? 1 : 2}) {
        answer.push_back(static_cast<std::byte>(octet));
    }
    answer.push_back(static_cast<std::byte>(client.port.value >> 8U) ^ answer[4]);
    answer.push_back(static_cast<std::byte>(client.port.value) ^ answer[5]);
    for (std::size_t i = 0; i < octets.size(); ++i) answer.push_back(octets[i] ^ answer[4 + i]);
    return answer;
}

}  // namespace

TEST_CASE("kernel relay: a bare Binding request is answered with XOR-MAPPED-ADDRESS") {
    in_each_mode([](Bench& bench) {
        for (const auto& ends : {Bench::ends_v4(), Bench::ends_v6()}) {
            bench.programs().add_server(kernel::to_server(ends.server));
            for (const auto checksum : {Checksum::Whole, Checksum::Partial}) {
                const auto ran = bench.run(make_frame(ends.client, ends.server, binding_request(),
                                                      {.checksum = checksum, .hop_limit = 3}));
                // The frame comes from lo here.
                REQUIRE(ran.outcome == Outcome::Delivered);
                const auto frame = read_frame(ran.frame);
                REQUIRE(frame);
                CHECK(frame->from == ends.server);
                CHECK(frame->to == ends.client);
                CHECK(frame->hop_limit == 64);
                CHECK(frame->next_hop == "020000000002");
                CHECK(frame->payload == binding_answer(ends.client));
                const bool stays_partial =
                    checksum == Checksum::Partial && bench.mode() != KernelMode::XdpNative;
                CHECK(frame->checksum == (stays_partial ? Checksum::Partial : Checksum::Whole));
            }
        }
        CHECK(bench.counted(RELAY_BINDINGS) == 4);
    });
}

TEST_CASE("kernel relay: every other STUN message is left to user space") {
    in_each_mode([](Bench& bench) {
        const auto ends = Bench::ends_v4();
        bench.programs().add_server(kernel::to_server(ends.server));
        const auto leaves = [&](Bytes request, FrameOptions options = {}) {
            CHECK(bench.run(make_frame(ends.client, ends.server, request, options)).outcome ==
                  Outcome::Left);
        };
        auto request = binding_request();
        request[0] = std::byte{0x01};  // a response
        leaves(request);
        request = binding_request();
        request[1] = std::byte{0x11};  // an indication
        leaves(request);
        request = binding_request();
        request[7] ^= std::byte{1};  // no cookie: RFC 3489
        leaves(request);
        request = binding_request();
        request[3] = std::byte{8};  // says it has attributes, and has
        request.resize(28);
        leaves(request);
        request = binding_request();
        request[3] = std::byte{8};  // says so and has none
        leaves(request);
        request = binding_request();
        request.pop_back();
        leaves(request);
        leaves(binding_request(), {.checksum = Checksum::Wrong});
        // Not one of ours.
        auto other = ends;
        other.server.port.value = 3479;
        CHECK(bench.run(make_frame(other.client, other.server, binding_request())).outcome ==
              Outcome::Left);
        bench.programs().remove_server(kernel::to_server(ends.server));
        leaves(binding_request());
        CHECK(bench.counted(RELAY_BINDINGS) == 0);
    });
}

TEST_CASE("kernel relay: Binding answers stop at the rate of a prefix and with the lease") {
    in_each_mode([](Bench& bench) {
        const auto run = [&](const SocketAddress& client, const SocketAddress& server) {
            bench.programs().add_server(kernel::to_server(server));
            return bench.run(make_frame(client, server, binding_request())).outcome;
        };
        auto& settings = bench.programs().settings();
        settings.bindings = to_rate(KernelRate{.per_second = 1, .burst = 5});
        settings.bindings.cost *= 1000;  // none comes back while the test runs
        settings.bindings.burst *= 1000;
        for (const auto& ends : {Bench::ends_v4(), Bench::ends_v6()}) {
            auto client = ends.client;
            for (int i = 0; i < 5; ++i) {
                ++client.port.value;
                CHECK(run(client, ends.server) == Outcome::Delivered);
            }
            CHECK(run(client, ends.server) == Outcome::Left);
        }
        // The same prefix, and others.
        const auto server = Bench::ends_v4().server;
        CHECK(run(SocketAddress::parse("198.51.100.99:1").value(), server) == Outcome::Left);
        CHECK(run(SocketAddress::parse("198.51.101.7:1").value(), server) == Outcome::Delivered);
        const auto server6 = Bench::ends_v6().server;
        CHECK(run(SocketAddress::parse("[2001:db8:7:ff::1]:1").value(), server6) == Outcome::Left);
        CHECK(run(SocketAddress::parse("[2001:db8:7:100::7]:1").value(), server6) ==
              Outcome::Delivered);
        CHECK(bench.counted(RELAY_OVER_RATE) == 4);
        settings.bindings = {};
        CHECK(run(Bench::ends_v4().client, server) == Outcome::Delivered);
        // For all together: twice 32 octets.
        settings.octets = to_rate(KernelRate{.per_second = 1, .burst = 70});
        CHECK(run(Bench::ends_v4().client, server) == Outcome::Delivered);
        CHECK(run(SocketAddress::parse("203.0.113.1:1").value(), server) == Outcome::Delivered);
        CHECK(run(SocketAddress::parse("203.0.113.1:1").value(), server) == Outcome::Left);
        settings.octets = {};
        CHECK(run(Bench::ends_v4().client, server) == Outcome::Delivered);
        settings.lease = monotonic_nanoseconds() - second;
        CHECK(run(Bench::ends_v4().client, server) == Outcome::Left);
    });
}

}  // namespace stile::drivers::kernel::testing
#endif
