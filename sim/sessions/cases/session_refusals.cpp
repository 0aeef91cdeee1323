// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A peer that is refused after the handshake hears it by QUIC, whichever way is the faster one.
#include "session_cases.hpp"

#include <stile/crypto/certificate.hpp>
#include <stile/quic/acceptor.hpp>
#include <stile/quic/connection.hpp>

namespace stile::sim::test {
namespace {

using session::Ended;
using session::EndReason;

constexpr NatKind easy{Mapping::EndpointIndependent, Filtering::AddressAndPortDependent};
constexpr quic::ErrorCode refused{0x10b};
constexpr Duration patience = 3s;

// QUIC on one person's session.
struct Carrier {
    SessionRun::Person& person;
    crypto::RandomStream random;
    crypto::PrivateKey key = crypto::PrivateKey::from_entropy(random.array<48>());
    crypto::Certificate certificate = crypto::make_self_signed(
        key, {.names = {.common_name = "peer"}, .serial = random.array<16>()});
    std::optional<quic::Connection> connection = {};
    std::optional<quic::event::Closed> closed = {};
    std::optional<Instant> closed_at = {};
    std::optional<Instant> ended_at = {};
    bool is_connected = false;

    identity::Fingerprint fingerprint() const { return identity::Fingerprint::of(certificate); }
    quic::Config config(const Carrier& peer) const {
        return {
            .credentials = {.key = key, .chain = {certificate}, .expected = {peer.fingerprint()}}};
    }
};

// Bob, who shares, refuses Alice as soon as she has shown who she is.
struct Refusal {
    SessionRun run;
    Carrier alice{run.alice(), crypto::RandomStream{crypto::seed_from_number(11)}};
    Carrier bob{run.bob(), crypto::RandomStream{crypto::seed_from_number(12)}};
    Duration outage;  // of the path, from the refusal on
    std::optional<Instant> outage_until = {};

    explicit Refusal(Duration path_outage)
        : run(two_homes(easy, easy, 1, Weather::Fair), 1), outage(path_outage) {
        REQUIRE(run.start());
        run.fetch("bob@example.org");
        REQUIRE(run.run_while_not(20s, [&] {
            return last<session::RouteOpened>(run.alice()) && last<session::RouteOpened>(run.bob());
        }));
        run.run_for(12s);
        alice.connection.emplace(run.world().now(), alice.config(bob), alice.random.fork());
    }
    Instant now() { return run.world().now(); }
    void set_udp(Udp udp) {
        for (std::uint32_t box = 0; box < run.world().topology().boxes().size(); ++box) {
            run.world().set_udp(BoxId{box}, udp);
        }
    }
    void step() {
        run.run_for(1ms);
        for (Carrier* const side : {&alice, &bob}) serve(*side, side == &alice ? bob : alice);
        if (outage_until && now() >= *outage_until) {
            set_udp(Udp::Allowed);
            outage_until.reset();
        }
    }
    void serve(Carrier& side, const Carrier& peer) {
        for (const Bytes& payload : std::exchange(side.person.payloads, {})) {
            if (!side.connection) {
                const auto initial = quic::read_initial(payload);
                REQUIRE(initial);
                side.connection.emplace(now(), side.config(peer), *initial, side.random.fork());
            }
            side.connection->handle_datagram(now(), payload);
        }
        if (side.connection) {
            const auto due = side.connection->poll_timeout();
            if (due && *due <= now()) side.connection->handle_timeout(now());
            while (const auto event = side.connection->poll_event()) take(side, *event);
            while (const auto batch = side.connection->poll_transmit(now())) {
                for (BytesView rest = batch->payload; !rest.empty();) {
                    const auto one = rest.first(std::min(rest.size(), batch->segment_octets));
                    rest = rest.subspan(one.size());
                    run.send(side.person, one);
                }
            }
        }
        if (!side.ended_at && last<Ended>(side.person) != nullptr) side.ended_at = now();
    }
    void take(Carrier& side, const quic::Event& event) {
        if (std::holds_alternative<quic::event::Completed>(event)) {
            side.is_connected = true;
            if (&side == &bob) return refuse();
            // As a program that does not wait for the other's verdict.
            REQUIRE(side.connection->request(
                {.method = "GET", .scheme = "https", .authority = "bob.example.org", .path = "/"},
                quic::More::No));
        } else if (const auto* const closed = std::get_if<quic::event::Closed>(&event)) {
            side.closed = *closed;
            side.closed_at = now();
            if (&side == &bob) return run.end_when_told(bob.person, patience);
            run.end(alice.person);
        }
    }
    void refuse() {
        if (outage > Duration{}) {
            set_udp(Udp::Blocked);
            outage_until = now() + outage;
        }
        bob.connection->close(now(), refused, "the peer's identity was refused");
    }
    void pass() {
        for (const Instant end = now() + 10s; now() < end;) step();
    }
};

TEST_CASE("session refusal: who is refused hears it by QUIC before any BYE") {
    Refusal refusal{Duration{}};
    const Instant begin = refusal.now();
    refusal.pass();
    REQUIRE(refusal.alice.closed);
    CHECK(refusal.alice.closed->reason == quic::CloseReason::ClosedByPeer);
    CHECK(refusal.alice.closed->code == refused.value);
    CHECK(last<Ended>(refusal.alice.person)->reason == EndReason::Local);
    // The refused one's BYE ends the wait.
    REQUIRE(refusal.bob.ended_at);
    CHECK(*refusal.bob.ended_at < begin + 1s);
    CHECK(last<Ended>(refusal.bob.person)->reason == EndReason::Local);
}

TEST_CASE("session refusal: where the path loses QUIC's close a BYE does not overtake it") {
    for (const Duration outage : {Duration{20ms}, Duration{100ms}, Duration{250ms}}) {
        CAPTURE(outage.count());
        Refusal refusal{outage};
        refusal.pass();
        REQUIRE(refusal.alice.closed);
        CHECK(refusal.alice.closed->reason == quic::CloseReason::ClosedByPeer);
        CHECK(refusal.alice.closed->code == refused.value);
        REQUIRE(refusal.alice.ended_at);
        CHECK(*refusal.alice.closed_at <= *refusal.alice.ended_at);
        CHECK(last<Ended>(refusal.alice.person)->reason == EndReason::Local);
        CHECK(refusal.bob.ended_at);
    }
}

TEST_CASE("session refusal: where the path stays dead the BYE comes after the time for it") {
    Refusal refusal{30s};
    refusal.pass();
    CHECK(!refusal.alice.closed);
    REQUIRE(refusal.bob.ended_at);
    CHECK(*refusal.bob.ended_at == *refusal.bob.closed_at + patience);
    REQUIRE(refusal.alice.ended_at);
    CHECK(*refusal.alice.ended_at > *refusal.bob.ended_at);
    CHECK(last<Ended>(refusal.alice.person)->reason == EndReason::PeerEnded);
}

}  // namespace
}  // namespace stile::sim::test
