// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "gateway.hpp"

#include <doctest/doctest.h>

using namespace stile;
using namespace stile::portmap;
using namespace std::chrono_literals;

namespace {

Gateway speaking(Gateway::Speaks speaks) {
    Gateway gateway;
    gateway.speaks = speaks;
    return gateway;
}

}  // namespace

TEST_CASE("portmap client: a gateway that knows PCP maps the port with one request") {
    Home home;
    const MappingId id = home.map();
    CHECK(home.client.external(id) == SocketAddress::parse("203.0.113.7:40000"));
    CHECK(home.last<Client::Mapped>().dialect == Dialect::Pcp);
    CHECK(home.gateway.requests.size() == 1);
    home.run_for(10s);
    CHECK_MESSAGE(home.gateway.requests.size() == 1, "NAT-PMP is not asked any more");
}

TEST_CASE("portmap client: a gateway that refuses PCP's version is asked by NAT-PMP at once") {
    Home home{speaking(Gateway::Speaks::NatPmp)};
    const MappingId id = home.map();
    CHECK(home.client.external(id) == SocketAddress::parse("203.0.113.7:40000"));
    CHECK(home.last<Client::Mapped>().dialect == Dialect::NatPmp);
    CHECK_MESSAGE(home.gateway.requests.size() == 3, "PCP, the address, the mapping");
}

TEST_CASE("portmap client: a gateway that drops PCP in silence is met by NAT-PMP 250 ms later") {
    Home home{speaking(Gateway::Speaks::NatPmp)};
    const auto id = home.client.map(home.now, Protocol::Tcp, Port{80});
    REQUIRE(home.client.poll_transmit());  // lost
    home.run_for(249ms);
    CHECK(!home.client.external(*id));
    home.run_for(1ms);
    CHECK(home.client.external(*id) == SocketAddress::parse("203.0.113.7:40000"));
}

TEST_CASE(
    "portmap client: a gateway that says nothing is reported once and asked ever more rarely") {
    Home home{speaking(Gateway::Speaks::Nothing)};
    home.map();
    home.run_for(limits::answer_patience);
    REQUIRE(home.count<Client::Refused>() == 1);
    CHECK(home.last<Client::Refused>().why == Refusal::NoAnswer);
    home.run_for(1h);
    CHECK(home.count<Client::Refused>() == 1);
    const std::size_t in_an_hour = home.gateway.requests.size();
    // RFC 6886: nine. RFC 6887: at 0, 3, 6, 12 ... s and then each 1,024 s.
    CHECK(in_an_hour >= 9 + 10);
    CHECK(in_an_hour <= 9 + 15);
}

TEST_CASE("portmap client: one that comes to life while being asked is found") {
    Home home{speaking(Gateway::Speaks::Nothing)};
    const MappingId id = home.map();
    home.run_for(1min);
    home.gateway.speaks = Gateway::Speaks::Both;
    home.run_for(4min);
    CHECK(home.client.external(id));
}

TEST_CASE("portmap client: ICMP port unreachable is believed at once") {
    Home home{speaking(Gateway::Speaks::Nothing)};
    home.map();
    home.client.handle_unreachable(home.now);
    home.exchange();
    CHECK(home.last<Client::Refused>().why == Refusal::PortUnreachable);
    const std::size_t before = home.gateway.requests.size();
    home.run_for(limits::most_error_hold - 1s);
    CHECK(home.gateway.requests.size() == before);
}

TEST_CASE("portmap client: a mapping is renewed with its port and never expires") {
    for (const auto speaks : {Gateway::Speaks::Both, Gateway::Speaks::NatPmp}) {
        Home home{speaking(speaks)};
        const MappingId id = home.map();
        home.gateway.requests.clear();
        home.run_for(24h);
        CHECK(home.client.external(id));
        CHECK(home.count<Client::Mapped>() == 1);
        CHECK(home.count<Client::Lost>() == 0);
        // Between half and five eighths of two hours each; NAT-PMP asks for the address too.
        const std::size_t each = speaks == Gateway::Speaks::NatPmp ? 2 : 1;
        CHECK(home.gateway.requests.size() >= 19 * each);
        CHECK(home.gateway.requests.size() <= 24 * each);
        CHECK_MESSAGE(home.gateway.ports.begin()->second == 40'000, "suggested as it was");
    }
}

TEST_CASE("portmap client: renewals that find no answer are at least four seconds apart") {
    Gateway gateway;
    gateway.lifetime = 20s;
    Home home{gateway};
    const MappingId id = home.map();
    home.gateway.speaks = Gateway::Speaks::Nothing;
    std::optional<Instant> last;
    while (home.client.external(id)) {
        const auto next = home.client.poll_timeout();
        REQUIRE(next);
        home.now = *next;
        home.client.handle_timeout(home.now);
        if (home.client.external(id) && home.client.poll_transmit()) {
            if (last) CHECK(home.now - *last >= limits::least_renewal_interval);
            last = home.now;
        }
    }
    CHECK(last);
    home.exchange();
    CHECK(home.count<Client::Lost>() == 1);
}

TEST_CASE("portmap client: a gateway that has restarted gets its mappings again within seconds") {
    for (const auto speaks : {Gateway::Speaks::Both, Gateway::Speaks::NatPmp}) {
        Home home{speaking(speaks)};
        home.map(Protocol::Udp, 5000);
        home.run_for(10min);
        home.gateway.restart(home.now);
        // Another mapping's answer shows the new count.
        home.map(Protocol::Tcp, 80);
        home.run_for(5s);
        CHECK(home.gateway.ports.contains({17, 5000}));
        CHECK(home.count<Client::Lost>() == 0);
    }
}

TEST_CASE("portmap client: NAT-PMP's announcement of another address is news of each mapping") {
    Home home{speaking(Gateway::Speaks::NatPmp)};
    const MappingId id = home.map();
    home.run_for(1min);
    const Bytes announcement{std::byte{0},   std::byte{128}, std::byte{0},   std::byte{0},
                             std::byte{0},   std::byte{0},   std::byte{0},   std::byte{0},
                             std::byte{198}, std::byte{51},  std::byte{100}, std::byte{9}};
    home.client.handle_datagram(home.now, home.gateway.address, announcement);
    home.exchange();
    CHECK(home.client.external(id) == SocketAddress::parse("198.51.100.9:40000"));
    CHECK(home.count<Client::Mapped>() == 2);
}

TEST_CASE("portmap client: an address that has changed in silence is found at the next renewal") {
    for (const auto speaks : {Gateway::Speaks::Both, Gateway::Speaks::NatPmp}) {
        Home home{speaking(speaks)};
        const MappingId id = home.map();
        home.gateway.external = IpAddress::v4({198, 51, 100, 9});
        home.run_for(4501s);
        CHECK(home.client.external(id) == SocketAddress::parse("198.51.100.9:40000"));
        CHECK(home.count<Client::Mapped>() == 2);
    }
}

TEST_CASE(
    "portmap client: each result has its reason, said once, and is asked again after its time") {
    const std::pair<std::uint8_t, Refusal> table[] = {
        {2, Refusal::NotAuthorized}, {3, Refusal::Other},       {4, Refusal::NotSupported},
        {7, Refusal::NoExternal},    {8, Refusal::NoResources}, {9, Refusal::NotSupported},
        {10, Refusal::NoResources},  {12, Refusal::AnotherNat}, {200, Refusal::Other}};
    for (const auto& [result, why] : table) {
        CAPTURE(int{result});
        Gateway gateway;
        gateway.pcp_result = result;
        Home home{gateway};
        const MappingId id = home.map();
        REQUIRE(home.count<Client::Refused>() == 1);
        CHECK(home.last<Client::Refused>().why == why);
        home.run_for(31s);
        CHECK(home.gateway.requests.size() == 2);
        CHECK(home.count<Client::Refused>() == 1);
        home.gateway.pcp_result = 0;
        home.run_for(31s);
        CHECK(home.client.external(id));
    }
}

TEST_CASE("portmap client: NAT-PMP's results have their reasons") {
    const std::pair<std::uint16_t, Refusal> table[] = {{2, Refusal::NotAuthorized},
                                                       {3, Refusal::NoExternal},
                                                       {4, Refusal::NoResources},
                                                       {5, Refusal::NotSupported}};
    for (const auto& [result, why] : table) {
        CAPTURE(result);
        Gateway gateway = speaking(Gateway::Speaks::NatPmp);
        gateway.nat_pmp_result = result;
        Home home{gateway};
        home.map();
        REQUIRE(home.count<Client::Refused>() == 1);
        CHECK(home.last<Client::Refused>().why == why);
        home.gateway.nat_pmp_result = 0;
        home.run_for(31s);
        CHECK(home.count<Client::Mapped>() == 1);
    }
}

TEST_CASE("portmap client: a renewal refused for want of room leaves the mapping its time") {
    Home home;
    const MappingId id = home.map();
    home.gateway.pcp_result = 8;
    home.run_for(7199s);
    CHECK(home.client.external(id));
    home.run_for(2s);
    CHECK(!home.client.external(id));
    CHECK(home.count<Client::Lost>() == 1);
}

TEST_CASE("portmap client: a mapping that is no longer authorised is lost at once") {
    Home home;
    const MappingId id = home.map();
    home.gateway.pcp_result = 2;
    home.run_for(4501s);  // five eighths of two hours
    CHECK(!home.client.external(id));
    CHECK(home.count<Client::Lost>() == 1);
    CHECK(home.last<Client::Refused>().why == Refusal::NotAuthorized);
}

TEST_CASE("portmap client: what is not needed any more is given back, and then there is rest") {
    for (const auto speaks : {Gateway::Speaks::Both, Gateway::Speaks::NatPmp}) {
        Home home{speaking(speaks)};
        const MappingId one = home.map(Protocol::Udp, 5000);
        const MappingId two = home.map(Protocol::Tcp, 5000);
        CHECK(home.gateway.ports.size() == 2);
        home.client.unmap(home.now, one);
        home.client.unmap(home.now, two);
        home.exchange();
        CHECK(home.gateway.ports.empty());
        CHECK(home.client.idle());
        CHECK(!home.client.poll_timeout());
    }
}

TEST_CASE("portmap client: a removal that nobody answers is tried three times") {
    Home home;
    const MappingId id = home.map();
    home.gateway.speaks = Gateway::Speaks::Nothing;
    home.gateway.requests.clear();
    home.client.unmap(home.now, id);
    home.run_for(1min);
    CHECK(home.gateway.requests.size() == limits::most_removal_requests);
    CHECK(home.client.idle());
}

TEST_CASE("portmap client: NAT-PMP is asked one thing at a time") {
    Home home{speaking(Gateway::Speaks::NatPmp)};
    home.map(Protocol::Udp, 1);
    for (std::uint16_t port = 2; port <= 10; ++port) {
        REQUIRE(home.client.map(home.now, Protocol::Udp, Port{port}));
    }
    std::size_t answered = 1;
    while (answered < 10) {
        const auto request = home.client.poll_transmit();
        REQUIRE(request);
        const Bytes octets = to_bytes(request->payload);
        REQUIRE_MESSAGE(!home.client.poll_transmit(), "the next one waits for this one's answer");
        home.client.handle_datagram(home.now, home.gateway.address,
                                    *home.gateway.answer(home.now, octets));
        ++answered;
    }
    CHECK(home.gateway.ports.size() == 10);
}

TEST_CASE("portmap client: one that gives up hands its turn on at once") {
    Home home{speaking(Gateway::Speaks::NatPmp)};
    const MappingId first = home.map(Protocol::Udp, 1);
    home.gateway.speaks = Gateway::Speaks::Nothing;
    home.map(Protocol::Udp, 2);
    home.map(Protocol::Udp, 3);
    home.client.unmap(home.now, first);
    home.run_for(1h);
    // Nothing is due and not done.
    CHECK(home.client.poll_timeout() > home.now);
    home.gateway.speaks = Gateway::Speaks::NatPmp;
    home.run_for(1h);
    CHECK(home.gateway.ports.contains({17, 2}));
    CHECK(home.gateway.ports.contains({17, 3}));
}

TEST_CASE("portmap client: only the gateway is believed, and only with our nonce") {
    Home home;
    const auto id = home.client.map(home.now, Protocol::Udp, Port{5000});
    const auto request = home.client.poll_transmit();
    REQUIRE(request);
    const Bytes good = *home.gateway.answer(home.now, request->payload);
    home.client.handle_datagram(home.now, *SocketAddress::parse("192.168.1.66:5351"), good);
    home.client.handle_datagram(home.now, *SocketAddress::parse("192.168.1.1:5350"), good);
    Bytes forged = good;
    forged[24] ^= std::byte{1};
    home.client.handle_datagram(home.now, home.gateway.address, forged);
    CHECK(!home.client.external(*id));
    home.client.handle_datagram(home.now, home.gateway.address, good);
    CHECK(home.client.external(*id));
}

TEST_CASE("portmap client: an absurd lifetime is taken for a day") {
    Gateway gateway;
    gateway.lifetime = std::chrono::years{5};
    Home home{gateway};
    home.map();
    const auto next = home.client.poll_timeout();
    REQUIRE(next);
    CHECK(*next - home.now <= limits::most_lifetime * 5 / 8);
}

TEST_CASE("portmap client: for IPv6 the firewall is opened, and NAT-PMP is not asked") {
    Gateway gateway;
    gateway.address = *SocketAddress::parse("[fe80::1]:5351");
    gateway.external = *IpAddress::parse("2001:db8::20");
    Home home{gateway, *IpAddress::parse("2001:db8::20")};
    const auto id = home.client.map(home.now, Protocol::Udp, Port{5000});
    REQUIRE(home.client.poll_transmit());  // lost
    home.run_for(2s);
    CHECK(home.gateway.requests.empty());
    home.run_for(2s);
    CHECK(home.client.external(*id) == SocketAddress::parse("[2001:db8::20]:40000"));
}

TEST_CASE("portmap client: a port is mapped once, and there is room for so many and no more") {
    Home home;
    for (std::uint16_t port = 1; port <= limits::most_mappings; ++port) {
        CHECK(home.client.map(home.now, Protocol::Udp, Port{port}));
    }
    CHECK(home.client.map(home.now, Protocol::Udp, Port{1}).error() == MapError::Known);
    CHECK(home.client.map(home.now, Protocol::Udp, Port{1000}).error() == MapError::TooMany);
}
