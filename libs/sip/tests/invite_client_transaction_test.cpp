// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/invite_client_transaction.hpp>

#include <vector>

namespace stile::sip {
namespace {

using namespace std::chrono_literals;
using State = InviteClientTransaction::State;

constexpr Instant start{};

InviteClientTransaction make(Reliability reliability) {
    return {start, to_bytes("INVITE"), reliability, TransactionTimers{}};
}

std::vector<Duration> run_unanswered(InviteClientTransaction& transaction, Instant& now) {
    std::vector<Duration> sends;
    for (;;) {
        while (transaction.poll_transmit()) sends.push_back(now - start);
        const auto wake = transaction.poll_timeout();
        if (!wake) return sends;
        now = *wake;
        transaction.handle_timeout(now);
    }
}

TEST_CASE("sip invite client transaction: timers A and B over an unreliable transport") {
    auto transaction = make(Reliability::Unreliable);
    Instant now = start;
    CHECK(run_unanswered(transaction, now) ==
          std::vector<Duration>{0ms, 500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms});
    CHECK(now - start == 32s);
    CHECK(transaction.state() == State::Terminated);
    const auto event = transaction.poll_event();
    REQUIRE(event);
    CHECK(std::holds_alternative<InviteClientTransaction::TimedOut>(*event));
}

TEST_CASE("sip invite client transaction: over a reliable transport it sends once, B fires") {
    auto transaction = make(Reliability::Reliable);
    Instant now = start;
    CHECK(run_unanswered(transaction, now) == std::vector<Duration>{0ms});
    CHECK(now - start == 32s);
    CHECK(transaction.poll_event());
}

TEST_CASE("sip invite client transaction: a provisional response ends retransmission and timer B") {
    auto transaction = make(Reliability::Unreliable);
    (void)transaction.poll_transmit();
    CHECK(transaction.handle_response(start, ResponseClass::Provisional) == Disposition::Deliver);
    CHECK(transaction.state() == State::Proceeding);
    CHECK_FALSE(transaction.poll_timeout());
    CHECK(transaction.handle_response(start + 1s, ResponseClass::Provisional) ==
          Disposition::Deliver);
    transaction.handle_timeout(start + 100s);
    CHECK_FALSE(transaction.poll_transmit());
    CHECK_FALSE(transaction.poll_event());
}

TEST_CASE("sip invite client transaction: every 2xx within timer M reaches the user") {
    for (const bool provisional_first : {false, true}) {
        CAPTURE(provisional_first);
        auto transaction = make(Reliability::Unreliable);
        if (provisional_first) {
            CHECK(transaction.handle_response(start, ResponseClass::Provisional) ==
                  Disposition::Deliver);
        }
        CHECK(transaction.handle_response(start, ResponseClass::Success) == Disposition::Deliver);
        CHECK(transaction.state() == State::Accepted);
        CHECK(transaction.poll_timeout() == start + 32s);
        CHECK(transaction.handle_response(start + 5s, ResponseClass::Success) ==
              Disposition::Deliver);
        CHECK(transaction.poll_timeout() == start + 32s);
        CHECK(transaction.handle_response(start, ResponseClass::Failure) == Disposition::Absorbed);
        CHECK(transaction.handle_response(start, ResponseClass::Provisional) ==
              Disposition::Absorbed);
        transaction.handle_timeout(start + 32s - 1ns);
        CHECK(transaction.state() == State::Accepted);
        transaction.handle_timeout(start + 32s);
        CHECK(transaction.state() == State::Terminated);
        CHECK_FALSE(transaction.poll_event());
        CHECK(transaction.handle_response(start, ResponseClass::Success) == Disposition::Absorbed);
    }
}

TEST_CASE("sip invite client transaction: a failure is acknowledged, again for each repetition") {
    auto transaction = make(Reliability::Unreliable);
    (void)transaction.poll_transmit();
    CHECK(transaction.handle_response(start, ResponseClass::Failure) == Disposition::Acknowledge);
    transaction.acknowledge(to_bytes("ACK"));
    CHECK(as_text(transaction.poll_transmit().value()) == "ACK");
    CHECK_FALSE(transaction.poll_transmit());
    CHECK(transaction.state() == State::Completed);
    CHECK(transaction.handle_response(start + 1s, ResponseClass::Failure) == Disposition::Absorbed);
    CHECK(as_text(transaction.poll_transmit().value()) == "ACK");
    CHECK(transaction.handle_response(start, ResponseClass::Success) == Disposition::Absorbed);
    CHECK(transaction.handle_response(start, ResponseClass::Provisional) == Disposition::Absorbed);
    CHECK_FALSE(transaction.poll_transmit());
    CHECK(transaction.poll_timeout() == start + 32s);  // timer D
    transaction.handle_timeout(start + 32s);
    CHECK(transaction.state() == State::Terminated);
    CHECK_FALSE(transaction.poll_event());
}

TEST_CASE("sip invite client transaction: timer D is zero over a reliable transport") {
    auto transaction = make(Reliability::Reliable);
    (void)transaction.poll_transmit();
    CHECK(transaction.handle_response(start, ResponseClass::Failure) == Disposition::Acknowledge);
    transaction.acknowledge(to_bytes("ACK"));
    CHECK(transaction.poll_timeout() == start);
    transaction.handle_timeout(start);
    CHECK(transaction.state() == State::Terminated);
    CHECK(as_text(transaction.poll_transmit().value()) == "ACK");
}

TEST_CASE("sip invite client transaction: an answer in the same wake-up cancels a due request") {
    auto transaction = make(Reliability::Unreliable);
    (void)transaction.poll_transmit();
    transaction.handle_timeout(start + 500ms);
    CHECK(transaction.handle_response(start + 500ms, ResponseClass::Failure) ==
          Disposition::Acknowledge);
    transaction.acknowledge(to_bytes("ACK"));
    CHECK(as_text(transaction.poll_transmit().value()) == "ACK");
    CHECK_FALSE(transaction.poll_transmit());
}

TEST_CASE("sip invite client transaction: transport errors end it, but for an accepted one") {
    auto calling = make(Reliability::Unreliable);
    calling.handle_transport_error(start);
    CHECK(calling.state() == State::Terminated);
    CHECK_FALSE(calling.poll_transmit());
    const auto event = calling.poll_event();
    REQUIRE(event);
    CHECK(std::holds_alternative<TransportFailed>(*event));
    calling.handle_transport_error(start);
    CHECK_FALSE(calling.poll_event());

    auto proceeding = make(Reliability::Unreliable);
    (void)proceeding.handle_response(start, ResponseClass::Provisional);
    proceeding.handle_transport_error(start);
    CHECK(proceeding.poll_event());

    auto completed = make(Reliability::Unreliable);
    (void)completed.handle_response(start, ResponseClass::Failure);
    completed.acknowledge(to_bytes("ACK"));
    completed.handle_transport_error(start);
    CHECK(completed.state() == State::Terminated);
    CHECK(completed.poll_event());

    auto accepted = make(Reliability::Unreliable);
    (void)accepted.handle_response(start, ResponseClass::Success);
    accepted.handle_transport_error(start);
    CHECK(accepted.state() == State::Accepted);
    CHECK_FALSE(accepted.poll_event());
}

TEST_CASE("sip invite client transaction: a late wake-up sends one request, not a burst") {
    auto transaction = make(Reliability::Unreliable);
    CHECK(transaction.poll_transmit());
    transaction.handle_timeout(start + 10s);
    CHECK(transaction.poll_transmit());
    CHECK_FALSE(transaction.poll_transmit());
    CHECK(transaction.poll_timeout() == start + 11s);
    transaction.handle_timeout(start + 10s);
    CHECK_FALSE(transaction.poll_transmit());
}

}  // namespace
}  // namespace stile::sip
