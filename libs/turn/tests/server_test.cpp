// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// What the server answers to whom, error by error.
#include "world.hpp"

#include <stile/turn/stream_framing.hpp>

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

Bytes bare_allocate(std::uint8_t id = 1) {
    Builder builder{stun::Class::Request, Method::Allocate, {{std::byte{id}}}};
    builder.add(stun::RequestedTransport{});
    return builder.finish();
}

TEST_CASE("turn server: a request without credentials gets 401 and leaves nothing behind") {
    World world;
    RawClient raw{world};
    const auto answer = raw.send(bare_allocate());
    REQUIRE(answer);
    CHECK(RawClient::code_of(*answer) == 401);
    CHECK(answer->has(stun::AttributeType::Realm));
    CHECK(answer->has(stun::AttributeType::Nonce));
    CHECK(raw.trust == Server::Trust::Unauthenticated);
    CHECK(world.server.allocations() == 0);
    CHECK(world.server.relays() == 0);
    CHECK_FALSE(world.server.poll_timeout());
}

TEST_CASE("turn server: 401 to every method without credentials, allocation or not") {
    World world;
    RawClient raw{world};
    for (const Method method :
         {Method::Allocate, Method::Refresh, Method::CreatePermission, Method::ChannelBind}) {
        Builder builder{stun::Class::Request, method, {}};
        const auto answer = raw.send(builder.finish());
        REQUIRE(answer);
        CHECK(RawClient::code_of(*answer) == 401);
    }
}

TEST_CASE("turn server: unknown user and wrong password get the same answer") {
    World world;
    const auto shape = [&](std::string user, std::string password) {
        RawClient raw{world, std::move(user), std::move(password)};
        const auto answer = raw.ask(
            Method::Allocate, [](Builder& builder) { builder.add(stun::RequestedTransport{}); });
        CHECK(RawClient::code_of(answer) == 401);
        CHECK(raw.trust == Server::Trust::Unauthenticated);
        std::vector<std::pair<stun::AttributeType, std::size_t>> seen;
        for (const auto attribute : answer.attributes()) {
            seen.emplace_back(attribute.type, attribute.value.size());
        }
        return seen;
    };
    CHECK(shape("alice", "wrong") == shape("nobody", "wrong"));
    CHECK(shape("alice", "wrong") == shape("1900000000:alice", "wrong"));
}

TEST_CASE("turn server: a nonce of another client address is stale") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    raw.flow.remote.port = {40001};
    const auto answer = raw.send(raw.last_request());
    REQUIRE(answer);
    CHECK(RawClient::code_of(*answer) == 438);
    CHECK(raw.trust == Server::Trust::Unauthenticated);
    CHECK(world.server.allocations() == 1);
}

TEST_CASE("turn server: a retransmitted Allocate is answered octet for octet the same") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    const Bytes first = raw.last_answer();
    const Bytes request = raw.last_request();
    world.now += 30s;
    REQUIRE(raw.send(request));
    CHECK(raw.last_answer() == first);
    CHECK(world.server.allocations() == 1);
    CHECK(world.server.relays() == 1);
}

TEST_CASE("turn server: a retransmitted Allocate waits with the first while the relay opens") {
    World world;
    world.driver = World::Driver::Ignores;
    RawClient raw{world};
    const auto challenge = raw.send(bare_allocate());
    REQUIRE(challenge);
    stun::LongTermClient authentication{{.username = "alice", .password = "secret"}};
    const Bytes asked = bare_allocate();
    CHECK(authentication.handle_response(*stun::MessageView::parse(asked), *challenge) ==
          stun::LongTermClient::Outcome::Retry);
    Builder builder{stun::Class::Request, Method::Allocate, {{std::byte{2}}}};
    builder.add(stun::RequestedTransport{});
    authentication.authenticate(builder);
    const Bytes request = builder.finish();
    CHECK_FALSE(raw.send(request));
    CHECK_FALSE(raw.send(request));
    CHECK(world.wanted.size() == 1);
    // The driver is silent: given up, and the socket that might still come is disowned.
    world.now = start + relay_opening_time;
    world.server.handle_timeout(world.now);
    world.run_events();
    const auto answer = world.server.poll_transmit();
    REQUIRE(answer);
    CHECK(RawClient::code_of(*stun::MessageView::parse(answer->message)) == 508);
    CHECK(world.closed == std::vector{world.wanted[0].relay});
    world.server.handle_relay_opened(world.now, world.wanted[0].relay, relay_v4);
    CHECK(world.server.allocations() == 0);
    CHECK(world.server.relays() == 0);
}

TEST_CASE("turn server: 437 for a 5-tuple in use, and for one that is not") {
    World world;
    RawClient raw{world};
    for (const Method method : {Method::Refresh, Method::CreatePermission, Method::ChannelBind}) {
        CHECK(RawClient::code_of(raw.ask(method)) == 437);
    }
    REQUIRE(raw.allocate() == 0);
    CHECK(raw.allocate() == 437);
    CHECK(raw.trust == Server::Trust::Authenticated);
}

TEST_CASE("turn server: malformed and unsupported Allocate requests, RFC 8656 Section 7.2") {
    auto config = server_config();
    config.ipv6 = Offer::Offered;
    struct Case {
        const char* what;
        unsigned code;
        void (*fill)(Builder&);
    };
    using stun::AttributeType;
    const Case cases[] = {
        {"no transport", 400, [](Builder&) {}},
        {"malformed transport", 400,
         [](Builder& b) { b.add_raw(AttributeType::RequestedTransport, as_bytes("x")); }},
        {"TCP", 442,
         [](Builder& b) { b.add(stun::RequestedTransport{stun::RequestedTransport::tcp}); }},
        {"token and even port", 400,
         [](Builder& b) {
             b.add(stun::RequestedTransport{}).add(stun::ReservationToken{}).add(stun::EvenPort{});
         }},
        {"token and family", 400,
         [](Builder& b) {
             b.add(stun::RequestedTransport{}).add(stun::ReservationToken{});
             b.add(stun::RequestedAddressFamily{});
         }},
        {"token and additional family", 400,
         [](Builder& b) {
             b.add(stun::RequestedTransport{}).add(stun::ReservationToken{});
             b.add(stun::AdditionalAddressFamily{AddressFamily::V6});
         }},
        {"malformed token", 400,
         [](Builder& b) {
             b.add(stun::RequestedTransport{});
             b.add_raw(AttributeType::ReservationToken, as_bytes("short"));
         }},
        {"unknown token", 508,
         [](Builder& b) { b.add(stun::RequestedTransport{}).add(stun::ReservationToken{}); }},
        {"both kinds of family", 400,
         [](Builder& b) {
             b.add(stun::RequestedTransport{}).add(stun::RequestedAddressFamily{});
             b.add(stun::AdditionalAddressFamily{AddressFamily::V6});
         }},
        {"a family that does not exist", 440,
         [](Builder& b) {
             b.add(stun::RequestedTransport{});
             b.add_raw(AttributeType::RequestedAddressFamily, as_bytes("\x03..."));
         }},
        {"additional IPv4", 400,
         [](Builder& b) {
             b.add(stun::RequestedTransport{});
             b.add(stun::AdditionalAddressFamily{AddressFamily::V4});
         }},
        {"reserving in a dual allocation", 400,
         [](Builder& b) {
             b.add(stun::RequestedTransport{});
             b.add(stun::EvenPort{stun::EvenPort::Next::Reserve});
             b.add(stun::AdditionalAddressFamily{AddressFamily::V6});
         }},
        {"malformed lifetime", 400,
         [](Builder& b) {
             b.add(stun::RequestedTransport{}).add_raw(AttributeType::Lifetime, as_bytes("1"));
         }},
        {"DONT-FRAGMENT", 420,
         [](Builder& b) { b.add(stun::RequestedTransport{}).add(stun::DontFragment{}); }},
        {"an unknown attribute", 420,
         [](Builder& b) {
             b.add(stun::RequestedTransport{});
             b.add_raw(static_cast<AttributeType>(0x7F00), {});
         }},
    };
    for (const Case& each : cases) {
        CAPTURE(each.what);
        World world{config};
        RawClient raw{world};
        CHECK(raw.code(Method::Allocate, each.fill) == each.code);
        CHECK(world.server.allocations() == 0);
        CHECK(world.wanted.empty());
    }
}

TEST_CASE("turn server: 420 names what was not understood") {
    World world;
    RawClient raw{world};
    const auto answer = raw.ask(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::DontFragment{});
    });
    const auto unknown = answer.get<stun::UnknownAttributes>();
    REQUIRE(unknown);
    REQUIRE(unknown->types().size() == 1);
    CHECK(unknown->types()[0] == stun::AttributeType::DontFragment);
}

TEST_CASE("turn server: 440 for a family that is not offered") {
    auto config = server_config();
    {
        World world{config};
        RawClient raw{world};
        CHECK(raw.code(Method::Allocate, [](Builder& b) {
            b.add(stun::RequestedTransport{});
            b.add(stun::RequestedAddressFamily{AddressFamily::V6});
        }) == 440);
    }
    config.ipv4 = Offer::NotOffered;
    config.ipv6 = Offer::Offered;
    World world{config};
    RawClient raw{world};
    CHECK(raw.allocate() == 440);  // no family named means IPv4
    CHECK(raw.code(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{});
        b.add(stun::RequestedAddressFamily{AddressFamily::V6});
    }) == 0);
}

TEST_CASE("turn server: 508 for even ports that are not offered") {
    auto config = server_config();
    config.even_ports = Offer::NotOffered;
    World world{config};
    RawClient raw{world};
    CHECK(raw.code(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::EvenPort{});
    }) == 508);
}

TEST_CASE("turn server: 508 where the driver has no socket, and nothing stays") {
    World world;
    world.driver = World::Driver::Fails;
    RawClient raw{world};
    CHECK(raw.allocate() == 508);
    CHECK(raw.code(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{});
        b.add(stun::EvenPort{stun::EvenPort::Next::Reserve});
    }) == 508);
    CHECK(world.server.allocations() == 0);
    CHECK(world.server.relays() == 0);
    CHECK(world.closed.empty());
    world.driver = World::Driver::Opens;
    CHECK(raw.allocate() == 0);
}

TEST_CASE("turn server: 508 while draining; what is there lives on") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    world.server.drain();
    RawClient other{world, "bob", "hidden", "198.51.100.10:1"};
    CHECK(other.allocate() == 508);
    CHECK(RawClient::code_of(raw.ask(Method::Refresh)) == 0);
}

TEST_CASE("turn server: an address that is relayed already is not given twice") {
    World world;
    RawClient first{world};
    REQUIRE(first.allocate() == 0);
    world.next_port = relay_v4.port.value;
    RawClient second{world, "bob", "hidden", "198.51.100.10:1"};
    CHECK(second.allocate() == 508);
    CHECK(world.server.relays() == 1);
}

TEST_CASE("turn server: as many allocations as the limit, and 508 past it") {
    auto config = server_config();
    config.allocations = 3;
    World world{config};
    for (int i = 0; i < 4; ++i) {
        CAPTURE(i);
        RawClient raw{world, "alice", "secret", "198.51.100.10:" + std::to_string(1000 + i)};
        CHECK(raw.allocate() == (i < 3 ? 0 : 508));
    }
}

TEST_CASE("turn server: 486 past the relays of one user; others are not affected") {
    auto config = server_config();
    config.relays_per_user = 2;
    World world{config};
    for (int i = 0; i < 3; ++i) {
        CAPTURE(i);
        RawClient raw{world, "alice", "secret", "198.51.100.10:" + std::to_string(1000 + i)};
        CHECK(raw.allocate() == (i < 2 ? 0 : 486));
    }
    RawClient bob{world, "bob", "hidden", "198.51.100.11:1"};
    CHECK(bob.allocate() == 0);
    // What ends gives its place back.
    world.advance(600s);
    RawClient again{world};
    CHECK(again.allocate() == 0);
}

TEST_CASE("turn server: a reservation counts for its user, however often it is left behind") {
    auto config = server_config();
    config.relays_per_user = 4;
    World world{config};
    for (int i = 0; i < 3; ++i) {
        RawClient raw{world, "alice", "secret", "198.51.100.10:" + std::to_string(1000 + i)};
        const unsigned code = raw.code(Method::Allocate, [](Builder& b) {
            b.add(stun::RequestedTransport{});
            b.add(stun::EvenPort{stun::EvenPort::Next::Reserve});
        });
        // Two of the four places stay with reservations, so the third attempt has too few.
        CHECK(code == (i < 3 ? 0U : 486U));
        if (code == 0) {
            CHECK(raw.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
        }
    }
    CHECK(world.server.relays() <= 4);
    CHECK(world.server.relays() == 3);
}

TEST_CASE("turn server: reservations that many users leave behind are no more than three a place") {
    auto config = server_config();
    config.allocations = 2;
    World world{config};
    REQUIRE(world.server.credentials().set_shared_secrets({{.secret = "shared"}}));
    for (int i = 0; i < 6; ++i) {
        CAPTURE(i);
        const auto made =
            make_time_limited({.secret = "shared"}, wall_start + 1000s, "user" + std::to_string(i));
        RawClient raw{world, made.username, made.password,
                      "198.51.100.10:" + std::to_string(1000 + i)};
        const unsigned code = raw.code(Method::Allocate, [](Builder& b) {
            b.add(stun::RequestedTransport{});
            b.add(stun::EvenPort{stun::EvenPort::Next::Reserve});
        });
        CHECK(code == (i < 5 ? 0U : 508U));
        if (code == 0) {
            CHECK(raw.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
        }
    }
    CHECK(world.server.relays() == 5);
    world.advance(reservation_lifetime);
    CHECK(world.server.relays() == 0);
}

TEST_CASE("turn server: 441 for the request of another user on the same 5-tuple") {
    World world;
    RawClient alice{world};
    REQUIRE(alice.allocate() == 0);
    RawClient bob{world, "bob", "hidden"};
    bob.flow = alice.flow;
    for (const Method method : {Method::Refresh, Method::CreatePermission, Method::ChannelBind}) {
        CHECK(RawClient::code_of(bob.ask(method)) == 441);
    }
    CHECK(world.server.allocations() == 1);
}

TEST_CASE("turn server: lifetimes are at least the default and at most the limit") {
    struct Case {
        std::optional<unsigned> asked;
        unsigned given;
    };
    for (const Case each :
         {Case{std::nullopt, 600}, Case{0, 600}, Case{1, 600}, Case{600, 600}, Case{601, 601},
          Case{3600, 3600}, Case{3601, 3600}, Case{0xFFFFFFFFU, 3600}}) {
        CAPTURE(each.given);
        World world;
        RawClient raw{world};
        const auto answer = raw.ask(Method::Allocate, [&](Builder& b) {
            b.add(stun::RequestedTransport{});
            if (each.asked) b.add(stun::Lifetime{std::chrono::seconds{*each.asked}});
        });
        CHECK(answer.get<stun::Lifetime>().value().value == std::chrono::seconds{each.given});
        CHECK(world.server.poll_timeout() == start + std::chrono::seconds{each.given});
    }
}

TEST_CASE("turn server: Refresh sets the lifetime anew, and 0 deletes") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    world.now += 100s;
    CHECK(RawClient::code_of(raw.ask(Method::Refresh)) == 0);
    CHECK(world.server.poll_timeout() == start + 700s);
    const auto deleted = raw.ask(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); });
    CHECK(RawClient::code_of(deleted) == 0);
    CHECK(deleted.get<stun::Lifetime>().value().value == 0s);
    CHECK(world.server.allocations() == 0);
    CHECK(RawClient::code_of(raw.ask(Method::Refresh)) == 437);
    CHECK(raw.code(Method::Refresh, [](Builder& b) {
        b.add_raw(stun::AttributeType::Lifetime, as_bytes("1"));
    }) == 437);
}

TEST_CASE("turn server: Refresh of one family of a dual allocation leaves the other alone") {
    auto config = server_config();
    config.ipv6 = Offer::Offered;
    World world{config};
    RawClient raw{world};
    REQUIRE(raw.code(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{});
        b.add(stun::AdditionalAddressFamily{AddressFamily::V6});
    }) == 0);
    const SocketAddress v6_peer = address("[2606:4700::1111]:53");
    REQUIRE(raw.permit(peer_address) == 0);
    REQUIRE(raw.bind(0x4001, v6_peer) == 0);
    CHECK(raw.code(Method::Refresh, [](Builder& b) {
        b.add(stun::Lifetime{}).add(stun::RequestedAddressFamily{AddressFamily::V6});
    }) == 0);
    CHECK(world.server.relays() == 1);
    CHECK(raw.permit(v6_peer) == 443);
    CHECK(raw.permit(peer_address) == 0);
    CHECK(raw.code(Method::Refresh, [](Builder& b) {
        b.add(stun::RequestedAddressFamily{AddressFamily::V6});
    }) == 443);
    const auto header = channel_header({0x4001}, 0);
    CHECK_FALSE(world.server.handle_client(world.now, raw.flow, header));
}

TEST_CASE("turn server: CreatePermission takes several peers, all or none") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    const auto ask = [&](std::initializer_list<std::string_view> peers) {
        return raw.code(Method::CreatePermission, [&](Builder& b) {
            for (const auto peer : peers) b.add(stun::XorPeerAddress{address(peer)});
        });
    };
    CHECK(ask({}) == 400);
    CHECK(raw.code(Method::CreatePermission, [](Builder& b) {
        b.add_raw(stun::AttributeType::XorPeerAddress, as_bytes("x"));
    }) == 400);
    CHECK(ask({"8.8.8.8:0", "[2606:4700::1111]:1"}) == 443);
    CHECK(ask({"8.8.8.8:0", "10.0.0.1:1"}) == 403);
    CHECK_FALSE(world.server.handle_peer(world.now, world.id_of(relay_v4), peer_address, {}));
    CHECK(ask({"8.8.8.8:0", "9.9.9.9:0", "8.8.8.8:1"}) == 0);
    CHECK(world.server.sessions(world.now)[0].permissions.size() == 2);
    CHECK(world.server.handle_peer(world.now, world.id_of(relay_v4), peer_address, {}));
    CHECK(world.server.handle_peer(world.now, world.id_of(relay_v4), other_peer, {}));
}

TEST_CASE("turn server: as many permissions as the limit, 508 past it, expired ones make room") {
    auto config = server_config();
    config.permissions = 3;
    World world{config};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    for (unsigned i = 0; i < 4; ++i) {
        CAPTURE(i);
        CHECK(raw.permit({.ip = IpAddress::v4(0x08080800U + i), .port = {}}) == (i < 3 ? 0 : 508));
    }
    CHECK(raw.bind(0x4000, other_peer) == 508);
    CHECK(raw.permit({.ip = IpAddress::v4(0x08080800U), .port = {}}) == 0);
    // A list that does not fit installs none of it, and none is refreshed.
    world.now += 200s;
    CHECK(raw.code(Method::CreatePermission, [](Builder& b) {
        b.add(stun::XorPeerAddress{{.ip = IpAddress::v4(0x08080801U), .port = {}}});
        b.add(stun::XorPeerAddress{other_peer});
    }) == 508);
    world.now += 99s;
    CHECK(world.server.sessions(world.now)[0].permissions.size() == 3);
    world.now += 1s;
    CHECK(world.server.sessions(world.now)[0].permissions.empty());
    world.now -= 300s;
    world.now += 300s;
    CHECK(raw.bind(0x4000, other_peer) == 0);
}

TEST_CASE("turn server: ChannelBind, RFC 8656 Section 12.2") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    CHECK(raw.code(Method::ChannelBind,
                   [](Builder& b) { b.add(stun::ChannelNumberAttribute{0x4000}); }) == 400);
    CHECK(raw.code(Method::ChannelBind,
                   [](Builder& b) { b.add(stun::XorPeerAddress{peer_address}); }) == 400);
    CHECK(raw.bind(0x3FFF, peer_address) == 400);
    CHECK(raw.bind(0x5000, peer_address) == 400);
    CHECK(raw.bind(0x7FFF, peer_address) == 400);
    CHECK(raw.bind(0x4000, address("[2606:4700::1111]:1")) == 443);
    CHECK(raw.bind(0x4000, address("127.0.0.1:1")) == 403);
    CHECK(raw.bind(0x4000, address("8.8.8.8:0")) == 403);
    CHECK(raw.bind(0x4000, peer_address) == 0);
    CHECK(raw.bind(0x4000, peer_address) == 0);
    CHECK(raw.bind(0x4000, other_peer) == 400);
    CHECK(raw.bind(0x4FFF, peer_address) == 400);
    CHECK(raw.bind(0x4FFF, other_peer) == 0);
}

TEST_CASE("turn server: channel numbers of RFC 5766 are taken only where configured") {
    for (const auto range : {ChannelRange::Rfc8656, ChannelRange::Rfc5766}) {
        const bool wide = range == ChannelRange::Rfc5766;
        CAPTURE(wide);
        auto config = server_config();
        config.channel_range = range;
        World world{config};
        RawClient raw{world};
        REQUIRE(raw.allocate() == 0);
        CHECK(raw.bind(0x7FFF, peer_address) == (wide ? 0 : 400));
        CHECK(raw.bind(0x8000, other_peer) == 400);
        const auto header = channel_header({0x7FFF}, 0);
        CHECK(world.server.handle_client(world.now, raw.flow, header).has_value() == wide);
        CHECK(framed_size(header, range).has_value() == wide);
    }
}

TEST_CASE("turn server: an expired binding frees its number and its peer") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    world.now += 599s;
    REQUIRE(RawClient::code_of(raw.ask(Method::Refresh)) == 0);
    CHECK(raw.bind(0x4000, other_peer) == 400);
    world.now += 1s;
    CHECK(raw.bind(0x4000, other_peer) == 0);
    CHECK(raw.bind(0x4001, peer_address) == 0);
}

TEST_CASE("turn server: as many channels as the limit, and 508 past it") {
    auto config = server_config();
    config.channels = 2;
    World world{config};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    for (std::uint16_t i = 0; i < 3; ++i) {
        CAPTURE(i);
        const SocketAddress peer{.ip = peer_address.ip,
                                 .port = {static_cast<std::uint16_t>(i + 1)}};
        CHECK(raw.bind(static_cast<std::uint16_t>(0x4000 + i), peer) == (i < 2 ? 0 : 508));
    }
}

TEST_CASE("turn server: clients behind 6to4 and Teredo are refused, RFC 8656 Section 21.4") {
    for (const char* from : {"[2002:808:808::1]:1", "[2001:0:1::1]:1"}) {
        World world;
        RawClient raw{world, "alice", "secret", from};
        CHECK(raw.allocate() == 403);
    }
}

TEST_CASE("turn server: time-limited credentials, one secret after the other") {
    World world;
    const SharedSecret old_secret{.secret = "north", .digest = SecretDigest::Sha1};
    const SharedSecret new_secret{.secret = "south", .digest = SecretDigest::Sha256};
    REQUIRE(world.server.credentials().set_shared_secrets({old_secret, new_secret}));
    int port = 1;
    const auto code = [&](const TimeLimitedCredential& credential) {
        RawClient raw{world, credential.username, credential.password,
                      "198.51.100.10:" + std::to_string(port++)};
        return raw.allocate();
    };
    const WallTime later = wall_start + 60s;
    CHECK(code(make_time_limited(old_secret, later, "carol")) == 0);
    CHECK(code(make_time_limited(new_secret, later, "carol")) == 0);
    CHECK(code(make_time_limited(new_secret, later)) == 0);
    CHECK(code(make_time_limited({.secret = "west"}, later, "carol")) == 401);
    CHECK(code(make_time_limited(old_secret, wall_start, "carol")) == 401);
    auto stretched = make_time_limited(old_secret, wall_start, "carol");
    stretched.username = std::to_string((later).time_since_epoch().count()) + ":carol";
    CHECK(code(stretched) == 401);
    REQUIRE(world.server.credentials().set_shared_secrets({new_secret}));
    CHECK(code(make_time_limited(old_secret, later, "carol")) == 401);
}

TEST_CASE("turn server: quotas count the user behind a time-limited name") {
    auto config = server_config();
    config.relays_per_user = 1;
    World world{config};
    const SharedSecret secret{.secret = "north"};
    REQUIRE(world.server.credentials().set_shared_secrets({secret}));
    for (int i = 0; i < 2; ++i) {
        const auto credential = make_time_limited(secret, wall_start + 60s + i * 1s, "carol");
        RawClient raw{world, credential.username, credential.password,
                      "198.51.100.10:" + std::to_string(i + 1)};
        CHECK(raw.allocate() == (i == 0 ? 0 : 486));
    }
}

TEST_CASE("turn server: an expired credential keeps or ends what it made, as configured") {
    for (const auto mode :
         {ExpiredCredential::KeepsAllocations, ExpiredCredential::EndsAllocations}) {
        const bool keeps = mode == ExpiredCredential::KeepsAllocations;
        CAPTURE(keeps);
        auto config = server_config();
        config.expired_credential = mode;
        World world{config};
        const SharedSecret secret{.secret = "north"};
        REQUIRE(world.server.credentials().set_shared_secrets({secret}));
        const auto credential = make_time_limited(secret, wall_start + 60s, "carol");
        RawClient raw{world, credential.username, credential.password};
        REQUIRE(raw.allocate() == 0);
        world.now += 61s;
        CHECK(RawClient::code_of(raw.ask(Method::Refresh)) == (keeps ? 0U : 401U));
        raw.flow.remote.port = {1};
        CHECK(raw.allocate() == 401);
    }
}

TEST_CASE("turn server: the wall clock may be set while it runs") {
    World world;
    const SharedSecret secret{.secret = "north"};
    REQUIRE(world.server.credentials().set_shared_secrets({secret}));
    const auto credential = make_time_limited(secret, wall_start + 60s, "carol");
    world.server.set_wall_time(world.now, wall_start + 1h);
    RawClient late{world, credential.username, credential.password};
    CHECK(late.allocate() == 401);
    world.server.set_wall_time(world.now, wall_start);
    RawClient timely{world, credential.username, credential.password};
    CHECK(timely.allocate() == 0);
}

TEST_CASE("turn server: a user over the bandwidth loses packets, then gets them again") {
    auto config = server_config();
    config.user_bandwidth = TokenRate{.per_second = 1000, .burst = 2000};
    World world{config};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.permit(peer_address) == 0);
    const Bytes payload(1000);
    const RelayId id = world.id_of(relay_v4);
    const auto passes = [&] {
        return world.server.handle_peer(world.now, id, peer_address, payload).has_value();
    };
    CHECK(passes());
    CHECK(passes());
    CHECK_FALSE(passes());
    CHECK(world.server.dropped(DropReason::Bandwidth) == 1);
    world.now += 1s;
    CHECK(passes());
    CHECK_FALSE(passes());
}

TEST_CASE("turn server: a closed connection ends its allocation") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    world.server.handle_client_gone(world.now, raw.flow);
    world.run_events();
    CHECK(world.server.allocations() == 0);
    CHECK(world.closed.size() == 1);
    world.server.handle_client_gone(world.now, raw.flow);
}

TEST_CASE("turn server: a closed relay's id means nothing any more") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.permit(peer_address) == 0);
    const RelayId id = world.id_of(relay_v4);
    world.server.handle_client_gone(world.now, raw.flow);
    world.run_events();
    REQUIRE(raw.allocate() == 0);
    CHECK(world.open.begin()->first.index == id.index);
    CHECK_FALSE(world.server.handle_peer(world.now, id, peer_address, {}));
    CHECK(world.server.dropped(DropReason::UnknownRelay) == 1);
}

TEST_CASE("turn server: what is no message of TURN is dropped without an answer") {
    World world;
    RawClient raw{world};
    for (const Bytes& junk : {Bytes{}, Bytes(3), Bytes(19), Bytes(20), Bytes(64, std::byte{0xFF}),
                              Bytes(2000, std::byte{0x45})}) {
        CHECK_FALSE(raw.send(junk));
    }
    for (const Method method : {Method::Binding, Method::Send, static_cast<Method>(0x123)}) {
        Builder builder{stun::Class::Request, method, {}};
        CHECK_FALSE(raw.send(builder.finish()));
    }
    for (const auto kind :
         {stun::Class::SuccessResponse, stun::Class::ErrorResponse, stun::Class::Indication}) {
        Builder builder{kind, Method::Allocate, {}};
        CHECK_FALSE(raw.send(builder.finish()));
    }
    Bytes broken = bare_allocate();
    Builder builder{stun::Class::Request, Method::Allocate, {}};
    builder.add(stun::RequestedTransport{}).add_fingerprint();
    broken = builder.finish();
    broken.back() ^= std::byte{1};
    CHECK_FALSE(raw.send(broken));
}

TEST_CASE("turn server: what stands behind the integrity attribute does not count") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    // A LIFETIME of zero appended by somebody on the way.
    (void)raw.ask(Method::Refresh);
    Bytes tampered = raw.last_request();
    Bytes tail;
    ByteWriter writer{tail};
    writer.u16(static_cast<std::uint16_t>(stun::AttributeType::Lifetime));
    writer.u16(4);
    writer.u32(0);
    tampered.insert(tampered.end(), tail.begin(), tail.end());
    const auto length = static_cast<std::uint16_t>(tampered.size() - 20);
    tampered[2] = static_cast<std::byte>(length >> 8U);
    tampered[3] = static_cast<std::byte>(length & 0xFFU);
    (void)raw.send(tampered);
    CHECK(world.server.allocations() == 1);
}

TEST_CASE("turn server: a Send without its attributes, or with unknown ones, is dropped") {
    World world;
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.permit(peer_address) == 0);
    const auto send = [&](auto fill) {
        Builder builder{stun::Class::Indication, Method::Send, {}};
        fill(builder);
        const Bytes message = builder.finish();
        return world.server.handle_client(world.now, raw.flow, message).has_value();
    };
    CHECK(send([](Builder& b) { b.add(stun::XorPeerAddress{peer_address}).add(stun::Data{}); }));
    CHECK_FALSE(send([](Builder& b) { b.add(stun::XorPeerAddress{peer_address}); }));
    CHECK_FALSE(send([](Builder& b) { b.add(stun::Data{}); }));
    CHECK_FALSE(send([](Builder& b) {
        b.add(stun::XorPeerAddress{{.ip = peer_address.ip, .port = {0}}}).add(stun::Data{});
    }));
    CHECK_FALSE(send([](Builder& b) {
        b.add(stun::XorPeerAddress{peer_address}).add(stun::Data{});
        b.add_raw(static_cast<stun::AttributeType>(0x7F00), {});
    }));
    CHECK_FALSE(send([](Builder& b) {
        b.add(stun::XorPeerAddress{peer_address}).add(stun::Data{}).add(stun::DontFragment{});
    }));
}

TEST_CASE("turn server: answers wait up to the limit, and are dropped past it") {
    World world;
    const ClientFlow flow{.local = server_address, .remote = address("198.51.100.9:1")};
    const Bytes request = bare_allocate();
    for (std::size_t i = 0; i < most_queued_answers + 1; ++i) {
        CHECK(world.server.dropped(DropReason::QueueFull) == 0);
        (void)world.server.handle_client(world.now, flow, request);
    }
    CHECK(world.server.dropped(DropReason::QueueFull) == 1);
    std::size_t answers = 0;
    while (world.server.poll_transmit()) ++answers;
    CHECK(answers == most_queued_answers);
}

TEST_CASE("turn server: an answer to a stranger is at most three times the request") {
    World world;
    RawClient raw{world};
    const Bytes request = bare_allocate();
    REQUIRE(raw.send(request));
    // With the UDP and IPv4 headers, which the victim pays for, too.
    CHECK(raw.last_answer().size() + 28 <= 3 * (request.size() + 28));
}

}  // namespace
}  // namespace stile::turn::test
