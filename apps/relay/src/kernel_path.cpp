// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "kernel_path.hpp"

namespace stile::relay {
namespace {

std::optional<drivers::KernelMode> mode_of(KernelPath path) {
    switch (path) {
        case KernelPath::Off:
        case KernelPath::Automatic:
            return std::nullopt;
        case KernelPath::XdpNative:
            return drivers::KernelMode::XdpNative;
        case KernelPath::Tc:
            return drivers::KernelMode::Tc;
        case KernelPath::XdpGeneric:
            return drivers::KernelMode::XdpGeneric;
    }
    return std::nullopt;
}

std::optional<drivers::KernelRate> rate_of(const std::optional<turn::TokenRate>& rate) {
    if (!rate) return std::nullopt;
    return drivers::KernelRate{.per_second = rate->per_second, .burst = rate->burst};
}

}  // namespace

KernelOffload::KernelOffload(const Settings& settings) {
    drivers::KernelRelayOptions options;
    for (const Listener& listener : settings.listeners) {
        if (listener.kind == ListenerKind::Udp) options.addresses.push_back(listener.address.ip);
    }
    for (const RelayAddress& address : settings.relay_addresses) {
        options.addresses.push_back(address.local);
    }
    options.mode = mode_of(settings.kernel_path);
    options.bindings = rate_of(settings.replies.rate);
    options.binding_octets = rate_of(settings.replies.octets);
    auto opened = drivers::KernelRelay::open(options);
    if (!opened) {
        description_ = "user space (" + opened.error().text + ")";
        return;
    }
    kernel_ = *std::move(opened);
    description_ = kernel_->describe();
    for (std::uint32_t owner = 1; owner < drivers::most_kernel_owners; ++owner) {
        free_owners_.push_back(owner);
    }
}

void KernelOffload::listens(const SocketAddress& address, const Settings& settings) {
    // With a second address every answer names it (RFC 5780 Section 6.1); the kernel's do not.
    if (kernel_ == nullptr || settings.alternate) return;
    if (!address.ip.is_unspecified()) {
        return kernel_->bindings(address, drivers::KernelRelay::Bindings::Answer);
    }
    for (const IpAddress& own : settings.own_addresses) {
        if (own.family() != address.ip.family()) continue;
        kernel_->bindings({own, address.port}, drivers::KernelRelay::Bindings::Answer);
    }
}

turn::Offer KernelOffload::offer() const {
    return kernel_ != nullptr ? turn::Offer::Offered : turn::Offer::NotOffered;
}

void KernelOffload::relay_opened(const SocketAddress& local, const SocketAddress& external) {
    if (kernel_ == nullptr) return;
    kernel_->add_relay(local);
    if (external != local) kernel_->add_relay(external);
}

void KernelOffload::relay_closed(const Place& place, const SocketAddress& local,
                                 const SocketAddress& external) {
    if (kernel_ == nullptr) return;
    kernel_->remove_relay(local);
    if (external != local) kernel_->remove_relay(external);
    const std::lock_guard lock{mutex_};
    const auto known = relays_.find(place);
    if (known == relays_.end()) return;
    for (const auto& [number, key] : known->second.keys) kernel_->remove(key);
    forget(known);
}

// What passed of a forgotten relay is not told: its session has ended.
void KernelOffload::forget(std::map<Place, Channels>::iterator at) {
    if (at->second.owner != 0) {
        kernel_->limit(at->second.owner, {});
        free_owners_.push_back(at->second.owner);
    }
    places_.erase(at->second.tag);
    relays_.erase(at);
}

KernelOffload::Channels& KernelOffload::channels_of(const Place& place, const Rates& rates) {
    const auto [at, is_new] = relays_.try_emplace(place);
    Channels& channels = at->second;
    if (!is_new) return channels;
    channels.tag = next_tag_++;
    places_.emplace(channels.tag, place);
    const bool limited = rates.bandwidth || rates.packets;
    if (limited && !free_owners_.empty()) {
        // A bucket a relay: between two calls of tend() a user with several relays has as many
        // times its rate; then the core takes all of them back.
        channels.owner = free_owners_.front();
        free_owners_.pop_front();
        kernel_->limit(channels.owner,
                       {.octets = rate_of(rates.bandwidth), .packets = rate_of(rates.packets)});
    }
    return channels;
}

void KernelOffload::open_channel(const Place& place, const turn::ChannelOpened& opened,
                                 const SocketAddress& local, const Rates& rates) {
    if (kernel_ == nullptr || opened.flow.transport != turn::ClientTransport::Udp) return;
    const std::lock_guard lock{mutex_};
    Channels& channels = channels_of(place, rates);
    const bool limited = rates.bandwidth || rates.packets;
    if (limited && channels.owner == 0) return;  // more users than buckets: user space
    const drivers::KernelRelay::Key key{
        .server = opened.flow.local, .client = opened.flow.remote, .channel = opened.channel.value};
    const auto [known, is_new] = channels.keys.try_emplace(opened.channel.value, key);
    if (!is_new && known->second != key) {
        kernel_->remove(known->second);  // the client has moved
        known->second = key;
    }
    kernel_->install({.key = key,
                      .relayed = local,
                      .peer = opened.peer,
                      .until = opened.until,
                      .octets = std::nullopt,
                      .owner = channels.owner,
                      .tag = channels.tag});
}

void KernelOffload::close_channel(const Place& place, turn::ChannelNumber channel) {
    if (kernel_ == nullptr) return;
    const std::lock_guard lock{mutex_};
    const auto known = relays_.find(place);
    if (known == relays_.end()) return;
    const auto key = known->second.keys.find(channel.value);
    if (key == known->second.keys.end()) return;
    kernel_->remove(key->second);
    known->second.keys.erase(key);
}

void KernelOffload::detach() {
    if (kernel_ != nullptr) kernel_->detach();
}

void KernelOffload::attach() {
    if (kernel_ == nullptr) return;
    const auto attached = kernel_->attach();
    description_ = attached ? kernel_->describe() : "user space (" + attached.error().text + ")";
}

std::vector<KernelOffload::Carried> KernelOffload::tend() {
    std::vector<Carried> carried;
    if (kernel_ == nullptr) return carried;
    kernel_->tend();
    std::map<Place, turn::Traffic> sums;
    const std::lock_guard lock{mutex_};
    for (const auto& channel : kernel_->take_traffic()) {
        const auto place = places_.find(channel.tag);
        if (place == places_.end()) continue;
        sums[place->second] += {.packets_to_peers = channel.to_peer.packets,
                                .octets_to_peers = channel.to_peer.octets,
                                .packets_to_clients = channel.to_client.packets,
                                .octets_to_clients = channel.to_client.octets};
    }
    for (const auto& [place, traffic] : sums) carried.push_back({place, traffic});
    return carried;
}

drivers::KernelRelay::Statistics KernelOffload::statistics() const {
    if (kernel_ == nullptr) return {};
    return kernel_->statistics();
}

}  // namespace stile::relay
