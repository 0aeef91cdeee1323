// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "pair.hpp"

#include <doctest/doctest.h>
#include <stile/quic/limits.hpp>

namespace stile::quic {
namespace {

const event::Closed& closed(const Pair::Side& side) {
    const auto* found = side.find<event::Closed>();
    REQUIRE(found != nullptr);
    CHECK(side.count<event::Closed>() == 1);
    return *found;
}

TEST_CASE("quic handshake: completed after one round trip, confirmed after two") {
    Pair pair{{}};
    pair.run_until(Instant{} + 30ms);
    CHECK(pair.client.count<event::Completed>() == 1);
    CHECK(pair.client.count<event::Confirmed>() == 0);
    CHECK(pair.server.count<event::Confirmed>() == 1);
    pair.run_until(Instant{} + 45ms);
    CHECK(pair.client.count<event::Confirmed>() == 1);
    CHECK(pair.client.count<event::Closed>() == 0);
    CHECK(pair.server.count<event::Closed>() == 0);
}

TEST_CASE("quic handshake: each side has the other's certificates afterwards, and not before") {
    const Person address_key{3};
    crypto::RandomStream random{crypto::seed_from_number(9)};
    const auto address_certificate = crypto::make_self_signed(
        address_key.key, {.names = {.common_name = "alice"},
                          .serial = random.array<16>(),
                          .use = crypto::CertificateUse::AddressAuthority});
    const auto device =
        crypto::issue(address_key.key, address_certificate, alice().key.public_key(),
                      {.names = {.common_name = "phone"}, .serial = {}});
    PairConfig config;
    config.client.credentials.chain = {device, address_certificate};
    config.server.credentials.expected = {identity::Fingerprint::of(device)};
    Pair pair{config};
    CHECK(pair.client.connection->peer_certificates().empty());
    REQUIRE(pair.connect());
    const auto of_client = pair.server.connection->peer_certificates();
    REQUIRE(of_client.size() == 2);
    CHECK(of_client[0] == device);
    CHECK(of_client[1] == address_certificate);
    const auto of_server = pair.client.connection->peer_certificates();
    REQUIRE(of_server.size() == 1);
    CHECK(of_server[0] == bob().certificate);
}

TEST_CASE("quic handshake: a client that meets another certificate than told ends it") {
    PairConfig config;
    config.client.credentials.expected = {Person{66}.fingerprint()};
    Pair pair{config};
    pair.run_for(5s);
    CHECK(closed(pair.client).reason == CloseReason::FingerprintMismatch);
    CHECK(closed(pair.server).reason == CloseReason::RefusedByPeer);
    CHECK(closed(pair.server).code == 42);
    CHECK(pair.client.count<event::Completed>() == 0);
    CHECK(pair.server.count<event::Completed>() == 0);
    CHECK(pair.client.connection->peer_certificates().empty());
}

TEST_CASE("quic handshake: a server that meets another certificate than told ends it") {
    PairConfig config;
    config.server.credentials.expected = {Person{66}.fingerprint()};
    Pair pair{config};
    pair.client.application = [&](Event& event) {
        if (!std::holds_alternative<event::Completed>(event)) return;
        // As early as it may be.
        CHECK(pair.client.connection->request(
            {.method = "GET", .scheme = "https", .authority = "a", .path = "/secret"}, More::No));
    };
    pair.run_for(5s);
    CHECK(closed(pair.server).reason == CloseReason::FingerprintMismatch);
    CHECK(closed(pair.client).reason == CloseReason::RefusedByPeer);
    CHECK(pair.client.count<event::Completed>() == 1);
    CHECK(pair.client.count<event::Confirmed>() == 0);
    CHECK(pair.server.count<event::RequestReceived>() == 0);
}

TEST_CASE("quic handshake: a mismatch is known on both sides within two round trips") {
    PairConfig config;
    config.server.credentials.expected = {Person{66}.fingerprint()};
    Pair pair{config};
    CHECK(pair.run_until(
        [&] {
            return pair.client.count<event::Closed>() == 1 &&
                   pair.server.count<event::Closed>() == 1;
        },
        45ms));
}

TEST_CASE("quic handshake: with no fingerprint told nobody is let in") {
    PairConfig config;
    config.server.credentials.expected.clear();
    Pair pair{config};
    pair.run_for(5s);
    CHECK(closed(pair.server).reason == CloseReason::FingerprintMismatch);
}

TEST_CASE("quic handshake: a client without a certificate is refused") {
    PairConfig config;
    config.client.credentials.chain.clear();
    Pair pair{config};
    pair.run_for(5s);
    CHECK(closed(pair.server).reason == CloseReason::NoPeerCertificate);
    CHECK(closed(pair.client).reason == CloseReason::RefusedByPeer);
    CHECK(closed(pair.client).code == 116);
    CHECK(pair.client.count<event::Confirmed>() == 0);
}

TEST_CASE("quic handshake: more certificates than a device's and its address's are refused") {
    const auto content = [](const char* name, crypto::CertificateUse use) {
        return crypto::CertificateContent{.names = {.common_name = name}, .serial = {}, .use = use};
    };
    const Person root{3};
    const Person middle{4};
    const auto top =
        crypto::make_self_signed(root.key, content("top", crypto::CertificateUse::Authority));
    const auto between = crypto::issue(root.key, top, middle.key.public_key(),
                                       content("between", crypto::CertificateUse::Authority));
    const auto own = crypto::issue(middle.key, between, alice().key.public_key(),
                                   content("own", crypto::CertificateUse::Peer));
    PairConfig config;
    config.server.credentials.expected = {identity::Fingerprint::of(own)};
    config.client.credentials.chain = {own, between};
    Pair fine{config};
    CHECK(fine.connect());
    CHECK(fine.server.connection->peer_certificates().size() == most_peer_certificates);
    config.client.credentials.chain = {own, between, top};
    Pair pair{config};
    pair.run_for(5s);
    CHECK(closed(pair.server).reason == CloseReason::NoPeerCertificate);
}

TEST_CASE("quic handshake: nobody answers, and it ends at the configured time") {
    PairConfig config;
    config.client.handshake_timeout = 3s;
    Pair pair{config};
    pair.drop_all = true;
    pair.run_until(Instant{} + 2999ms);
    CHECK(pair.client.count<event::Closed>() == 0);
    pair.run_until(Instant{} + 3s);
    CHECK(closed(pair.client).reason == CloseReason::HandshakeTimeout);
    CHECK_FALSE(pair.client.connection->poll_timeout());
}

TEST_CASE("quic handshake: succeeds through loss and reordering, whatever the seed") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        PairConfig config;
        config.seed = seed;
        config.link = {.delay = 10ms, .jitter = 15ms, .loss_per_mille = 100};
        Pair pair{config};
        CHECK(pair.connect());
        CHECK(pair.now - Instant{} < 8s);
    }
}

TEST_CASE("quic handshake: every packet has the QUIC bit set, so that RFC 9443 can tell it apart") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        PairConfig config;
        config.seed = seed;
        Pair pair{config};
        BodyServer server{pair};
        BodyClient client{pair};
        REQUIRE(pair.connect());
        CHECK(client.get(20'000));
        CHECK(pair.run_until([&] { return client.ended == 1; }));
        CHECK(pair.client.without_quic_bit == 0);
        CHECK(pair.server.without_quic_bit == 0);
        CHECK(pair.client.datagrams > 3);
    }
}

TEST_CASE("quic handshake: a connection knows its own datagrams by their ids") {
    Pair one{{}};
    PairConfig other_config;
    other_config.seed = 2;
    Pair other{other_config};
    const auto first = one.client.connection->poll_transmit(one.now);
    REQUIRE(first);
    const auto initial = read_initial(first->payload);
    REQUIRE(initial);
    Connection server{one.now,
                      {.credentials = bob().credentials(alice())},
                      *initial,
                      crypto::RandomStream{crypto::seed_from_number(5)}};
    CHECK(server.owns(first->payload));
    CHECK_FALSE(other.client.connection->owns(first->payload));
    server.handle_datagram(one.now, first->payload);
    const auto answer = server.poll_transmit(one.now);
    REQUIRE(answer);
    CHECK(one.client.connection->owns(answer->payload));
    CHECK_FALSE(other.client.connection->owns(answer->payload));
    CHECK_FALSE(server.owns({}));
}

}  // namespace
}  // namespace stile::quic
