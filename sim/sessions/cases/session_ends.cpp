// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "session_cases.hpp"

namespace stile::sim::test {
namespace {

using session::Ended;
using session::EndReason;
using session::SessionFault;

constexpr NatKind easy{Mapping::EndpointIndependent, Filtering::EndpointIndependent};
constexpr NatKind hard{Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent};

// A session that works, unless a test has changed something before.
struct Started {
    SessionRun run;

    explicit Started(NatKind kind = easy, std::uint64_t seed = 1)
        : run(two_homes(kind, kind, seed, Weather::Fair), seed) {
        REQUIRE(run.start());
    }
    bool both_have_a_route() {
        return last<session::RouteOpened>(run.alice()) && last<session::RouteOpened>(run.bob());
    }
    void fetch_and_connect() {
        run.fetch("bob@example.org");
        REQUIRE(run.run_while_not(20s, [&] { return both_have_a_route(); }));
    }
    // How one side's session ends; it must within the time.
    Ended end_of(SessionRun::Person& person, Duration limit = 45s) {
        REQUIRE(run.run_while_not(limit, [&] { return last<Ended>(person) != nullptr; }));
        return *last<Ended>(person);
    }
    std::size_t pass(SessionRun::Person& from, SessionRun::Person& to, int count) {
        const std::size_t before = to.received[*to.latest];
        for (int i = 0; i < count; ++i) {
            run.send_data(from);
            run.run_for(10ms);
        }
        run.run_for(1s);
        return to.received[*to.latest] - before;
    }
};

std::string altered(std::string text, std::size_t at, char to) {
    text.at(at) = to;
    return text;
}

TEST_CASE("session: a user whom the domain does not know ends as unknown") {
    Started started;
    started.run.fetch("nobody@example.org");
    const Ended ended = started.end_of(started.run.alice(), 5s);
    CHECK(ended.reason == EndReason::UnknownPeer);
    CHECK(ended.evidence.starts_with("404"));
}

TEST_CASE("session: a user who has not registered ends as offline") {
    Started started;
    started.run.sip().add_account("carol");
    started.run.fetch("carol@example.org");
    const Ended ended = started.end_of(started.run.alice(), 5s);
    CHECK(ended.reason == EndReason::PeerOffline);
    CHECK(ended.evidence.starts_with("480"));
}

TEST_CASE("session: somebody who only asks cannot be fetched from") {
    Started started;
    started.run.fetch("alice@example.org");
    CHECK(started.end_of(started.run.alice(), 5s).reason == EndReason::PeerOffline);
}

TEST_CASE("session: the other side may decline") {
    Started started;
    started.run.bob().answering = SessionRun::Answering::Rejects;
    started.run.fetch("bob@example.org");
    const Ended ended = started.end_of(started.run.alice(), 5s);
    CHECK(ended.reason == EndReason::Declined);
    CHECK(ended.evidence.starts_with("603"));
    CHECK(started.end_of(started.run.bob(), 1s).reason == EndReason::Local);
}

TEST_CASE("session: who ends before the answer withdraws the question") {
    Started started;
    started.run.bob().answering = SessionRun::Answering::Ignores;
    started.run.fetch("bob@example.org");
    REQUIRE(started.run.run_while_not(
        5s, [&] { return last<session::Incoming>(started.run.bob()) != nullptr; }));
    started.run.end(started.run.alice());
    CHECK(started.end_of(started.run.alice(), 1s).reason == EndReason::Local);
    CHECK(started.end_of(started.run.bob(), 5s).reason == EndReason::PeerEnded);
}

TEST_CASE("session: the BYE of either side ends it on the other, and the relays are given back") {
    for (const bool alice_ends : {true, false}) {
        CAPTURE(alice_ends);
        Started started{hard};
        started.fetch_and_connect();
        auto& ender = alice_ends ? started.run.alice() : started.run.bob();
        auto& other = alice_ends ? started.run.bob() : started.run.alice();
        CHECK(started.run.turn().service().allocations() == 2);
        started.run.end(ender);
        CHECK(started.end_of(ender, 1s).reason == EndReason::Local);
        CHECK(started.end_of(other, 5s).reason == EndReason::PeerEnded);
        started.run.run_for(3s);
        CHECK(started.run.turn().service().allocations() == 0);
        CHECK(ender.endpoint.sessions() == 0);
        CHECK(other.endpoint.sessions() == 0);
    }
}

TEST_CASE("session: data goes on when the SIP server is stopped") {
    for (const NatKind kind : {easy, hard}) {
        CAPTURE(to_string(kind));
        Started started{kind};
        started.fetch_and_connect();
        started.run.run_for(12s);
        started.run.sip().stop();
        started.run.run_for(60s);
        CHECK(started.pass(started.run.alice(), started.run.bob(), 50) == 50);
        CHECK(started.pass(started.run.bob(), started.run.alice(), 50) == 50);
        CHECK(last<Ended>(started.run.alice()) == nullptr);
        CHECK(last<Ended>(started.run.bob()) == nullptr);
        // Nobody can be told any more: who is left notices by the peer's silence (RFC 7675), and
        // waits for a connection to the server, by which the path could be restarted.
        started.run.end(started.run.alice());
        CHECK(started.end_of(started.run.alice(), 1s).reason == EndReason::Local);
        const Ended ended = started.end_of(started.run.bob(), 40s + session::limits::lost_patience);
        CHECK(ended.reason == EndReason::SessionFault);
        CHECK(ended.fault == SessionFault::PathLost);
    }
}

TEST_CASE("session: a server that stops before the answer makes the peer unreachable") {
    Started started;
    started.run.bob().answering = SessionRun::Answering::Ignores;
    started.run.fetch("bob@example.org");
    REQUIRE(started.run.run_while_not(
        5s, [&] { return last<session::Incoming>(started.run.bob()) != nullptr; }));
    started.run.sip().stop();
    CHECK(started.end_of(started.run.alice(), 5s).reason == EndReason::Unreachable);
    CHECK(started.end_of(started.run.bob(), 5s).reason == EndReason::Unreachable);
}

TEST_CASE("session: an altered fingerprint is what the other side expects, not what it will meet") {
    Started started;
    const std::string right = SessionRun::fingerprint_of("bob").to_string();
    const std::string wrong = altered(right, right.size() - 1, right.back() == '0' ? '1' : '0');
    started.run.bob().alteration = Alteration{right, wrong};
    started.fetch_and_connect();
    const auto* session = started.run.alice().endpoint.find(*started.run.alice().latest);
    REQUIRE(session != nullptr);
    REQUIRE(session->expected_fingerprints().size() == 1);
    CHECK(session->expected_fingerprints().front() != SessionRun::fingerprint_of("bob"));
    CHECK(session->expected_fingerprints().front().to_string() == wrong);
}

TEST_CASE("session: an offer without fingerprint, or with a weak one alone, is refused") {
    for (const Alteration& alteration :
         {Alteration{"a=fingerprint:", "a=fingerpaint:"}, Alteration{"sha-256 ", "sha-999 "}}) {
        CAPTURE(alteration.to);
        Started started;
        started.run.alice().alteration = alteration;
        started.run.fetch("bob@example.org");
        const Ended bobs = started.end_of(started.run.bob(), 5s);
        CHECK(bobs.reason == EndReason::SessionFault);
        CHECK(bobs.fault == SessionFault::NoFingerprint);
        const Ended alices = started.end_of(started.run.alice(), 5s);
        CHECK(alices.reason == EndReason::NotUnderstood);
        CHECK(alices.evidence.starts_with("488"));
    }
}

TEST_CASE("session: an answer without fingerprint ends the call") {
    Started started;
    started.run.bob().alteration = Alteration{"a=fingerprint:", "a=fingerpaint:"};
    started.run.fetch("bob@example.org");
    const Ended alices = started.end_of(started.run.alice(), 5s);
    CHECK(alices.reason == EndReason::SessionFault);
    CHECK(alices.fault == SessionFault::NoFingerprint);
    CHECK(started.end_of(started.run.bob(), 5s).reason == EndReason::PeerEnded);
}

TEST_CASE("session: an answer that takes the same part as the offer ends the call") {
    Started started;
    started.run.bob().alteration = Alteration{"a=setup:passive", "a=setup:active "};
    started.run.fetch("bob@example.org");
    const Ended alices = started.end_of(started.run.alice(), 5s);
    CHECK(alices.reason == EndReason::SessionFault);
    CHECK(alices.fault == SessionFault::BadDescription);
    CHECK(started.end_of(started.run.bob(), 5s).reason == EndReason::PeerEnded);
}

TEST_CASE("session: where UDP is blocked the session ends with the fault") {
    SessionRun run{blocked_home(1), 1};
    REQUIRE(run.start());
    run.fetch("bob@example.org");
    REQUIRE(run.run_while_not(60s, [&] { return last<Ended>(run.alice()) != nullptr; }));
    CHECK(last<Ended>(run.alice())->reason == EndReason::SessionFault);
    CHECK(last<Ended>(run.alice())->fault == SessionFault::PathTimedOut);
    REQUIRE(run.run_while_not(5s, [&] { return last<Ended>(run.bob()) != nullptr; }));
    CHECK(last<Ended>(run.bob())->reason == EndReason::PeerEnded);
}

TEST_CASE("session: one endpoint serves several at once, each with sockets of its own") {
    Started started{hard};
    started.fetch_and_connect();
    const session::SessionId first_alice = *started.run.alice().latest;
    started.run.fetch("bob@example.org");
    const session::SessionId second_alice = *started.run.alice().latest;
    REQUIRE(started.run.run_while_not(20s, [&] {
        const auto* second = started.run.alice().endpoint.find(second_alice);
        return second != nullptr && second->route() && started.run.bob().endpoint.sessions() == 2;
    }));
    started.run.run_for(12s);
    CHECK(started.pass(started.run.alice(), started.run.bob(), 20) == 20);
    started.run.alice().latest = first_alice;
    started.run.end(started.run.alice());
    started.run.run_for(1s);
    CHECK(started.run.bob().endpoint.sessions() == 1);
    started.run.alice().latest = second_alice;
    CHECK(started.pass(started.run.alice(), started.run.bob(), 20) == 20);
}

TEST_CASE("session: hosts at other places than two homes fetch as well") {
    for (const Place place : {Place::BothPublic, Place::OnePublic, Place::SameHome,
                              Place::SameCarrier, Place::Firewalls, Place::DualStack}) {
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            fetch_once(make_place(place, seed, Weather::Rough), seed);
        }
    }
}

}  // namespace
}  // namespace stile::sim::test
