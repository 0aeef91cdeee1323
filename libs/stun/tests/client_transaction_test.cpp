// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/base/machine.hpp>
#include <stile/stun/client_transaction.hpp>

#include <vector>

namespace stile::stun {
namespace {

using namespace test;
using namespace std::chrono_literals;

static_assert(Machine<ClientTransaction>);

constexpr Instant start{};

Bytes response(std::uint8_t id = 1, Class message_class = Class::SuccessResponse) {
    return MessageBuilder{message_class, Method::Binding, id_of(id)}.finish();
}

// Drives one transaction alone: no answer ever comes. Returns when each request left.
std::vector<Duration> run_unanswered(ClientTransaction& transaction) {
    std::vector<Duration> sends;
    Instant now = start;
    for (;;) {
        while (transaction.poll_transmit()) sends.push_back(now - start);
        const auto wake = transaction.poll_timeout();
        if (!wake) return sends;
        now = *wake;
        transaction.handle_timeout(now);
    }
}

template <class Expected>
bool ended_with(ClientTransaction& transaction) {
    const auto event = transaction.poll_event();
    return event && std::holds_alternative<Expected>(*event);
}

TEST_CASE("stun client transaction: sends on the RFC 8489 6.2.1 schedule, then times out") {
    ClientTransaction transaction{start, binding_request()};
    CHECK(run_unanswered(transaction) ==
          std::vector<Duration>{0ms, 500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms});
    CHECK(ended_with<ClientTransaction::TimedOut>(transaction));
}

TEST_CASE("stun client transaction: gives up 39.5 s after the first send") {
    ClientTransaction transaction{start, binding_request()};
    Instant last = start;
    while (const auto wake = transaction.poll_timeout()) {
        last = *wake;
        transaction.handle_timeout(last);
    }
    CHECK(last - start == 39500ms);
}

TEST_CASE("stun client transaction: what it sends is the request, octet by octet") {
    ClientTransaction transaction{start, binding_request()};
    CHECK(equal(*transaction.poll_transmit(), binding_request()));
}

TEST_CASE("stun client transaction: an answer that fails integrity does not end it") {
    ClientTransaction transaction{start, binding_request()};
    const Bytes wire = response();
    CHECK(transaction.handle_message(start, view(wire), Integrity::Failed) == Verdict::Dropped);
    CHECK(run_unanswered(transaction).size() == 7);
    CHECK(ended_with<ClientTransaction::IntegrityViolated>(transaction));
}

TEST_CASE("stun client transaction: a good answer after a bad one ends it well") {
    ClientTransaction transaction{start, binding_request()};
    const Bytes wire = response();
    CHECK(transaction.handle_message(start, view(wire), Integrity::Failed) == Verdict::Dropped);
    CHECK(transaction.handle_message(start, view(wire), Integrity::Passed) == Verdict::Accepted);
    CHECK(ended_with<ClientTransaction::Answered>(transaction));
}

TEST_CASE("stun client transaction: over a reliable transport it is sent once") {
    ClientTransaction transaction{start, binding_request(), RetransmitSchedule::reliable()};
    CHECK(transaction.poll_timeout() == start + 39500ms);
    CHECK(run_unanswered(transaction) == std::vector<Duration>{0ms});
    CHECK(ended_with<ClientTransaction::TimedOut>(transaction));
}

TEST_CASE("stun client transaction: over a reliable transport failed integrity ends it at once") {
    ClientTransaction transaction{start, binding_request(), RetransmitSchedule::reliable()};
    const Bytes wire = response();
    CHECK(transaction.handle_message(start, view(wire), Integrity::Failed) == Verdict::Dropped);
    CHECK(ended_with<ClientTransaction::IntegrityViolated>(transaction));
    CHECK(transaction.finished());
}

TEST_CASE("stun client transaction: another transaction's answer is not consumed") {
    ClientTransaction transaction{start, binding_request(1)};
    const Bytes other = response(2);
    CHECK(transaction.handle_message(start, view(other), Integrity::Passed) == Verdict::NotMine);
    CHECK(transaction.poll_timeout());
}

TEST_CASE("stun client transaction: a request that bears its id is not an answer") {
    ClientTransaction transaction{start, binding_request()};
    const Bytes echo = binding_request();
    CHECK(transaction.handle_message(start, view(echo), Integrity::Passed) == Verdict::NotMine);
    CHECK(transaction.poll_timeout());
}

TEST_CASE("stun client transaction: with rc = 1 the only wait is rm * rto") {
    ClientTransaction transaction{start, binding_request(), {.rc = 1}};
    CHECK(transaction.poll_timeout() == start + 8s);
    CHECK(run_unanswered(transaction) == std::vector<Duration>{0ms});
}

TEST_CASE("stun client transaction: the first good answer ends it, the second is dropped") {
    ClientTransaction transaction{start, binding_request()};
    const Bytes wire = response(1, Class::ErrorResponse);
    CHECK(transaction.handle_message(start, view(wire), Integrity::Passed) == Verdict::Accepted);
    CHECK(transaction.handle_message(start, view(wire), Integrity::Passed) == Verdict::Dropped);
    CHECK_FALSE(transaction.poll_transmit());
    CHECK_FALSE(transaction.poll_timeout());
    const auto event = transaction.poll_event();
    REQUIRE(event);
    CHECK(equal(std::get<ClientTransaction::Answered>(*event).response, wire));
    CHECK_FALSE(transaction.poll_event());
}

TEST_CASE("stun client transaction: the round trip is measured only without retransmission") {
    for (const bool retransmitted : {false, true}) {
        CAPTURE(retransmitted);
        ClientTransaction transaction{start, binding_request()};
        if (retransmitted) transaction.handle_timeout(start + 500ms);
        const Bytes wire = response();
        transaction.handle_message(start + 600ms, view(wire), Integrity::Passed);
        const auto event = transaction.poll_event();
        REQUIRE(event);
        const auto& answered = std::get<ClientTransaction::Answered>(*event);
        CHECK(answered.round_trip.has_value() == !retransmitted);
        if (answered.round_trip) CHECK(*answered.round_trip == 600ms);
    }
}

TEST_CASE("stun client transaction: a late wake-up sends one request, not a burst") {
    ClientTransaction transaction{start, binding_request()};
    CHECK(transaction.poll_transmit());
    transaction.handle_timeout(start + 10s);
    CHECK(transaction.poll_transmit());
    CHECK_FALSE(transaction.poll_transmit());
    CHECK(transaction.poll_timeout() == start + 11s);
}

TEST_CASE("stun client transaction: early and repeated timeouts change nothing") {
    ClientTransaction transaction{start, binding_request()};
    CHECK(transaction.poll_transmit());
    transaction.handle_timeout(start + 499ms);
    CHECK_FALSE(transaction.poll_transmit());
    transaction.handle_timeout(start + 500ms);
    transaction.handle_timeout(start + 500ms);
    CHECK(transaction.poll_transmit());
    CHECK_FALSE(transaction.poll_transmit());
}

TEST_CASE("stun client transaction: a hard error of the network ends it") {
    ClientTransaction transaction{start, binding_request()};
    transaction.handle_unreachable(start + 1ms);
    CHECK(ended_with<ClientTransaction::Unreachable>(transaction));
    CHECK_FALSE(transaction.poll_transmit());
    transaction.handle_unreachable(start + 2ms);
    CHECK_FALSE(transaction.poll_event());
}

TEST_CASE("stun client transaction: stopped, it waits as long as it would have, in silence") {
    ClientTransaction transaction{start, binding_request()};
    CHECK(transaction.poll_transmit());
    transaction.handle_timeout(start + 500ms);
    CHECK(transaction.poll_transmit());
    transaction.stop_retransmitting(start + 600ms);
    CHECK(transaction.poll_timeout() == start + 39500ms);
    transaction.handle_timeout(start + 2s);
    CHECK_FALSE(transaction.poll_transmit());
    transaction.handle_timeout(start + 39500ms);
    CHECK_FALSE(transaction.poll_transmit());
    CHECK(ended_with<ClientTransaction::TimedOut>(transaction));
}

TEST_CASE("stun client transaction: stopped, it still takes its answer") {
    ClientTransaction transaction{start, binding_request()};
    CHECK(transaction.poll_transmit());
    transaction.stop_retransmitting(start + 10ms);
    const Bytes wire = response();
    CHECK(transaction.handle_message(start + 20s, view(wire), Integrity::Passed) ==
          Verdict::Accepted);
    const auto event = transaction.poll_event();
    REQUIRE(event);
    CHECK(std::get<ClientTransaction::Answered>(*event).round_trip == Duration{20s});
}

}  // namespace
}  // namespace stile::stun
