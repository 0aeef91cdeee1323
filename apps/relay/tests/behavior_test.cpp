// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "test_relay.hpp"

#include <stile/drivers/drive.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/stun/behavior_discovery.hpp>
#include <stile/stun/lifetime_discovery.hpp>

namespace stile::relay {
namespace {

using namespace std::chrono_literals;
using namespace testing;

// A port that nobody holds at these addresses now.
Port free_port(drivers::Loop& loop) {
    const auto first = drivers::UdpSocket::open(loop, at("127.0.0.1:0"));
    REQUIRE(first);
    return (*first)->local_address().port;
}

template <class Found, class M>
Found discover(drivers::Loop& loop, M& machine,
               std::vector<std::unique_ptr<drivers::UdpSocket>>& sockets) {
    std::optional<Found> found;
    drivers::Drive drive{
        loop, machine,
        [&](const Transmit& transmit) {
            for (auto& socket : sockets) {
                if (socket->local_address() == transmit.path.local) socket->send(transmit);
            }
        },
        [&](const auto& event) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(event)>, Found>) {
                found = event;
            } else if (const auto* last = std::get_if<Found>(&event)) {
                found = *last;
            }
        }};
    for (auto& socket : sockets) {
        socket->on_datagrams([&](std::span<const drivers::Datagram> batch) {
            for (const drivers::Datagram& datagram : batch) {
                machine.handle_datagram(loop.now(), datagram.path, datagram.payload);
            }
            drive.pump();
        });
    }
    drive.pump();
    REQUIRE(loop.run_until([&] { return found.has_value(); }, 60s) == drivers::Loop::Outcome::Done);
    return *found;
}

std::vector<std::unique_ptr<drivers::UdpSocket>> sockets_at_loopback(drivers::Loop& loop,
                                                                     std::size_t count) {
    std::vector<std::unique_ptr<drivers::UdpSocket>> sockets;
    while (sockets.size() < count) {
        sockets.push_back(*drivers::UdpSocket::open(loop, at("127.0.0.1:0")));
    }
    return sockets;
}

TEST_CASE("relay: with an alternate address it serves RFC 5780 at all four places") {
    drivers::Loop loop;
    const SocketAddress first{at("127.0.0.1:0").ip, free_port(loop)};
    const SocketAddress second{at("127.0.0.2:0").ip, free_port(loop)};
    Settings settings = settings_of({{.kind = ListenerKind::Udp, .address = first},
                                     {.kind = ListenerKind::Tcp, .address = first}});
    settings.alternate = second;
    settings.shards = 2;
    const auto relay = start(std::move(settings));
    CHECK(relay->listening().size() == 2);
    auto sockets = sockets_at_loopback(loop, 1);
    const SocketAddress local = sockets[0]->local_address();
    stun::BehaviorDiscovery machine{loop.now(),
                                    {.local = local, .server = first, .padding = 1000},
                                    crypto::RandomStream{crypto::seed_from_number(1)}};
    const auto found = discover<stun::BehaviorDiscovery::Findings>(loop, machine, sockets);
    CHECK(found.mapped == local);
    CHECK(found.other == second);
    CHECK(found.mapping == stun::MappingBehavior::EndpointIndependent);
    CHECK(found.filtering == stun::FilteringBehavior::EndpointIndependent);
    CHECK(found.fragments == stun::FragmentHandling::Pass);
}

TEST_CASE("relay: with one address it tells no other, but measures lifetimes") {
    drivers::Loop loop;
    const SocketAddress first{at("127.0.0.1:0").ip, free_port(loop)};
    const auto relay = start(settings_of({{.kind = ListenerKind::Udp, .address = first}}));
    auto sockets = sockets_at_loopback(loop, 2);
    const SocketAddress local = sockets[0]->local_address();
    stun::LifetimeDiscovery lifetime{loop.now(),
                                     {.kept = local,
                                      .asker = sockets[1]->local_address(),
                                      .server = first,
                                      .first_wait = 50ms,
                                      .longest_wait = 100ms},
                                     crypto::RandomStream{crypto::seed_from_number(1)}};
    const auto lived = discover<stun::LifetimeDiscovery::Findings>(loop, lifetime, sockets);
    CHECK(lived.end == stun::LifetimeDiscovery::Findings::End::LongestAlive);
    sockets.pop_back();
    stun::BehaviorDiscovery machine{loop.now(),
                                    {.local = local, .server = first},
                                    crypto::RandomStream{crypto::seed_from_number(1)}};
    const auto found = discover<stun::BehaviorDiscovery::Findings>(loop, machine, sockets);
    CHECK(found.mapped == local);
    CHECK_FALSE(found.other);
    CHECK_FALSE(found.mapping);
}

}  // namespace
}  // namespace stile::relay
