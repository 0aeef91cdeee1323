// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// TCP allocations at the client. RFC 6062 Section 4.
#include "alone.hpp"

namespace stile::turn::test {
namespace {

using stun::Class;
using stun::Method;

ClientConfig tcp_config() {
    auto config = client_config();
    config.transport = ClientTransport::Tcp;
    config.protocol = RelayProtocol::Tcp;
    return config;
}

void attempt(Alone& alone, const SocketAddress& peer, std::uint32_t id) {
    stun::MessageBuilder builder{Class::Indication, Method::ConnectionAttempt, {}};
    builder.add(stun::XorPeerAddress{peer}).add(stun::ConnectionId{id});
    const Bytes message = builder.finish();
    CHECK_FALSE(alone.client.handle_message(alone.now, message));
}

TEST_CASE("turn client connections: the allocation asks for TCP") {
    Alone alone{tcp_config()};
    const auto request = alone.sent();
    REQUIRE(request);
    CHECK(request->get<stun::RequestedTransport>().value().protocol == 6);
}

TEST_CASE("turn client connections: a connection asked for gives an id") {
    Alone alone{tcp_config()};
    alone.allocate();
    CHECK(alone.client.connect(alone.now, peer_address) == Client::Accepted::Yes);
    const auto request = alone.sent();
    REQUIRE(request);
    CHECK(request->method() == Method::Connect);
    CHECK(request->get<stun::XorPeerAddress>().value().address == peer_address);
    // Never twice at once for one peer. RFC 6062 Section 4.3.
    CHECK(alone.client.connect(alone.now, peer_address) == Client::Accepted::Yes);
    CHECK_FALSE(alone.sent());
    alone.client.connect(alone.now, peer_address);
    const Bytes wire = alone.last;
    alone.answer(*stun::MessageView::parse(wire), Class::SuccessResponse,
                 [](auto& builder) { builder.add(stun::ConnectionId{77}); });
    const auto connected = alone.event<Client::Connected>();
    REQUIRE(connected);
    CHECK(connected->peer == peer_address);
    CHECK(connected->connection == ConnectionId{77});
    // The next is another connection.
    CHECK(alone.client.connect(alone.now, peer_address) == Client::Accepted::Yes);
    CHECK(alone.sent());
}

TEST_CASE("turn client connections: a connection asked for before the allocation waits for it") {
    Alone alone{tcp_config()};
    CHECK(alone.client.connect(alone.now, peer_address) == Client::Accepted::Yes);
    alone.allocate();
    const auto request = alone.sent();
    REQUIRE(request);
    CHECK(request->method() == Method::Connect);
}

TEST_CASE("turn client connections: an answer without CONNECTION-ID breaks the protocol") {
    Alone alone{tcp_config()};
    alone.allocate();
    alone.client.connect(alone.now, peer_address);
    const auto request = alone.sent();
    REQUIRE(request);
    alone.answer(*request, Class::SuccessResponse, [](auto&) {});
    const auto failed = alone.event<Client::ConnectFailed>();
    REQUIRE(failed);
    CHECK(failed->failure.kind == FailureKind::ProtocolViolated);
}

TEST_CASE("turn client connections: after 447 the same peer is asked for 10 s later") {
    Alone alone{tcp_config()};
    alone.allocate();
    alone.client.connect(alone.now, peer_address);
    alone.refuse(stun::error::connection_failure);
    const auto failed = alone.event<Client::ConnectFailed>();
    REQUIRE(failed);
    CHECK(failed->peer == peer_address);
    CHECK(failed->failure.kind == FailureKind::ConnectionFailed);
    CHECK(alone.client.poll_timeout() == start + 300s);

    alone.now += 2s;
    CHECK(alone.client.connect(alone.now, peer_address) == Client::Accepted::Yes);
    CHECK_FALSE(alone.sent());
    CHECK(alone.client.poll_timeout() == start + 10s);
    CHECK(alone.client.connect(alone.now, other_peer) == Client::Accepted::Yes);
    CHECK(alone.sent());
    alone.now = start + 10s - 1ns;
    alone.client.handle_timeout(alone.now);
    CHECK_FALSE(alone.sent());
    alone.now = start + 10s;
    alone.client.handle_timeout(alone.now);
    CHECK(alone.sent());
    CHECK_FALSE(alone.sent());
}

TEST_CASE("turn client connections: other refusals name the peer and let ask again at once") {
    for (const auto& [error, kind] :
         {std::pair{stun::error::connection_already_exists, FailureKind::ConnectionExists},
          std::pair{stun::error::forbidden, FailureKind::Forbidden},
          std::pair{stun::error::insufficient_capacity, FailureKind::InsufficientCapacity}}) {
        Alone alone{tcp_config()};
        alone.allocate();
        alone.client.connect(alone.now, peer_address);
        alone.refuse(error);
        const auto failed = alone.event<Client::ConnectFailed>();
        REQUIRE(failed);
        CHECK(failed->peer == peer_address);
        CHECK(failed->failure.kind == kind);
        alone.client.connect(alone.now, peer_address);
        CHECK(alone.sent());
    }
}

TEST_CASE("turn client connections: 437 to Connect means that the allocation is gone") {
    Alone alone{tcp_config()};
    alone.allocate();
    alone.client.connect(alone.now, peer_address);
    alone.refuse(stun::error::allocation_mismatch);
    CHECK(alone.event<Client::Expired>());
}

TEST_CASE("turn client connections: as many peers at once as the limit, and not one more") {
    Alone alone{tcp_config()};
    alone.allocate();
    for (unsigned i = 0; i < most_client_connects; ++i) {
        REQUIRE(alone.client.connect(alone.now, {.ip = IpAddress::v4(0x08000000U + i)}) ==
                Client::Accepted::Yes);
    }
    CHECK(alone.client.connect(alone.now, peer_address) == Client::Accepted::LimitReached);
    // A failed one makes room when its rest is over.
    alone.refuse(stun::error::connection_failure);
    CHECK(alone.client.connect(alone.now, peer_address) == Client::Accepted::LimitReached);
    alone.now += 10s;
    CHECK(alone.client.connect(alone.now, peer_address) == Client::Accepted::Yes);
}

TEST_CASE("turn client connections: a permitted peer's attempt is told, another's is not") {
    Alone alone{tcp_config()};
    attempt(alone, peer_address, 1);
    alone.allocate();
    attempt(alone, peer_address, 2);
    CHECK_FALSE(alone.event<Client::ConnectionAttempt>());
    alone.client.permit(alone.now, peer_address.ip);
    const auto request = alone.sent();
    REQUIRE(request);
    alone.answer(*request, Class::SuccessResponse, [](auto&) {});
    attempt(alone, other_peer, 3);
    attempt(alone, peer_address, 4);
    const auto told = alone.event<Client::ConnectionAttempt>();
    REQUIRE(told);
    CHECK(told->peer == peer_address);
    CHECK(told->connection == ConnectionId{4});
    CHECK_FALSE(alone.event<Client::ConnectionAttempt>());
}

TEST_CASE("turn client connections: an attempt means nothing for a UDP allocation") {
    Alone alone;
    alone.allocate();
    alone.client.permit(alone.now, peer_address.ip);
    const auto request = alone.sent();
    REQUIRE(request);
    alone.answer(*request, Class::SuccessResponse, [](auto&) {});
    attempt(alone, peer_address, 4);
    CHECK_FALSE(alone.event<Client::ConnectionAttempt>());
}

// A data connection; the test plays the server.
struct Data {
    DataConnection connection;
    Bytes request;

    explicit Data(stun::LongTermClient authentication = stun::LongTermClient{{}})
        : connection{start, ConnectionId{77}, std::move(authentication),
                     crypto::RandomStream{crypto::seed_from_number(8)}} {
        take();
    }
    void take() {
        const auto sent = connection.poll_transmit();
        REQUIRE(sent);
        request = to_bytes(*sent);
        CHECK_FALSE(connection.poll_transmit());
    }
    template <class Fill>
    Bytes answer(Class message_class, Fill&& fill) const {
        const auto parsed = stun::MessageView::parse(request).value();
        auto builder = stun::MessageBuilder::reply(parsed, message_class);
        fill(builder);
        return builder.finish();
    }
    Bytes success() const {
        return answer(Class::SuccessResponse, [](auto&) {});
    }
};

TEST_CASE("turn data connection: names its connection, and all behind the answer is payload") {
    Data data;
    const auto request = stun::MessageView::parse(data.request).value();
    CHECK(request.method() == Method::ConnectionBind);
    CHECK(request.get<stun::ConnectionId>().value().value == 77);
    Bytes stream = data.success();
    const Bytes text = to_bytes(as_bytes("hello"));
    stream.insert(stream.end(), text.begin(), text.end());
    // In pieces of every size.
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        Data fresh;
        Bytes whole = fresh.success();
        whole.insert(whole.end(), text.begin(), text.end());
        std::string received;
        for (std::size_t at = 0; at < whole.size(); at += piece) {
            const auto part = BytesView{whole}.subspan(at, std::min(piece, whole.size() - at));
            received += as_text(fresh.connection.handle_octets(start, part));
        }
        CHECK(received == "hello");
        const auto event = fresh.connection.poll_event();
        REQUIRE(event);
        CHECK(std::holds_alternative<DataConnection::Bound>(*event));
        CHECK(fresh.connection.bound());
        CHECK_FALSE(fresh.connection.poll_timeout());
    }
}

TEST_CASE("turn data connection: what looks like a message behind the answer is payload, too") {
    Data data;
    const Bytes answer = data.success();
    CHECK(data.connection.handle_octets(start, answer).empty());
    CHECK(data.connection.handle_octets(start, answer).size() == answer.size());
    data.connection.handle_unreachable(start);
    CHECK(data.connection.poll_event());
    CHECK_FALSE(data.connection.poll_event());
}

TEST_CASE("turn data connection: meets a stale nonce, and reports every other refusal") {
    Data data;
    CHECK(data.connection
              .handle_octets(start, data.answer(Class::ErrorResponse,
                                                [](auto& builder) {
                                                    builder.add(stun::error::unauthenticated);
                                                    builder.add(stun::Realm{"example.org"});
                                                    builder.add(stun::Nonce{"n1"});
                                                }))
              .empty());
    CHECK_FALSE(data.connection.poll_event());
    data.take();
    const auto again = stun::MessageView::parse(data.request).value();
    CHECK(again.get<stun::Nonce>().value().text == "n1");
    CHECK(again.get<stun::ConnectionId>().value().value == 77);

    for (const auto& error : {stun::error::bad_request, stun::error::forbidden}) {
        Data refused;
        CHECK(refused.connection
                  .handle_octets(start, refused.answer(Class::ErrorResponse,
                                                       [&](auto& builder) { builder.add(error); }))
                  .empty());
        const auto event = refused.connection.poll_event();
        REQUIRE(event);
        const auto* failed = std::get_if<DataConnection::Failed>(&*event);
        REQUIRE(failed != nullptr);
        CHECK(failed->failure.code == error.code);
        CHECK_FALSE(refused.connection.poll_timeout());
    }
}

TEST_CASE("turn data connection: nonsense, silence and loss end it") {
    const auto failure_of_event = [](DataConnection& connection) {
        const auto event = connection.poll_event();
        REQUIRE(event);
        const auto* failed = std::get_if<DataConnection::Failed>(&*event);
        REQUIRE(failed != nullptr);
        return failed->failure.kind;
    };
    Data nonsense;
    CHECK(nonsense.connection.handle_octets(start, as_bytes("HTTP/1.1 400\r\n")).empty());
    CHECK(failure_of_event(nonsense.connection) == FailureKind::ProtocolViolated);

    Data channel;
    CHECK(channel.connection.handle_octets(start, channel_header({0x4000}, 0)).empty());
    CHECK(failure_of_event(channel.connection) == FailureKind::ProtocolViolated);

    Data silent;
    const auto deadline = silent.connection.poll_timeout();
    REQUIRE(deadline);
    silent.connection.handle_timeout(*deadline);
    CHECK(failure_of_event(silent.connection) == FailureKind::TimedOut);

    Data lost;
    lost.connection.handle_unreachable(start);
    CHECK(failure_of_event(lost.connection) == FailureKind::Unreachable);
    CHECK(lost.connection.handle_octets(start, as_bytes("x")).empty());
}

}  // namespace
}  // namespace stile::turn::test
