// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The client against a server that misbehaves, or is not there.
#include "alone.hpp"

namespace stile::turn::test {
namespace {

using stun::Class;
using stun::Method;

TEST_CASE("turn client: the first request carries no credentials, and what was wished for") {
    auto config = client_config();
    config.family = FamilyWish::V6;
    config.lifetime = 1800s;
    config.even_port = stun::EvenPort{};
    config.software = "stile";
    Alone alone{config};
    const auto request = alone.sent();
    REQUIRE(request);
    CHECK(request->method() == Method::Allocate);
    CHECK(request->get<stun::RequestedTransport>().value().protocol == 17);
    CHECK(request->get<stun::RequestedAddressFamily>().value().family == AddressFamily::V6);
    CHECK(request->get<stun::Lifetime>().value().value == 1800s);
    CHECK(request->get<stun::Software>().value().text == "stile");
    CHECK(request->has(stun::AttributeType::EvenPort));
    CHECK_FALSE(request->has(stun::AttributeType::Username));
    CHECK_FALSE(request->has_integrity(stun::IntegrityKind::Sha1));
    CHECK_FALSE(alone.sent());
}

TEST_CASE("turn client: over a stream one request is sent, and a lost connection is the end") {
    auto config = client_config();
    config.transport = ClientTransport::Tls;
    Alone alone{config};
    alone.allocate();
    alone.client.permit(alone.now, peer_address.ip);
    CHECK(alone.sent());
    alone.client.handle_timeout(alone.now + 5s);
    CHECK_FALSE(alone.sent());
    alone.client.handle_unreachable(alone.now + 6s);
    const auto expired = alone.event<Client::Expired>();
    REQUIRE(expired);
    CHECK(expired->failure.kind == FailureKind::Unreachable);
    CHECK_FALSE(alone.client.poll_timeout());
}

TEST_CASE("turn client: wrong credentials are reported after one challenge") {
    World world;
    auto config = client_config();
    config.password = "wrong";
    ClientEnd& end = world.add_client(config);
    CHECK(end.last<Client::Failed>().failure.kind == FailureKind::Unauthenticated);
    CHECK(world.requests == 2);
}

TEST_CASE("turn client: a success without relayed address or of the wrong family is deleted") {
    for (const bool empty : {true, false}) {
        CAPTURE(empty);
        Alone alone;
        const auto request = alone.sent();
        REQUIRE(request);
        alone.answer(*request, Class::SuccessResponse, [&](auto& builder) {
            if (!empty) builder.add(stun::XorRelayedAddress{address("[2a00::1]:5")});
            builder.add(stun::XorMappedAddress{peer_address}).add(stun::Lifetime{600s});
        });
        const auto failed = alone.event<Client::Failed>();
        REQUIRE(failed);
        CHECK(failed->failure.kind == FailureKind::ProtocolViolated);
        const auto deletion = alone.sent();
        REQUIRE(deletion);
        CHECK(deletion->method() == Method::Refresh);
        CHECK(deletion->get<stun::Lifetime>().value().value == 0s);
    }
}

TEST_CASE("turn client: a success with an unknown required attribute fails") {
    Alone alone;
    const auto request = alone.sent();
    REQUIRE(request);
    alone.answer(*request, Class::SuccessResponse, [&](auto& builder) {
        builder.add(stun::XorRelayedAddress{relay_v4}).add(stun::XorMappedAddress{peer_address});
        builder.add(stun::Lifetime{600s});
        builder.add_raw(static_cast<stun::AttributeType>(0x7F00), BytesView{});
    });
    REQUIRE(alone.event<Client::Failed>());
}

TEST_CASE("turn client: refreshes at half of the lifetime, and again until it expires") {
    Alone alone;
    alone.allocate();
    CHECK(alone.client.poll_timeout() == start + 300s);
    alone.now = start + 300s;
    alone.client.handle_timeout(alone.now);
    const auto refresh = alone.sent();
    REQUIRE(refresh);
    CHECK(refresh->method() == Method::Refresh);
    std::size_t failures = 0;
    for (;;) {
        while (alone.sent()) {
        }
        while (alone.event<Client::RefreshFailed>()) ++failures;
        const auto wake = alone.client.poll_timeout();
        if (!wake || *wake >= start + 600s) break;
        alone.now = *wake;
        alone.client.handle_timeout(alone.now);
    }
    CHECK(failures >= 5);
    alone.client.handle_timeout(start + 600s);
    CHECK(alone.event<Client::Expired>());
    CHECK_FALSE(alone.client.poll_timeout());
}

TEST_CASE("turn client: 437 to anything but Allocate means that the allocation is gone") {
    Alone alone;
    alone.allocate();
    alone.client.permit(alone.now, peer_address.ip);
    alone.refuse(stun::error::allocation_mismatch);
    CHECK(alone.event<Client::Expired>());
    CHECK(alone.client.relayed().empty());
}

TEST_CASE("turn client: 437 to the deletion is a success") {
    Alone alone;
    alone.allocate();
    alone.client.release(alone.now);
    alone.refuse(stun::error::allocation_mismatch);
    CHECK(alone.event<Client::Released>());
}

TEST_CASE("turn client: a refused permission is reported and not asked for again") {
    Alone alone;
    alone.allocate();
    alone.client.permit(alone.now, peer_address.ip);
    alone.refuse(stun::error::forbidden);
    const auto failed = alone.event<Client::PermissionFailed>();
    REQUIRE(failed);
    CHECK(failed->peer == peer_address.ip);
    CHECK(failed->failure.kind == FailureKind::Forbidden);
    CHECK(alone.client.poll_timeout() == start + 300s);
    alone.client.permit(alone.now, peer_address.ip);
    CHECK(alone.sent());
}

TEST_CASE("turn client: a binding that is refused does not take the permission with it") {
    Alone alone;
    alone.allocate();
    alone.client.permit(alone.now, peer_address.ip);
    const auto permission = alone.sent();
    REQUIRE(permission);
    alone.answer(*permission, Class::SuccessResponse, [](auto&) {});
    alone.now += 150s;
    alone.client.bind_channel(alone.now, peer_address);
    alone.refuse(stun::error::insufficient_capacity);
    CHECK(alone.event<Client::ChannelFailed>());
    const auto again = alone.sent();
    REQUIRE(again);
    CHECK(again->method() == Method::CreatePermission);
}

TEST_CASE("turn client: channel numbers differ, and a forgotten one rests before it is reused") {
    World world;
    ClientEnd& end = world.add_client();
    end.client.bind_channel(world.now, peer_address);
    end.client.bind_channel(world.now, other_peer);
    world.run();
    CHECK(end.client.channel_of(world.now, peer_address) == ChannelNumber{0x4000});
    CHECK(end.client.channel_of(world.now, other_peer) == ChannelNumber{0x4001});
    end.client.forget(peer_address.ip);
    world.advance(600s);
    CHECK_FALSE(end.client.channel_of(world.now, peer_address));
    CHECK(end.client.channel_of(world.now, other_peer));
    end.client.bind_channel(world.now, peer_address);
    world.run();
    CHECK(end.client.channel_of(world.now, peer_address) == ChannelNumber{0x4000});
}

TEST_CASE("turn client: data may overtake the answer to ChannelBind") {
    Alone alone;
    alone.allocate();
    Bytes message = to_bytes(channel_header({0x4000}, 2));
    message.resize(6, std::byte{'x'});
    CHECK_FALSE(alone.client.handle_message(alone.now, message));
    alone.client.bind_channel(alone.now, peer_address);
    const auto data = alone.client.handle_message(alone.now, message);
    REQUIRE(data);
    CHECK(data->peer == peer_address);
    CHECK(as_text(data->payload) == "xx");
}

TEST_CASE("turn client: data of a peer that was not permitted is dropped") {
    Alone alone;
    alone.allocate();
    const auto data = [&](bool with_payload) {
        stun::MessageBuilder builder{Class::Indication, Method::Data, {}};
        builder.add(stun::XorPeerAddress{peer_address});
        if (with_payload) builder.add(stun::Data{as_bytes("x")});
        const Bytes message = builder.finish();
        return alone.client.handle_message(alone.now, message).has_value();
    };
    CHECK_FALSE(data(true));
    alone.client.permit(alone.now, peer_address.ip);
    const auto request = alone.sent();
    REQUIRE(request);
    alone.answer(*request, Class::SuccessResponse, [](auto&) {});
    CHECK(data(true));
    CHECK_FALSE(data(false));
    alone.now += 300s;
    CHECK_FALSE(data(true));
}

TEST_CASE("turn client: commands before the allocation wait for it") {
    World world;
    world.driver = World::Driver::Ignores;
    ClientEnd& end = world.add_client();
    CHECK(end.client.permit(world.now, peer_address.ip) == Client::Accepted::Yes);
    CHECK(end.client.bind_channel(world.now, other_peer) == Client::Accepted::Yes);
    world.open[world.wanted.at(0).relay] = relay_v4;
    world.server.handle_relay_opened(world.now, world.wanted[0].relay, relay_v4);
    world.run();
    CHECK(end.count<Client::PermissionInstalled>() == 1);
    CHECK(end.count<Client::ChannelBound>() == 1);
}

TEST_CASE("turn client: no more requests at once than the limit, yet all are made") {
    Alone alone;
    alone.allocate();
    for (unsigned i = 0; i < 100; ++i) {
        alone.client.permit(alone.now, IpAddress::v4(0x08080000U + i));
    }
    std::vector<Bytes> requests;
    while (alone.sent()) requests.push_back(alone.last);
    CHECK(requests.size() == most_client_transactions);
    std::size_t answered = 0;
    while (!requests.empty()) {
        const Bytes wire = requests.back();
        requests.pop_back();
        alone.answer(*stun::MessageView::parse(wire), Class::SuccessResponse, [](auto&) {});
        ++answered;
        while (alone.sent()) requests.push_back(alone.last);
    }
    CHECK(answered == 100);
}

TEST_CASE("turn client: as many permissions and channels as the limits, and not one more") {
    Alone alone;
    alone.allocate();
    for (unsigned i = 0; i < most_client_permissions; ++i) {
        REQUIRE(alone.client.permit(alone.now, IpAddress::v4(0x08000000U + i)) ==
                Client::Accepted::Yes);
    }
    CHECK(alone.client.permit(alone.now, IpAddress::v4(0x09000000U)) ==
          Client::Accepted::LimitReached);
    CHECK(alone.client.permit(alone.now, IpAddress::v4(0x08000000U)) == Client::Accepted::Yes);
    Alone other;
    for (unsigned i = 0; i < most_client_channels; ++i) {
        REQUIRE(other.client.bind_channel(other.now, {.ip = IpAddress::v4(0x08000000U + i)}) ==
                Client::Accepted::Yes);
    }
    CHECK(other.client.bind_channel(other.now, peer_address) == Client::Accepted::LimitReached);
}

TEST_CASE("turn client: data is refused when nobody fetches it, requests still pass") {
    World world;
    ClientEnd& end = world.add_client();
    end.client.bind_channel(world.now, peer_address);
    world.run();
    for (std::size_t i = 0; i < most_client_queue; ++i) {
        REQUIRE(end.client.send(world.now, peer_address, {}) == Client::Sent::Queued);
    }
    CHECK(end.client.send(world.now, peer_address, {}) == Client::Sent::QueueFull);
    end.client.permit(world.now, other_peer.ip);
    world.run();
    CHECK(end.count<Client::PermissionInstalled>() == 1);
}

TEST_CASE("turn client: early and repeated timeouts change nothing") {
    Alone alone;
    CHECK(alone.sent());
    for (int i = 0; i < 3; ++i) alone.client.handle_timeout(start + 499ms);
    CHECK_FALSE(alone.sent());
    for (int i = 0; i < 3; ++i) alone.client.handle_timeout(start + 500ms);
    CHECK(alone.sent());
    CHECK_FALSE(alone.sent());
}

}  // namespace
}  // namespace stile::turn::test
