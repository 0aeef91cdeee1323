// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/server_transaction.hpp>

#include <string>

namespace stile::sip {
namespace {

using namespace std::chrono_literals;
using State = ServerTransaction::State;

constexpr Instant start{};

std::string sent(ServerTransaction& transaction) {
    const auto wire = transaction.poll_transmit();
    return wire ? to_text(*wire) : "";
}

TEST_CASE("sip server transaction: retransmissions are absorbed until there is a response") {
    ServerTransaction transaction{start, Reliability::Unreliable, {}};
    transaction.handle_retransmission(start);
    CHECK(sent(transaction) == "");
    CHECK(transaction.state() == State::Trying);
    CHECK_FALSE(transaction.poll_timeout());
}

TEST_CASE(
    "sip server transaction: the last response answers every retransmission, timer J ends it") {
    ServerTransaction transaction{start, Reliability::Unreliable, {}};
    transaction.respond(start, ResponseClass::Provisional, to_bytes("100"));
    CHECK(transaction.state() == State::Proceeding);
    CHECK(sent(transaction) == "100");
    transaction.handle_retransmission(start + 4s);
    CHECK(sent(transaction) == "100");
    transaction.respond(start + 5s, ResponseClass::Failure, to_bytes("404"));
    CHECK(transaction.state() == State::Completed);
    CHECK(sent(transaction) == "404");
    transaction.handle_retransmission(start + 6s);
    CHECK(sent(transaction) == "404");
    transaction.respond(start + 6s, ResponseClass::Success, to_bytes("200"));
    CHECK(sent(transaction) == "");
    CHECK(transaction.poll_timeout() == start + 37s);
    transaction.handle_timeout(start + 37s - 1ns);
    CHECK(transaction.state() == State::Completed);
    transaction.handle_timeout(start + 37s);
    CHECK(transaction.state() == State::Terminated);
    transaction.handle_retransmission(start + 38s);
    CHECK(sent(transaction) == "");
}

TEST_CASE("sip server transaction: timer J is zero over a reliable transport") {
    ServerTransaction transaction{start, Reliability::Reliable, {}};
    transaction.respond(start, ResponseClass::Success, to_bytes("200"));
    CHECK(transaction.state() == State::Terminated);
    CHECK(sent(transaction) == "200");
    CHECK_FALSE(transaction.poll_timeout());
}

TEST_CASE("sip server transaction: an abandoned one answers nothing") {
    ServerTransaction transaction{start, Reliability::Unreliable, {}};
    transaction.abandon();
    CHECK(transaction.state() == State::Terminated);
    transaction.respond(start, ResponseClass::Success, to_bytes("200"));
    CHECK(sent(transaction) == "");
}

TEST_CASE("sip server transaction: a transport error is told and changes nothing") {
    ServerTransaction transaction{start, Reliability::Unreliable, {}};
    transaction.respond(start, ResponseClass::Success, to_bytes("200"));
    transaction.handle_transport_error(start);
    CHECK(transaction.poll_event());
    CHECK_FALSE(transaction.poll_event());
    CHECK(transaction.state() == State::Completed);
}

}  // namespace
}  // namespace stile::sip
