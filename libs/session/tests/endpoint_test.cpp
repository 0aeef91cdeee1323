// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What an endpoint does by itself. Between two, with their servers: sim/sessions.
#include <stile/base/drain.hpp>
#include <stile/session/endpoint.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace stile::session {
namespace {

using namespace std::chrono_literals;

constexpr sip::FlowId flow_id{7};

sip::Flow flow(sip::FlowId id = flow_id) {
    return {.id = id,
            .transport = sip::TransportKind::Tls,
            .remote = SocketAddress::parse("198.51.100.1:5061").value(),
            .sent_by = {.host = sip::Host::parse("192.0.2.1").value(), .port = Port{5062}}};
}

connect::ConnectorConfig path(std::uint16_t port = 5000) {
    connect::ConnectorConfig config;
    config.hosts = {{IpAddress::v4({192, 0, 2, 1}), Port{port}}};
    return config;
}

struct Driven {
    Endpoint endpoint;
    Instant now{};
    std::vector<EndpointEvent> events = {};
    std::string signalling = {};  // all that was written

    explicit Driven(Purpose purpose)
        : endpoint(Instant{},
                   {.address = "alice@example.org",
                    .instance = "urn:uuid:00000000-0000-4000-8000-000000000001",
                    .software = "test",
                    .purpose = purpose,
                    .fingerprint = {.hash = identity::HashFunction::Sha256,
                                    .octets = crypto::Digest{BytesView{Bytes(32, std::byte{1})}}}},
                   crypto::RandomStream{crypto::seed_from_number(1)}) {
        endpoint.start(now);
        settle();
    }
    void open() {
        endpoint.handle_flow_opened(now, flow());
        settle();
    }
    std::optional<Instant> settle() {
        return drain(
            endpoint,
            [&](const EndpointTransmit& out) {
                if (const auto* const written = std::get_if<sip::Outgoing>(&out)) {
                    signalling += as_text(written->bytes);
                }
            },
            [&](EndpointEvent event) { events.push_back(std::move(event)); });
    }
    template <class Kind>
    const Kind* find() const {
        for (const EndpointEvent& event : events) {
            if (const auto* const found = std::get_if<Kind>(&event)) return found;
        }
        return nullptr;
    }
    // The value of a header field of the first message that was written.
    std::string field(std::string_view name) const {
        const std::size_t begin = signalling.find(std::string{name} + ": ");
        REQUIRE(begin != std::string::npos);
        const std::size_t value = begin + name.size() + 2;
        return signalling.substr(value, signalling.find("\r\n", value) - value);
    }
    // An answer to the INVITE.
    void answer(std::string_view status, std::string_view contact, std::string_view body = {}) {
        std::string text = "SIP/2.0 " + std::string{status} + "\r\n";
        for (const std::string_view name : {"Via", "From", "Call-ID", "CSeq"}) {
            text += std::string{name} + ": " + field(name) + "\r\n";
        }
        text += "To: " + field("To") + ";tag=bob\r\n" + std::string{contact};
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
        CHECK(endpoint.handle_signalling(now, flow_id, as_bytes(text)));
        settle();
    }
    void incoming(std::string_view number, std::string_view type, std::string_view body) {
        const std::string text =
            "INVITE sip:alice@192.0.2.1:5062;transport=tls SIP/2.0\r\n"
            "Via: SIP/2.0/TLS 198.51.100.1:5061;branch=z9hG4bK" +
            std::string{number} +
            "\r\n"
            "Max-Forwards: 70\r\n"
            "From: <sip:bob@example.org>;tag=b" +
            std::string{number} +
            "\r\n"
            "To: <sip:alice@example.org>\r\n"
            "Call-ID: " +
            std::string{number} +
            "@example.org\r\n"
            "CSeq: 1 INVITE\r\n"
            "Contact: <sip:bob@198.51.100.1:5061;transport=tls>\r\n"
            "Content-Type: " +
            std::string{type} +
            "\r\n"
            "Content-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
        CHECK(endpoint.handle_signalling(now, flow_id, as_bytes(text)));
        settle();
    }
};

TEST_CASE("endpoint: both purposes ask for a connection, one of them registers on it") {
    Driven asking{Purpose::Ask};
    CHECK(asking.find<FlowWanted>() != nullptr);
    asking.open();
    CHECK(asking.signalling.empty());
    Driven serving{Purpose::Serve};
    CHECK(serving.find<FlowWanted>() != nullptr);
    serving.open();
    CHECK(serving.signalling.starts_with("REGISTER sip:example.org SIP/2.0\r\n"));
    CHECK(serving.field("Contact").find("application") != std::string::npos);
}

TEST_CASE("endpoint: a fetch wants an address and a connection") {
    Driven driven{Purpose::Ask};
    CHECK(driven.endpoint.fetch({}, "bob@example.org", path()).error() == FetchError::NoFlow);
    driven.open();
    for (const std::string_view address : {"", "example.org", "bob@", "b ob@example.org"}) {
        CAPTURE(address);
        CHECK(driven.endpoint.fetch({}, address, path()).error() == FetchError::BadAddress);
    }
    CHECK(driven.endpoint.sessions() == 0);
}

TEST_CASE("endpoint: a fetch is an INVITE that no telephone gets") {
    Driven driven{Purpose::Ask};
    driven.open();
    REQUIRE(driven.endpoint.fetch({}, "bob@example.org", path()));
    driven.settle();
    CHECK(driven.signalling.starts_with("INVITE sip:bob@example.org SIP/2.0\r\n"));
    CHECK(driven.field("Accept-Contact").find("require;explicit") != std::string::npos);
    CHECK(driven.field("Content-Type") == "application/sdp");
}

TEST_CASE("endpoint: refusals end a fetch with what they mean") {
    const struct {
        const char* status;
        EndReason reason;
    } cases[] = {
        {"404 Not Found", EndReason::UnknownPeer},
        {"604 Does Not Exist Anywhere", EndReason::UnknownPeer},
        {"480 Temporarily Unavailable", EndReason::PeerOffline},
        {"408 Request Timeout", EndReason::PeerOffline},
        {"403 Forbidden", EndReason::Declined},
        {"486 Busy Here", EndReason::Declined},
        {"603 Decline", EndReason::Declined},
        {"488 Not Acceptable Here", EndReason::NotUnderstood},
        {"415 Unsupported Media Type", EndReason::NotUnderstood},
        {"500 Server Internal Error", EndReason::ServerFailure},
        {"503 Service Unavailable", EndReason::ServerFailure},
    };
    for (const auto& each : cases) {
        CAPTURE(each.status);
        Driven driven{Purpose::Ask};
        driven.open();
        REQUIRE(driven.endpoint.fetch({}, "bob@example.org", path()));
        driven.settle();
        driven.answer(each.status, "");
        const auto* const ended = driven.find<Ended>();
        REQUIRE(ended != nullptr);
        CHECK(ended->reason == each.reason);
        CHECK(ended->evidence == each.status);
        CHECK(driven.endpoint.sessions() == 0);
    }
}

TEST_CASE("endpoint: an answer without a usable description is acknowledged and ended") {
    for (const std::string_view body : {"", "hello"}) {
        Driven driven{Purpose::Ask};
        driven.open();
        REQUIRE(driven.endpoint.fetch({}, "bob@example.org", path()));
        driven.settle();
        driven.answer("200 OK",
                      "Contact: <sip:bob@198.51.100.1:5061;transport=tls>\r\n"
                      "Content-Type: application/sdp\r\n",
                      body);
        const auto* const ended = driven.find<Ended>();
        REQUIRE(ended != nullptr);
        CHECK(ended->fault == SessionFault::BadDescription);
        CHECK(driven.signalling.find("ACK sip:bob@198.51.100.1") != std::string::npos);
        CHECK(driven.signalling.find("BYE sip:bob@198.51.100.1") != std::string::npos);
    }
}

TEST_CASE("endpoint: a broken connection ends what was not answered yet") {
    Driven driven{Purpose::Ask};
    driven.open();
    REQUIRE(driven.endpoint.fetch({}, "bob@example.org", path()));
    driven.settle();
    driven.endpoint.handle_flow_closed(driven.now, flow_id);
    driven.settle();
    REQUIRE(driven.find<Ended>() != nullptr);
    CHECK(driven.find<Ended>()->reason == EndReason::Unreachable);
}

TEST_CASE("endpoint: only who serves is asked, and only with SDP") {
    Driven asking{Purpose::Ask};
    asking.open();
    asking.incoming("1", "application/sdp", "v=0\r\n");
    CHECK(asking.find<Incoming>() == nullptr);
    CHECK(asking.signalling.find("SIP/2.0 488 ") != std::string::npos);
    Driven serving{Purpose::Serve};
    serving.open();
    serving.incoming("1", "text/plain", "v=0\r\n");
    CHECK(serving.find<Incoming>() == nullptr);
    serving.incoming("2", "application/sdp", "v=0\r\n");
    REQUIRE(serving.find<Incoming>() != nullptr);
    CHECK(serving.find<Incoming>()->from == "bob@example.org");
    CHECK(serving.endpoint.sessions() == 1);
}

TEST_CASE("endpoint: an offer that is no SDP is refused when it is accepted") {
    Driven driven{Purpose::Serve};
    driven.open();
    driven.incoming("1", "application/sdp", "hello");
    const SessionId session = driven.find<Incoming>()->session;
    driven.endpoint.accept(driven.now, session, path());
    driven.settle();
    REQUIRE(driven.find<Ended>() != nullptr);
    CHECK(driven.find<Ended>()->fault == SessionFault::BadDescription);
    CHECK(driven.signalling.find("SIP/2.0 488 ") != std::string::npos);
    // What comes late for a session that is over changes nothing.
    driven.endpoint.accept(driven.now, session, path());
    driven.endpoint.reject(driven.now, session);
    driven.endpoint.end(driven.now, session);
    driven.endpoint.send(driven.now, session, as_bytes("x"));
    driven.settle();
    CHECK(driven.endpoint.sessions() == 0);
}

TEST_CASE("endpoint: sessions are limited, both ways together") {
    Driven driven{Purpose::Serve};
    driven.open();
    for (std::size_t i = 0; i < limits::most_sessions - 1; ++i) {
        REQUIRE(driven.endpoint.fetch({}, "bob@example.org", path()));
        driven.settle();
    }
    driven.incoming("1", "application/sdp", "v=0\r\n");
    REQUIRE(driven.find<Incoming>() != nullptr);
    CHECK(driven.endpoint.fetch({}, "bob@example.org", path()).error() == FetchError::TooMany);
    driven.incoming("2", "application/sdp", "v=0\r\n");
    CHECK(driven.signalling.find("SIP/2.0 486 ") != std::string::npos);
    CHECK(driven.endpoint.sessions() == limits::most_sessions);
    driven.endpoint.stop(driven.now);
    driven.settle();
    CHECK(driven.endpoint.sessions() == 0);
}

TEST_CASE("endpoint: bytes that are no SIP are reported to who owns the connection") {
    Driven driven{Purpose::Ask};
    driven.open();
    CHECK_FALSE(driven.endpoint.handle_signalling({}, flow_id, as_bytes("GET / HTTP/1.1\r\n\r\n")));
    CHECK(driven.endpoint.handle_signalling({}, sip::FlowId{99}, as_bytes("whatever")));
}

}  // namespace
}  // namespace stile::session
