// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/invite_server_transaction.hpp>

#include <string>
#include <vector>

namespace stile::sip {
namespace {

using namespace std::chrono_literals;
using State = InviteServerTransaction::State;

constexpr Instant start{};

InviteServerTransaction make(Reliability reliability, std::string_view trying = "100") {
    return {start, to_bytes(trying), reliability, TransactionTimers{}};
}

std::string sent(InviteServerTransaction& transaction) {
    const auto wire = transaction.poll_transmit();
    return wire ? to_text(*wire) : "";
}

std::vector<Duration> run_unacknowledged(InviteServerTransaction& transaction, Instant& now) {
    std::vector<Duration> sends;
    for (;;) {
        while (transaction.poll_transmit()) sends.push_back(now - start);
        const auto wake = transaction.poll_timeout();
        if (!wake) return sends;
        now = *wake;
        transaction.handle_timeout(now);
    }
}

TEST_CASE("sip invite server transaction: 100 leaves after 200 ms of silence, not before") {
    auto transaction = make(Reliability::Unreliable);
    transaction.handle_retransmission(start);
    CHECK(sent(transaction) == "");
    CHECK(transaction.poll_timeout() == start + 200ms);
    transaction.handle_timeout(start + 199ms);
    CHECK(sent(transaction) == "");
    transaction.handle_timeout(start + 200ms);
    CHECK(sent(transaction) == "100");
    CHECK_FALSE(transaction.poll_timeout());
    transaction.handle_retransmission(start + 500ms);
    CHECK(sent(transaction) == "100");
}

TEST_CASE("sip invite server transaction: a user that answers at once makes 100 superfluous") {
    auto transaction = make(Reliability::Unreliable);
    transaction.respond(start, ResponseClass::Provisional, to_bytes("180"));
    CHECK(sent(transaction) == "180");
    CHECK_FALSE(transaction.poll_timeout());
    transaction.handle_retransmission(start + 500ms);
    CHECK(sent(transaction) == "180");
    transaction.respond(start + 1s, ResponseClass::Provisional, to_bytes("183"));
    CHECK(sent(transaction) == "183");
    transaction.handle_retransmission(start + 2s);
    CHECK(sent(transaction) == "183");
    CHECK(transaction.handle_ack(start) == Disposition::Absorbed);
    CHECK(transaction.state() == State::Proceeding);
}

TEST_CASE("sip invite server transaction: timers G and H while no ACK comes") {
    auto transaction = make(Reliability::Unreliable);
    transaction.respond(start, ResponseClass::Failure, to_bytes("486"));
    CHECK(transaction.state() == State::Completed);
    Instant now = start;
    CHECK(run_unacknowledged(transaction, now) ==
          std::vector<Duration>{0ms, 500ms, 1500ms, 3500ms, 7500ms, 11500ms, 15500ms, 19500ms,
                                23500ms, 27500ms, 31500ms});
    CHECK(now - start == 32s);
    CHECK(transaction.state() == State::Terminated);
    const auto event = transaction.poll_event();
    REQUIRE(event);
    CHECK(std::holds_alternative<InviteServerTransaction::AckTimedOut>(*event));
}

TEST_CASE("sip invite server transaction: over a reliable transport a failure leaves once") {
    auto transaction = make(Reliability::Reliable);
    transaction.respond(start, ResponseClass::Failure, to_bytes("486"));
    Instant now = start;
    CHECK(run_unacknowledged(transaction, now) == std::vector<Duration>{0ms});
    CHECK(now - start == 32s);
    CHECK(transaction.poll_event());
}

TEST_CASE("sip invite server transaction: the ACK of a failure is absorbed, timer I lingers") {
    auto transaction = make(Reliability::Unreliable);
    transaction.respond(start, ResponseClass::Failure, to_bytes("486"));
    CHECK(sent(transaction) == "486");
    transaction.handle_retransmission(start + 100ms);
    CHECK(sent(transaction) == "486");
    CHECK(transaction.handle_ack(start + 1s) == Disposition::Absorbed);
    CHECK(transaction.state() == State::Confirmed);
    CHECK(transaction.handle_ack(start + 1s) == Disposition::Absorbed);
    transaction.handle_retransmission(start + 2s);
    CHECK(sent(transaction) == "");
    CHECK(transaction.poll_timeout() == start + 6s);
    transaction.handle_timeout(start + 6s);
    CHECK(transaction.state() == State::Terminated);
    CHECK_FALSE(transaction.poll_event());

    auto reliable = make(Reliability::Reliable);
    reliable.respond(start, ResponseClass::Failure, to_bytes("486"));
    CHECK(reliable.handle_ack(start) == Disposition::Absorbed);
    CHECK(reliable.state() == State::Terminated);
}

TEST_CASE("sip invite server transaction: accepted, it absorbs INVITE, passes ACK, sends 2xx") {
    for (const auto reliability : {Reliability::Unreliable, Reliability::Reliable}) {
        auto transaction = make(reliability);
        transaction.respond(start, ResponseClass::Success, to_bytes("200"));
        CHECK(transaction.state() == State::Accepted);
        CHECK(sent(transaction) == "200");
        transaction.handle_retransmission(start + 500ms);
        CHECK(sent(transaction) == "");
        transaction.respond(start + 1s, ResponseClass::Success, to_bytes("200"));
        CHECK(sent(transaction) == "200");
        transaction.respond(start + 1s, ResponseClass::Failure, to_bytes("500"));
        transaction.respond(start + 1s, ResponseClass::Provisional, to_bytes("180"));
        CHECK(sent(transaction) == "");
        CHECK(transaction.handle_ack(start + 2s) == Disposition::Deliver);
        CHECK(transaction.handle_ack(start + 3s) == Disposition::Deliver);
        CHECK(transaction.poll_timeout() == start + 32s);  // timer L, on every transport
        transaction.handle_timeout(start + 32s);
        CHECK(transaction.state() == State::Terminated);
        CHECK(transaction.handle_ack(start + 33s) == Disposition::Absorbed);
        CHECK_FALSE(transaction.poll_event());
    }
}

TEST_CASE("sip invite server transaction: a transport error is told and changes nothing") {
    auto transaction = make(Reliability::Unreliable);
    transaction.handle_transport_error(start);
    CHECK(transaction.state() == State::Proceeding);
    CHECK(transaction.poll_event());
    transaction.respond(start, ResponseClass::Failure, to_bytes("486"));
    transaction.handle_transport_error(start);
    CHECK(transaction.state() == State::Completed);
    CHECK(transaction.poll_event());
    CHECK(transaction.poll_timeout() == start + 500ms);
}

TEST_CASE("sip invite server transaction: the second final response is dropped") {
    auto transaction = make(Reliability::Unreliable);
    transaction.respond(start, ResponseClass::Failure, to_bytes("486"));
    CHECK(sent(transaction) == "486");
    transaction.respond(start, ResponseClass::Success, to_bytes("200"));
    CHECK(sent(transaction) == "");
    CHECK(transaction.state() == State::Completed);
}

}  // namespace
}  // namespace stile::sip
