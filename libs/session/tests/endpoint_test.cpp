// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What an endpoint does by itself. Between two, with their servers: sim/sessions.
#include "driven_endpoint.hpp"

namespace stile::session {
namespace {

using namespace test;

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
