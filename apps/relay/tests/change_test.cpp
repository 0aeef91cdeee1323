// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Reloading and draining.
#include "test_certificates.hpp"

#include <stile/drivers/tcp.hpp>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using drivers::Loop;

namespace {

const Listener udp{.kind = ListenerKind::Udp, .address = at("127.0.0.1:0")};
const Listener tcp{.kind = ListenerKind::Tcp, .address = at("127.0.0.1:0")};

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
