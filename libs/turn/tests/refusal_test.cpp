// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Peers that are refused in every disguise, by every method.
#include "world.hpp"

#include <stile/turn/embedded_ipv4.hpp>

#include <set>

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

// Writes the IPv4 address into the octets of an IPv6 one.
IpAddress with(std::string_view base, std::size_t offset, const IpAddress& inner,
               std::byte flip = {}) {
    const IpAddress whole = ip(base);
    std::array<std::byte, 16> octets{};
    std::ranges::copy(whole.octets(), octets.begin());
    for (const std::byte octet : inner.octets()) octets[offset++] = octet ^ flip;
    return IpAddress::v6(octets);
}

const IpPrefix own_nat64 = IpPrefix::parse("2a02:64::/96").value();
const IpPrefix short_nat64 = IpPrefix::parse("2a02:77::/32").value();

// All that an attacker may write for one IPv4 address.
std::vector<IpAddress> disguises_of(const IpAddress& inner) {
    return {inner,
            with("::ffff:0:0", 12, inner),
            with("::", 12, inner),
            with("::ffff:0:0:0", 12, inner),
            with("2002::1", 2, inner),
            with("2001:0:4136:e378:8000:63bf:0:0", 12, inner, std::byte{0xFF}),
            with("64:ff9b::", 12, inner),
            with("64:ff9b:1::", 12, inner),
            with("2a00::5efe:0:0", 12, inner),
            with("2a00::200:5efe:0:0", 12, inner),
            with("2a02:64::", 12, inner),
            with("2a02:77::", 4, inner)};
}

std::vector<IpAddress> forbidden_peers() {
    std::vector<IpAddress> all;
    for (const char* text :
         {"0.0.0.0",      "0.1.2.3",         "10.0.0.1",    "10.255.255.255",  "100.64.0.1",
          "127.0.0.1",    "127.255.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1",
          "172.31.255.1", "192.0.0.170",     "192.0.2.200", "192.88.99.1",     "192.168.1.1",
          "198.18.0.1",   "198.51.100.1",    "203.0.113.1", "224.0.0.251",     "239.255.255.250",
          "240.0.0.1",    "255.255.255.255", "9.1.1.1" /* the server's own */}) {
        for (const IpAddress& each : disguises_of(ip(text))) all.push_back(each);
    }
    for (const char* text :
         {"::", "::1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1", "3fff::1",
          "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
          "ff0e::1", "2a0f::1" /* the server's own */}) {
        all.push_back(ip(text));
    }
    return all;
}

ServerConfig refusing_config() {
    auto config = server_config();
    config.ipv6 = Offer::Offered;
    config.tcp_relays = Offer::Offered;
    REQUIRE(config.peers.deny_own(ip("9.1.1.1")));
    REQUIRE(config.peers.deny_own(ip("2a0f::1")));
    REQUIRE(config.peers.add_nat64(own_nat64));
    REQUIRE(config.peers.add_nat64(short_nat64));
    return config;
}

TEST_CASE("turn server: no forbidden peer in any disguise, by any method") {
    World world{refusing_config()};
    RawClient udp{world};
    const auto dual = [](std::uint8_t protocol) {
        return [protocol](Builder& b) {
            b.add(stun::RequestedTransport{protocol});
            b.add(stun::AdditionalAddressFamily{AddressFamily::V6});
        };
    };
    REQUIRE(udp.code(Method::Allocate, dual(17)) == 0);
    RawClient tcp{world, "bob", "hidden", "198.51.100.10:1"};
    tcp.flow.transport = ClientTransport::Tcp;
    REQUIRE(tcp.code(Method::Allocate, dual(6)) == 0);
    std::map<AddressFamily, RelayId> tcp_relays;
    for (const RelayWanted& wanted : world.wanted) {
        if (wanted.protocol == RelayProtocol::Tcp) tcp_relays[wanted.family] = wanted.relay;
    }
    // Everybody has a permission for somebody, so that only the peer makes the difference.
    REQUIRE(udp.permit(peer_address) == 0);
    REQUIRE(tcp.permit(peer_address) == 0);

    std::set<IpAddress> addresses;
    std::size_t refused = 0;
    for (const IpAddress& each : forbidden_peers()) {
        addresses.insert(each);
        const SocketAddress peer{.ip = each, .port = {80}};
        CAPTURE(each.to_string());
        udp.send_indication(peer, "x");
        CHECK(world.at_peers.empty());
        CHECK(udp.bind(0x4000, peer) == 403);
        CHECK(udp.permit(peer) == 403);
        CHECK(tcp.code(Method::Connect, [&](Builder& b) { b.add(stun::XorPeerAddress{peer}); }) ==
              403);
        CHECK_FALSE(
            world.server.handle_peer_accepted(world.now, tcp_relays.at(each.family()), peer));
        refused += 5;
    }
    CHECK(addresses.size() >= 60);
    CHECK(addresses.size() > 250);
    CHECK(refused >= 300);
    CHECK(world.all<ConnectionWanted>().empty());
    const std::string counted =
        std::to_string(addresses.size()) + " peers, " + std::to_string(refused) + " refusals";
    MESSAGE(counted);
    // And the same methods reach who is no such peer, so the table refuses for its reason.
    udp.send_indication(peer_address, "x");
    CHECK(world.at_peers.size() == 1);
    CHECK(udp.bind(0x4000, peer_address) == 0);
    CHECK(tcp.code(Method::Connect, [](Builder& b) { b.add(stun::XorPeerAddress{other_peer}); }) ==
          0);
    CHECK(world.server.handle_peer_accepted(world.now, tcp_relays.at(AddressFamily::V4),
                                            peer_address));
    for (const char* text : {"2a02:64::8.8.8.8", "2a02:77:808:808::1", "2a00::1"}) {
        CHECK(udp.permit({.ip = ip(text), .port = {1}}) == 0);
    }
}

TEST_CASE(
    "turn server: a peer that becomes forbidden is refused where its permission still lives") {
    World world{refusing_config()};
    RawClient raw{world};
    raw.flow.transport = ClientTransport::Tcp;
    REQUIRE(raw.code(Method::Allocate, [](Builder& b) { b.add(stun::RequestedTransport{6}); }) ==
            0);
    RawClient udp{world, "bob", "hidden", "198.51.100.10:1"};
    REQUIRE(udp.allocate() == 0);
    REQUIRE(raw.permit(peer_address) == 0);
    REQUIRE(udp.permit(peer_address) == 0);
    PeerPolicy policy;
    REQUIRE(policy.deny({.address = ip("8.0.0.0"), .length = 8}));
    world.server.set_peer_policy(policy);
    udp.send_indication(peer_address, "x");
    CHECK(world.at_peers.empty());
    CHECK_FALSE(world.server.handle_peer_accepted(world.now, world.wanted[0].relay, peer_address));
    CHECK(world.server.dropped(DropReason::PeerRefused) == 2);
}

// ---- requests that are not what their sender made -----------------------------------------------

struct Recorded {
    World world;
    RawClient alice{world};
    std::vector<Bytes> requests;

    Recorded() {
        keep(alice.allocate());
        keep(alice.permit(peer_address));
        keep(alice.bind(0x4000, peer_address));
        keep(alice.code(Method::Refresh, [](Builder&) {}));
    }
    void keep(unsigned code) {
        REQUIRE(code == 0);
        requests.push_back(alice.last_request());
    }
};

TEST_CASE("turn server: a recorded request means nothing from another place") {
    Recorded recorded;
    for (const char* place : {"198.51.100.9:40001", "198.51.100.10:40000", "[2a01::1]:40000"}) {
        RawClient thief{recorded.world, "mallory", "x", place};
        for (const Bytes& request : recorded.requests) {
            const auto answer = thief.send(request);
            REQUIRE(answer);
            CHECK(RawClient::code_of(*answer) == 438);
            CHECK(thief.trust == Server::Trust::Unauthenticated);
        }
    }
    CHECK(recorded.world.server.allocations() == 1);
}

TEST_CASE("turn server: a recorded request means nothing when its nonce is old") {
    Recorded recorded;
    recorded.world.now += 3600s;
    for (const Bytes& request : recorded.requests) {
        // The Allocate request is known again only as long as its allocation lives.
        recorded.world.server.handle_timeout(recorded.world.now);
        recorded.world.run_events();
        const auto answer = recorded.alice.send(request);
        REQUIRE(answer);
        CHECK(RawClient::code_of(*answer) == 438);
    }
    CHECK(recorded.world.server.allocations() == 0);
}

TEST_CASE("turn server: whichever octet of a request is changed, it is not obeyed") {
    Recorded recorded;
    World& world = recorded.world;
    const auto before = world.server.snapshot(world.now);
    std::size_t tried = 0;
    recorded.alice.trust = Server::Trust::Unauthenticated;
    for (const Bytes& request : recorded.requests) {
        for (std::size_t i = 0; i < request.size(); ++i) {
            for (const std::byte flip : {std::byte{0x01}, std::byte{0x80}}) {
                Bytes changed = request;
                changed[i] ^= flip;
                CAPTURE(i);
                (void)recorded.alice.send(changed);
                ++tried;
                CHECK(recorded.alice.trust != Server::Trust::Authenticated);
                recorded.alice.trust = Server::Trust::Unauthenticated;
            }
        }
    }
    CHECK(tried > 1000);
    CHECK(world.server.snapshot(world.now) == before);
}

TEST_CASE("turn server: every truncation and extension of a request is dropped or refused") {
    Recorded recorded;
    World& world = recorded.world;
    const auto before = world.server.snapshot(world.now);
    for (const Bytes& request : recorded.requests) {
        for (std::size_t size = 0; size < request.size(); ++size) {
            CHECK_FALSE(recorded.alice.send(BytesView{request}.first(size)));
            // A length field that fits what is left is another message, without its integrity.
            if (size < 20 || size % 4 != 0) continue;
            Bytes cut{request.begin(), request.begin() + static_cast<std::ptrdiff_t>(size)};
            cut[2] = static_cast<std::byte>((size - 20) >> 8U);
            cut[3] = static_cast<std::byte>((size - 20) & 0xFFU);
            const auto answer = recorded.alice.send(cut);
            if (answer) CHECK(RawClient::code_of(*answer) >= 400);
        }
        Bytes longer = request;
        for (int i = 0; i < 64; ++i) {
            longer.push_back(std::byte{0});
            CHECK_FALSE(recorded.alice.send(longer));
        }
    }
    CHECK(world.server.snapshot(world.now) == before);
}

TEST_CASE("turn server: attributes that are too long, too many or inside each other") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    const auto before = world.server.snapshot(world.now);
    // Of every type, values of lengths that it does not have.
    for (const Method method : {Method::Allocate, Method::Refresh, Method::CreatePermission,
                                Method::ChannelBind, Method::Connect}) {
        for (const unsigned type : {0x000CU, 0x000DU, 0x0012U, 0x0016U, 0x0017U, 0x0018U, 0x0019U,
                                    0x001AU, 0x001BU, 0x0022U, 0x002AU, 0x8000U, 0x8030U}) {
            for (const std::size_t length : {0U, 1U, 3U, 5U, 7U, 9U, 21U, 255U, 4000U}) {
                const Bytes value(length, std::byte{0xFF});
                const auto answer = raw.ask(method, [&](Builder& b) {
                    b.add_raw(static_cast<stun::AttributeType>(type), value);
                });
                CHECK(RawClient::code_of(answer) != 401);
            }
        }
        // A message inside an attribute is octets.
        const Bytes inner = raw.last_request();
        const auto answer =
            raw.ask(method, [&](Builder& b) { b.add_raw(stun::AttributeType::Data, inner); });
        CHECK(RawClient::code_of(answer) != 401);
    }
    // An attribute whose length reaches past the end, or into the next.
    Builder builder{stun::Class::Request, Method::CreatePermission, {}};
    builder.add(stun::XorPeerAddress{peer_address});
    Bytes overrun = builder.finish();
    for (const unsigned length : {9U, 12U, 255U}) {
        overrun[23] = static_cast<std::byte>(length);
        CHECK_FALSE(raw.send(overrun));
    }
    auto after = world.server.snapshot(world.now);
    // Refresh requests among them were good ones.
    REQUIRE(after.allocations.size() == 1);
    CHECK(after.allocations[0].permissions == before.allocations[0].permissions);
    CHECK(after.allocations[0].channels == before.allocations[0].channels);
    CHECK(world.server.relays() == 1);
}

TEST_CASE("turn server: more attributes than the limit are no message") {
    World world;
    RawClient raw{world};
    Builder builder{stun::Class::Request, Method::CreatePermission, {}};
    for (std::size_t i = 0; i <= stun::most_attributes; ++i) {
        builder.add(stun::XorPeerAddress{peer_address});
    }
    CHECK_FALSE(raw.send(builder.finish()));
    CHECK(world.server.dropped(DropReason::Malformed) == 1);
}

TEST_CASE("turn server: what follows the integrity is not obeyed, but its SHA-256 sibling counts") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.permit(peer_address) == 0);
    // The attacker adds a peer behind what the client signed.
    for (const auto kind : {stun::AttributeType::XorPeerAddress, stun::AttributeType::Lifetime}) {
        Bytes request = raw.last_request();
        Builder extra{stun::Class::Request, Method::CreatePermission, {}};
        if (kind == stun::AttributeType::XorPeerAddress) {
            extra.add(stun::XorPeerAddress{other_peer});
        } else {
            extra.add(stun::Lifetime{});
        }
        const Bytes attribute = extra.finish();
        request.insert(request.end(), attribute.begin() + 20, attribute.end());
        const std::size_t length = request.size() - 20;
        request[2] = static_cast<std::byte>(length >> 8U);
        request[3] = static_cast<std::byte>(length & 0xFFU);
        const auto answer = raw.send(request);
        REQUIRE(answer);
        CHECK(RawClient::code_of(*answer) == 0);
    }
    const auto session = world.server.sessions(world.now).at(0);
    CHECK(session.permissions.size() == 1);
    CHECK(session.expires == start + 600s);
}

}  // namespace
}  // namespace stile::turn::test
