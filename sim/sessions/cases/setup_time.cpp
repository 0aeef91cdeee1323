// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// How long it takes from the moment on which both sides have all candidates. Exact: nothing is lost
// and nothing takes time but the links.
#include <stile/sim/sessions/setup_run.hpp>

#include <doctest/doctest.h>

namespace stile::sim {
namespace {

using namespace std::chrono_literals;

SetupTimes setup(SetupPlace place, const SetupConfig& config) {
    INFO(to_string(place));
    const auto times = run_setup(place, config);
    REQUIRE_MESSAGE(times.has_value(), (times ? "" : times.error()));
    return *times;
}

std::vector<SetupPlace> places() {
    std::vector<SetupPlace> all;
    for (std::size_t i = 0; i < static_cast<std::size_t>(SetupPlace::count); ++i) {
        all.push_back(static_cast<SetupPlace>(i));
    }
    return all;
}

TEST_CASE("setup time: the request leaves after one check and one handshake") {
    for (const SetupPlace place : places()) {
        for (const Duration ta : {Duration{5ms}, Duration{20ms}, Duration{50ms}}) {
            CAPTURE(to_string(place));
            CAPTURE(ta.count());
            const SetupTimes times = setup(place, {.ta = ta});
            const Duration turn = ta * static_cast<Duration::rep>(times.rank - 1);
            CHECK(times.client_route <= times.round_trip + turn);
            CHECK(times.handshake == times.client_route + times.round_trip);
            CHECK(times.client_sent == times.handshake);
            CHECK(times.client_sent <= 2 * times.round_trip + turn);
            // Nothing waits on the way there and back, either.
            CHECK(times.server_received == times.client_sent + times.round_trip / 2);
            CHECK(times.server_sent == times.server_received);
            CHECK(times.client_received == times.client_sent + times.round_trip);
        }
    }
}

TEST_CASE("setup time: two round trips where the first pair works") {
    const SetupTimes times = setup(SetupPlace::BothPublic, {});
    CHECK(times.rank == 1);
    CHECK(times.ta == 5ms);
    CHECK(times.client_sent == 200ms);
}

TEST_CASE("setup time: over TCP it is one round trip more, for the connection") {
    const auto times = run_stream_setup({});
    REQUIRE_MESSAGE(times.has_value(), (times ? "" : times.error()));
    CHECK(times->client_route <= 2 * times->round_trip + times->ta);
    CHECK(times->client_sent <= 3 * times->round_trip + times->ta);
    CHECK(times->client_sent == times->client_route + times->round_trip);
    CHECK(times->client_received == times->client_sent + times->round_trip);
}

TEST_CASE("setup time: any latency is so many round trips") {
    for (const Duration one_way :
         {Duration{1ms}, Duration{20ms}, Duration{150ms}, Duration{300ms}}) {
        const SetupTimes times = setup(SetupPlace::BothCone, {.one_way = one_way});
        CAPTURE(one_way.count());
        const Duration turn = times.ta * static_cast<Duration::rep>(times.rank - 1);
        CHECK(times.client_sent == 4 * one_way + turn);
    }
}

}  // namespace
}  // namespace stile::sim
