// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace stile::sim {
namespace {

using namespace test;

// Two hosts on the internet; faults on the link of the first.
struct Pair {
    Topology topology;
    HostId one;
    HostId two;

    explicit Pair(Link link)
        : one(topology.add_host("one", Topology::internet, ip("198.51.100.1"), link)),
          two(topology.add_host("two", Topology::internet, ip("198.51.100.2"), {.delay = 10ms})) {}
};

const Path there{SocketAddress{IpAddress::v4({198, 51, 100, 1}), Port{1}},
                 SocketAddress{IpAddress::v4({198, 51, 100, 2}), Port{2}}};

TEST_CASE("sim world: a datagram arrives after the delays of both links") {
    const Pair pair{{.delay = 30ms}};
    World world{pair.topology, 1};
    world.send(pair.one, there, as_bytes("hello"));
    CHECK_FALSE(world.step(Instant{} + 39ms));
    CHECK(world.now() == Instant{} + 39ms);
    const auto happening = world.step(Instant{} + 1s);
    REQUIRE(happening);
    CHECK(world.now() == Instant{} + 40ms);
    const auto& arrived = std::get<DatagramArrived>(*happening);
    CHECK(arrived.host == pair.two);
    CHECK(arrived.path == Path{there.remote, there.local});
    CHECK(as_text(arrived.payload) == "hello");
    CHECK_FALSE(world.step(Instant{} + 1s));
    CHECK(world.now() == Instant{} + 1s);
    CHECK_FALSE(world.next());
}

TEST_CASE("sim world: a host sends from its own addresses only") {
    const Pair pair{{}};
    World world{pair.topology, 1};
    CHECK(world.send(pair.two, there, as_bytes("x")) == World::Sent::NoSuchAddress);
    CHECK_FALSE(world.next());
}

struct Counted {
    std::size_t arrived = 0;
    bool in_order = true;
};

Counted send_many(const Pair& pair, std::uint64_t seed, std::uint32_t count) {
    World world{pair.topology, seed};
    Counted counted;
    std::optional<std::string> last;
    const auto take = [&](Happening happening) {
        const std::string text = to_text(std::get<DatagramArrived>(happening).payload);
        if (last && text < *last) counted.in_order = false;
        last = text;
        ++counted.arrived;
    };
    for (std::uint32_t i = 0; i < count; ++i) {
        world.send(pair.one, there, as_bytes(std::to_string(1'000'000 + i)));
        world.run_until(world.now() + 1ms, take);
    }
    world.run_until(world.now() + 10s, take);
    return counted;
}

TEST_CASE("sim world: loses the share of datagrams that the link says") {
    for (const std::uint32_t percent : {0U, 10U, 50U, 100U}) {
        CAPTURE(percent);
        const Pair pair{{.loss = Probability::percent(percent)}};
        const std::size_t arrived = send_many(pair, 7, 5000).arrived;
        const std::size_t expected = 5000 - 50 * percent;
        const std::size_t slack = percent == 0 || percent == 100 ? 0 : 150;
        CHECK(arrived >= expected - slack);
        CHECK(arrived <= expected + slack);
    }
}

TEST_CASE("sim world: duplicates the share of datagrams that the link says") {
    const Pair pair{{.duplication = Probability::percent(20)}};
    const std::size_t arrived = send_many(pair, 7, 5000).arrived;
    CHECK(arrived > 5850);
    CHECK(arrived < 6150);
}

TEST_CASE("sim world: jitter reorders, its absence does not") {
    CHECK(send_many(Pair{{.delay = 5ms}}, 7, 500).in_order);
    CHECK_FALSE(send_many(Pair{{.delay = 5ms, .jitter = 20ms}}, 7, 500).in_order);
    CHECK(send_many(Pair{{.delay = 5ms, .jitter = 20ms}}, 7, 500).arrived == 500);
}

TEST_CASE("sim world: what is larger than the link allows is lost") {
    const Pair pair{{.mtu = 1280}};
    World world{pair.topology, 1};
    const std::string most(1280 - 28, 'x');
    CHECK(deliver(world, pair.one, "198.51.100.1:1", at("198.51.100.2:2"), most).size() == 1);
    CHECK(deliver(world, pair.one, "198.51.100.1:1", at("198.51.100.2:2"), most + "x").empty());
    CHECK(world.dropped(DropReason::TooLarge) == 1);
}

TEST_CASE("sim world: links can fail and heal in the run") {
    const Pair pair{{}};
    World world{pair.topology, 1};
    const auto arrives = [&] {
        return deliver(world, pair.one, "198.51.100.1:1", at("198.51.100.2:2")).size() == 1;
    };
    CHECK(arrives());
    world.set_link(pair.two, ip("198.51.100.2"), {.loss = Probability::percent(100)});
    CHECK_FALSE(arrives());
    world.set_link(pair.two, ip("198.51.100.2"), {});
    CHECK(arrives());
}

TEST_CASE("sim world: a host can move to another network") {
    Topology topology;
    const HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    const NetworkId home = topology.add_nat(Topology::internet, ip("203.0.113.1"), {});
    const NetworkId mobile = topology.add_nat(Topology::internet, ip("203.0.113.2"), {});
    const HostId host = topology.add_host("host", home, ip("192.168.1.2"));
    World world{topology, 1};
    const auto before = seen(world, host, "192.168.1.2:1", "198.51.100.1:1");
    world.attach(host, mobile, ip("10.0.0.2"));
    world.detach(host, ip("192.168.1.2"));
    CHECK(world.send(host, {at("192.168.1.2:1"), at("198.51.100.1:1")}, {}) ==
          World::Sent::NoSuchAddress);
    CHECK(seen(world, host, "10.0.0.2:1", "198.51.100.1:1").ip == ip("203.0.113.2"));
    CHECK(deliver(world, server, "198.51.100.1:1", before).empty());
}

std::uint64_t digest_of_run(std::uint64_t seed) {
    Home home{{.filtering = Filtering::EndpointIndependent, .ports = PortAssignment::Random}};
    World world{home.topology, seed};
    const Link poor{.delay = 5ms,
                    .jitter = 30ms,
                    .loss = Probability::percent(20),
                    .duplication = Probability::percent(10)};
    world.set_link(home.first, ip("192.168.1.2"), poor);
    for (int i = 0; i < 200; ++i) {
        world.send(home.first, {at("192.168.1.2:5000"), at("198.51.100.1:1")}, as_bytes("x"));
        world.run_until(world.now() + 3ms, [&](Happening happening) {
            const auto& arrived = std::get<DatagramArrived>(happening);
            world.send(arrived.host, arrived.path, arrived.payload);
        });
    }
    return world.trace_digest();
}

TEST_CASE("sim world: the same seed gives the same trace, another seed another") {
    CHECK(digest_of_run(1) == digest_of_run(1));
    CHECK(digest_of_run(1) != digest_of_run(2));
}

TEST_CASE("sim world: the trace tells what became of a datagram") {
    Home home{{}};
    World world{home.topology, 1};
    deliver(world, home.first, "192.168.1.2:5000", at("198.51.100.1:1"));
    deliver(world, home.other, "198.51.100.2:1", at("203.0.113.1:5000"));
    std::string text;
    for (const TraceEntry& entry : world.trace()) text += entry.to_string() + "\n";
    CHECK(text ==
          "0us 192.168.1.2:5000 > 198.51.100.1:1 (1) sent\n"
          "5000us 203.0.113.1:5000 > 198.51.100.1:1 (1) translated\n"
          "15000us 203.0.113.1:5000 > 198.51.100.1:1 (1) delivered\n"
          "1000000us 198.51.100.2:1 > 203.0.113.1:5000 (1) sent\n"
          "1010000us 198.51.100.2:1 > 203.0.113.1:5000 (1) dropped: filtered\n");
}

TEST_CASE("sim world: the trace is bounded, its digest is not") {
    const Pair pair{{}};
    World world{pair.topology, 1};
    for (std::size_t i = 0; i < most_trace_entries; ++i) {
        world.send(pair.one, there, as_bytes("x"));
    }
    CHECK(world.trace().size() == most_trace_entries);
    const std::uint64_t digest = world.trace_digest();
    world.send(pair.one, there, as_bytes("x"));
    CHECK(world.trace().size() == most_trace_entries);
    CHECK(world.trace_digest() != digest);
}

TEST_CASE("sim streams: octets arrive in order, after the delay, both ways") {
    Home home{{}};
    World world{home.topology, 1};
    world.listen(home.server, at("198.51.100.1:5060"));
    const StreamId id = world.connect(home.first, {at("192.168.1.2:9"), at("198.51.100.1:5060")});
    auto happening = world.step(Instant{} + 10s);
    REQUIRE(happening);
    CHECK(std::get<StreamOpened>(*happening).host == home.first);
    CHECK(world.now() == Instant{} + 30ms);
    happening = world.step(Instant{} + 10s);
    REQUIRE(happening);
    CHECK(world.now() == Instant{} + 45ms);
    const auto& accepted = std::get<StreamAccepted>(*happening);
    CHECK(accepted.host == home.server);
    CHECK(accepted.path.local == at("198.51.100.1:5060"));
    CHECK(accepted.path.remote.ip == ip("203.0.113.1"));
    world.send(id, StreamEnd::Server, as_bytes("hello "));
    world.send(id, StreamEnd::Server, as_bytes("there"));
    world.send(id, StreamEnd::Client, as_bytes("hi"));
    std::string client;
    std::string server;
    world.run_until(Instant{} + 10s, [&](Happening one) {
        const auto& arrived = std::get<StreamArrived>(one);
        (arrived.end == StreamEnd::Client ? client : server) += as_text(arrived.octets);
    });
    CHECK(client == "hello there");
    CHECK(server == "hi");
}

TEST_CASE("sim streams: losses of the link do not touch them, nor do UDP blocks") {
    Topology topology;
    const HostId server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
    const NetworkId inside = topology.add_firewall(Topology::internet, std::nullopt, Udp::Blocked);
    const HostId host =
        topology.add_host("host", inside, ip("198.51.100.77"), {.loss = Probability::percent(30)});
    World world{topology, 1};
    world.listen(server, at("198.51.100.1:443"));
    const StreamId id = world.connect(host, {at("198.51.100.77:1"), at("198.51.100.1:443")});
    world.send(id, StreamEnd::Client, as_bytes("x"));
    std::size_t happenings = 0;
    world.run_until(Instant{} + 60s, [&](const Happening&) { ++happenings; });
    CHECK(happenings == 3);
}

TEST_CASE("sim streams: refused where nobody listens or no way leads") {
    Home home{{}};
    World world{home.topology, 1};
    world.listen(home.first, at("192.168.1.2:80"));
    const std::pair<HostId, Path> attempts[] = {
        {home.first, {at("192.168.1.2:1"), at("198.51.100.1:81")}},
        {home.server, {at("198.51.100.1:1"), at("203.0.113.1:80")}},
        {home.server, {at("198.51.100.1:1"), at("192.168.1.2:80")}},
    };
    for (const auto& [host, path] : attempts) {
        world.connect(host, path);
        const auto happening = world.step(world.now() + 64s);
        REQUIRE(happening);
        CHECK(std::get<StreamClosed>(*happening).host == host);
        CHECK_FALSE(world.step(world.now() + 1s));
    }
}

TEST_CASE("sim streams: the other end hears of the close after what was sent before") {
    Home home{{}};
    World world{home.topology, 1};
    world.listen(home.server, at("198.51.100.1:80"));
    const StreamId id = world.connect(home.first, {at("192.168.1.2:1"), at("198.51.100.1:80")});
    world.run_until(Instant{} + 1s, [](const Happening&) {});
    world.send(id, StreamEnd::Client, as_bytes("last"));
    world.close(id, StreamEnd::Client);
    world.send(id, StreamEnd::Server, as_bytes("too late"));
    std::vector<Happening> rest;
    world.run_until(Instant{} + 2s, [&](Happening one) { rest.push_back(std::move(one)); });
    REQUIRE(rest.size() == 2);
    CHECK(std::holds_alternative<StreamArrived>(rest[0]));
    CHECK(std::get<StreamClosed>(rest[1]).host == home.server);
}

}  // namespace
}  // namespace stile::sim
