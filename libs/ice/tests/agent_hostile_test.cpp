// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "script.hpp"

namespace stile::ice {
namespace {

using namespace testing;

constexpr CheckContent ordinary{.priority = 77, .role = Role::Controlling, .tie_breaker = 1};

Path known(const Script& script) { return {script.local, script.remote}; }
Path stranger(const Script& script) { return {script.local, at("198.51.100.66:666")}; }

stun::MessageBuilder request_builder() {
    return {stun::Class::Request, stun::Method::Binding, {.octets = {std::byte{9}}}};
}

struct Controlled : Script {
    Controlled() : Script({.role = Role::Controlled}) {
        connect();
        REQUIRE(next_request());  // its one ordinary check has left
        replies.clear();
    }
    bool is_untouched() {
        collect();
        return replies.empty() && agent.remote_candidates().size() == 1 &&
               agent.pairs().size() == 1 && agent.role() == Role::Controlled;
    }
};

TEST_CASE("ice agent under attack: a check that fails authentication is dropped without a word") {
    Controlled script;
    const Path path = stranger(script);
    const auto wrong_key = stun::IntegrityKey::short_term("guessed");
    SUBCASE("another password") {
        CHECK(script.send(path, build_check({}, script.username(), ordinary, wrong_key)) ==
              Verdict::Consumed);
    }
    SUBCASE("no integrity") {
        auto builder = request_builder();
        builder.add(stun::Username{script.username()}).add(stun::Priority{7}).add_fingerprint();
        CHECK(script.send(path, builder.finish()) == Verdict::Consumed);
    }
    SUBCASE("SHA-256 alone, which ICE does not use") {
        auto builder = request_builder();
        builder.add(stun::Username{script.username()}).add(stun::Priority{7});
        builder.add_integrity(script.agent_key(), stun::IntegrityKind::Sha256).add_fingerprint();
        CHECK(script.send(path, builder.finish()) == Verdict::Consumed);
    }
    SUBCASE("no fingerprint") {
        auto builder = request_builder();
        builder.add(stun::Username{script.username()}).add(stun::Priority{7});
        builder.add_integrity(script.agent_key(), stun::IntegrityKind::Sha1);
        CHECK(script.send(path, builder.finish()) == Verdict::Consumed);
    }
    SUBCASE("wrong fingerprint") {
        Bytes wire = build_check({}, script.username(), ordinary, script.agent_key());
        wire.back() ^= std::byte{1};
        CHECK(script.send(path, wire) == Verdict::Consumed);
    }
    SUBCASE("altered on the way") {
        Bytes wire = build_check({}, script.username(), ordinary, script.agent_key());
        wire[30] ^= std::byte{1};
        script.send(path, wire);
    }
    SUBCASE("somebody else's name") {
        CHECK(script.send(path, build_check({}, "nobody:peer", ordinary, script.agent_key())) ==
              Verdict::NotMine);
    }
    SUBCASE("no name") {
        auto builder = request_builder();
        builder.add(stun::Priority{7}).add_fingerprint();
        CHECK(script.send(path, builder.finish()) == Verdict::NotMine);
    }
    SUBCASE("a name without a colon") {
        CHECK(script.send(path, build_check({}, script.agent.local_credentials().fragment, ordinary,
                                            script.agent_key())) == Verdict::NotMine);
    }
    SUBCASE("to a socket that is no candidate") {
        script.request({at("192.0.2.1:99"), script.remote}, ordinary);
    }
    CHECK(script.is_untouched());
}

TEST_CASE("ice agent under attack: what is no Binding message of ours is another's") {
    Controlled script;
    const Bytes empty;
    CHECK(script.send(known(script), empty) == Verdict::NotMine);
    CHECK(script.send(known(script), to_bytes("\x16\xfe\xfd DTLS or anything else")) ==
          Verdict::NotMine);
    stun::MessageBuilder allocate{stun::Class::Request, stun::Method::Allocate, {}};
    CHECK(script.send(known(script), allocate.finish()) == Verdict::NotMine);
    stun::MessageBuilder success{stun::Class::SuccessResponse, stun::Method::Binding, {}};
    CHECK(script.send(known(script), success.finish()) == Verdict::NotMine);
    stun::MessageBuilder indication{stun::Class::Indication, stun::Method::Binding, {}};
    const Bytes keepalive = indication.finish();
    CHECK(script.send(stranger(script), keepalive) == Verdict::NotMine);
    CHECK(script.send(known(script), keepalive) == Verdict::Consumed);
    CHECK(script.is_untouched());
}

TEST_CASE("ice agent under attack: an authenticated but malformed check gets its error, no more") {
    Controlled script;
    auto builder = request_builder();
    builder.add(stun::Username{script.username()});
    std::uint16_t expected = 400;
    SUBCASE("no PRIORITY") {}
    SUBCASE("PRIORITY 0") { builder.add(stun::Priority{0}); }
    SUBCASE("an attribute that must be understood") {
        builder.add(stun::Priority{7}).add_raw(stun::AttributeType{0x7777}, {});
        expected = 420;
    }
    SUBCASE("USE-CANDIDATE of a controlled agent") {
        builder.add(stun::Priority{7}).add(stun::IceControlled{0}).add(stun::UseCandidate{});
    }
    builder.add_integrity(script.agent_key(), stun::IntegrityKind::Sha1).add_fingerprint();
    script.send(stranger(script), builder.finish());
    script.collect();
    REQUIRE(script.replies.size() == 1);
    CHECK(script.replies[0].code == expected);
    CHECK(script.agent.remote_candidates().size() == 1);
}

TEST_CASE("ice agent under attack: a forged answer does not stop the check") {
    Script script;
    script.connect();
    const auto request = script.next_request();
    REQUIRE(request);
    const stun::IntegrityKey right = script.my_key;
    script.my_key = stun::IntegrityKey::short_term("guessed");
    script.accept(*request);
    script.refuse(*request, stun::error::forbidden);
    CHECK_FALSE(script.agent.selected());
    CHECK(script.agent.pairs()[0].state == PairState::InProgress);
    CHECK(script.next_request());  // retransmitted
    script.my_key = right;
    script.accept(*request);
    CHECK(script.agent.selected());
}

TEST_CASE("ice agent under attack: a success without the mapped address is as if it had not come") {
    Script script;
    script.connect();
    const auto request = script.next_request();
    REQUIRE(request);
    const auto message = stun::MessageView::parse(request->wire);
    auto builder = stun::MessageBuilder::reply(*message, stun::Class::SuccessResponse);
    builder.add_integrity(script.my_key, stun::IntegrityKind::Sha1).add_fingerprint();
    CHECK(script.send(request->path, builder.finish()) == Verdict::Consumed);
    CHECK(script.agent.pairs()[0].state == PairState::InProgress);
    script.accept(*request);
    CHECK(script.agent.selected());
}

TEST_CASE("ice agent under attack: an answer that must be understood and is not fails the pair") {
    Script script;
    script.connect();
    const auto request = script.next_request();
    const auto message = stun::MessageView::parse(request->wire);
    auto builder = stun::MessageBuilder::reply(*message, stun::Class::SuccessResponse);
    builder.add(stun::XorMappedAddress{script.local}).add_raw(stun::AttributeType{0x7777}, {});
    builder.add_integrity(script.my_key, stun::IntegrityKind::Sha1).add_fingerprint();
    script.send(request->path, builder.finish());
    CHECK(script.agent.pairs()[0].last_error ==
          PairError{.kind = PairError::Kind::ErrorResponse, .code = 420});
}

TEST_CASE("ice agent limits: early checks, one a path, at the limit and past it") {
    Script script{{.role = Role::Controlled}};
    for (std::uint16_t i = 0; i < limits::most_early_checks + 5; ++i) {
        const Path path{script.local, {IpAddress::v4({203, 0, 113, 7}), Port{++i}}};
        script.request(path, ordinary);
        script.request(path, ordinary);  // again, which takes no further place
        --i;
        script.collect();
    }
    CHECK(script.replies.size() == 2 * (limits::most_early_checks + 5));  // each was answered
    REQUIRE(script.agent.set_remote_credentials(script.now, script.mine));
    CHECK(script.agent.pairs().size() == limits::most_early_checks);
}

TEST_CASE(
    "ice agent limits: a peer from everywhere makes no more candidates or pairs than allowed") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    for (std::uint16_t port = 1; port < 1000; ++port) {
        script.request({script.local, {IpAddress::v4({203, 0, 113, 7}), Port{port}}}, ordinary);
        script.collect();
    }
    CHECK(script.agent.remote_candidates().size() == limits::most_remote_candidates);
    CHECK(script.agent.pairs().size() <= limits::most_pairs);
    CHECK(script.replies.size() == 999);
    CHECK(script.all<CandidateFound>().size() == limits::most_remote_candidates - 1);
}

TEST_CASE("ice agent limits: discovered candidates that did not work make room for new ones") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    const auto from = [&](std::uint16_t port) {
        return Path{script.local, {IpAddress::v4({203, 0, 113, 7}), Port{port}}};
    };
    for (std::uint16_t port = 1; port < limits::most_remote_candidates; ++port) {
        script.request(from(port), ordinary);
    }
    script.collect();
    const Path late = from(5000);
    const auto is_known = [&] {
        return script.agent.remote_candidates().find(late.remote, {1}).has_value();
    };
    SUBCASE("when their checks have failed") {
        script.request(late, ordinary);
        CHECK_FALSE(is_known());
        script.ignore_for(600s);
        script.request(late, ordinary);
    }
    SUBCASE("at once for a nomination") {
        auto nomination = ordinary;
        nomination.nomination = Nomination::Yes;
        script.request(late, nomination);
    }
    CHECK(is_known());
    CHECK(script.agent.remote_candidates().size() == limits::most_remote_candidates);
    script.answer_for(10s);
    CHECK(script.agent.selected());
}

TEST_CASE("ice agent limits: the pairs of the configuration, and no more") {
    Script script{{.most_pairs = 3}};
    script.connect();
    for (std::uint16_t port = 2; port < 10; ++port) {
        script.add_remote("203.0.113.1:" + std::to_string(port), port * 1000U);
    }
    REQUIRE(script.agent.pairs().size() == 3);
    CHECK(script.agent.pairs()[2].path.remote.port.value == 7);
}

TEST_CASE("ice agent limits: answers that nobody fetches are dropped at the limit") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    for (std::size_t i = 0; i < limits::most_queued_transmits + 10; ++i) {
        script.request(known(script), ordinary);
    }
    script.collect();
    CHECK(script.replies.size() == limits::most_queued_transmits);
    script.request(known(script), ordinary);
    script.collect();
    CHECK(script.replies.size() == limits::most_queued_transmits + 1);
}

TEST_CASE("ice agent limits: of events that nobody fetches the oldest are lost") {
    Peer peer{{}, 1};
    for (int i = 0; i < 100; ++i) {
        REQUIRE(peer.agent.set_remote_credentials(start, {"abcd", "0123456789012345678901"}));
        peer.agent.restart(start);
    }
    std::size_t count = 0;
    std::optional<Event> last;
    while (auto event = peer.agent.poll_event()) {
        last = *event;
        ++count;
    }
    CHECK(count == limits::most_queued_events);
    REQUIRE(last);
    CHECK(std::get<StateChanged>(*last).state == State::Waiting);
}

TEST_CASE("ice agent limits: a storm of checks for a pair on its way makes no storm of ours") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    std::size_t sent = 0;
    for (int i = 0; i < 1000; ++i) {  // one a millisecond
        script.now += 1ms;
        script.request(known(script), ordinary);
        script.agent.handle_timeout(script.now);
        sent += script.collect().size();
    }
    CHECK(sent <= 1000 / 50 + 1);
}

TEST_CASE("ice agent limits: triggered checks without end do not starve the others") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    std::uint16_t port = 1;
    bool tried = false;
    for (int i = 0; i < 20; ++i, script.now += 50ms) {
        for (int j = 0; j < 3; ++j) {
            script.request({script.local, {IpAddress::v4({203, 0, 113, 7}), Port{port++}}},
                           ordinary);
        }
        script.agent.handle_timeout(script.now);
        for (const auto& received : script.collect()) {
            if (received.path == known(script)) tried = true;
        }
    }
    CHECK(tried);
}

TEST_CASE(
    "ice agent: a nomination long after the check that made the pair valid asks for consent anew") {
    Script script{{.role = Role::Controlled}};
    script.connect();
    script.add_remote("203.0.113.2:2", 500);
    script.answer_for(60s);
    const Path other{script.local, at("203.0.113.2:2")};
    REQUIRE(script.agent.selected() == known(script));
    auto nomination = ordinary;
    nomination.nomination = Nomination::Yes;
    script.request(other, nomination);
    CHECK(script.agent.selected() == known(script));
    script.answer_for(60s);
    CHECK(script.agent.selected() == other);
    CHECK(script.agent.state() == State::Completed);
    CHECK(script.all<ConsentExpired>().empty());
}

}  // namespace
}  // namespace stile::ice
