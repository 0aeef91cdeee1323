// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Moves of the client between networks. RFC 8016 Section 3.
#include "alone.hpp"

namespace stile::turn::test {
namespace {

using stun::Class;
using stun::Method;

struct Mobile : Alone {
    static ClientConfig mobile(ClientTransport transport) {
        auto config = client_config();
        config.transport = transport;
        config.mobility = ClientConfig::Mobility::Wanted;
        return config;
    }
    explicit Mobile(ClientTransport transport = ClientTransport::Udp) : Alone{mobile(transport)} {}

    void allocate_with(std::string_view ticket) {
        const auto request = sent();
        REQUIRE(request);
        const auto asked = request->get<stun::MobilityTicket>();
        REQUIRE(asked);
        CHECK(asked->octets.empty());
        answer(*request, Class::SuccessResponse, [&](auto& builder) {
            builder.add(stun::XorRelayedAddress{relay_v4});
            builder.add(stun::XorMappedAddress{peer_address});
            builder.add(stun::Lifetime{600s});
            builder.add(stun::MobilityTicket{as_bytes(ticket)});
        });
        REQUIRE(event<Client::Allocated>());
    }
    std::optional<stun::MessageView> sent_by_move() {
        const auto message = client.poll_move_transmit();
        if (!message) return std::nullopt;
        last = to_bytes(*message);
        return stun::MessageView::parse(last).value();
    }
    void succeed_move(std::string_view ticket) {
        const auto request = sent_by_move();
        REQUIRE(request);
        answer(*request, Class::SuccessResponse, [&](auto& builder) {
            builder.add(stun::Lifetime{600s});
            if (!ticket.empty()) builder.add(stun::MobilityTicket{as_bytes(ticket)});
        });
    }
};

TEST_CASE("turn client mobility: presents the ticket on the new path and takes the next one") {
    Mobile mobile;
    mobile.allocate_with("one");
    mobile.now += 100s;
    CHECK(mobile.client.move(mobile.now, ClientTransport::Udp) == Client::Moving::UnderWay);
    CHECK_FALSE(mobile.sent());
    const auto request = mobile.sent_by_move();
    REQUIRE(request);
    CHECK(request->method() == Method::Refresh);
    CHECK(as_text(request->get<stun::MobilityTicket>().value().octets) == "one");
    CHECK(mobile.client.move(mobile.now, ClientTransport::Udp) == Client::Moving::UnderWay);
    mobile.succeed_move("two");
    CHECK(mobile.event<Client::Moved>());
    CHECK(mobile.client.poll_timeout() == mobile.now + 300s);
    CHECK_FALSE(mobile.sent_by_move());

    // An ordinary refresh has none. RFC 8016 Section 3.2.1.
    mobile.now += 300s;
    mobile.client.handle_timeout(mobile.now);
    const auto refresh = mobile.sent();
    REQUIRE(refresh);
    CHECK_FALSE(refresh->has(stun::AttributeType::MobilityTicket));

    CHECK(mobile.client.move(mobile.now, ClientTransport::Udp) == Client::Moving::UnderWay);
    const auto second = mobile.sent_by_move();
    REQUIRE(second);
    CHECK(as_text(second->get<stun::MobilityTicket>().value().octets) == "two");
}

TEST_CASE("turn client mobility: the old path carries on until the new one is granted") {
    Mobile mobile;
    mobile.allocate_with("one");
    mobile.client.permit(mobile.now, peer_address.ip);
    mobile.client.move(mobile.now, ClientTransport::Udp);
    const auto permission = mobile.sent();
    REQUIRE(permission);
    CHECK(permission->method() == Method::CreatePermission);
    mobile.answer(*permission, Class::SuccessResponse, [](auto&) {});
    CHECK(mobile.event<Client::PermissionInstalled>());
    CHECK(mobile.client.send(mobile.now, peer_address, as_bytes("x")) == Client::Sent::Queued);
    CHECK(mobile.sent());
    // What is under way when the move succeeds is asked again on the new path.
    mobile.client.permit(mobile.now, other_peer.ip);
    CHECK(mobile.sent());
    mobile.succeed_move("two");
    const auto again = mobile.sent();
    REQUIRE(again);
    CHECK(again->method() == Method::CreatePermission);
    CHECK(again->get<stun::XorPeerAddress>().value().address.ip == other_peer.ip);
}

TEST_CASE("turn client mobility: a refused or unanswered move leaves the old path as it was") {
    for (const auto& error : {stun::error::mobility_forbidden, stun::error::bad_request,
                              stun::error::allocation_mismatch}) {
        CAPTURE(error.code);
        Mobile mobile;
        mobile.allocate_with("one");
        mobile.client.move(mobile.now, ClientTransport::Udp);
        const auto request = mobile.sent_by_move();
        REQUIRE(request);
        mobile.answer(*request, Class::ErrorResponse, [&](auto& builder) { builder.add(error); });
        const auto failed = mobile.event<Client::MoveFailed>();
        REQUIRE(failed);
        CHECK(failed->failure.kind == failure_kind_of(error.code));
        CHECK(mobile.client.relayed().size() == 1);
        CHECK(mobile.client.poll_timeout() == start + 300s);
    }
    Mobile silent;
    silent.allocate_with("one");
    silent.client.move(silent.now, ClientTransport::Udp);
    std::size_t sends = 0;
    while (silent.now < start + 39500ms) {
        while (silent.sent_by_move()) ++sends;
        silent.now = silent.client.poll_timeout().value();
        silent.client.handle_timeout(silent.now);
    }
    CHECK(sends == 7);
    CHECK(silent.event<Client::MoveFailed>()->failure.kind == FailureKind::TimedOut);
    CHECK(silent.client.relayed().size() == 1);
}

TEST_CASE(
    "turn client mobility: a connection lost during a move is forgiven if the move succeeds") {
    for (const bool success : {true, false}) {
        CAPTURE(success);
        Mobile mobile{ClientTransport::Tcp};
        mobile.allocate_with("one");
        mobile.client.move(mobile.now, ClientTransport::Tls);
        mobile.client.handle_unreachable(mobile.now);
        CHECK_FALSE(mobile.event<Client::Expired>());
        if (success) {
            mobile.succeed_move("two");
            CHECK(mobile.event<Client::Moved>());
            CHECK(mobile.client.relayed().size() == 1);
        } else {
            mobile.client.handle_move_unreachable(mobile.now);
            const auto expired = mobile.event<Client::Expired>();
            REQUIRE(expired);
            CHECK(expired->failure.kind == FailureKind::Unreachable);
        }
    }
}

TEST_CASE("turn client mobility: a server that forbids it is asked again without") {
    Mobile mobile;
    mobile.refuse(stun::error::mobility_forbidden);
    CHECK_FALSE(mobile.event<Client::Failed>());
    const auto again = mobile.sent();
    REQUIRE(again);
    CHECK(again->method() == Method::Allocate);
    CHECK_FALSE(again->has(stun::AttributeType::MobilityTicket));
    mobile.answer(*again, Class::SuccessResponse, [](auto& builder) {
        builder.add(stun::XorRelayedAddress{relay_v4});
        builder.add(stun::XorMappedAddress{peer_address});
        builder.add(stun::Lifetime{600s});
    });
    CHECK(mobile.event<Client::Allocated>());
    CHECK(mobile.client.move(mobile.now, ClientTransport::Udp) == Client::Moving::NoTicket);
    CHECK_FALSE(mobile.sent_by_move());
}

TEST_CASE(
    "turn client mobility: no ticket, no move; nor before, nor after, nor without a new one") {
    Mobile mobile;
    CHECK(mobile.client.move(mobile.now, ClientTransport::Udp) == Client::Moving::NoTicket);
    mobile.allocate_with("one");
    mobile.client.move(mobile.now, ClientTransport::Udp);
    mobile.succeed_move("");
    CHECK(mobile.event<Client::Moved>());
    CHECK(mobile.client.move(mobile.now, ClientTransport::Udp) == Client::Moving::NoTicket);
    mobile.client.release(mobile.now);
    CHECK(mobile.client.move(mobile.now, ClientTransport::Udp) == Client::Moving::NoTicket);
}

TEST_CASE("turn client mobility: a nonce that is good for the old address alone is renewed") {
    Mobile mobile;
    mobile.allocate_with("one");
    mobile.client.move(mobile.now, ClientTransport::Udp);
    const auto request = mobile.sent_by_move();
    REQUIRE(request);
    mobile.answer(*request, Class::ErrorResponse, [](auto& builder) {
        builder.add(stun::error::unauthenticated).add(stun::Realm{"example.org"});
        builder.add(stun::Nonce{"fresh"});
    });
    const auto again = mobile.sent_by_move();
    REQUIRE(again);
    CHECK(again->get<stun::Nonce>().value().text == "fresh");
    CHECK(as_text(again->get<stun::MobilityTicket>().value().octets) == "one");
    // The old path keeps its own.
    mobile.client.permit(mobile.now, peer_address.ip);
    const auto old = mobile.sent();
    REQUIRE(old);
    CHECK_FALSE(old->has(stun::AttributeType::Nonce));
}

TEST_CASE("turn client mobility: from a stream to datagrams ChannelData loses its padding") {
    Mobile mobile{ClientTransport::Tcp};
    mobile.allocate_with("one");
    mobile.client.bind_channel(mobile.now, peer_address);
    const auto bind = mobile.sent();
    REQUIRE(bind);
    mobile.answer(*bind, Class::SuccessResponse, [](auto&) {});
    mobile.client.move(mobile.now, ClientTransport::Udp);
    mobile.client.send(mobile.now, peer_address, as_bytes("x"));
    mobile.succeed_move("two");
    CHECK_FALSE(mobile.client.poll_transmit());
    mobile.client.send(mobile.now, peer_address, as_bytes("x"));
    const auto message = mobile.client.poll_transmit();
    REQUIRE(message);
    CHECK(message->size() == 5);
}

}  // namespace
}  // namespace stile::turn::test
