// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "agent_world.hpp"

#include <doctest/doctest.h>
#include <stile/sip/user_agent_limits.hpp>

namespace stile::sip::testing {
namespace {

const ResponseParts answer_body{.body = Body{"application/sdp", to_bytes("answer")}};

// Alice calls Bob and Bob answers; returns both ends' ids.
std::pair<CallId, CallId> connect(AgentWorld& world) {
    const auto call = world.alice.agent.invite(world.now, world.invite_bob());
    REQUIRE(call);
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    REQUIRE(incoming);
    CHECK(world.bob.agent.answer(world.now, incoming->first, answer_body));
    world.run();
    REQUIRE(take<Call::Answered>(world.alice));
    REQUIRE(take<Call::Acknowledged>(world.bob));
    return {*call, incoming->first};
}

TEST_CASE("sip call: ring, answer, acknowledge, BYE by the caller") {
    for (const auto transport : {TransportKind::Udp, TransportKind::Tls, TransportKind::Wss}) {
        AgentWorld world{transport};
        const auto call = world.alice.agent.invite(world.now, world.invite_bob());
        REQUIRE(call);
        world.run();
        CHECK(count_sent(world.bob, "SIP/2.0 100") == 1);
        auto incoming = take<Call::Incoming>(world.bob);
        REQUIRE(incoming);
        CHECK(incoming->second.invite.body_text() == "offer");
        CHECK(incoming->second.invite.find("Subject") == "test");
        const CallId callee = incoming->first;
        CHECK(world.bob.agent.ring(world.now, callee));
        world.run();
        CHECK(take<Call::Progress>(world.alice)->second.response.status() == status::Ringing);
        CHECK(world.bob.agent.answer(world.now, callee, answer_body));
        world.run(100ms);
        CHECK(take<Call::Answered>(world.alice)->second.response.body_text() == "answer");
        CHECK(take<Call::Acknowledged>(world.bob));
        CHECK(world.alice.agent.find(*call)->state() == Call::State::Established);
        CHECK(world.bob.agent.find(callee)->state() == Call::State::Established);
        CHECK(count_sent(world.bob, "SIP/2.0 200") == 1);

        CHECK(world.alice.agent.bye(world.now, *call));
        world.run(100s);
        CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::LocalBye);
        CHECK(take<Call::Ended>(world.bob)->second.reason == Call::EndReason::RemoteBye);
        CHECK(world.alice.agent.call_count() == 0);
        CHECK(world.bob.agent.call_count() == 0);
        CHECK_FALSE(world.alice.agent.poll_timeout());
        CHECK_FALSE(world.bob.agent.poll_timeout());
    }
}

TEST_CASE("sip call: BYE by the callee") {
    AgentWorld world;
    const auto [caller, callee] = connect(world);
    CHECK(world.bob.agent.bye(world.now, callee));
    world.run(100s);
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::RemoteBye);
    CHECK(world.alice.agent.call_count() == 0);
    CHECK(world.bob.agent.call_count() == 0);
    CHECK_FALSE(world.alice.agent.bye(world.now, caller));
}

TEST_CASE("sip call: a rejected call ends with the response") {
    AgentWorld world{TransportKind::Udp};
    REQUIRE(world.alice.agent.invite(world.now, world.invite_bob()));
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    CHECK(world.bob.agent.reject(world.now, incoming->first, status::BusyHere));
    world.run(100s);
    const auto ended = take<Call::Ended>(world.alice);
    REQUIRE(ended);
    CHECK(ended->second.reason == Call::EndReason::Rejected);
    CHECK(ended->second.message->status() == status::BusyHere);
    CHECK(take<Call::Ended>(world.bob)->second.reason == Call::EndReason::LocalReject);
    CHECK(count_sent(world.alice, "ACK") == 1);
    CHECK(world.bob.agent.call_count() == 0);
    CHECK(world.alice.agent.call_count() == 0);
}

TEST_CASE("sip call: CANCEL while it rings") {
    AgentWorld world;
    const auto call = world.alice.agent.invite(world.now, world.invite_bob());
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    CHECK(world.alice.agent.cancel(world.now, *call,
                                   "SIP;cause=200;text=\"Call completed elsewhere\""));
    world.run(100s);
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::LocalCancel);
    const auto ended = take<Call::Ended>(world.bob);
    REQUIRE(ended);
    CHECK(ended->second.reason == Call::EndReason::RemoteCancel);
    CHECK(ended->second.message->reasons().value().front().cause == 200);
    CHECK(count_sent(world.bob, "SIP/2.0 487") == 1);
    CHECK(world.alice.agent.call_count() == 0);
    CHECK(world.bob.agent.call_count() == 0);
}

TEST_CASE("sip call: a CANCEL before any response waits for the first one") {
    AgentWorld world{TransportKind::Udp};
    world.drop_next = 1;
    const auto call = world.alice.agent.invite(world.now, world.invite_bob());
    world.run(1ms);
    CHECK(world.alice.agent.cancel(world.now, *call));
    world.run(300ms);
    CHECK(count_sent(world.alice, "CANCEL") == 0);
    world.run(10s);
    CHECK(count_sent(world.alice, "CANCEL") == 1);
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::LocalCancel);
}

TEST_CASE("sip call: a 2xx that crosses the CANCEL is acknowledged and ended by BYE") {
    AgentWorld world;
    const auto call = world.alice.agent.invite(world.now, world.invite_bob());
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    CHECK(world.alice.agent.cancel(world.now, *call));
    CHECK(world.bob.agent.answer(world.now, incoming->first, answer_body));
    world.run(100s);
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::LocalCancel);
    CHECK(count_sent(world.alice, "ACK") == 1);
    CHECK(count_sent(world.alice, "BYE") == 1);
    CHECK(take<Call::Ended>(world.bob)->second.reason == Call::EndReason::RemoteBye);
    CHECK(world.alice.agent.call_count() == 0);
    CHECK(world.bob.agent.call_count() == 0);
}

TEST_CASE("sip call: a lost ACK has the 2xx repeated and acknowledged again") {
    AgentWorld world{TransportKind::Udp};
    (void)world.alice.agent.invite(world.now, world.invite_bob());
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    CHECK(world.bob.agent.answer(world.now, incoming->first, answer_body));
    world.pump(world.bob);
    world.drop_next = 1;
    world.run(400ms);
    CHECK_FALSE(take<Call::Acknowledged>(world.bob));
    world.run(1s);
    CHECK(take<Call::Acknowledged>(world.bob));
    CHECK(count_sent(world.bob, "SIP/2.0 200") == 2);
    CHECK(count_sent(world.alice, "ACK") == 2);
    CHECK(take<Call::Answered>(world.alice));
    CHECK_FALSE(take<Call::Answered>(world.alice));
}

TEST_CASE("sip call: without ACK the callee ends the call by BYE after 64 * T1") {
    AgentWorld world{TransportKind::Tls};
    (void)world.alice.agent.invite(world.now, world.invite_bob());
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    world.drop_next = 1000;
    CHECK(world.bob.agent.answer(world.now, incoming->first, answer_body));
    world.run(31900ms);
    CHECK_FALSE(take<Call::Ended>(world.bob));
    CHECK(count_sent(world.bob, "SIP/2.0 200") == 11);  // 0, 0.5, 1.5, 3.5, 7.5, then every 4 s
    world.run(200ms);
    CHECK(take<Call::Ended>(world.bob)->second.reason == Call::EndReason::NotAcknowledged);
    CHECK(count_sent(world.bob, "BYE") == 1);
}

TEST_CASE("sip call: a callee's BYE waits for the ACK") {
    AgentWorld world;
    (void)world.alice.agent.invite(world.now, world.invite_bob());
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    CHECK(world.bob.agent.answer(world.now, incoming->first, answer_body));
    CHECK(world.bob.agent.bye(world.now, incoming->first));
    CHECK(count_sent(world.bob, "BYE") == 0);
    world.run(100s);
    CHECK(count_sent(world.bob, "BYE") == 1);
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::RemoteBye);
    CHECK(world.alice.agent.call_count() == 0);
    CHECK(world.bob.agent.call_count() == 0);
}

TEST_CASE("sip call: nobody answers, timer B ends it") {
    AgentWorld world{TransportKind::Udp};
    world.drop_next = 1000;
    (void)world.alice.agent.invite(world.now, world.invite_bob());
    world.run(33s);
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::TimedOut);
    CHECK(count_sent(world.alice, "INVITE") == 7);
    CHECK(world.alice.agent.call_count() == 0);
}

TEST_CASE("sip call: a call that nobody takes is cancelled after most_ringing") {
    AgentWorld world;
    (void)world.alice.agent.invite(world.now, world.invite_bob());
    world.run(most_ringing + 1s);
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::LocalCancel);
    CHECK(world.alice.agent.call_count() == 0);
}

TEST_CASE("sip call: re-INVITE from either side, and a rejected one leaves the call up") {
    AgentWorld world;
    const auto [caller, callee] = connect(world);
    CHECK(world.bob.agent.reinvite(world.now, callee,
                                   {.body = Body{"application/sdp", to_bytes("hold")}}));
    world.run();
    const auto reinvited = take<Call::Reinvited>(world.alice);
    REQUIRE(reinvited);
    CHECK(reinvited->second.invite.body_text() == "hold");
    CHECK(world.alice.agent.answer_reinvite(world.now, caller, answer_body));
    world.run();
    CHECK(take<Call::ReinviteAnswered>(world.bob)->second.response.status() == status::Ok);
    CHECK(take<Call::Acknowledged>(world.alice));

    CHECK(world.alice.agent.reinvite(world.now, caller, {}));
    world.run();
    REQUIRE(take<Call::Reinvited>(world.bob));
    CHECK(world.bob.agent.reject_reinvite(world.now, callee, status::NotAcceptableHere));
    world.run(60s);
    CHECK(take<Call::ReinviteAnswered>(world.alice)->second.response.status() ==
          status::NotAcceptableHere);
    CHECK(world.alice.agent.find(caller)->state() == Call::State::Established);
    CHECK(world.bob.agent.find(callee)->state() == Call::State::Established);
}

TEST_CASE("sip call: a re-INVITE after one whose answer was lost is taken at once") {
    AgentWorld world;
    const auto [caller, callee] = connect(world);
    REQUIRE(world.bob.agent.reinvite(world.now, callee, {}));
    world.run(50ms);
    REQUIRE(take<Call::Reinvited>(world.alice));
    REQUIRE(world.alice.agent.answer_reinvite(world.now, caller, answer_body));
    world.drop_next = 1;
    world.pump(world.alice);
    // The connection that the answer went into is gone.
    world.bob.agent.handle_flow_closed(world.now, FlowId{1});
    world.open(TransportKind::Tls);
    world.run(50ms);
    REQUIRE(take<Call::ReinviteFailed>(world.bob));
    REQUIRE(world.bob.agent.reinvite(world.now, callee, {}));
    world.run(50ms);
    REQUIRE(take<Call::Reinvited>(world.alice));
    REQUIRE(world.alice.agent.answer_reinvite(world.now, caller, answer_body));
    world.run(60s);
    CHECK(take<Call::ReinviteAnswered>(world.bob)->second.response.status() == status::Ok);
    CHECK(take<Call::Acknowledged>(world.alice));
    CHECK(world.alice.agent.find(caller)->state() == Call::State::Established);
    CHECK(world.bob.agent.find(callee)->state() == Call::State::Established);
}

TEST_CASE("sip call: re-INVITEs that cross get 491") {
    AgentWorld world;
    const auto [caller, callee] = connect(world);
    CHECK(world.alice.agent.reinvite(world.now, caller, {}));
    CHECK(world.bob.agent.reinvite(world.now, callee, {}));
    world.run();
    CHECK(take<Call::ReinviteAnswered>(world.alice)->second.response.status() ==
          status::RequestPending);
    CHECK(take<Call::ReinviteAnswered>(world.bob)->second.response.status() ==
          status::RequestPending);
}

TEST_CASE("sip call: INFO passes within the dialog, an unknown method gets 405") {
    AgentWorld world;
    const auto [caller, callee] = connect(world);
    const auto info =
        world.alice.agent.request(world.now, caller, "INFO",
                                  {.headers = {{"Info-Package", "trickle-ice"}},
                                   .body = Body{"application/trickle-ice-sdpfrag", to_bytes("x")}});
    REQUIRE(info);
    const auto other = world.alice.agent.request(world.now, caller, "REFER", {});
    REQUIRE(other);
    world.run();
    const auto received = take<Call::RequestReceived>(world.bob);
    REQUIRE(received);
    CHECK(received->second.request.find("Info-Package") == "trickle-ice");
    world.bob.agent.respond(world.now, received->second.transaction, status::Ok);
    world.run();
    auto answered = take<Call::RequestAnswered>(world.alice);
    REQUIRE(answered);
    CHECK(answered->second.response.status() == status::MethodNotAllowed);
    answered = take<Call::RequestAnswered>(world.alice);
    REQUIRE(answered);
    CHECK(answered->second.request == *info);
    CHECK(answered->second.response.status() == status::Ok);
    CHECK_FALSE(take<Call::Ended>(world.alice));
}

// RFC 6086.
TEST_CASE("sip call: who takes which info packages is said, and others are refused with 469") {
    AgentWorld world;
    const auto call = world.alice.agent.invite(world.now, world.invite_bob());
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    REQUIRE(incoming);
    CHECK(takes_info(incoming->second.invite, "trickle-ice"));
    CHECK(takes_info(incoming->second.invite, "Other"));
    CHECK_FALSE(takes_info(incoming->second.invite, "third"));
    CHECK(world.bob.agent.answer(world.now, incoming->first, {}));
    world.run();
    const auto answered = take<Call::Answered>(world.alice);
    REQUIRE(answered);
    CHECK(takes_info(answered->second.response, "trickle-ice"));
    const auto info = world.alice.agent.request(world.now, *call, "INFO",
                                                {.headers = {{"Info-Package", "third;x=y"}}});
    REQUIRE(info);
    world.run();
    CHECK_FALSE(take<Call::RequestReceived>(world.bob));
    const auto refused = take<Call::RequestAnswered>(world.alice);
    REQUIRE(refused);
    CHECK(refused->second.response.status() == status::BadInfoPackage);
    CHECK(takes_info(refused->second.response, "trickle-ice"));
    CHECK_FALSE(take<Call::Ended>(world.alice));
}

// RFC 8840 Section 4.3: the callee cannot know whether the dialog is there yet.
TEST_CASE("sip call: an INFO that overtakes the 2xx gets 481, and the callee's call lives on") {
    AgentWorld world;
    (void)world.alice.agent.invite(world.now, world.invite_bob());
    world.run();
    const auto incoming = take<Call::Incoming>(world.bob);
    REQUIRE(incoming);
    CHECK(world.bob.agent.answer(world.now, incoming->first, {}));
    world.drop_next = 1;  // the 2xx, which is sent again after T1
    world.pump(world.bob);
    const auto early = world.bob.agent.request(world.now, incoming->first, "INFO",
                                               {.headers = {{"Info-Package", "trickle-ice"}}});
    REQUIRE(early);
    world.run(300ms);
    const auto refused = take<Call::RequestAnswered>(world.bob);
    REQUIRE(refused);
    CHECK(refused->second.response.status() == status::CallOrTransactionDoesNotExist);
    CHECK_FALSE(take<Call::Ended>(world.bob));
    world.run();
    CHECK(take<Call::Acknowledged>(world.bob));
    CHECK(world.bob.agent.request(world.now, incoming->first, "INFO",
                                  {.headers = {{"Info-Package", "trickle-ice"}}}));
    world.run();
    const auto later = take<Call::RequestReceived>(world.alice);
    REQUIRE(later);
    CHECK(later->second.request.method() == Method::Info);
}

TEST_CASE("sip call: a request in a dialog that is gone gets 481 and ends the call") {
    AgentWorld world;
    const auto [caller, callee] = connect(world);
    world.drop_next = 1000;
    CHECK(world.bob.agent.bye(world.now, callee));
    world.run(33s);
    world.drop_next = 0;
    CHECK(world.bob.agent.call_count() == 0);
    CHECK(world.alice.agent.request(world.now, caller, "INFO", {}));
    world.run(10s);
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::PeerGone);
    CHECK(world.alice.agent.call_count() == 0);
}

TEST_CASE("sip call: the flow breaks while it rings, and an established call outlives it") {
    AgentWorld world;
    (void)world.alice.agent.invite(world.now, world.invite_bob());
    world.run();
    world.alice.agent.handle_flow_closed(world.now, FlowId{1});
    world.bob.agent.handle_flow_closed(world.now, FlowId{1});
    world.run();
    CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::TransportFailed);
    CHECK(take<Call::Ended>(world.bob)->second.reason == Call::EndReason::TransportFailed);

    AgentWorld other;
    const auto [caller, callee] = connect(other);
    other.alice.agent.handle_flow_closed(other.now, FlowId{1});
    other.run();
    CHECK_FALSE(take<Call::Ended>(other.alice));
    CHECK(other.alice.agent.reinvite(other.now, caller, {}).error() == CommandError::NoFlow);
    other.open(TransportKind::Tls);
    CHECK(other.alice.agent.bye(other.now, caller));
    other.run();
    CHECK(take<Call::Ended>(other.bob)->second.reason == Call::EndReason::RemoteBye);
}

TEST_CASE("sip call: commands that do not fit the state change nothing") {
    AgentWorld world;
    const auto [caller, callee] = connect(world);
    CHECK(world.alice.agent.answer(world.now, caller, {}).error() == CommandError::WrongState);
    CHECK(world.alice.agent.cancel(world.now, caller).error() == CommandError::WrongState);
    CHECK(world.bob.agent.ring(world.now, callee).error() == CommandError::WrongState);
    CHECK(world.bob.agent.answer_reinvite(world.now, callee, {}).error() ==
          CommandError::WrongState);
    CHECK(world.bob.agent.bye(world.now, CallId{12345}).error() == CommandError::Unknown);
}

TEST_CASE("sip call: over a link that loses one message in four every call comes up and ends") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        AgentWorld world{TransportKind::Udp, seed};
        world.loss_one_in = 4;
        const auto call = world.alice.agent.invite(world.now, world.invite_bob());
        REQUIRE(call);
        std::optional<CallId> callee;
        for (int i = 0; i < 40 && !callee; ++i) {
            world.run();
            if (const auto incoming = take<Call::Incoming>(world.bob)) callee = incoming->first;
        }
        REQUIRE(callee);
        CHECK(world.bob.agent.answer(world.now, *callee, answer_body));
        bool answered = false;
        bool acknowledged = false;
        for (int i = 0; i < 31 && !(answered && acknowledged); ++i) {
            world.run();
            answered = answered || take<Call::Answered>(world.alice).has_value();
            acknowledged = acknowledged || take<Call::Acknowledged>(world.bob).has_value();
        }
        CHECK(answered);
        CHECK(acknowledged);
        CHECK(world.bob.agent.bye(world.now, *callee));
        world.run(200s);
        CHECK(take<Call::Ended>(world.alice)->second.reason == Call::EndReason::RemoteBye);
        CHECK(world.alice.agent.call_count() == 0);
        CHECK(world.bob.agent.call_count() == 0);
        CHECK(world.alice.agent.transactions().client_transactions() == 0);
        CHECK(world.bob.agent.transactions().server_transactions() == 0);
    }
}

}  // namespace
}  // namespace stile::sip::testing
