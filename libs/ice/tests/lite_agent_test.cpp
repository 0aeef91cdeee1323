// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A lite agent with a peer that the test plays. RFC 8445 Sections 5.2, 6.1.1, 7.3.2 and 8.2.
#include "hosts.hpp"

#include <stile/ice/lite_agent.hpp>
#include <stile/ice/priority.hpp>
#include <stile/stun/message_builder.hpp>

namespace stile::ice {
namespace {

using namespace testing;
using Families = LiteAgent::Families;

// The full peer is the test.
struct Played {
    LiteAgent lite;
    Credentials mine{"peer", "peerpasswordpeerpassword"};
    Instant now = start;
    SocketAddress local = at("192.0.2.1:1000");
    std::uint8_t last_id = 0;

    explicit Played(LiteConfig config = {}) : lite(start, config, random_from(3)) {
        for (std::uint16_t id = 1; id <= config.components; ++id) {
            const SocketAddress socket{local.ip, Port{static_cast<std::uint16_t>(999 + id)}};
            REQUIRE(lite.add_host(start, socket, Families::V4Alone, {id}));
        }
    }
    void know_peer(Renomination renomination = Renomination::NotOffered) {
        REQUIRE(lite.set_remote(
            now,
            {.credentials = mine, .kind = PeerKind::Full, .ta = {}, .renomination = renomination}));
    }
    static CheckContent controlling(Nomination nomination, std::uint32_t priority = 100) {
        return {.priority = priority,
                .role = Role::Controlling,
                .tie_breaker = 1,
                .nomination = nomination,
                .nomination_number = {}};
    }
    Verdict check(std::string_view from, const CheckContent& content) {
        return check({.local = local, .remote = at(from)}, content);
    }
    Verdict check(const Path& path, const CheckContent& content) {
        const Credentials& its = lite.local_credentials();
        return lite.handle_datagram(
            now, path,
            build_check({.octets = {std::byte{++last_id}}}, its.fragment + ":" + mine.fragment,
                        content, stun::IntegrityKey::short_term(its.password)));
    }
    // Of the answer: 0 for success; empty when nothing is said.
    std::optional<std::uint16_t> answer() {
        const auto transmit = lite.poll_transmit();
        if (!transmit) return std::nullopt;
        const auto message = stun::MessageView::parse(transmit->payload);
        REQUIRE(message);
        const auto error = message->get<stun::ErrorCode>();
        if (!error) REQUIRE(message->get<stun::XorMappedAddress>());
        return error ? error->code : std::uint16_t{0};
    }
    std::vector<LiteAgent::PairPicked> picked() {
        std::vector<LiteAgent::PairPicked> found;
        while (const auto event = lite.poll_event()) {
            if (const auto* one = std::get_if<LiteAgent::PairPicked>(&*event)) {
                found.push_back(*one);
            }
        }
        return found;
    }
};

TEST_CASE("ice lite: checks are answered, and the pair that the peer nominates is selected") {
    Played played;
    played.know_peer();
    CHECK(played.lite.state() == State::Running);
    CHECK(played.lite.role() == Role::Controlled);
    CHECK(played.check("203.0.113.1:7", Played::controlling(Nomination::No)) == Verdict::Consumed);
    CHECK(played.answer() == 0);
    CHECK_FALSE(played.lite.selected());
    CHECK(played.check("203.0.113.1:7", Played::controlling(Nomination::Yes)) == Verdict::Consumed);
    CHECK(played.answer() == 0);
    CHECK(played.lite.state() == State::Completed);
    CHECK(played.lite.selected() == Path{played.local, at("203.0.113.1:7")});
    const auto picked = played.picked();
    REQUIRE(picked.size() == 1);
    CHECK(picked[0].selection == Selection::Nominated);
    // It asks for nothing itself, and has nothing to wait for.
    CHECK_FALSE(played.lite.poll_timeout());
    CHECK_FALSE(played.lite.poll_transmit());
}

TEST_CASE("ice lite: with two components nothing is selected before both are nominated") {
    Played played{{.components = 2}};
    played.know_peer();
    played.check("203.0.113.1:7", Played::controlling(Nomination::Yes));
    CHECK_FALSE(played.lite.selected({1}));
    CHECK(played.lite.state() == State::Running);
    played.check({.local = at("192.0.2.1:1001"), .remote = at("203.0.113.1:8")},
                 Played::controlling(Nomination::Yes));
    CHECK(played.lite.selected({1})->remote == at("203.0.113.1:7"));
    CHECK(played.lite.selected({2})->remote == at("203.0.113.1:8"));
    CHECK(played.picked().size() == 2);
}

TEST_CASE("ice lite: a nomination that overtakes the answer counts once the peer is known") {
    Played played;
    played.check("203.0.113.1:7", Played::controlling(Nomination::Yes));
    CHECK(played.answer() == 0);  // RFC 8445 Section 7.3: at once
    CHECK_FALSE(played.lite.selected());
    played.know_peer();
    CHECK(played.lite.selected()->remote == at("203.0.113.1:7"));
}

TEST_CASE("ice lite: an early nomination of another than the peer that answered does not count") {
    Played played;
    played.check("203.0.113.1:7", Played::controlling(Nomination::Yes));
    played.mine.fragment = "another";
    played.know_peer();
    CHECK_FALSE(played.lite.selected());
}

TEST_CASE("ice lite: a peer that does not control is told so, RFC 8445 Section 6.1.1") {
    Played played;
    played.know_peer();
    CheckContent wrong = Played::controlling(Nomination::No);
    wrong.role = Role::Controlled;
    played.check("203.0.113.1:7", wrong);
    CHECK(played.answer() == 487);
    wrong.tie_breaker = ~std::uint64_t{0};  // it is no matter of tie-breakers
    played.check("203.0.113.1:7", wrong);
    CHECK(played.answer() == 487);
    CHECK(played.lite.role() == Role::Controlled);
}

TEST_CASE("ice lite: who does not know the password gets no answer, who errs gets 400 or 420") {
    Played played;
    played.know_peer();
    const std::string username = played.lite.local_credentials().fragment + ":peer";
    const Path path{.local = played.local, .remote = at("203.0.113.1:7")};
    const auto wrong_key = stun::IntegrityKey::short_term("wrongwrongwrongwrongwrong");
    CHECK(played.lite.handle_datagram(
              start, path,
              build_check({}, username, Played::controlling(Nomination::Yes), wrong_key)) ==
          Verdict::Consumed);
    CHECK_FALSE(played.answer());
    const auto key = stun::IntegrityKey::short_term(played.lite.local_credentials().password);
    stun::MessageBuilder bare{stun::Class::Request, stun::Method::Binding, {}};
    bare.add(stun::Username{username}).add_integrity(key, stun::IntegrityKind::Sha1);
    played.lite.handle_datagram(start, path, bare.add_fingerprint().finish());
    CHECK(played.answer() == 400);
    stun::MessageBuilder odd{stun::Class::Request, stun::Method::Binding, {}};
    odd.add(stun::Username{username}).add_raw(stun::AttributeType{0x7777}, {});
    odd.add_integrity(key, stun::IntegrityKind::Sha1).add_fingerprint();
    played.lite.handle_datagram(start, path, odd.finish());
    CHECK(played.answer() == 420);
    CHECK_FALSE(played.lite.selected());
}

TEST_CASE("ice lite: what is for others is left to them") {
    Played played;
    played.know_peer();
    const Path path{.local = played.local, .remote = at("203.0.113.1:7")};
    const auto key = stun::IntegrityKey::short_term(played.mine.password);
    const auto other = build_check({}, "else:peer", Played::controlling(Nomination::No), key);
    CHECK(played.lite.handle_datagram(start, path, other) == Verdict::NotMine);
    CHECK(played.lite.handle_datagram(start, path, Bytes(20)) == Verdict::NotMine);
    const auto message = stun::MessageView::parse(other);
    CHECK(played.lite.handle_datagram(start, path, build_success(*message, path.remote, key)) ==
          Verdict::NotMine);
}

TEST_CASE("ice lite: of an aggressive peer's nominations the highest pair is used, RFC 5245") {
    for (const bool best_first : {true, false}) {
        CAPTURE(best_first);
        Played played;
        played.know_peer();
        for (const std::uint32_t priority :
             best_first ? std::array{900U, 100U} : std::array{100U, 900U}) {
            played.check(priority == 900 ? "203.0.113.1:7" : "198.51.100.9:9",
                         Played::controlling(Nomination::Yes, priority));
        }
        CHECK(played.lite.selected()->remote == at("203.0.113.1:7"));
    }
}

TEST_CASE("ice lite: the pair on which the peer is silent gives way to one where it is not") {
    Played played;
    played.know_peer();
    played.check("203.0.113.1:7", Played::controlling(Nomination::Yes, 900));
    played.check("198.51.100.9:9", Played::controlling(Nomination::Yes, 100));
    for (int i = 0; i < 5; ++i) {
        played.now += 5s;
        played.check("198.51.100.9:9", Played::controlling(Nomination::No, 100));
        CHECK(played.lite.selected()->remote == at("203.0.113.1:7"));
    }
    played.now += 5s;
    played.check("198.51.100.9:9", Played::controlling(Nomination::No, 100));
    CHECK(played.lite.selected()->remote == at("198.51.100.9:9"));
}

TEST_CASE("ice lite: a peer that may renominate moves the pair by a higher number") {
    Played played;
    played.know_peer(Renomination::Offered);
    auto content = Played::controlling(Nomination::Yes, 900);
    content.nomination_number = 1;
    played.check("203.0.113.1:7", content);
    content.priority = 100;
    content.nomination_number = 2;
    played.check("198.51.100.9:9", content);
    CHECK(played.lite.selected()->remote == at("198.51.100.9:9"));
    content.nomination_number = 1;  // a late one
    played.check("203.0.113.1:7", content);
    CHECK(played.lite.selected()->remote == at("198.51.100.9:9"));
}

TEST_CASE("ice lite: nominations are kept up to the limit, the longest silent one makes room") {
    Played played;
    played.know_peer();
    for (std::size_t i = 0; i <= limits::most_lite_pairs; ++i) {
        played.now += 1ms;
        played.check("203.0.113.1:" + std::to_string(1000 + i),
                     Played::controlling(Nomination::Yes, static_cast<std::uint32_t>(900 - i)));
    }
    // The first one was the best, and is gone.
    CHECK(played.lite.selected()->remote == at("203.0.113.1:1001"));
}

TEST_CASE("ice lite: a restart keeps the pair until there is a new one, and both names") {
    Played played;
    played.know_peer();
    played.check("203.0.113.1:7", Played::controlling(Nomination::Yes));
    CHECK(played.answer() == 0);
    const Credentials old = played.lite.local_credentials();
    played.lite.restart(start);
    CHECK(played.lite.local_credentials() != old);
    CHECK(played.lite.state() == State::Waiting);
    CHECK(played.lite.selected()->remote == at("203.0.113.1:7"));
    // The peer's consent requests with the old credentials are answered meanwhile.
    const auto consent =
        build_check({}, old.fragment + ":peer", Played::controlling(Nomination::No),
                    stun::IntegrityKey::short_term(old.password));
    const Path path{.local = played.local, .remote = at("203.0.113.1:7")};
    played.lite.handle_datagram(start, path, consent);
    CHECK(played.answer() == 0);
    REQUIRE(played.lite.add_host(start, played.local, Families::V4Alone));
    played.know_peer();
    CHECK(played.lite.selected()->remote == at("203.0.113.1:7"));
    played.check("203.0.113.1:8", Played::controlling(Nomination::Yes));
    CHECK(played.lite.selected()->remote == at("203.0.113.1:8"));
    CHECK(played.answer() == 0);
    CHECK(played.lite.poll_timeout() == start + limits::previous_answered);
    played.lite.handle_timeout(start + limits::previous_answered);
    CHECK(played.lite.handle_datagram(start + 31s, path, consent) == Verdict::NotMine);
}

TEST_CASE("ice lite: candidates have unique priorities, IPv6 by the precedences of RFC 6724") {
    LiteAgent lite{start, {}, random_from(1)};
    std::vector<std::uint32_t> priorities;
    std::vector<std::string> foundations;
    for (const char* text : {"[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1", "[fd00::1]:1",
                             "[2002::1]:1", "[2001:0:1::1]:1"}) {
        const auto candidate = lite.add_host(start, at(text), Families::WithV6);
        REQUIRE(candidate);
        CHECK(candidate->type == CandidateType::Host);
        priorities.push_back(candidate->priority);
        foundations.push_back(candidate->foundation);
    }
    const auto preference = [&](std::size_t i) { return (priorities[i] >> 8U) & 0xFFFFU; };
    CHECK((priorities[0] >> 24U) == 126);
    CHECK(preference(0) == 40);
    CHECK(preference(1) == 35);
    CHECK(preference(2) == 39);
    CHECK(preference(3) == 3);
    CHECK(preference(4) == 30);
    CHECK(preference(5) == 5);
    std::sort(foundations.begin(), foundations.end());
    CHECK(std::unique(foundations.begin(), foundations.end()) == foundations.end());
    CHECK(lite.add_host(start, at("192.0.2.1:2"), Families::WithV6).error() ==
          CandidateError::Redundant);
    CHECK(lite.add_host(start, at("192.0.2.7:2"), Families::WithV6, {2}).error() ==
          CandidateError::UnknownComponent);
    LiteAgent v4{start, {}, random_from(1)};
    const auto only = v4.add_host(start, at("192.0.2.1:1"), Families::V4Alone);
    CHECK(((only->priority >> 8U) & 0xFFFFU) == 65535);
}

// ---- two lite agents -------------------------------------------------------------------------

struct BothLite {
    LiteAgent left{start, {.role = Role::Controlling}, random_from(1)};
    LiteAgent right{start, {.role = Role::Controlled}, random_from(2)};

    static void tell(const LiteAgent& from, const std::vector<Candidate>& candidates,
                     LiteAgent& to) {
        REQUIRE(to.set_remote(
            start, {.credentials = from.local_credentials(), .kind = PeerKind::Lite, .ta = {}}));
        for (const Candidate& candidate : candidates) {
            REQUIRE(to.add_remote_candidate(start, candidate));
        }
        to.end_of_remote_candidates(start);
    }
    void exchange(std::initializer_list<const char*> lefts,
                  std::initializer_list<const char*> rights) {
        const auto families = lefts.size() > 1 ? Families::WithV6 : Families::V4Alone;
        std::vector<Candidate> of_left;
        std::vector<Candidate> of_right;
        for (const char* text : lefts) {
            of_left.push_back(*left.add_host(start, at(text), families));
        }
        for (const char* text : rights) {
            of_right.push_back(*right.add_host(start, at(text), families));
        }
        tell(left, of_left, right);
        tell(right, of_right, left);
    }
};

TEST_CASE("ice lite: two lite agents with one pair complete without a word") {
    BothLite two;
    two.exchange({"192.0.2.1:1"}, {"203.0.113.1:1"});
    for (LiteAgent* each : {&two.left, &two.right}) {
        CHECK(each->state() == State::Completed);
        CHECK(each->reconciliation() == LiteAgent::Reconciliation::NotNeeded);
        CHECK_FALSE(each->poll_transmit());
    }
    CHECK(two.left.selected() == Path{at("192.0.2.1:1"), at("203.0.113.1:1")});
    CHECK(two.right.selected() == Path{at("203.0.113.1:1"), at("192.0.2.1:1")});
}

TEST_CASE("ice lite: with a choice both pick the same, and the controlling one tells the other") {
    BothLite two;
    two.exchange({"192.0.2.1:1", "[2001:db8::1]:1"}, {"203.0.113.1:1", "[2001:db8::2]:1"});
    const Path ours{at("[2001:db8::1]:1"), at("[2001:db8::2]:1")};
    const Path theirs{ours.remote, ours.local};
    CHECK(two.left.selected() == ours);
    CHECK(two.right.selected() == theirs);
    CHECK(two.left.state() == State::Running);
    CHECK(two.left.reconciliation() == LiteAgent::Reconciliation::WeTell);
    CHECK(two.right.reconciliation() == LiteAgent::Reconciliation::PeerTells);
    const LiteAgent::AgreedPair agreed{.component = {1}, .path = theirs};
    CHECK(two.right.take_pairs(start, {&agreed, 1}));
    two.left.conclude(start);
    CHECK(two.left.state() == State::Completed);
    CHECK(two.right.state() == State::Completed);
}

TEST_CASE("ice lite: the controlled side takes the pair that it is told, if it is one") {
    BothLite two;
    two.exchange({"192.0.2.1:1", "[2001:db8::1]:1"}, {"203.0.113.1:1", "[2001:db8::2]:1"});
    const LiteAgent::AgreedPair none{.component = {1},
                                     .path = {at("203.0.113.1:1"), at("1.2.3.4:5")}};
    CHECK_FALSE(two.right.take_pairs(start, {&none, 1}));
    CHECK_FALSE(two.right.take_pairs(start, {}));
    CHECK(two.right.state() == State::Running);
    const LiteAgent::AgreedPair other{.component = {1},
                                      .path = {at("203.0.113.1:1"), at("192.0.2.1:1")}};
    CHECK(two.right.take_pairs(start, {&other, 1}));
    CHECK(two.right.selected() == other.path);
    CHECK(two.right.state() == State::Completed);
}

TEST_CASE("ice lite: both believe to control: who is told first is controlled, RFC 8839 4.4.2.2") {
    BothLite two;
    two.right = LiteAgent{start, {.role = Role::Controlling}, random_from(2)};
    two.exchange({"192.0.2.1:1", "[2001:db8::1]:1"}, {"203.0.113.1:1", "[2001:db8::2]:1"});
    CHECK(two.right.reconciliation() == LiteAgent::Reconciliation::WeTell);
    const LiteAgent::AgreedPair agreed{.component = {1},
                                       .path = {at("[2001:db8::2]:1"), at("[2001:db8::1]:1")}};
    CHECK(two.right.take_pairs(start, {&agreed, 1}));
    CHECK(two.right.role() == Role::Controlled);
}

}  // namespace
}  // namespace stile::ice
