// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Channels that a faster path serves.
#include <stile/turn/server.hpp>

#include <algorithm>

namespace stile::turn {

void Server::offer_channel(Instant now, Allocation& allocation, ChannelNumber number) {
    if (config_.offload == Offer::NotOffered || allocation.flow.transport != ClientTransport::Udp ||
        events_.size() >= most_queued_events) {
        return;
    }
    const Channel* channel = table_.find_channel(allocation.index, number, now);
    if (channel == nullptr || is_relay_address(channel->peer.ip)) return;
    const auto permitted = table_.permitted_until(allocation.index, channel->peer.ip, now);
    if (!permitted) return;
    table_.find_channel_of(allocation.index, channel->peer, now)->path =
        PeerChannel::Path::Offloaded;
    events_.push_back(ChannelOpened{.relay = channel->relay,
                                    .flow = allocation.flow,
                                    .channel = number,
                                    .relayed = table_.relay_at(channel->relay.index).address,
                                    .peer = channel->peer,
                                    .until = std::min(channel->expires, *permitted)});
}

void Server::offer_channels(Instant now, Allocation& allocation, const IpAddress& peer) {
    if (config_.offload == Offer::NotOffered) return;
    for (const ChannelNumber number : allocation.channels) {
        const Channel* channel = table_.find_channel(allocation.index, number, now);
        if (channel != nullptr && channel->peer.ip == peer) offer_channel(now, allocation, number);
    }
}

void Server::offer_moved_channels(Instant now, Allocation& allocation) {
    for (const ChannelNumber number : allocation.channels) {
        const Channel* channel = table_.find_channel(allocation.index, number, now);
        if (channel == nullptr) continue;
        PeerChannel& back = *table_.find_channel_of(allocation.index, channel->peer, now);
        if (allocation.flow.transport == ClientTransport::Udp) {
            offer_channel(now, allocation, number);
        } else {
            withdraw(*channel, number, back);
        }
    }
}

void Server::withdraw(const Channel& channel, ChannelNumber number, PeerChannel& back) {
    if (back.path == PeerChannel::Path::Server) return;
    back.path = PeerChannel::Path::Server;
    events_.push_back(ChannelClosed{.relay = channel.relay, .channel = number});
}

void Server::tell_withdrawn() {
    for (const ChannelClosed& closed : table_.take_withdrawn()) events_.push_back(closed);
}

void Server::handle_offloaded(Instant now, RelayId id, const Traffic& carried) {
    const Relay* relay = table_.find(id);
    if (relay == nullptr || relay->state != Relay::State::Allocated) {
        return drop(DropReason::UnknownRelay);
    }
    Allocation& allocation = table_.at(*relay->allocation);
    allocation.traffic += carried;
    counters_.packets_to_peers += carried.packets_to_peers;
    counters_.octets_to_peers += carried.octets_to_peers;
    counters_.packets_to_clients += carried.packets_to_clients;
    counters_.octets_to_clients += carried.octets_to_clients;
    User& user = relay->user->second;
    bool within = true;
    if (config_.user_bandwidth) {
        within = user.octets.charge(now, *config_.user_bandwidth,
                                    carried.octets_to_peers + carried.octets_to_clients);
    }
    if (config_.user_packets) {
        within = user.packets.charge(now, *config_.user_packets,
                                     carried.packets_to_peers + carried.packets_to_clients) &&
                 within;
    }
    if (within) return;
    for (const ChannelNumber number : allocation.channels) {
        const Channel* channel = table_.find_channel(allocation.index, number, now);
        if (channel == nullptr || channel->relay != id) continue;
        withdraw(*channel, number, *table_.find_channel_of(allocation.index, channel->peer, now));
    }
}

}  // namespace stile::turn
