// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// TCP through boxes: RFC 5382, RFC 6544 Appendix B.
#include "support.hpp"

namespace stile::sim::test {
namespace {

constexpr NatBehavior strict{.mapping = Mapping::EndpointIndependent,
                             .filtering = Filtering::AddressAndPortDependent};

// Two homes, each with one host, and a server.
struct Homes {
    explicit Homes(const NatBehavior& behavior, UnexpectedSyn answer = UnexpectedSyn::Dropped) {
        server = topology.add_host("server", Topology::internet, ip("198.51.100.1"));
        left = put("203.0.113.1", behavior, answer);
        right = put("203.0.113.2", behavior, answer);
    }
    HostId put(const char* outside, const NatBehavior& behavior, UnexpectedSyn answer) {
        const NetworkId inside = topology.add_nat(Topology::internet, ip(outside), behavior);
        topology.box(*topology.gateway_of(inside)).unexpected_syn = answer;
        return topology.add_host("host", inside, ip("192.168.1.2"));
    }
    Topology topology;
    HostId server{};
    HostId left{};
    HostId right{};
};

Path to_right() { return {at("192.168.1.2:5002"), at("203.0.113.2:5002")}; }
Path to_left() { return {at("192.168.1.2:5002"), at("203.0.113.1:5002")}; }

std::vector<Happening> all_until(World& world, Duration time) {
    std::vector<Happening> all;
    world.run_until(world.now() + time, [&](Happening one) { all.push_back(std::move(one)); });
    return all;
}

TEST_CASE("sim tcp: two SYNs that cross open one connection, through filters that look at ports") {
    Homes homes{strict};
    World world{homes.topology, 1};
    const StreamId left = world.connect(homes.left, to_right());
    const StreamId right = world.connect(homes.right, to_left());
    const auto opened = all_until(world, 1s);
    REQUIRE(opened.size() == 2);
    for (const Happening& one : opened) CHECK(std::holds_alternative<StreamOpened>(one));
    world.send(left, StreamEnd::Client, as_bytes("to the right"));
    world.send(right, StreamEnd::Client, as_bytes("to the left"));
    const auto arrived = all_until(world, 1s);
    REQUIRE(arrived.size() == 2);
    for (const Happening& one : arrived) {
        const auto& octets = std::get<StreamArrived>(one);
        const bool is_left = octets.host == homes.left;
        CHECK(octets.stream == (is_left ? left : right));
        CHECK(as_text(octets.octets) == (is_left ? "to the left" : "to the right"));
    }
}

TEST_CASE("sim tcp: a SYN that came too early is sent again, and meets the other's hole") {
    Homes homes{strict};
    World world{homes.topology, 1};
    world.connect(homes.left, to_right());
    CHECK(all_until(world, 500ms).empty());
    CHECK(world.dropped(DropReason::NoMapping) == 1);
    world.connect(homes.right, to_left());
    CHECK(all_until(world, 1s).size() == 2);
}

TEST_CASE("sim tcp: a box that answers an unexpected SYN ends the attempt") {
    const auto why = [](UnexpectedSyn answer) {
        Homes homes{strict, answer};
        World world{homes.topology, 1};
        world.connect(homes.left, to_right());
        const auto told = all_until(world, 64s);
        REQUIRE(told.size() == 1);
        return std::get<StreamClosed>(told.front()).why;
    };
    CHECK(why(UnexpectedSyn::Dropped) == StreamClosed::Why::TimedOut);
    CHECK(why(UnexpectedSyn::Reset) == StreamClosed::Why::Refused);
    CHECK(why(UnexpectedSyn::Unreachable) == StreamClosed::Why::Unreachable);
}

TEST_CASE(
    "sim tcp: a host refuses where nobody listens, and a second connection of the same ends") {
    Homes homes{{}};
    World world{homes.topology, 1};
    const Path path{at("192.168.1.2:5002"), at("198.51.100.1:80")};
    world.connect(homes.left, path);
    auto told = all_until(world, 1s);
    REQUIRE(told.size() == 1);
    CHECK(std::get<StreamClosed>(told.front()).why == StreamClosed::Why::Refused);
    world.listen(homes.server, at("198.51.100.1:80"));
    world.connect(homes.left, path);
    const StreamId second = world.connect(homes.left, path);
    told = all_until(world, 1s);
    REQUIRE(told.size() == 3);
    const auto& closed = std::get<StreamClosed>(told.front());
    CHECK(closed.stream == second);
    CHECK(closed.why == StreamClosed::Why::Local);
}

TEST_CASE("sim tcp: one port listens, and connects to several, with one mapping") {
    Homes homes{{.filtering = Filtering::EndpointIndependent}};
    World world{homes.topology, 1};
    world.listen(homes.server, at("198.51.100.1:80"));
    world.listen(homes.left, at("192.168.1.2:5002"));
    world.connect(homes.left, {at("192.168.1.2:5002"), at("198.51.100.1:80")});
    const auto told = all_until(world, 1s);
    REQUIRE(told.size() == 2);
    const SocketAddress seen = std::get<StreamAccepted>(told.back()).path.remote;
    CHECK(seen.ip == ip("203.0.113.1"));
    world.connect(homes.right, {at("192.168.1.2:7000"), seen});
    const auto more = all_until(world, 1s);
    REQUIRE(more.size() == 2);
    const auto& accepted = std::get<StreamAccepted>(more.back());
    CHECK(accepted.host == homes.left);
    CHECK(accepted.path.local == at("192.168.1.2:5002"));
}

TEST_CASE("sim tcp: where only port 443 passes, others get no answer") {
    Homes homes{{}};
    homes.topology.box(BoxId{0}).tcp = Tcp::HttpsOnly;
    World world{homes.topology, 1};
    for (const char* const address : {"198.51.100.1:443", "198.51.100.1:3478"}) {
        world.listen(homes.server, at(address));
        world.connect(homes.left, {at("192.168.1.2:9000"), at(address)});
    }
    const auto told = all_until(world, 60s);
    REQUIRE(told.size() == 2);
    CHECK(std::get<StreamAccepted>(told.back()).path.local == at("198.51.100.1:443"));
    CHECK(world.dropped(DropReason::TcpBlocked) == most_syns);
}

TEST_CASE("sim tcp: octets keep their order on a line that loses and delays by chance") {
    Topology topology;
    const HostId one = topology.add_host(
        "one", Topology::internet, ip("198.51.100.1"),
        {.jitter = 50ms, .loss = Probability::percent(10), .duplication = Probability::percent(9)});
    const HostId two = topology.add_host("two", Topology::internet, ip("198.51.100.2"));
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        World world{topology, seed};
        world.listen(two, at("198.51.100.2:80"));
        const StreamId stream =
            world.connect(one, {at("198.51.100.1:9000"), at("198.51.100.2:80")});
        std::string sent;
        for (char letter = 'a'; letter <= 'z'; ++letter) {
            sent += letter;
            world.send(stream, StreamEnd::Client, as_bytes(sent.substr(sent.size() - 1)));
        }
        std::string received;
        for (const Happening& happening : all_until(world, 70s)) {
            const auto* const arrived = std::get_if<StreamArrived>(&happening);
            if (arrived != nullptr) received += as_text(arrived->octets);
        }
        CHECK_MESSAGE(received == sent, "seed ", seed);
    }
}

TEST_CASE("sim world: a line may lose in one direction alone") {
    Topology topology;
    const HostId one =
        topology.add_host("one", Topology::internet, ip("198.51.100.1"),
                          {.loss = Probability{}, .loss_inwards = Probability::percent(100)});
    const HostId two = topology.add_host("two", Topology::internet, ip("198.51.100.2"));
    World world{topology, 1};
    const Path there{at("198.51.100.1:9000"), at("198.51.100.2:9000")};
    world.send(one, there, as_bytes("out"));
    world.send(two, {there.remote, there.local}, as_bytes("in"));
    const auto told = all_until(world, 1s);
    REQUIRE(told.size() == 1);
    CHECK(std::get<DatagramArrived>(told.front()).host == two);
}

TEST_CASE("sim world: a host changes its uplink at a time, and what was on the old one is gone") {
    Homes homes{{}};
    World world{homes.topology, 1};
    world.listen(homes.server, at("198.51.100.1:80"));
    const StreamId stream =
        world.connect(homes.left, {at("192.168.1.2:9000"), at("198.51.100.1:80")});
    CHECK(all_until(world, 1s).size() == 2);
    world.detach(homes.left, ip("192.168.1.2"));
    world.attach(homes.left, Topology::internet, ip("203.0.113.77"));
    world.send(stream, StreamEnd::Client, as_bytes("lost"));
    CHECK(all_until(world, 1s).empty());
    const Path old{at("192.168.1.2:9001"), at("198.51.100.1:80")};
    CHECK(world.send(homes.left, old, as_bytes("x")) == World::Sent::NoSuchAddress);
    world.connect(homes.left, {at("203.0.113.77:9000"), at("198.51.100.1:80")});
    CHECK(all_until(world, 1s).size() == 2);
}

}  // namespace
}  // namespace stile::sim::test
