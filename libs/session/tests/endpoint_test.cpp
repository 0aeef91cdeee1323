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
    // How often this was written.
    std::size_t count(std::string_view text) const {
        std::size_t found = 0;
        for (std::size_t at = signalling.find(text); at != std::string::npos;
             at = signalling.find(text, at + 1)) {
            ++found;
        }
        return found;
    }
    // Everything that was written is forgotten, but for the last message.
    void keep_last(std::string_view start) {
        const std::size_t begin = signalling.rfind(start);
        REQUIRE(begin != std::string::npos);
        signalling = signalling.substr(begin);
    }
    void pass_to(Instant end) {
        for (auto next = settle(); next && *next <= end; next = settle()) {
            endpoint.handle_timeout(now = *next);
        }
        now = end;
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

// A path with a server that never answers: there is always something to wait for.
connect::ConnectorConfig slow_path() {
    connect::ConnectorConfig config = path();
    config.stun_servers = {SocketAddress::parse("198.51.100.99:3478").value()};
    return config;
}

TEST_CASE("endpoint: a fetch says that it trickles, asks for it, and does not wait") {
    Driven driven{Purpose::Ask};
    driven.open();
    REQUIRE(driven.endpoint.fetch({}, "bob@example.org", slow_path()));
    driven.settle();
    CHECK(driven.signalling.starts_with("INVITE "));
    CHECK(driven.field("Supported").find("trickle-ice") != std::string::npos);
    CHECK(driven.field("Recv-Info") == "trickle-ice");
    CHECK(driven.field("Require") == "trickle-ice");
    CHECK(driven.signalling.find("a=ice-options:trickle ice2 renomination\r\n") !=
          std::string::npos);
    Driven serving{Purpose::Serve};
    serving.open();
    CHECK(serving.field("Contact").find(";+sip.ice;extensions=\"trickle-ice\"") !=
          std::string::npos);
}

// RFC 8840 Section 5.1: "recoverable by the client".
TEST_CASE("endpoint: who cannot trickle gets a second offer, with everything, and no third") {
    Driven driven{Purpose::Ask};
    driven.open();
    REQUIRE(driven.endpoint.fetch({}, "bob@example.org", slow_path()));
    driven.settle();
    driven.answer("420 Bad Extension", "Unsupported: trickle-ice\r\n");
    CHECK(driven.find<Ended>() == nullptr);
    CHECK(driven.count("INVITE sip:bob@example.org SIP/2.0\r\n") == 1);
    driven.pass_to(driven.now + limits::description_patience);
    CHECK(driven.count("INVITE sip:bob@example.org SIP/2.0\r\n") == 2);
    driven.keep_last("INVITE ");
    CHECK(driven.signalling.find("Require: ") == std::string::npos);
    CHECK(driven.field("Recv-Info") == "trickle-ice");
    driven.answer("420 Bad Extension", "Unsupported: trickle-ice\r\n");
    REQUIRE(driven.find<Ended>() != nullptr);
    CHECK(driven.find<Ended>()->reason == EndReason::NotUnderstood);
}

TEST_CASE("endpoint: a 420 that is about something else ends a fetch") {
    Driven driven{Purpose::Ask};
    driven.open();
    REQUIRE(driven.endpoint.fetch({}, "bob@example.org", slow_path()));
    driven.settle();
    driven.answer("420 Bad Extension", "Unsupported: other\r\n");
    REQUIRE(driven.find<Ended>() != nullptr);
    CHECK(driven.find<Ended>()->evidence == "420 Bad Extension");
}

// Bob, and what he says of his candidates.
struct Bob {
    HttpSession session{
        Instant{},
        {.part = Part::Answerer,
         .path = path(6000),
         .fingerprint = {.hash = identity::HashFunction::Sha256,
                         .octets = crypto::Digest{BytesView{Bytes(32, std::byte{2})}}}},
        crypto::RandomStream{crypto::seed_from_number(2)}};

    std::string answer(const std::string& offer) {
        REQUIRE(session.handle_offer({}, offer, Fragments::Taken));
        while (const auto event = session.poll_event()) {
            if (const auto* const ready = std::get_if<DescriptionReady>(&*event)) return ready->sdp;
        }
        FAIL("no answer");
        return {};
    }
};

// Alice's fetch, answered by Bob. `info` is his Recv-Info line.
struct Connected : Driven {
    Bob bob;

    explicit Connected(std::string_view info = "Recv-Info: other, trickle-ice;x=y\r\n")
        : Driven(Purpose::Ask) {
        open();
        REQUIRE(endpoint.fetch({}, "bob@example.org", slow_path()));
        settle();
        const std::string sdp = bob.answer(signalling.substr(signalling.find("\r\n\r\n") + 4));
        answer("200 OK",
               "Contact: <sip:bob@198.51.100.1:5061;transport=tls>\r\n"
               "Content-Type: application/sdp\r\n" +
                   std::string{info},
               sdp);
        REQUIRE(find<Ended>() == nullptr);
    }
    // Bob's INFO; what it is answered with.
    std::string info(std::string_view number, std::string_view headers, std::string_view body) {
        const std::string invite = signalling.substr(signalling.find("INVITE "));
        const auto value = [&](std::string_view name) {
            const std::size_t begin = invite.find(std::string{name} + ": ") + name.size() + 2;
            return invite.substr(begin, invite.find("\r\n", begin) - begin);
        };
        const std::string text =
            "INFO sip:alice@192.0.2.1:5062;transport=tls;ob SIP/2.0\r\n"
            "Via: SIP/2.0/TLS 198.51.100.1:5061;branch=z9hG4bKi" +
            std::string{number} +
            "\r\nMax-Forwards: 70\r\n"
            "From: <sip:bob@example.org>;tag=bob\r\nTo: " +
            value("From") + "\r\nCall-ID: " + value("Call-ID") +
            "\r\nCSeq: " + std::string{number} + " INFO\r\n" + std::string{headers} +
            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
        const std::size_t before = signalling.size();
        CHECK(endpoint.handle_signalling(now, flow_id, as_bytes(text)));
        settle();
        const std::size_t begin = signalling.find("SIP/2.0 ", before);
        REQUIRE(begin != std::string::npos);
        return signalling.substr(begin + 8, 3);
    }
    // The last INFO of Alice is answered.
    void answer_info(std::string_view status) {
        const std::string all = signalling;
        const std::size_t begin = all.rfind("INFO sip:");
        REQUIRE(begin != std::string::npos);
        std::string text = "SIP/2.0 " + std::string{status} + "\r\n";
        for (const std::string_view name : {"Via", "From", "To", "Call-ID", "CSeq"}) {
            const std::size_t at = all.find(std::string{name} + ": ", begin);
            text += all.substr(at, all.find("\r\n", at) + 2 - at);
        }
        text += "Content-Length: 0\r\n\r\n";
        CHECK(endpoint.handle_signalling(now, flow_id, as_bytes(text)));
        settle();
    }
};

constexpr std::string_view fragment_headers =
    "Info-Package: trickle-ice\r\nContent-Type: application/trickle-ice-sdpfrag\r\n";
// When gathering ends without its server.
constexpr Duration gathering = connect::limits::source_deadline + 1s;

TEST_CASE("endpoint: what is found after the descriptions is told by INFO, once") {
    Connected driven;
    CHECK(driven.count("INFO sip:") == 0);
    driven.pass_to(driven.now + gathering);
    REQUIRE(driven.count("INFO sip:bob@198.51.100.1:5061") == 1);
    const std::string info = driven.signalling.substr(driven.signalling.rfind("INFO sip:"));
    CAPTURE(info);
    for (const std::string_view line :
         {"Info-Package: trickle-ice\r\n", "Content-Disposition: Info-Package\r\n",
          "Content-Type: application/trickle-ice-sdpfrag\r\n", "a=mid:quic\r\n",
          " 192.0.2.1 5000 typ host\r\n", "a=end-of-candidates\r\n", "a=ice-ufrag:"}) {
        CAPTURE(line);
        CHECK(info.find(line) != std::string::npos);
    }
    driven.answer_info("200 OK");
    driven.pass_to(driven.now + 5s);
    CHECK(driven.count("INFO sip:") == 1);
}

TEST_CASE("endpoint: who takes no such INFO gets none") {
    for (const std::string_view info : {"", "Recv-Info: other\r\n"}) {
        Connected driven{info};
        driven.pass_to(driven.now + gathering);
        CHECK(driven.count("INFO sip:") == 0);
        CHECK(driven.find<Ended>() == nullptr);
    }
}

TEST_CASE("endpoint: an INFO that is refused ends the telling, not the session") {
    Connected driven;
    driven.pass_to(driven.now + gathering);
    driven.answer_info("469 Bad Info Package");
    driven.pass_to(driven.now + 5s);
    CHECK(driven.count("INFO sip:") == 1);
    CHECK(driven.find<Ended>() == nullptr);
}

TEST_CASE("endpoint: an INFO that a broken connection took away is told again by the next") {
    Connected driven;
    driven.pass_to(driven.now + gathering);
    REQUIRE(driven.count("INFO sip:") == 1);
    driven.endpoint.handle_flow_closed(driven.now, flow_id);
    driven.settle();
    CHECK(driven.count("INFO sip:") == 1);
    driven.endpoint.handle_flow_opened(driven.now, flow(sip::FlowId{8}));
    driven.settle();
    CHECK(driven.count("INFO sip:") == 2);
    CHECK(driven.find<Ended>() == nullptr);
}

TEST_CASE("endpoint: the peer's INFO is taken, and what is no fragment is refused") {
    Connected driven;
    const std::string good = [&] {
        connect::Description path = driven.bob.session.path().local_description();
        path.gathering = connect::Gathering::Complete;
        return write_fragment(path, "quic");
    }();
    CHECK(driven.info("1", fragment_headers, good) == "200");
    CHECK(driven.info("2", fragment_headers, good) == "200");
    // Of another generation: discarded, but delivered.
    CHECK(driven.info("3", fragment_headers,
                      "a=ice-ufrag:other\r\na=ice-pwd:otherotherotherotherother\r\n"
                      "a=end-of-candidates\r\n") == "200");
    CHECK(driven.info("4", fragment_headers, "hello") == "400");
    CHECK(driven.info("5", "Info-Package: trickle-ice\r\nContent-Type: text/plain\r\n", good) ==
          "415");
    CHECK(driven.info("6", "Info-Package: other\r\nContent-Type: text/plain\r\n", good) == "469");
    CHECK(driven.find<Ended>() == nullptr);
}

TEST_CASE("endpoint: bytes that are no SIP are reported to who owns the connection") {
    Driven driven{Purpose::Ask};
    driven.open();
    CHECK_FALSE(driven.endpoint.handle_signalling({}, flow_id, as_bytes("GET / HTTP/1.1\r\n\r\n")));
    CHECK(driven.endpoint.handle_signalling({}, sip::FlowId{99}, as_bytes("whatever")));
}

}  // namespace
}  // namespace stile::session
