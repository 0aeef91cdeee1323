// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"
#include "script.hpp"

namespace stile::ice {
namespace {

using namespace testing;

// Once connected, all that is lost is lost from `since` on.
void cut(TwoHosts& two) {
    two.network.drops = [](const Packet&) { return true; };
}

TEST_CASE("ice consent: is asked for as long as it is given, every 4 to 6 s, each time anew") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(1s);
    two.network.log.clear();
    two.network.run_for(600s);
    CHECK(two.left.agent.state() == State::Completed);
    CHECK(two.left.all<ConsentExpired>().empty());
    std::optional<Instant> last;
    std::vector<stun::TransactionId> ids;
    for (const Packet& packet : two.network.log) {
        if (packet.sender != &two.left || !packet.is_request()) continue;
        CHECK_FALSE(packet.nominates());
        if (last) {
            CHECK(packet.when - *last >= 4s);
            CHECK(packet.when - *last <= 6s);
        }
        last = packet.when;
        ids.push_back(packet.message().id());
    }
    CHECK(ids.size() > 90);
    std::sort(ids.begin(), ids.end());
    CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
}

TEST_CASE("ice consent: 30 s without an answer end it, and nothing is sent any longer") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(60s);
    cut(two);
    const Instant when_cut = two.network.now;
    two.network.run_for(31s);
    CHECK(two.left.agent.state() == State::Failed);
    CHECK_FALSE(two.left.agent.selected());
    const auto expired = two.left.first_time<ConsentExpired>();
    REQUIRE(expired);
    CHECK(*expired - when_cut > 23s);  // the last answer was at most 6 s and a round trip old
    CHECK(*expired - when_cut <= 30s);
    const auto failures = two.left.all<Failed>();
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].reason == FailureReason::ConsentLost);
    two.network.log.clear();
    two.network.run_for(600s);
    CHECK(two.network.log.empty());
    CHECK_FALSE(two.left.agent.poll_timeout());
}

TEST_CASE("ice consent: a short outage is survived") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(60s);
    const Instant back = two.network.now + 20s;
    two.network.drops = [&](const Packet&) { return two.network.now < back; };
    two.network.run_for(120s);
    CHECK(two.left.agent.state() == State::Completed);
    CHECK(two.right.agent.state() == State::Completed);
}

TEST_CASE("ice consent: once lost it is not regained with the same credentials") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    const Path path{script.local, script.remote};
    const CheckContent nomination{
        .priority = 9, .role = Role::Controlling, .tie_breaker = 1, .nomination = Nomination::Yes};
    script.request(path, nomination);
    script.answer_for(1s);
    REQUIRE(script.agent.state() == State::Completed);
    script.ignore_for(40s);
    REQUIRE(script.agent.state() == State::Failed);
    script.replies.clear();
    script.request(path, nomination);
    CHECK_FALSE(script.next_request());
    REQUIRE(script.replies.size() == 1);  // we still consent to hear the peer
    CHECK(script.replies[0].message_class == stun::Class::SuccessResponse);
    CHECK_FALSE(script.agent.selected());
}

TEST_CASE("ice consent: a 403 ends it at once, RFC 7675 Section 5.2") {
    Script script;
    script.connect();
    script.answer_for(4s);
    script.agent.end_of_local_candidates(script.now);
    script.agent.end_of_remote_candidates(script.now);
    script.answer_for(100ms);
    REQUIRE(script.agent.state() == State::Completed);
    std::optional<Script::Received> consent;
    while (!consent) {
        script.now += 1s;
        consent = script.next_request();
    }
    SUBCASE("from the peer") {
        script.refuse(*consent, stun::error::forbidden);
        script.collect();
        CHECK(script.agent.state() == State::Failed);
        REQUIRE(script.all<ConsentExpired>().size() == 1);
        CHECK(script.all<ConsentExpired>()[0].error ==
              PairError{.kind = PairError::Kind::ConsentRevoked});
    }
    SUBCASE("not from somebody else") {
        script.my_key = stun::IntegrityKey::short_term("somebody else's password");
        script.refuse(*consent, stun::error::forbidden);
        CHECK(script.agent.state() == State::Completed);
    }
    SUBCASE("not from another address") {
        consent->path.remote.port.value = 99;
        script.refuse(*consent, stun::error::forbidden);
        CHECK(script.agent.state() == State::Completed);
    }
    SUBCASE("and no other error does") {
        script.refuse(*consent, stun::error::bad_request);
        CHECK(script.agent.state() == State::Completed);
    }
}

TEST_CASE("ice consent: before nomination another valid pair takes over") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    script.add_remote("203.0.113.2:2", 500);
    script.answer_for(1s);
    const Path best{script.local, script.remote};
    const Path other{script.local, at("203.0.113.2:2")};
    REQUIRE(script.agent.selected() == best);
    // Only the second one answers now: consent for the first expires, the second has to prove anew
    // that it works, for its check is as old.
    for (const Instant end = script.now + 40s; script.now < end; script.now += 10ms) {
        script.agent.handle_timeout(script.now);
        for (const auto& received : script.collect()) {
            if (received.path == other) script.accept(received);
        }
    }
    CHECK(script.agent.selected() == other);
    CHECK(script.agent.state() == State::Running);
    CHECK(script.all<ConsentExpired>().size() == 1);
}

TEST_CASE("ice restart: the old pair carries data until the new one is nominated") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(60s);
    const auto old_path = two.left.agent.selected();
    const Credentials old = two.left.agent.local_credentials();
    for (Peer* peer : {&two.left, &two.right}) {
        peer->agent.restart(two.network.now);
        peer->candidates.clear();
        peer->events.clear();
        CHECK(peer->agent.state() == State::Waiting);
    }
    CHECK(two.left.agent.local_credentials().fragment != old.fragment);
    CHECK(two.left.agent.local_credentials().password != old.password);
    CHECK(two.left.agent.selected() == old_path);
    two.left.add_host(two.network.now, "192.0.2.77:1000");
    two.right.add_host(two.network.now, "203.0.113.77:2000");
    two.network.run_for(60s);  // signalling takes its time; consent lives on
    CHECK(two.left.agent.selected() == old_path);
    signal(two.network.now, two.left, two.right);
    signal(two.network.now, two.right, two.left);
    two.network.run_for(1s);
    CHECK(two.left.agent.selected() == old_path);  // valid is not yet selected
    CHECK(two.left.all<PairSelected>().empty());
    end_candidates(two.network.now, two.left, two.right);
    two.network.run_for(1s);
    CHECK(two.left.agent.state() == State::Completed);
    CHECK(two.right.agent.state() == State::Completed);
    CHECK(two.left.agent.selected() == Path{at("192.0.2.77:1000"), at("203.0.113.77:2000")});
    CHECK(two.left.all<ConsentExpired>().empty());
    two.network.run_for(120s);
    CHECK(two.left.agent.state() == State::Completed);
    CHECK(two.right.all<ConsentExpired>().empty());
}

TEST_CASE("ice restart: a host whose network is gone moves at the first valid pair") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(60s);
    for (Peer* peer : {&two.left, &two.right}) {
        peer->agent.restart(two.network.now,
                            peer == &two.left ? PreviousPair::Abandon : PreviousPair::Keep);
        peer->candidates.clear();
        peer->events.clear();
    }
    CHECK_FALSE(two.left.agent.selected());
    CHECK(two.right.agent.selected());
    two.left.add_host(two.network.now, "192.0.2.77:1000");
    two.right.add_host(two.network.now, "203.0.113.1:2000");
    signal(two.network.now, two.left, two.right);
    signal(two.network.now, two.right, two.left);
    two.network.run_for(25ms);
    CHECK(two.left.agent.selected() == Path{at("192.0.2.77:1000"), at("203.0.113.1:2000")});
}

TEST_CASE("ice restart: who hears the peer's data on a new pair leaves the old one, too") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(60s);
    for (Peer* peer : {&two.left, &two.right}) {
        peer->agent.restart(two.network.now,
                            peer == &two.left ? PreviousPair::Abandon : PreviousPair::Keep);
        peer->candidates.clear();
        peer->events.clear();
    }
    const Path old_path{at("203.0.113.1:2000"), at("192.0.2.1:1000")};
    const Path new_path{at("203.0.113.1:2000"), at("192.0.2.77:1000")};
    const auto hear = [&](const Path& path) {
        two.right.agent.handle_data(two.network.now, {.path = path, .connection = {}});
    };
    two.left.add_host(two.network.now, "192.0.2.77:1000");
    two.right.add_host(two.network.now, "203.0.113.1:2000");
    hear(new_path);
    CHECK(two.right.agent.selected() == old_path);  // not checked yet: it may be anybody
    signal(two.network.now, two.left, two.right);
    signal(two.network.now, two.right, two.left);
    two.network.run_for(1s);  // without the end of candidates nothing is nominated
    hear(old_path);
    hear({new_path.local, at("198.51.100.1:1")});
    CHECK(two.right.agent.selected() == old_path);
    hear(new_path);
    CHECK(two.right.agent.selected() == new_path);
    two.network.run_for(1ms);
    REQUIRE(two.right.all<PairSelected>().size() == 1);
    CHECK(two.right.all<PairSelected>().front().selection == Selection::Provisional);
    CHECK(two.right.all<ConsentExpired>().empty());
    end_candidates(two.network.now, two.left, two.right);
    two.network.run_for(5s);
    CHECK(two.right.agent.state() == State::Completed);
    CHECK(two.right.agent.selected() == new_path);
}

TEST_CASE("ice restart: recovers what consent has lost") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(10s);
    cut(two);
    two.network.run_for(60s);
    REQUIRE(two.left.agent.state() == State::Failed);
    two.network.drops = [](const Packet&) { return false; };
    for (Peer* peer : {&two.left, &two.right}) {
        peer->agent.restart(two.network.now);
        peer->candidates.clear();
        CHECK_FALSE(peer->agent.selected());
    }
    two.left.add_host(two.network.now, "192.0.2.1:1000");
    two.right.add_host(two.network.now, "203.0.113.1:2000");
    exchange(two.network.now, two.left, two.right);
    two.network.run_for(5s);
    CHECK(two.left.agent.state() == State::Completed);
    CHECK(two.right.agent.state() == State::Completed);
}

TEST_CASE("ice restart: when the old pair dies meanwhile the first valid one is used") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(10s);
    for (Peer* peer : {&two.left, &two.right}) {
        peer->agent.restart(two.network.now);
        peer->candidates.clear();
        peer->events.clear();
    }
    two.left.add_host(two.network.now, "192.0.2.77:1000");
    two.right.add_host(two.network.now, "203.0.113.77:2000");
    two.network.drops = [](const Packet& packet) {
        return packet.from == at("192.0.2.1:1000") || packet.to == at("192.0.2.1:1000") ||
               packet.nominates();
    };
    exchange(two.network.now, two.left, two.right);
    two.network.run_for(35s);
    REQUIRE(two.left.all<ConsentExpired>().size() == 1);
    CHECK(two.left.agent.selected() == Path{at("192.0.2.77:1000"), at("203.0.113.77:2000")});
}

TEST_CASE("ice restart: a second one before the first succeeded keeps the pair in use") {
    TwoHosts two;
    exchange(start, two.left, two.right);
    two.network.run_for(10s);
    const auto old_path = two.left.agent.selected();
    two.left.agent.restart(two.network.now);
    two.left.agent.restart(two.network.now);
    CHECK(two.left.agent.selected() == old_path);
    two.network.run_for(60s);  // the right one still answers with the old credentials
    CHECK(two.left.agent.selected() == old_path);
    two.left.agent.restart(two.network.now, PreviousPair::Abandon);
    CHECK_FALSE(two.left.agent.selected());
}

TEST_CASE("ice restart: roles stay") {
    TwoHosts two;
    two.left.agent.restart(start);
    two.right.agent.restart(start);
    CHECK(two.left.agent.role() == Role::Controlling);
    CHECK(two.right.agent.role() == Role::Controlled);
}

}  // namespace
}  // namespace stile::ice
