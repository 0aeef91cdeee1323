// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// RFC 8421: between address families and between interfaces, in the order in which checks leave.
#include "network.hpp"

namespace stile::ice {
namespace {

using namespace testing;

// Where the left one's checks go in their order, each pair once; none is answered.
std::vector<SocketAddress> order_of_checks(const std::vector<std::string>& lefts,
                                           const std::vector<std::string>& rights) {
    Network network;
    Peer left{{.role = Role::Controlling}, 1};
    Peer right{{.role = Role::Controlled}, 2};
    network.join(left);
    network.join(right);
    network.drops = [](const Packet&) { return true; };
    const auto add = [&](Peer& peer, const std::vector<std::string>& texts) {
        std::vector<IpAddress> addresses;
        for (const std::string& text : texts) addresses.push_back(*IpAddress::parse(text));
        // As a gatherer adds them.
        for (const IpAddress& address : intermingle(addresses)) {
            peer.add_host(start, SocketAddress{address, Port{1000}}.to_string());
        }
    };
    add(left, lefts);
    add(right, rights);
    exchange(start, left, right);
    network.run_for(10s);
    std::vector<Path> seen;
    std::vector<SocketAddress> order;
    for (const Packet& packet : network.log) {
        const Path path{packet.from, packet.to};
        if (packet.sender != &left) continue;
        if (std::find(seen.begin(), seen.end(), path) != seen.end()) continue;
        seen.push_back(path);
        order.push_back(packet.to);
    }
    return order;
}

std::size_t first_of(const std::vector<SocketAddress>& order, AddressFamily family) {
    const auto found = std::find_if(order.begin(), order.end(), [&](const SocketAddress& one) {
        return one.ip.family() == family;
    });
    return static_cast<std::size_t>(found - order.begin());
}

TEST_CASE("ice fairness: neither family waits for all of the other, RFC 8421 Section 4") {
    const auto order = order_of_checks(
        {"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2", "192.0.2.3"},
        {"2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3", "203.0.113.1", "203.0.113.2",
         "203.0.113.3"});
    REQUIRE(order.size() == 18);
    CHECK(order[0].ip.is_v6());
    // Nine pairs each. The head start of IPv6 is two addresses, which makes four pairs.
    CHECK(first_of(order, AddressFamily::V4) <= 4);
}

TEST_CASE("ice fairness: when the first family is broken the other connects soon") {
    for (const AddressFamily broken : {AddressFamily::V4, AddressFamily::V6}) {
        CAPTURE(broken == AddressFamily::V4);
        Network network;
        Peer left{{.role = Role::Controlling}, 1};
        Peer right{{.role = Role::Controlled}, 2};
        network.join(left);
        network.join(right);
        network.drops = [&](const Packet& packet) { return packet.to.ip.family() == broken; };
        const auto add = [](Peer& peer, std::initializer_list<const char*> texts) {
            std::vector<IpAddress> addresses;
            for (const char* text : texts) addresses.push_back(*IpAddress::parse(text));
            for (const IpAddress& address : intermingle(addresses)) {
                peer.add_host(start, SocketAddress{address, Port{1000}}.to_string());
            }
        };
        add(left, {"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2"});
        add(right, {"2001:db8:1::1", "2001:db8:1::2", "203.0.113.1", "203.0.113.2"});
        exchange(start, left, right);
        network.run_for(60s);
        REQUIRE(left.agent.selected());
        CHECK(left.agent.selected()->remote.ip.family() != broken);
        // Of ten pairs the fifth at most, by one in 50 ms, and a round trip.
        CHECK(*left.first_time<PairSelected>() - start <= 4 * 50ms + 20ms);
    }
}

TEST_CASE("ice fairness: each interface is among the first that are tried") {
    // Two interfaces of ours, three addresses of the peer: foundations differ by both ends, so that
    // nothing is frozen, and the order is that of the priorities.
    Network network;
    Peer left{{.role = Role::Controlling}, 1};
    Peer right{{.role = Role::Controlled}, 2};
    network.join(left);
    network.join(right);
    network.drops = [](const Packet&) { return true; };
    for (const char* text : {"192.0.2.1:1", "198.51.100.1:1"}) left.add_host(start, text);
    for (const char* text : {"203.0.113.1:1", "203.0.113.2:1", "203.0.113.3:1"}) {
        right.add_host(start, text);
    }
    exchange(start, left, right);
    network.run_for(400ms);
    std::vector<SocketAddress> sources;
    for (const Packet& packet : network.log) {
        if (packet.sender == &left) sources.push_back(packet.from);
    }
    REQUIRE(sources.size() >= 6);
    // The second has not to wait for all of the first one's pairs.
    CHECK(sources[0] == at("192.0.2.1:1"));
    CHECK(std::count(sources.begin(), sources.begin() + 3, at("198.51.100.1:1")) >= 1);
    // Each of the six pairs once before any twice. RFC 8445 Section 14.1.
    CHECK(std::count(sources.begin(), sources.begin() + 6, at("192.0.2.1:1")) == 3);
}

}  // namespace
}  // namespace stile::ice
