// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/kernel_relay.hpp>
#include <stile/relay/settings.hpp>
#include <stile/turn/channel_offload.hpp>
#include <stile/turn/session.hpp>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace stile::relay {

// The channels that the kernel forwards, of all shards. Called from every shard's thread.
class KernelOffload {
public:
    // The kernel path of the settings is not Off. Where nothing works everything stays in user
    // space, and describe() says why.
    explicit KernelOffload(const Settings& settings);

    // Where a UDP listener got its port: Binding requests to it are answered.
    void listens(const SocketAddress& address, const Settings& settings);

    // What the cores must be told with ServerConfig::offload.
    turn::Offer offer() const;
    // "XDP native on eth0"; "user space (...)".
    const std::string& describe() const { return description_; }

    struct Place {
        std::uint8_t shard = 0;
        std::size_t tenant = 0;
        turn::RelayId relay;
        friend constexpr auto operator<=>(const Place&, const Place&) = default;
    };
    // Every UDP relay, also those without channels: where it is bound and how peers see it. What
    // goes to it is hairpinned by the cores.
    void relay_opened(const SocketAddress& local, const SocketAddress& external);
    // With all its channels.
    void relay_closed(const Place& place, const SocketAddress& local,
                      const SocketAddress& external);

    // Of a user, as the core has them.
    struct Rates {
        std::optional<turn::TokenRate> bandwidth;
        std::optional<turn::TokenRate> packets;
    };
    // `local` is where the relay is bound.
    void open_channel(const Place& place, const turn::ChannelOpened& opened,
                      const SocketAddress& local, const Rates& rates);
    void close_channel(const Place& place, turn::ChannelNumber channel);

    // Takes the programs off the interfaces, for another process to have its own there, and puts
    // them back on. What they know stays.
    void detach();
    void attach();

    // Every second. What passed in the kernel since the last call: each part is for
    // Server::handle_offloaded of its place.
    struct Carried {
        Place place;
        turn::Traffic traffic;
    };
    std::vector<Carried> tend();

    drivers::KernelRelay::Statistics statistics() const;

private:
    struct Channels {
        std::uint32_t owner = 0;  // its rate in the kernel; 0: none
        std::map<std::uint16_t, drivers::KernelRelay::Key> keys;
        std::uint64_t tag = 0;
    };

    Channels& channels_of(const Place& place, const Rates& rates);
    void forget(std::map<Place, Channels>::iterator at);

    std::unique_ptr<drivers::KernelRelay> kernel_;
    std::string description_;  // written and read on the thread of the relay's owner
    std::mutex mutex_;
    std::map<Place, Channels> relays_;
    std::map<std::uint64_t, Place> places_;  // by tag
    std::uint64_t next_tag_ = 1;
    std::deque<std::uint32_t> free_owners_;
};

}  // namespace stile::relay
