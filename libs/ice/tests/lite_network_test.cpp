// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A full agent and a lite one over a network that delays and loses, from many seeds.
#include "hosts.hpp"

#include <stile/base/drain.hpp>
#include <stile/ice/lite_agent.hpp>

#include <functional>
#include <map>

namespace stile::ice {
namespace {

using namespace testing;

// The full agent may be behind a NAT, the lite one must not be. RFC 8445 Section 2.5.
struct FullAndLite {
    Instant now = start;
    crypto::RandomStream random;
    Nat nat{.outside = IpAddress::v4({192, 0, 2, 1})};
    Agent full;
    LiteAgent lite;
    SocketAddress full_socket = at("10.0.0.2:1000");
    std::multimap<Instant, std::function<void()>> flying;
    std::uint64_t loss_percent = 0;
    std::size_t from_lite = 0;
    std::vector<Candidate> of_lite;
    std::vector<Failed> failures;
    std::vector<ConsentExpired> expired;

    FullAndLite(std::uint64_t seed, Role role)
        : random(random_from(seed)),
          full(start, {.role = role}, random_from(seed + 1000)),
          lite(start, {}, random_from(seed + 2000)) {
        if (random.below(2) == 0) nat.mapping = Nat::Kind::AddressAndPortDependent;
        REQUIRE(full.add_local_candidate(now, host_candidate(full_socket)));
        of_lite.push_back(
            *lite.add_host(now, at("203.0.113.1:2000"), LiteAgent::Families::V4Alone));
    }
    void exchange() {
        REQUIRE(full.set_remote(
            now, {.credentials = lite.local_credentials(), .kind = PeerKind::Lite, .ta = {}}));
        REQUIRE(lite.set_remote(
            now, {.credentials = full.local_credentials(), .kind = PeerKind::Full, .ta = {}}));
        for (const Candidate& candidate : of_lite) {
            REQUIRE(full.add_remote_candidate(now, candidate));
        }
        full.end_of_local_candidates(now);
        full.end_of_remote_candidates(now);
    }
    void fly(std::function<void()> arrival) {
        if (random.below(100) < loss_percent) return;
        flying.emplace(now + 10ms + Duration{std::chrono::milliseconds{random.below(60)}},
                       std::move(arrival));
    }
    void flush() {
        drain(
            full,
            [&](const AgentTransmit& transmit) {
                const Path seen{.local = transmit.path.remote,
                                .remote = nat.translate(transmit.path.local, transmit.path.remote)};
                fly([this, seen, payload = to_bytes(transmit.payload)] {
                    lite.handle_datagram(now, seen, payload);
                });
            },
            [&](const Event& event) {
                if (const auto* one = std::get_if<Failed>(&event)) failures.push_back(*one);
                if (const auto* one = std::get_if<ConsentExpired>(&event)) expired.push_back(*one);
            });
        while (const auto transmit = lite.poll_transmit()) {
            ++from_lite;
            const auto inside = nat.admit(transmit->path.remote, transmit->path.local);
            if (!inside) continue;
            const Path seen{.local = *inside, .remote = transmit->path.local};
            fly([this, seen, payload = to_bytes(transmit->payload)] {
                full.handle_datagram(now, seen, payload);
            });
        }
    }
    void run_for(Duration duration) {
        const Instant end = now + duration;
        for (;;) {
            flush();
            auto next = full.poll_timeout();
            if (!flying.empty() && (!next || flying.begin()->first < *next)) {
                next = flying.begin()->first;
            }
            if (!next || *next > end) break;
            now = std::max(now, *next);
            while (!flying.empty() && flying.begin()->first <= now) {
                const auto arrival = std::move(flying.begin()->second);
                flying.erase(flying.begin());
                arrival();
            }
            if (const auto due = full.poll_timeout(); due && *due <= now) full.handle_timeout(now);
        }
        now = end;
    }
    void check_agreed() {
        CHECK(full.state() == State::Completed);
        CHECK(full.role() == Role::Controlling);
        CHECK(lite.state() == State::Completed);
        REQUIRE(full.selected());
        REQUIRE(lite.selected());
        CHECK(full.selected()->remote == lite.selected()->local);
        CHECK(nat.translate(full.selected()->local, full.selected()->remote) ==
              lite.selected()->remote);
        CHECK(failures.empty());
        CHECK(expired.empty());
    }
};

TEST_CASE("ice full and lite: they agree on a pair over a lossy network, whoever began") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        FullAndLite two{seed, seed % 2 == 0 ? Role::Controlling : Role::Controlled};
        two.loss_percent = seed % 3 * 10;
        two.exchange();
        two.run_for(8s);  // for longer, such a loss would end any consent
        two.loss_percent = 0;
        two.run_for(90s);
        two.check_agreed();
    }
}

TEST_CASE("ice full and lite: consent lasts as long as the lite side answers, and then ends") {
    FullAndLite two{7, Role::Controlling};
    two.exchange();
    two.run_for(600s);
    two.check_agreed();
    CHECK(two.from_lite > 100);
    two.loss_percent = 100;
    two.run_for(31s);
    CHECK(two.full.state() == State::Failed);
    CHECK(two.expired.size() == 1);
    // The lite side has no way to know. RFC 7675 Section 1.
    CHECK(two.lite.state() == State::Completed);
}

TEST_CASE("ice full and lite: a restart finds the pair anew, data stays on the old one meanwhile") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        FullAndLite two{seed, Role::Controlling};
        two.exchange();
        two.run_for(20s);
        const auto before = two.full.selected();
        two.full.restart(two.now);
        two.lite.restart(two.now);
        CHECK(two.full.selected() == before);
        CHECK(two.lite.selected());
        REQUIRE(two.full.add_local_candidate(two.now, host_candidate(two.full_socket)));
        two.of_lite = {
            *two.lite.add_host(two.now, at("203.0.113.1:3000"), LiteAgent::Families::V4Alone)};
        two.exchange();
        two.run_for(60s);
        two.check_agreed();
        CHECK(two.full.selected()->remote == at("203.0.113.1:3000"));
    }
}

TEST_CASE("ice full and lite: the lite side has several addresses, the full one chooses") {
    FullAndLite two{9, Role::Controlled};
    two.of_lite.push_back(
        *two.lite.add_host(two.now, at("203.0.113.2:2000"), LiteAgent::Families::V4Alone));
    two.exchange();
    two.run_for(60s);
    two.check_agreed();
    CHECK(two.full.selected()->remote == at("203.0.113.1:2000"));
}

}  // namespace
}  // namespace stile::ice
