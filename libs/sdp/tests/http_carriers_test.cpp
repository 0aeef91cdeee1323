// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/sdp/grouping.hpp>
#include <stile/sdp/http_carriers.hpp>
#include <stile/sdp/ice_attributes.hpp>
#include <stile/sdp/offer_answer.hpp>

namespace stile::sdp {
namespace {

CarrierParameters parameters(SetupRole setup) {
    return {
        .ufrag = "8hhY",
        .pwd = "asd88fgpdd777uzjYhagZg",
        .ice_options = {"ice2", "trickle"},
        .candidates = {*Candidate::parse("1 1 UDP 2130706431 192.0.2.1 8998 typ host")},
        .fingerprints = {Fingerprint{.digest = Bytes(32, std::byte{7})}},
        .setup = setup,
        .tls_id = "abc3de65cddef001be82",
    };
}

Description http_offer() {
    Description offer;
    offer.media = {
        make_carrier(HttpCarrier::Quic, parameters(SetupRole::Active)),
        make_carrier(HttpCarrier::Tls, parameters(SetupRole::Active)),
        make_carrier(HttpCarrier::DataChannel, parameters(SetupRole::Actpass)),
    };
    return offer;
}

TEST_CASE("sdp http carriers: the lines of an offer are the ones in the profile") {
    const std::string text = http_offer().serialize();
    CAPTURE(text);
    for (const std::string_view line :
         {"m=application 9 UDP/QUIC h3\r\nc=IN IP4 0.0.0.0\r\na=setup:active\r\na=tls-id:",
          "m=application 9 TCP/TLS http\r\nc=IN IP4 0.0.0.0\r\na=setup:active\r\na=connection:new",
          "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass",
          "a=sctp-port:5000\r\na=max-message-size:65536\r\na=ice-ufrag:8hhY\r\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("sdp http carriers: what is offered is read back") {
    const auto offer = Description::parse(http_offer().serialize());
    REQUIRE(offer);
    for (std::size_t i = 0; i < 3; ++i) {
        CAPTURE(i);
        CHECK(static_cast<std::size_t>(*http_carrier(offer->media[i])) == i);
        const auto read = read_carrier(*offer, i);
        REQUIRE(read);
        CHECK(read->ufrag == "8hhY");
        CHECK(read->ice_options == std::vector<std::string>{"ice2", "trickle"});
        CHECK(read->candidates.size() == 1);
        CHECK_FALSE(read->end_of_candidates);
        CHECK(read->fingerprints == parameters(SetupRole::Active).fingerprints);
        CHECK(read->setup == (i == 2 ? SetupRole::Actpass : SetupRole::Active));
        CHECK(read->tls_id == "abc3de65cddef001be82");
    }
}

TEST_CASE("sdp http carriers: exactly one of the three is accepted") {
    const Description offer = http_offer();
    Description answer = make_answer(offer, Origin{.username = "bob"});
    auto mine = parameters(SetupRole::Passive);
    mine.end_of_candidates = true;
    const MediaDescription section = make_carrier(HttpCarrier::Tls, mine);
    accept(answer, offer, 1,
           {.connections = section.connections, .attributes = section.attributes});
    CHECK(accepted_sections(answer) == std::vector<std::size_t>{1});
    CHECK_FALSE(check_answer(offer, answer));
    CHECK(read_carrier(answer, 1)->end_of_candidates);
    CHECK(read_carrier(answer, 0).error() == CarrierFault::Rejected);
}

TEST_CASE("sdp http carriers: session-level credentials and fingerprints hold for a section") {
    Description offer = http_offer();
    Attributes& own = offer.media[0].attributes;
    for (const std::string_view name : {"ice-ufrag", "ice-pwd", "fingerprint", "setup"}) {
        own.remove(name);
    }
    offer.attributes.add(IceUfrag{"abcd"});
    offer.attributes.add(IcePwd{std::string(22, 'p')});
    offer.attributes.add(Fingerprint{.digest = Bytes(32)});
    offer.attributes.add(Setup{SetupRole::Active});
    const auto read = read_carrier(offer, 0);
    REQUIRE(read);
    CHECK(read->ufrag == "abcd");
    CHECK(read_carrier(offer, 1)->ufrag == "8hhY");
}

TEST_CASE("sdp http carriers: each fault is named") {
    struct Case {
        CarrierFault fault;
        void (*spoil)(MediaDescription& section);
    };
    const Case cases[] = {
        {CarrierFault::NotACarrier, [](auto& section) { section.media = "audio"; }},
        {CarrierFault::NotACarrier, [](auto& section) { section.proto = "UDP/DTLS"; }},
        {CarrierFault::NotACarrier, [](auto& section) { section.formats = {"h3"}; }},
        {CarrierFault::NotACarrier, [](auto& section) { section.formats.push_back("x"); }},
        {CarrierFault::Rejected, [](auto& section) { section.port = Port{0}; }},
        {CarrierFault::MissingCredentials,
         [](auto& section) { section.attributes.remove("ice-ufrag"); }},
        {CarrierFault::MissingCredentials,
         [](auto& section) { section.attributes.set(IcePwd{"short"}); }},
        {CarrierFault::MissingFingerprint,
         [](auto& section) { section.attributes.remove("fingerprint"); }},
        {CarrierFault::MissingFingerprint,
         [](auto& section) {
             section.attributes.set(Fingerprint{.hash = HashFunction::Md5, .digest = Bytes(16)});
         }},
        {CarrierFault::BadSetup, [](auto& section) { section.attributes.remove("setup"); }},
        {CarrierFault::BadSetup,
         [](auto& section) { section.attributes.set(Setup{SetupRole::Holdconn}); }},
        {CarrierFault::MissingSctpPort,
         [](auto& section) { section.attributes.remove("sctp-port"); }},
    };
    for (const Case& each : cases) {
        CAPTURE(to_string(each.fault));
        Description offer = http_offer();
        each.spoil(offer.media[2]);
        const auto read = read_carrier(offer, 2);
        REQUIRE_FALSE(read);
        CHECK(to_string(read.error()) == to_string(each.fault));
    }
    CHECK(read_carrier(http_offer(), 3).error() == CarrierFault::NotACarrier);
}

}  // namespace
}  // namespace stile::sdp
