// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// ICE restarts by re-INVITE. Behind NATs and through the real server: sim/sessions.
#include "two_endpoints.hpp"

namespace stile::session {
namespace {

using namespace test;

// A response to the request in `text`, as a proxy on the way may give it.
std::string response_to(std::string_view text, std::string_view status,
                        std::string_view more = {}) {
    std::string response = "SIP/2.0 " + std::string{status} + "\r\n";
    for (const std::string_view name : {"Via", "From", "To", "Call-ID", "CSeq"}) {
        const std::size_t begin = text.find(std::string{name} + ": ");
        REQUIRE(begin != std::string_view::npos);
        response += text.substr(begin, text.find("\r\n", begin) + 2 - begin);
    }
    return response + std::string{more} + "Content-Length: 0\r\n\r\n";
}

// Every re-INVITE of `who` is answered so before it arrives.
void refuse(TwoEndpoints& two, const Person& who, std::string status, std::string more = {}) {
    two.middle = [&two, &who, status = std::move(status), more = std::move(more)](
                     const Person& from, std::string text) -> std::string {
        if (&from != &who || !text.starts_with("INVITE ")) return text;
        Person& sender = &who == &two.alice ? two.alice : two.bob;
        CHECK(sender.endpoint.handle_signalling(two.now, sender.flow,
                                                as_bytes(response_to(text, status, more))));
        return {};
    };
}

constexpr std::string_view old_of(const Person& person) {
    return person.host == "192.0.2.1" ? "192.0.2.1:5000" : "203.0.113.1:5000";
}

TEST_CASE("endpoint restart: either side's switch of the uplink is a re-INVITE, and data goes on") {
    for (const bool is_alice : {true, false}) {
        CAPTURE(is_alice);
        TwoEndpoints two;
        two.connect();
        Person& mover = is_alice ? two.alice : two.bob;
        const std::size_t before = mover.wrote("INVITE ");
        two.remove_host(mover, old_of(mover));
        two.run(1s);
        CHECK(mover.count<RouteClosed>() == 1);
        // No socket, so nothing to say.
        CHECK(mover.wrote("INVITE ") == before);
        two.add_host(mover, "198.51.100.77:7000");
        two.run(1s);
        CHECK(mover.wrote("INVITE ") == before + 1);
        REQUIRE(two.alice.has_route());
        REQUIRE(two.bob.has_route());
        CHECK(mover.its().route()->pair.local == at("198.51.100.77:7000"));
        CHECK(two.other(mover).its().route()->pair.remote == at("198.51.100.77:7000"));
        CHECK(two.other(mover).count<RouteClosed>() == 0);
        two.run(2min);
        CHECK(mover.wrote("INVITE ") == before + 1);
        CHECK(two.alice.count<Ended>() == 0);
        CHECK(two.bob.count<Ended>() == 0);
    }
}

TEST_CASE("endpoint restart: make before break loses the route at no time") {
    for (const bool is_alice : {true, false}) {
        CAPTURE(is_alice);
        TwoEndpoints two;
        two.connect();
        Person& mover = is_alice ? two.alice : two.bob;
        two.add_host(mover, "198.51.100.77:7000");
        two.run(1s);
        CHECK(two.alice.its().generation() == 1);
        CHECK(two.bob.its().generation() == 1);
        two.run(12s);
        two.remove_host(mover, old_of(mover));
        two.run(30s);
        CHECK(mover.its().route()->pair.local == at("198.51.100.77:7000"));
        CHECK(two.other(mover).count<RouteClosed>() == 0);
    }
}

TEST_CASE("endpoint restart: without a connection to the server it waits for the next one") {
    TwoEndpoints two;
    two.connect();
    two.go_offline(two.alice);
    two.remove_host(two.alice, old_of(two.alice));
    two.add_host(two.alice, "198.51.100.77:7000");
    two.run(5s);
    CHECK(two.alice.wrote("INVITE ") == 1);
    CHECK_FALSE(two.alice.has_route());
    two.go_online(two.alice);
    two.run(1s);
    CHECK(two.alice.wrote("INVITE ") == 2);
    CHECK(two.alice.has_route());
    CHECK(two.bob.has_route());
}

TEST_CASE("endpoint restart: a connection that breaks under a re-INVITE costs nothing but time") {
    TwoEndpoints two;
    two.connect();
    two.middle = [](const Person&, const std::string&) { return std::string{}; };
    two.remove_host(two.alice, old_of(two.alice));
    two.add_host(two.alice, "198.51.100.77:7000");
    two.run(2s);
    CHECK(two.alice.wrote("INVITE ") == 2);
    two.go_offline(two.alice);
    two.middle = [](const Person&, std::string text) { return text; };
    two.run(2s);
    two.go_online(two.alice);
    two.run(1s);
    CHECK(two.alice.wrote("INVITE ") == 3);
    CHECK(two.alice.has_route());
    CHECK(two.alice.count<Ended>() == 0);
}

TEST_CASE("endpoint restart: re-INVITEs that cross are refused, and tried again in turn") {
    TwoEndpoints two;
    two.connect();
    two.is_cut = true;
    two.remove_host(two.alice, old_of(two.alice));
    two.remove_host(two.bob, old_of(two.bob));
    two.add_host(two.alice, "198.51.100.77:7000");
    two.add_host(two.bob, "198.51.100.88:8000");
    const Instant crossed = two.now;
    two.is_cut = false;
    two.run(100us);
    CHECK(two.alice.wrote("SIP/2.0 491 ") == 1);
    CHECK(two.bob.wrote("SIP/2.0 491 ") == 1);
    // Who made the Call-ID waits longer: 2.1 to 4 s. RFC 3261 Section 14.1.
    two.run_to(crossed + 2010ms);
    CHECK(two.alice.wrote("INVITE ") == 2);
    CHECK(two.bob.wrote("INVITE ") == 2);
    two.run(3s);
    CHECK(two.alice.wrote("SIP/2.0 491 ") == 1);
    REQUIRE(two.alice.has_route());
    REQUIRE(two.bob.has_route());
    CHECK(two.alice.its().route()->pair.local == at("198.51.100.77:7000"));
    CHECK(two.bob.its().route()->pair.local == at("198.51.100.88:8000"));
}

TEST_CASE(
    "endpoint restart: who owns the Call-ID tries again after 2.1 s to 4 s, the other in 2 s") {
    for (const bool is_alice : {true, false}) {
        CAPTURE(is_alice);
        TwoEndpoints two;
        two.connect();
        Person& mover = is_alice ? two.alice : two.bob;
        const std::size_t before = mover.wrote("INVITE ");
        refuse(two, mover, "491 Request Pending");
        two.remove_host(mover, old_of(mover));
        two.add_host(mover, "198.51.100.77:7000");
        std::size_t tries = 0;
        Instant last = two.now;
        for (int i = 0; i < 2000; ++i) {
            two.run(10ms);
            if (mover.wrote("INVITE ") == before + tries) continue;
            ++tries;
            CHECK(mover.wrote("INVITE ") == before + tries);
            if (tries > 1) {
                CHECK(two.now - last >= (is_alice ? 2100ms : 0ms));
                CHECK(two.now - last <= (is_alice ? 4010ms : 2010ms));
            }
            last = two.now;
        }
        CHECK(tries >= 5);
        CHECK(two.alice.count<Ended>() == 0);
        CHECK(two.bob.count<Ended>() == 0);
    }
}

TEST_CASE("endpoint restart: a session whose path works does not care that re-INVITEs fail") {
    const struct {
        const char* status;
        const char* more;
        std::size_t least;  // tries in five minutes
        std::size_t most;
    } cases[] = {
        {"488 Not Acceptable Here", "", 1, 1},
        {"405 Method Not Allowed", "", 1, 1},
        {"603 Decline", "", 1, 1},
        {"491 Request Pending", "", limits::most_restart_failures, limits::most_restart_failures},
        {"480 Temporarily Unavailable", "", limits::most_restart_failures,
         limits::most_restart_failures},
        {"500 Server Internal Error", "Retry-After: 10\r\n", limits::most_restart_failures,
         limits::most_restart_failures},
        {"503 Service Unavailable", "Retry-After: 3600\r\n", 5, 6},
    };
    for (const auto& each : cases) {
        CAPTURE(each.status);
        TwoEndpoints two;
        two.connect();
        refuse(two, two.alice, each.status, each.more);
        two.add_host(two.alice, "198.51.100.77:7000");
        two.run(5min);
        const std::size_t tries = two.alice.wrote("INVITE ") - 1;
        CHECK(tries >= each.least);
        CHECK(tries <= each.most);
        CHECK(two.alice.count<RouteClosed>() == 0);
        CHECK(two.bob.count<RouteClosed>() == 0);
        CHECK(two.alice.count<Ended>() == 0);
        CHECK(two.alice.has_route());
        CHECK(two.bob.has_route());
        CHECK(two.bob.its().generation() == 0);
    }
}

TEST_CASE("endpoint restart: expired consent restarts, and 488 to that is the end") {
    TwoEndpoints two;
    two.connect();
    refuse(two, two.alice, "488 Not Acceptable Here");
    two.remove_host(two.alice, old_of(two.alice));
    two.add_host(two.alice, "198.51.100.77:7000");
    two.run(1s);
    REQUIRE(two.alice.count<Ended>() == 1);
    CHECK(two.alice.last<Ended>()->reason == EndReason::SessionFault);
    CHECK(two.alice.last<Ended>()->fault == SessionFault::PathLost);
    CHECK(two.alice.last<Ended>()->evidence == "488 Not Acceptable Here");
    two.run(1s);
    CHECK(two.bob.count<Ended>() == 1);
    CHECK(two.bob.last<Ended>()->reason == EndReason::PeerEnded);
}

TEST_CASE("endpoint restart: a path that dies is restarted by consent's end, and lives again") {
    TwoEndpoints two;
    two.connect();
    two.is_cut = true;
    const Instant cut = two.now;
    while (!two.alice.count<RouteClosed>() && !two.bob.count<RouteClosed>()) {
        two.run(100ms);
        REQUIRE(two.now < cut + 40s);
    }
    // A second later the network is there again.
    two.run(1s);
    two.is_cut = false;
    two.run(10s);
    CHECK(two.alice.has_route());
    CHECK(two.bob.has_route());
    two.run(2min);
    CHECK(two.alice.count<Ended>() == 0);
    CHECK(two.bob.count<Ended>() == 0);
}

TEST_CASE("endpoint restart: what stays dead ends after its patience, on both sides") {
    TwoEndpoints two;
    two.connect();
    two.is_cut = true;
    two.run(35s);
    CHECK(two.alice.count<Ended>() == 0);
    CHECK(two.bob.count<Ended>() == 0);
    two.run(limits::lost_patience);
    for (const Person* const person : {&two.alice, &two.bob}) {
        REQUIRE(person->count<Ended>() == 1);
        CHECK(person->endpoint.sessions() == 0);
    }
    // A handful of tries, not a storm.
    CHECK(two.alice.wrote("INVITE ") + two.bob.wrote("INVITE ") <= 12);
}

TEST_CASE("endpoint restart: a peer that is gone, from path and server, is not waited for long") {
    TwoEndpoints two;
    two.connect();
    two.is_cut = true;
    two.go_offline(two.bob);
    refuse(two, two.alice, "480 Temporarily Unavailable");
    const Instant cut = two.now;
    two.run(50s);
    REQUIRE(two.alice.count<Ended>() == 1);
    CHECK(two.alice.last<Ended>()->evidence == "480 Temporarily Unavailable");
    CHECK(two.alice.wrote("INVITE ") == 1 + limits::most_absences);
    CHECK(two.now > cut);
}

TEST_CASE("endpoint restart: a peer whose server lost the call ends what is lost, not what works") {
    for (const bool is_lost : {false, true}) {
        CAPTURE(is_lost);
        TwoEndpoints two;
        two.connect();
        refuse(two, two.alice, "481 Call/Transaction Does Not Exist");
        if (is_lost) two.remove_host(two.alice, old_of(two.alice));
        two.add_host(two.alice, "198.51.100.77:7000");
        two.run(5s);
        REQUIRE(two.alice.count<Ended>() == (is_lost ? 1 : 0));
        if (is_lost) CHECK(two.alice.last<Ended>()->fault == SessionFault::PathLost);
        if (!is_lost) CHECK(two.alice.has_route());
    }
}

TEST_CASE(
    "endpoint restart: an offer that makes no sense is refused with 488, and nothing changes") {
    TwoEndpoints two;
    two.connect();
    const ice::Credentials before = two.bob.its().path().local_description().credentials;
    two.middle = [&](const Person& from, std::string text) {
        const std::size_t found = text.find("UDP/QUIC h3");
        if (&from != &two.alice || found == std::string::npos) return text;
        return text.replace(found, 8, "UDP/QUIK");
    };
    two.add_host(two.alice, "198.51.100.77:7000");
    two.run(2s);
    CHECK(two.bob.wrote("SIP/2.0 488 ") == 1);
    CHECK(two.bob.its().path().local_description().credentials == before);
    CHECK(two.alice.has_route());
    CHECK(two.bob.has_route());
    two.run(2min);
    CHECK(two.alice.wrote("INVITE ") == 2);
    CHECK(two.alice.count<Ended>() == 0);
}

TEST_CASE(
    "endpoint restart: an INFO under way at the restart is of the old generation, and no harm") {
    TwoEndpoints two;
    two.alice.session =
        two.alice.endpoint
            .fetch(two.now, "bob@example.org",
                   [&] {
                       auto config = two.path(two.alice);
                       config.stun_servers = {at("198.51.100.99:3478")};  // never answers
                       return config;
                   }())
            .value();
    two.run(10ms);
    two.bob.endpoint.accept(two.now, two.bob.session.value(), two.path(two.bob));
    // Bob's answers to INFO are kept on the way.
    std::string kept;
    two.middle = [&](const Person& from, std::string text) -> std::string {
        const std::size_t cseq = text.find("CSeq: ");
        const std::string line = text.substr(cseq, text.find("\r\n", cseq) - cseq);
        if (&from == &two.bob && line.ends_with(" INFO")) {
            kept += text;
            return {};
        }
        return text;
    };
    while (two.alice.wrote("INFO ") == 0) {
        two.run(100ms);
        REQUIRE(two.now < Instant{} + 30s);
    }
    two.add_host(two.alice, "198.51.100.77:7000");
    two.remove_host(two.alice, old_of(two.alice));
    two.run(1s);
    CHECK(two.alice.wrote("INFO ") == 1);
    CHECK(two.alice.its().generation() == 1);
    CHECK(two.alice.has_route());
    SUBCASE("answered") {}
    SUBCASE("refused") { kept.replace(kept.find("200 OK"), 6, "469 No"); }
    const std::string before = kept;
    two.middle = [](const Person&, std::string text) { return text; };
    CHECK(two.alice.endpoint.handle_signalling(two.now, two.alice.flow, as_bytes(before)));
    two.run(8s);
    // What the new generation's gathering brought, its end at least.
    CHECK(two.alice.wrote("INFO ") == 2);
    CHECK(two.bob.wrote("SIP/2.0 200 OK") >= 3);
    CHECK(two.alice.count<Ended>() == 0);
}

TEST_CASE("endpoint restart: networks of sessions that are over, or not yet there, are no matter") {
    TwoEndpoints two;
    two.alice.endpoint.handle_host_added(two.now, SessionId{77}, at("198.51.100.77:7000"));
    two.alice.endpoint.handle_host_removed(two.now, SessionId{77}, at("198.51.100.77:7000"));
    two.alice.session =
        two.alice.endpoint.fetch(two.now, "bob@example.org", two.path(two.alice)).value();
    two.run(10ms);
    two.bob.endpoint.handle_host_added(two.now, two.bob.session.value(), at("198.51.100.77:7000"));
    // A socket that comes before the answer is told after it.
    two.add_host(two.alice, "198.51.100.77:7000");
    two.bob.endpoint.accept(two.now, two.bob.session.value(), two.path(two.bob));
    two.run(20s);
    CHECK(two.alice.has_route());
    CHECK(two.alice.count<Ended>() == 0);
}

}  // namespace
}  // namespace stile::session
