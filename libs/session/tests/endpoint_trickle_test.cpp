// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// How an endpoint trickles by itself. Between two: trickle_test.cpp.
#include "driven_endpoint.hpp"

namespace stile::session {
namespace {

using namespace test;

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

}  // namespace
}  // namespace stile::session
