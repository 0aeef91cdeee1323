// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "namespaces.hpp"
#include "test_relay.hpp"

#include <stile/relay/handover.hpp>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using drivers::Loop;
using drivers::kernel::testing::Namespace;

namespace {

// A relay on 127.0.0.1 in a network namespace of its own, so that no other program's packets pass
// the kernel's part. Everything made while it lives is in there.
struct Lab {
    Namespace host;
    Namespace::Inside inside{host};
    Loop loop;
    Settings settings;
    std::unique_ptr<Relay> relay;

    explicit Lab(Namespace made, KernelPath path) : host(std::move(made)) {
        settings = settings_of({{.kind = ListenerKind::Udp, .address = at("127.0.0.1:0")}});
        settings.kernel_path = path;
        settings.shards = 2;
        relay = start(settings);
    }

    static std::unique_ptr<Lab> make(KernelPath path) {
        auto host = Namespace::make();
        if (!host) {
            MESSAGE("skipped: this process may not make network namespaces");
            return nullptr;
        }
        auto lab = std::make_unique<Lab>(*std::move(host), path);
        const auto description = lab->relay->statistics().kernel_path;
        if (description.starts_with("user space")) {
            MESSAGE("skipped: " << description);
            return nullptr;
        }
        return lab;
    }
};

// Sends until the kernel has carried one; the answer to ChannelBind may overtake the channel's way
// into the kernel.
void check_carried_by(Relay& carrier, Loop& loop, TestClient& client, TestPeer& peer) {
    const auto before = carrier.statistics().kernel_packets;
    for (int i = 0; i < 1000 && carrier.statistics().kernel_packets == before; ++i) {
        check_relaying(loop, client, peer);
    }
    CHECK(carrier.statistics().kernel_packets > before);
}

}  // namespace

TEST_CASE("relay with a kernel path: channels pass the server by, and are accounted for") {
    const auto lab = Lab::make(KernelPath::Automatic);
    if (!lab) return;
    Loop& loop = lab->loop;
    CHECK(lab->relay->statistics().kernel_path.starts_with("TC on lo"));
    const auto client = udp_client(loop, lab->relay->listening()[0]);
    TestPeer peer{loop, at("127.0.0.3:0")};
    client->bind(peer.address());
    REQUIRE(run(loop, [&] { return client->find<turn::Client::ChannelBound>(); }));
    // As check_carried_by().
    std::size_t first = 0;
    while (lab->relay->statistics().kernel_packets == 0 && first < 1000) {
        client->send(peer.address(), "first");
        ++first;
        REQUIRE(run(loop, [&] { return peer.heard.size() == first; }));
    }
    REQUIRE(lab->relay->statistics().kernel_packets == 1);
    peer.heard.clear();
    for (const std::string text : {"a", "ab", "abc", "abcd"}) {
        client->send(peer.address(), text);
        REQUIRE(run(loop, [&] { return !peer.heard.empty(); }));
        CHECK(peer.heard.back().text == text);
        CHECK(peer.heard.back().peer == client->relayed());
        peer.heard.clear();
        peer.send(client->relayed(), text);
        REQUIRE(run(loop, [&] { return !client->heard.empty(); }));
        CHECK(client->heard.back().text == text);
        CHECK(client->heard.back().peer == peer.address());
        client->heard.clear();
    }
    CHECK(lab->relay->statistics().kernel_packets == 9);
    // The core hears of it within a second or so.
    REQUIRE(run(loop, [&] { return lab->relay->statistics().relay.packets_to_clients == 4; }));
    const auto statistics = lab->relay->statistics();
    CHECK(statistics.relay.packets_to_peers == first + 4);
    CHECK(statistics.relay.octets_to_peers == first * 5 + 10);
    CHECK(statistics.relay.octets_to_clients == 10);
    // What has no channel goes by user space as ever.
    TestPeer other{loop, at("127.0.0.3:0")};
    client->permit(other.address());
    REQUIRE(run(loop, [&] { return client->find<turn::Client::PermissionInstalled>(); }));
    client->send(other.address(), "by indication");
    REQUIRE(run(loop, [&] { return other.heard.size() == 1; }));
    CHECK(lab->relay->statistics().kernel_packets == 9);
}

TEST_CASE("relay with a kernel path: two clients of one server meet in user space") {
    const auto lab = Lab::make(KernelPath::Tc);
    if (!lab) return;
    Loop& loop = lab->loop;
    const auto one = udp_client(loop, lab->relay->listening()[0]);
    const auto other = udp_client(loop, lab->relay->listening()[0]);
    one->bind(other->relayed());
    other->bind(one->relayed());
    REQUIRE(run(loop, [&] {
        return one->find<turn::Client::ChannelBound>() && other->find<turn::Client::ChannelBound>();
    }));
    one->send(other->relayed(), "over there");
    REQUIRE(run(loop, [&] { return other->heard.size() == 1; }));
    CHECK(other->heard[0].text == "over there");
    CHECK(other->heard[0].peer == one->relayed());
    CHECK(lab->relay->statistics().kernel_packets == 0);
}

TEST_CASE("relay with a kernel path: where it cannot be had, user space says why") {
    const auto host = Namespace::make();
    if (!host) return;
    const Namespace::Inside inside{*host};
    Settings settings = settings_of({{.kind = ListenerKind::Udp, .address = at("127.0.0.1:0")}});
    settings.kernel_path = KernelPath::XdpNative;  // which lo has not
    const auto relay = start(std::move(settings));
    CHECK(relay->statistics().kernel_path.starts_with("user space ("));
    Loop loop;
    CHECK(udp_client(loop, relay->listening()[0])->relayed().port.value != 0);
}

TEST_CASE("relay with a kernel path: a successor has the same, and who has none gets it back") {
    for (const KernelPath path : {KernelPath::Tc, KernelPath::XdpGeneric}) {
        const auto lab = Lab::make(path);
        if (!lab) return;
        Loop& loop = lab->loop;
        const std::string description = lab->relay->statistics().kernel_path;
        const auto client = udp_client(loop, lab->relay->listening()[0]);
        TestPeer peer{loop, at("127.0.0.3:0")};
        bind_channel(loop, *client, peer.address());
        check_carried_by(*lab->relay, loop, *client, peer);
        {
            auto handover = lab->relay->hand_over();
            REQUIRE(handover);
            const auto failed = Relay::resume(lab->settings, *std::move(handover));
            REQUIRE(failed);
        }
        lab->relay->stay();
        CHECK(lab->relay->statistics().kernel_path == description);
        check_carried_by(*lab->relay, loop, *client, peer);

        auto handover = lab->relay->hand_over();
        REQUIRE(handover);
        const auto second = Relay::resume(lab->settings, *std::move(handover));
        REQUIRE(second);
        lab->relay->leave();
        (*second)->serve();
        CHECK((*second)->statistics().kernel_path == description);
        check_carried_by(**second, loop, *client, peer);
        // The end of the old one leaves the new one's program alone.
        lab->relay.reset();
        check_carried_by(**second, loop, *client, peer);
        const auto heard = peer.heard.size();
        // What the old one carried is counted, too.
        CHECK(run(loop,
                  [&] { return (*second)->sessions().at(0).traffic.packets_to_peers == heard; }));
    }
}
