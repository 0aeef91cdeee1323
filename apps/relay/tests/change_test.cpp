// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Reloading, draining, and another process that goes on.
#include "test_certificates.hpp"

#include <stile/drivers/tcp.hpp>
#include <stile/relay/handover.hpp>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using drivers::Loop;

namespace {

const Listener udp{.kind = ListenerKind::Udp, .address = at("127.0.0.1:0")};
const Listener tcp{.kind = ListenerKind::Tcp, .address = at("127.0.0.1:0")};

void bind_channel(Loop& loop, TestClient& client, const SocketAddress& peer) {
    client.bind(peer);
    REQUIRE(run(loop, [&] { return client.find<turn::Client::ChannelBound>() != nullptr; }));
}

void check_relaying(Loop& loop, TestClient& client, TestPeer& peer) {
    const std::size_t before = peer.heard.size();
    client.send(peer.address(), "up");
    REQUIRE(run(loop, [&] { return peer.heard.size() == before + 1; }));
    const std::size_t heard = client.heard.size();
    peer.send(client.relayed(), "down");
    REQUIRE(run(loop, [&] { return client.heard.size() == heard + 1; }));
}

}  // namespace

TEST_CASE("reload: accounts, listeners and certificates change, and allocations stay") {
    Loop loop;
    const Settings first = settings_of({udp, tcp});
    const auto relay = start(first);
    const SocketAddress kept = relay->listening()[0];
    TestPeer peer{loop, at("127.0.0.3:0")};
    const auto client = udp_client(loop, kept);
    bind_channel(loop, *client, peer.address());

    Settings second = with_certificate(
        settings_of({udp, {.kind = ListenerKind::Tls, .address = at("127.0.0.1:0")}}));
    second.tenants[0].accounts = {account_of("bob", "builder")};
    const auto reloaded = relay->reload(second);
    REQUIRE_MESSAGE(reloaded, (reloaded ? "" : reloaded.error().what + reloaded.error().cause));
    REQUIRE(relay->listening().size() == 2);
    CHECK(relay->listening()[0] == kept);
    check_relaying(loop, *client, peer);

    auto config = client_config();
    config.username = "bob";
    config.password = "builder";
    const auto bob = udp_client(loop, kept, config);
    TestClient alice{loop, udp_wire(loop, at("127.0.0.1:0"), kept), client_config()};
    CHECK(run(loop, [&] { return alice.find<turn::Client::Failed>() != nullptr; }));

    config.transport = turn::ClientTransport::Tls;
    TestClient secure{
        loop,
        stream_wire(std::make_unique<drivers::TlsStream>(
            loop, drivers::TcpStream::connect(loop, relay->listening()[1]), client_context())),
        config};
    CHECK(run(loop, [&] { return secure.find<turn::Client::Allocated>() != nullptr; }));
    CHECK(relay->statistics().allocations == 3);
}

TEST_CASE("reload: what cannot be taken over changes nothing") {
    Loop loop;
    const Settings first = settings_of({udp});
    const auto relay = start(first);
    const auto client = udp_client(loop, relay->listening()[0]);
    const auto taken = *drivers::TcpListener::open(loop, at("127.0.0.1:0"), [](auto) {});

    Settings wrong = settings_of({udp, tcp});
    wrong.listeners[1].address = taken->local_address();
    wrong.tenants[0].accounts.clear();
    CHECK_FALSE(relay->reload(wrong));
    wrong = settings_of({udp});
    wrong.certificate_pem = "nonsense";
    CHECK_FALSE(relay->reload(wrong));
    wrong = settings_of({udp});
    wrong.shards = 3;
    CHECK_FALSE(relay->reload(wrong));
    wrong = settings_of({udp});
    wrong.relay_addresses.push_back({.local = at("127.0.0.9:0").ip, .external = {}});
    CHECK_FALSE(relay->reload(wrong));
    wrong = settings_of({udp});
    wrong.tenants.clear();
    CHECK_FALSE(relay->reload(wrong));
    CHECK(relay->listening().size() == 1);
    const auto another = udp_client(loop, relay->listening()[0]);
    CHECK(relay->statistics().allocations == 2);
}

TEST_CASE("drain: nothing new, and what exists lives on") {
    Loop loop;
    const auto relay = start(settings_of({udp}));
    TestPeer peer{loop, at("127.0.0.3:0")};
    const auto client = udp_client(loop, relay->listening()[0]);
    bind_channel(loop, *client, peer.address());
    relay->drain();
    TestClient late{loop, udp_wire(loop, at("127.0.0.1:0"), relay->listening()[0]),
                    client_config()};
    CHECK(run(loop, [&] { return late.find<turn::Client::Failed>() != nullptr; }));
    check_relaying(loop, *client, peer);
}

TEST_CASE("handover: clients over UDP and TCP go on with another relay, TLS and DTLS stay") {
    Loop loop;
    const Listener tls{.kind = ListenerKind::Tls, .address = at("127.0.0.1:0")};
    Settings settings = with_certificate(settings_of({udp, tcp, tls}));
    settings.shards = 2;
    const auto first = start(settings);
    TestPeer peer{loop, at("127.0.0.3:0")};
    const auto over_udp = udp_client(loop, first->listening()[0]);
    TestClient over_tcp{loop, stream_wire(drivers::TcpStream::connect(loop, first->listening()[1])),
                        client_config(turn::ClientTransport::Tcp)};
    TestClient over_tls{
        loop,
        stream_wire(std::make_unique<drivers::TlsStream>(
            loop, drivers::TcpStream::connect(loop, first->listening()[2]), client_context())),
        client_config(turn::ClientTransport::Tls)};
    for (TestClient* const client : {over_udp.get(), &over_tcp, &over_tls}) {
        REQUIRE(run(loop, [&] { return client->find<turn::Client::Allocated>() != nullptr; }));
        bind_channel(loop, *client, peer.address());
    }

    auto second = Relay::resume(settings, first->hand_over());
    REQUIRE_MESSAGE(second, (second ? "" : second.error().what + second.error().cause));
    CHECK((*second)->listening() == first->listening());
    CHECK((*second)->statistics().allocations == 2);
    CHECK(first->statistics().allocations == 1);
    for (TestClient* const client : {over_udp.get(), &over_tcp, &over_tls}) {
        check_relaying(loop, *client, peer);
    }
    CHECK(first->statistics().relay.packets_to_peers == 1);
    // New ones are the second's.
    const auto late = udp_client(loop, (*second)->listening()[0]);
    CHECK((*second)->statistics().allocations == 3);
}
