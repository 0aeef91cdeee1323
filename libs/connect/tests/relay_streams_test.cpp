// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace test;

const SocketAddress server = *SocketAddress::parse("198.51.100.2:3478");
const SocketAddress secure_server = *SocketAddress::parse("198.51.100.2:5349");

ConnectorConfig with_all_transports() {
    ConnectorConfig config = config_with({"192.0.2.1:5000"}, {}, {"198.51.100.2:3478"});
    config.turn_servers.push_back({server, "user", "password", turn::ClientTransport::Tcp, {}});
    config.turn_servers.push_back(
        {secure_server, "user", "password", turn::ClientTransport::Tls, "relay.example"});
    return config;
}

Bytes allocated(BytesView request, const SocketAddress& relayed) {
    const auto message = stun::MessageView::parse(request);
    REQUIRE(message);
    REQUIRE(message->method() == stun::Method::Allocate);
    stun::MessageBuilder builder{stun::Class::SuccessResponse, stun::Method::Allocate,
                                 message->id()};
    builder.add(stun::XorRelayedAddress{relayed});
    builder.add(stun::XorMappedAddress{at("203.0.113.7:41000")});
    builder.add(stun::Lifetime{std::chrono::seconds{600}});
    return builder.finish();
}

Bytes succeeded(BytesView request) {
    const auto message = stun::MessageView::parse(request);
    REQUIRE(message);
    stun::MessageBuilder builder{stun::Class::SuccessResponse, message->method(), message->id()};
    if (message->method() == stun::Method::Refresh) builder.add(stun::Lifetime{});
    return builder.finish();
}

std::vector<StreamWanted> wanted(const Driven& driven) {
    std::vector<StreamWanted> found;
    for (const Event& event : driven.events) {
        if (const auto* const each = std::get_if<StreamWanted>(&event)) found.push_back(*each);
    }
    return found;
}

void open(Driven& driven, const StreamWanted& stream) {
    driven.connector.handle_stream_opened(driven.now, stream.stream,
                                          {at("192.0.2.1:45000"), stream.path.remote});
    driven.settle();
}

void receive(Driven& driven, StreamId stream, BytesView octets) {
    driven.connector.handle_stream_bytes(driven.now, stream, octets);
    driven.settle();
}

std::vector<ice::Candidate> relayed_candidates(const Driven& driven) {
    std::vector<ice::Candidate> found;
    for (const ice::Candidate& each : driven.connector.local_description().candidates) {
        if (each.type == ice::CandidateType::Relayed) found.push_back(each);
    }
    return found;
}

ice::Candidate remote_candidate(const SocketAddress& address) {
    ice::Candidate candidate;
    candidate.address = candidate.base = address;
    candidate.priority = 2'130'706'431;
    candidate.foundation = "1";
    return candidate;
}

TEST_CASE("connector relay streams: a server that answers over UDP is not asked over TCP") {
    Driven driven{with_all_transports()};
    REQUIRE(driven.sent.size() == 1);
    driven.pass(499ms);
    CHECK(wanted(driven).empty());
    driven.receive({driven.sent[0].path.local, driven.sent[0].path.remote},
                   allocated(driven.sent[0].octets, at("198.51.100.2:50000")));
    driven.pass(20s);
    CHECK(wanted(driven).empty());
    CHECK(driven.count<GatheringCompleted>() == 1);
}

TEST_CASE("connector relay streams: while UDP is silent TCP is tried, then TLS") {
    Driven driven{with_all_transports()};
    driven.pass(499ms);
    CHECK(wanted(driven).empty());
    driven.pass(1ms);
    REQUIRE(wanted(driven).size() == 1);
    CHECK(wanted(driven)[0].path == Path{at("192.0.2.1:9"), server});
    CHECK(wanted(driven)[0].local_port == StreamWanted::LocalPort::Any);
    CHECK(wanted(driven)[0].security == StreamSecurity::None);
    driven.pass(250ms);
    REQUIRE(wanted(driven).size() == 2);
    CHECK(wanted(driven)[1].path.remote == secure_server);
    CHECK(wanted(driven)[1].security == StreamSecurity::Tls);
    CHECK(wanted(driven)[1].server_name == "relay.example");
}

TEST_CASE("connector relay streams: without a server over UDP there is nothing to wait for") {
    ConnectorConfig config = with_all_transports();
    config.turn_servers.erase(config.turn_servers.begin());
    Driven driven{config};
    REQUIRE(wanted(driven).size() == 1);
    driven.connector.handle_stream_failed(driven.now, wanted(driven)[0].stream,
                                          ice::ConnectFailure::Refused);
    driven.settle();
    CHECK(driven.last<RelayFailed>().failure.kind == turn::FailureKind::Unreachable);
    CHECK(wanted(driven).size() == 2);
}

TEST_CASE("connector relay streams: the first relay is told, the attempts beside it end") {
    Driven driven{with_all_transports()};
    driven.pass(750ms);
    REQUIRE(wanted(driven).size() == 2);
    open(driven, wanted(driven)[1]);
    REQUIRE(driven.written.size() == 1);
    CHECK(driven.written[0].stream == wanted(driven)[1].stream);
    receive(driven, wanted(driven)[1].stream,
            allocated(driven.written[0].octets, at("198.51.100.2:50001")));
    REQUIRE(relayed_candidates(driven).size() == 1);
    CHECK(relayed_candidates(driven)[0].address == at("198.51.100.2:50001"));
    CHECK(driven.last<StreamUnwanted>().stream == wanted(driven)[0].stream);
    // How the NAT shows this connection is nobody's way to us.
    CHECK(driven.connector.local_description().candidates.size() == 2);
}

TEST_CASE("connector relay streams: a relay over UDP that comes late ranks above") {
    Driven driven{with_all_transports()};
    driven.pass(500ms);
    open(driven, wanted(driven)[0]);
    receive(driven, wanted(driven)[0].stream,
            allocated(driven.written[0].octets, at("198.51.100.2:50001")));
    driven.receive({driven.sent[0].path.local, driven.sent[0].path.remote},
                   allocated(driven.sent[0].octets, at("198.51.100.2:50000")));
    const auto relayed = relayed_candidates(driven);
    REQUIRE(relayed.size() == 2);
    CHECK(relayed[0].priority < relayed[1].priority);
}

TEST_CASE("connector relay streams: the second of two allocations is given back untold") {
    Driven driven{with_all_transports()};
    driven.pass(750ms);
    open(driven, wanted(driven)[0]);
    open(driven, wanted(driven)[1]);
    REQUIRE(driven.written.size() == 2);
    receive(driven, wanted(driven)[1].stream,
            allocated(driven.written[1].octets, at("198.51.100.2:50001")));
    receive(driven, wanted(driven)[0].stream,
            allocated(driven.written[0].octets, at("198.51.100.2:50002")));
    CHECK(relayed_candidates(driven).size() == 1);
    REQUIRE(driven.written.size() == 3);
    CHECK(driven.written[2].stream == wanted(driven)[0].stream);
    receive(driven, wanted(driven)[0].stream, succeeded(driven.written[2].octets));
    CHECK(driven.last<StreamUnwanted>().stream == wanted(driven)[0].stream);
    // It did answer.
    driven.pass(10s);
    for (const SourceReport& source : driven.connector.report().sources) {
        const bool is_stream = source.transport != turn::ClientTransport::Udp;
        CHECK((source.outcome == SourceReport::Outcome::Answered) == is_stream);
    }
}

TEST_CASE("connector relay streams: a connection that breaks is a relay that is lost") {
    Driven driven{with_all_transports()};
    driven.pass(500ms);
    open(driven, wanted(driven)[0]);
    receive(driven, wanted(driven)[0].stream,
            allocated(driven.written[0].octets, at("198.51.100.2:50001")));
    driven.connector.handle_stream_closed(driven.now, wanted(driven)[0].stream);
    driven.settle();
    CHECK(relayed_candidates(driven).empty());
    CHECK(driven.last<RelayFailed>().failure.kind == turn::FailureKind::Unreachable);
    // And another way is looked for at a restart.
    driven.connector.restart(driven.now);
    driven.pass(500ms);
    CHECK(wanted(driven).size() == 2);
}

TEST_CASE("connector relay streams: what is no TURN ends the connection") {
    Driven driven{with_all_transports()};
    driven.pass(500ms);
    open(driven, wanted(driven)[0]);
    receive(driven, wanted(driven)[0].stream, as_bytes("\xFFHTTP/1.1 400 Bad Request"));
    CHECK(driven.last<StreamUnwanted>().stream == wanted(driven)[0].stream);
    CHECK(driven.count<RelayFailed>() == 1);
}

TEST_CASE("connector relay streams: a released one gives the relay back, then closes") {
    Driven driven{with_all_transports()};
    driven.pass(500ms);
    open(driven, wanted(driven)[0]);
    receive(driven, wanted(driven)[0].stream,
            allocated(driven.written[0].octets, at("198.51.100.2:50001")));
    driven.connector.release(driven.now);
    driven.settle();
    REQUIRE(driven.written.size() == 2);
    CHECK(driven.count<StreamUnwanted>() == 0);
    receive(driven, wanted(driven)[0].stream, succeeded(driven.written[1].octets));
    CHECK(driven.count<StreamUnwanted>() == 1);
}

TEST_CASE("connector relay streams: checks and data pass by the relay, in whatever pieces") {
    for (std::size_t piece = 1; piece < 40; piece += 3) {
        CAPTURE(piece);
        Driven driven{with_all_transports()};
        driven.pass(500ms);
        const StreamWanted stream = wanted(driven)[0];
        open(driven, stream);
        const Bytes answer = allocated(driven.written[0].octets, at("198.51.100.2:50001"));
        for (std::size_t i = 0; i < answer.size(); i += piece) {
            receive(driven, stream.stream,
                    BytesView{answer}.subspan(i, std::min(piece, answer.size() - i)));
        }
        REQUIRE(relayed_candidates(driven).size() == 1);
        Description peer;
        peer.credentials = {"remotefragment", "remotepasswordremotepassword"};
        peer.candidates = {remote_candidate(at("203.0.113.1:6000"))};
        REQUIRE(driven.connector.set_remote_description(driven.now, peer));
        driven.settle();
        REQUIRE(driven.written.size() == 2);
        receive(driven, stream.stream, succeeded(driven.written[1].octets));
        // The permission is there: a check leaves by the relay.
        driven.pass(1s);
        REQUIRE(driven.written.size() > 2);
        CHECK(driven.written[2].stream == stream.stream);
        stun::MessageBuilder data{stun::Class::Indication, stun::Method::Data,
                                  stun::TransactionId{}};
        data.add(stun::XorPeerAddress{at("203.0.113.1:6000")});
        data.add(stun::Data{as_bytes("payload")});
        const Bytes indication = data.finish();
        for (std::size_t i = 0; i < indication.size(); i += piece) {
            receive(driven, stream.stream,
                    BytesView{indication}.subspan(i, std::min(piece, indication.size() - i)));
        }
        REQUIRE(driven.taken.size() == 1);
        CHECK(as_text(driven.taken[0]) == "payload");
    }
}

}  // namespace
}  // namespace stile::connect
