// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/dialog.hpp>

#include <string>

namespace stile::sip {
namespace {

Message parsed(std::string text) {
    std::string wire;
    for (const char c : text) {
        if (c == '\n') wire += '\r';
        wire += c;
    }
    auto message = parse_message(to_bytes(wire));
    REQUIRE(message);
    return *std::move(message);
}

const std::string invite_text =
    "INVITE sip:bob@biloxi.example SIP/2.0\n"
    "Via: SIP/2.0/TCP alice.example;branch=z9hG4bKnashds8\n"
    "Max-Forwards: 70\n"
    "From: Alice <sip:alice@atlanta.example>;tag=a1\n"
    "To: Bob <sip:bob@biloxi.example>\n"
    "Call-ID: c1\n"
    "CSeq: 314159 INVITE\n"
    "Contact: <sip:alice@alice.example>\n";

std::string response_text(const std::string& status, const std::string& extra) {
    return "SIP/2.0 " + status +
           "\n"
           "Via: SIP/2.0/TCP alice.example;branch=z9hG4bKnashds8\n"
           "From: Alice <sip:alice@atlanta.example>;tag=a1\n"
           "To: Bob <sip:bob@biloxi.example>;tag=b1\n"
           "Call-ID: c1\n"
           "CSeq: 314159 INVITE\n" +
           extra + "\n";
}

Via via() { return Via::parse("SIP/2.0/TCP alice.example;branch=z9hG4bKnext").value(); }

TEST_CASE("sip dialog: a UAC sends along the reversed Record-Route to the Contact") {
    const Message invite = parsed(invite_text + "\n");
    const Message ok =
        parsed(response_text("200 OK",
                             "Contact: <sip:bob@192.0.2.4>\n"
                             "Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>\n"));
    auto dialog = Dialog::of_uac(invite, ok);
    REQUIRE(dialog);
    CHECK(dialog->state() == DialogState::Confirmed);
    CHECK(dialog->id() == DialogId{"c1", "a1", "b1"});
    const Message ack = dialog->ack(314159, via()).build();
    CHECK(ack.request_uri_text() == "sip:bob@192.0.2.4");
    CHECK(ack.cseq().value().to_string() == "314159 ACK");
    const auto routes = ack.routes(HeaderName::Route).copies().value();
    REQUIRE(routes.size() == 2);
    CHECK(routes[0].uri.host.text() == "p1.example");
    CHECK(routes[1].uri.host.text() == "p2.example");
    const Message bye = dialog->request(Method::Bye, via()).build();
    CHECK(bye.cseq().value().to_string() == "314160 BYE");
    CHECK(bye.from().value().tag() == "a1");
    CHECK(bye.to().value().tag() == "b1");
    CHECK(bye.max_forwards().value() == 70);
}

TEST_CASE("sip dialog: a first hop without lr gets its own URI as the Request-URI") {
    const Message invite = parsed(invite_text + "\n");
    const Message ok = parsed(response_text("200 OK",
                                            "Contact: <sip:bob@192.0.2.4>\n"
                                            "Record-Route: <sip:p2.example;lr>\n"
                                            "Record-Route: <sip:p1.example>\n"));
    auto dialog = Dialog::of_uac(invite, ok);
    REQUIRE(dialog);
    const Message bye = dialog->request(Method::Bye, via()).build();
    CHECK(bye.request_uri_text() == "sip:p1.example");
    const auto routes = bye.routes(HeaderName::Route).copies().value();
    REQUIRE(routes.size() == 2);
    CHECK(routes[0].uri.host.text() == "p2.example");
    CHECK(routes[1].uri.to_string() == "sip:bob@192.0.2.4");
}

TEST_CASE("sip dialog: a UAS keeps the order of Record-Route, and counts for itself") {
    const Message invite = parsed(
        invite_text + "Record-Route: <sip:p2.example;lr>\nRecord-Route: <sip:p1.example;lr>\n\n");
    auto dialog = Dialog::of_uas(invite, "b1");
    REQUIRE(dialog);
    CHECK(dialog->state() == DialogState::Early);
    CHECK(dialog->id() == DialogId{"c1", "b1", "a1"});
    const Message bye = dialog->request(Method::Bye, via()).build();
    CHECK(bye.request_uri_text() == "sip:alice@alice.example");
    CHECK(bye.routes(HeaderName::Route).copies().value().front().uri.host.text() == "p2.example");
    CHECK(bye.cseq().value().number == 1);
    CHECK(bye.from().value().uri.to_string() == "sip:bob@biloxi.example");
    CHECK(bye.to().value().tag() == "a1");
}

TEST_CASE("sip dialog: the CSeq of the peer may not go back") {
    auto dialog = Dialog::of_uas(parsed(invite_text + "\n"), "b1");
    REQUIRE(dialog);
    const auto request = [](const std::string& number) {
        return parsed(
            "INFO sip:b@b SIP/2.0\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\n"
            "From: <sip:a@a>;tag=a1\nTo: <sip:b@b>;tag=b1\nCall-ID: c1\nCSeq: " +
            number + " INFO\n\n");
    };
    CHECK(dialog->owns_request(request("1")));
    CHECK(dialog->handle_request(request("314158")) == SequenceOrder::OutOfOrder);
    CHECK(dialog->handle_request(request("314160")) == SequenceOrder::InOrder);
    CHECK(dialog->handle_request(request("314170")) == SequenceOrder::InOrder);
    CHECK(dialog->handle_request(request("314160")) == SequenceOrder::OutOfOrder);
}

TEST_CASE("sip dialog: a target refresh changes the target, not the routes") {
    const Message invite = parsed(invite_text + "Record-Route: <sip:p1.example;lr>\n\n");
    auto dialog = Dialog::of_uas(invite, "b1");
    REQUIRE(dialog);
    dialog->refresh_target(
        parsed("INVITE sip:b@b SIP/2.0\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\n"
               "From: <sip:a@a>;tag=a1\nTo: <sip:b@b>;tag=b1\nCall-ID: c1\n"
               "CSeq: 314160 INVITE\nContact: <sip:alice@new.example>\n"
               "Record-Route: <sip:other.example;lr>\n\n"));
    const Message bye = dialog->request(Method::Bye, via()).build();
    CHECK(bye.request_uri_text() == "sip:alice@new.example");
    CHECK(bye.routes(HeaderName::Route).copies().value().front().uri.host.text() == "p1.example");
}

TEST_CASE("sip dialog: the 2xx replaces what the early dialog learned") {
    const Message invite = parsed(invite_text + "\n");
    auto dialog = Dialog::of_uac(
        invite, parsed(response_text("180 Ringing", "Contact: <sip:bob@1.example>\n")));
    REQUIRE(dialog);
    CHECK(dialog->state() == DialogState::Early);
    CHECK(dialog->confirm(parsed(response_text(
        "200 OK", "Contact: <sip:bob@2.example>\nRecord-Route: <sip:p.example;lr>\n"))));
    CHECK(dialog->state() == DialogState::Confirmed);
    CHECK(dialog->remote_target().host.text() == "2.example");
    CHECK(dialog->route_set().size() == 1);
}

TEST_CASE("sip dialog: without a Contact there is none") {
    const Message invite = parsed(invite_text + "\n");
    CHECK(Dialog::of_uac(invite, parsed(response_text("200 OK", ""))).error() ==
          ParseError::Missing);
}

}  // namespace
}  // namespace stile::sip
