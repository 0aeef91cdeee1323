// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/client_transaction.hpp>

#include <vector>

namespace stile::sip {
namespace {

using namespace std::chrono_literals;
using State = ClientTransaction::State;

constexpr Instant start{};

ClientTransaction make(Reliability reliability) {
    return {start, to_bytes("OPTIONS"), reliability, TransactionTimers{}};
}

std::vector<Duration> run_unanswered(ClientTransaction& transaction, Instant& now) {
    std::vector<Duration> sends;
    for (;;) {
        while (transaction.poll_transmit()) sends.push_back(now - start);
        const auto wake = transaction.poll_timeout();
        if (!wake) return sends;
        now = *wake;
        transaction.handle_timeout(now);
    }
}

TEST_CASE("sip client transaction: timer E doubles up to T2, timer F ends it") {
    auto transaction = make(Reliability::Unreliable);
    Instant now = start;
    // RFC 3261 Section 17.1.2.2: intervals of 500 ms, 1 s, 2 s, 4 s, 4 s, 4 s, ...
    CHECK(run_unanswered(transaction, now) ==
          std::vector<Duration>{0ms, 500ms, 1500ms, 3500ms, 7500ms, 11500ms, 15500ms, 19500ms,
                                23500ms, 27500ms, 31500ms});
    CHECK(now - start == 32s);
    const auto event = transaction.poll_event();
    REQUIRE(event);
    CHECK(std::holds_alternative<ClientTransaction::TimedOut>(*event));
    CHECK(transaction.state() == State::Terminated);
}

TEST_CASE("sip client transaction: over a reliable transport it sends once, F fires") {
    auto transaction = make(Reliability::Reliable);
    Instant now = start;
    CHECK(run_unanswered(transaction, now) == std::vector<Duration>{0ms});
    CHECK(now - start == 32s);
    CHECK(transaction.poll_event());
}

TEST_CASE("sip client transaction: after a provisional response requests leave every T2") {
    auto transaction = make(Reliability::Unreliable);
    (void)transaction.poll_transmit();
    CHECK(transaction.handle_response(start + 100ms, ResponseClass::Provisional) ==
          Disposition::Deliver);
    CHECK(transaction.state() == State::Proceeding);
    Instant now = start;
    CHECK(run_unanswered(transaction, now) == std::vector<Duration>{500ms, 4500ms, 8500ms, 12500ms,
                                                                    16500ms, 20500ms, 24500ms,
                                                                    28500ms});
    CHECK(now - start == 32s);
    CHECK(transaction.poll_event());
}

TEST_CASE("sip client transaction: a final response is delivered once, timer K absorbs the rest") {
    for (const auto final_class : {ResponseClass::Success, ResponseClass::Failure}) {
        for (const bool provisional_first : {false, true}) {
            auto transaction = make(Reliability::Unreliable);
            (void)transaction.poll_transmit();
            if (provisional_first) {
                CHECK(transaction.handle_response(start, ResponseClass::Provisional) ==
                      Disposition::Deliver);
            }
            CHECK(transaction.handle_response(start + 1s, final_class) == Disposition::Deliver);
            CHECK(transaction.state() == State::Completed);
            CHECK(transaction.handle_response(start + 2s, final_class) == Disposition::Absorbed);
            CHECK(transaction.poll_timeout() == start + 6s);
            transaction.handle_timeout(start + 6s);
            CHECK(transaction.state() == State::Terminated);
            CHECK_FALSE(transaction.poll_transmit());
            CHECK_FALSE(transaction.poll_event());
        }
    }
}

TEST_CASE("sip client transaction: timer K is zero over a reliable transport") {
    auto transaction = make(Reliability::Reliable);
    CHECK(transaction.handle_response(start, ResponseClass::Success) == Disposition::Deliver);
    CHECK(transaction.state() == State::Terminated);
    CHECK_FALSE(transaction.poll_timeout());
}

TEST_CASE("sip client transaction: a transport error ends it unless it is answered") {
    auto trying = make(Reliability::Unreliable);
    trying.handle_transport_error(start);
    const auto event = trying.poll_event();
    REQUIRE(event);
    CHECK(std::holds_alternative<TransportFailed>(*event));
    CHECK_FALSE(trying.poll_transmit());

    auto proceeding = make(Reliability::Unreliable);
    (void)proceeding.handle_response(start, ResponseClass::Provisional);
    proceeding.handle_transport_error(start);
    CHECK(proceeding.poll_event());

    auto completed = make(Reliability::Unreliable);
    (void)completed.handle_response(start, ResponseClass::Success);
    completed.handle_transport_error(start);
    CHECK_FALSE(completed.poll_event());
    CHECK(completed.state() == State::Completed);
}

TEST_CASE("sip client transaction: a late wake-up sends one request, an early one none") {
    auto transaction = make(Reliability::Unreliable);
    CHECK(transaction.poll_transmit());
    transaction.handle_timeout(start + 499ms);
    CHECK_FALSE(transaction.poll_transmit());
    transaction.handle_timeout(start + 10s);
    CHECK(transaction.poll_transmit());
    CHECK_FALSE(transaction.poll_transmit());
    CHECK(transaction.poll_timeout() == start + 11s);
}

}  // namespace
}  // namespace stile::sip
