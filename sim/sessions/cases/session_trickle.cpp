// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Candidates after the descriptions, by INFO through the real SIP server. RFC 8840.
#include "session_cases.hpp"

#include <algorithm>

namespace stile::sim::test {
namespace {

using session::Trickling;

constexpr NatKind easy{Mapping::EndpointIndependent, Filtering::EndpointIndependent};
constexpr NatKind guarded{Mapping::EndpointIndependent, Filtering::AddressAndPortDependent};
constexpr NatKind hard{Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent};

// Messages of a person that start so, in the order in which they were sent.
std::vector<std::string> sent(const SessionRun::Person& person, std::string_view start) {
    std::vector<std::string> found;
    const std::string& all = person.signalling;
    for (std::size_t at = all.find(start); at != std::string::npos;) {
        const bool begins = at == 0 || all.substr(at - 2, 2) == "\r\n";
        const std::size_t next = all.find(start, at + 1);
        if (begins) found.push_back(all.substr(at, next - at));
        at = next;
    }
    return found;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

bool both_have_a_route(SessionRun& run) {
    return last<session::RouteOpened>(run.alice()) && last<session::RouteOpened>(run.bob());
}

// From the question to the first route of both.
Duration time_to_route(SessionRun& run) {
    const Instant start = run.world().now();
    run.fetch("bob@example.org");
    const Instant end = start + 20s;
    while (!both_have_a_route(run) && run.world().now() < end) run.run_for(1ms);
    REQUIRE(both_have_a_route(run));
    return run.world().now() - start;
}

TEST_CASE("session trickle: the offer leaves at once, and both sides tell the rest by INFO") {
    for (const NatKind kind : {easy, guarded, hard}) {
        CAPTURE(to_string(kind));
        SessionRun run{two_homes(kind, kind, 1, Weather::Fair), 1};
        REQUIRE(run.start());
        run.fetch("bob@example.org");
        const auto offers = sent(run.alice(), "INVITE ");
        REQUIRE(offers.size() == 1);
        CHECK(has(offers[0], "Require: trickle-ice\r\n"));
        CHECK(has(offers[0], "Recv-Info: trickle-ice\r\n"));
        CHECK(has(offers[0], "a=ice-options:trickle ice2 renomination\r\n"));
        CHECK(has(offers[0], " typ host\r\n"));
        CHECK_FALSE(has(offers[0], " typ srflx"));
        CHECK_FALSE(has(offers[0], " typ relay"));
        REQUIRE(run.run_while_not(20s, [&] { return both_have_a_route(run); }));
        run.run_for(12s);
        for (const SessionRun::Person* const person : {&run.alice(), &run.bob()}) {
            CAPTURE(person->user);
            const auto infos = sent(*person, "INFO ");
            REQUIRE_FALSE(infos.empty());
            CHECK(has(infos.back(), "Info-Package: trickle-ice\r\n"));
            CHECK(has(infos.back(), "Content-Type: application/trickle-ice-sdpfrag\r\n"));
            // Each repeats what was told before. RFC 8840 Section 4.4.
            CHECK(has(infos.back(), " typ host\r\n"));
        }
        CHECK(last<session::Ended>(run.alice()) == nullptr);
        CHECK(last<session::Ended>(run.bob()) == nullptr);
    }
}

TEST_CASE("session trickle: whole sessions behind every kind of NAT, half trickled") {
    std::uint64_t seed = 100;
    for (const NatKind left : nat_kinds()) {
        for (const NatKind right : {easy, guarded, hard}) {
            const Scene scene = two_homes(left, right, ++seed, Weather::Rough);
            SessionRun run{scene, seed, Trickling::Half};
            const auto problem = run.run_whole_session();
            CHECK_MESSAGE(!problem, scene.name, ", seed ", seed, ": ", problem.value_or(""));
            const auto offers = sent(run.alice(), "INVITE ");
            REQUIRE(offers.size() == 1);
            CHECK_FALSE(has(offers[0], "Require: "));
            CHECK(has(offers[0], " typ relay"));
        }
    }
}

TEST_CASE("session trickle: who does not take part gets everything in the description") {
    // Of equal length: what passes is altered on its way.
    const Alteration no_trickle{"trickle ice2", "tricklx ice2"};
    const Alteration no_info{"Recv-Info: trickle-ice", "Recv-Infx: trickle-ice"};
    for (const NatKind kind : {guarded, hard}) {
        for (const Alteration& alteration : {no_trickle, no_info}) {
            CAPTURE(to_string(kind));
            CAPTURE(alteration.to);
            SessionRun run{two_homes(kind, kind, 3, Weather::Fair), 3, Trickling::Half};
            REQUIRE(run.start());
            run.alice().alteration = alteration;
            run.fetch("bob@example.org");
            REQUIRE(run.run_while_not(20s, [&] { return both_have_a_route(run); }));
            run.run_for(12s);
            const auto answers = sent(run.bob(), "SIP/2.0 200 ");
            const auto answer = std::ranges::find_if(
                answers, [](const std::string& text) { return has(text, "a=fingerprint"); });
            REQUIRE(answer != answers.end());
            CHECK(has(*answer, " typ relay"));
            CHECK(sent(run.bob(), "INFO ").empty());
            CHECK(last<session::Ended>(run.alice()) == nullptr);
        }
    }
}

TEST_CASE("session trickle: a silent STUN server is not on the way to the route") {
    for (const NatKind kind : {easy, guarded, hard}) {
        CAPTURE(to_string(kind));
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            CAPTURE(seed);
            const Scene scene = two_homes(kind, kind, seed, Weather::Fair);
            SessionRun without{scene, seed};
            REQUIRE(without.start());
            const Duration base = time_to_route(without);
            SessionRun with{scene, seed};
            with.add_stun_server(SocketAddress::parse("198.51.100.99:3478").value());
            REQUIRE(with.start());
            // One more request to pace: RFC 8445 Section 14.2.
            CHECK(time_to_route(with) <= base + 100ms);
        }
    }
}

TEST_CASE("session trickle: a session whose path works outlives an INFO that nobody answers") {
    SessionRun run{two_homes(hard, hard, 1, Weather::Fair), 1};
    // Gathering ends late, and with it the telling.
    run.add_stun_server(SocketAddress::parse("198.51.100.99:3478").value());
    REQUIRE(run.start());
    run.fetch("bob@example.org");
    REQUIRE(run.run_while_not(4s, [&] { return both_have_a_route(run); }));
    const std::size_t before = sent(run.alice(), "INFO ").size();
    run.bob().alteration = Alteration{"SIP/2.0 200 ", "SIP/2.0 408 "};
    run.run_for(60s);
    CHECK(sent(run.alice(), "INFO ").size() > before);
    const std::size_t received = run.bob().received[*run.bob().latest];
    for (int i = 0; i < 20; ++i) {
        run.send_data(run.alice());
        run.run_for(10ms);
    }
    run.run_for(1s);
    CHECK(run.bob().received[*run.bob().latest] == received + 20);
    CHECK(last<session::Ended>(run.alice()) == nullptr);
    CHECK(last<session::Ended>(run.bob()) == nullptr);
    // Without the call nobody is told of the end; the peer notices the silence. RFC 7675.
    run.end(run.alice());
    REQUIRE(run.run_while_not(45s, [&] { return last<session::Ended>(run.bob()) != nullptr; }));
    CHECK(last<session::Ended>(run.bob())->fault == session::SessionFault::PathLost);
}

// Not in each run: what Alice learned before her offer reaches an easy NAT sooner in it than by
// INFO.
TEST_CASE("session trickle: the first route is there sooner with full than with half trickle") {
    for (const NatKind kind : {easy, guarded, hard}) {
        Duration full_sum{};
        Duration half_sum{};
        static constexpr int runs = 10;
        for (std::uint64_t seed = 1; seed <= std::uint64_t{runs}; ++seed) {
            const Scene scene = two_homes(kind, kind, seed, Weather::Fair);
            SessionRun full{scene, seed, Trickling::Full};
            REQUIRE(full.start());
            full_sum += time_to_route(full);
            SessionRun half{scene, seed, Trickling::Half};
            REQUIRE(half.start());
            half_sum += time_to_route(half);
        }
        const auto mean = [](Duration sum) {
            return std::chrono::duration_cast<std::chrono::milliseconds>(sum / runs).count();
        };
        MESSAGE(to_string(kind), ": mean time to the first route, full ", mean(full_sum),
                " ms, half ", mean(half_sum), " ms");
        CHECK(full_sum < half_sum);
    }
}

}  // namespace
}  // namespace stile::sim::test
