// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "hop_table.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>

#include <linux/neighbour.h>
#include <net/if_arp.h>

namespace stile::drivers::kernel {

namespace {

// Routes asked for in one tend(): ten microseconds each, on the thread that calls.
constexpr std::size_t most_resolved_at_once = 256;
// The kernel hears nothing of packets that bypass it; a neighbour goes stale in half a minute.
constexpr std::chrono::seconds look_after_time{5};

}  // namespace

HopTable::HopTable(std::span<relay_hop> hops) : memory_(hops), hops_(hops.size()) {
    for (std::uint32_t slot = 1; slot < hops.size(); ++slot) free_.push_back(slot);
    read_links();
    read_neighbours();
}

void HopTable::read_links() {
    links_.clear();
    for (auto& link : netlink_.links()) links_.emplace(link.index, std::move(link));
}

void HopTable::read_neighbours() {
    neighbours_.clear();
    for (const auto& neighbour : netlink_.neighbours()) {
        neighbours_.insert_or_assign(neighbour.key, neighbour);
    }
}

std::uint32_t HopTable::acquire(const IpAddress& from, const IpAddress& to) {
    const Ends ends{from, to};
    if (const auto known = slots_.find(ends); known != slots_.end()) {
        ++hops_[known->second].users;
        return known->second;
    }
    if (free_.empty()) return 0;
    const auto slot = free_.front();
    free_.pop_front();
    slots_.emplace(ends, slot);
    hops_[slot] = {.ends = ends, .users = 1, .route = {}};
    follow();
    resolve(slot);
    return slot;
}

void HopTable::release(std::uint32_t slot) {
    if (slot == 0 || --hops_[slot].users > 0) return;
    slots_.erase(hops_[slot].ends);
    hops_[slot].route.reset();
    write(slot);
    free_.push_back(slot);
}

void HopTable::resolve(std::uint32_t slot) {
    auto& hop = hops_[slot];
    if (hop.users == 0) return;
    hop.route = netlink_.route(hop.ends.from, hop.ends.to);
    write(slot);
    if (!hop.route || hop.route->kind == Route::Kind::Local) return;
    const NeighbourKey key{hop.route->interface, hop.route->next_hop};
    const auto neighbour = neighbours_.find(key);
    if (neighbour == neighbours_.end() || !neighbour->second.address) netlink_.use(key);
}

// Programs on other processors may read a hop half written: a packet or two to the wrong
// neighbour, as around every change of a route.
void HopTable::write(std::uint32_t slot) {
    const auto& route = hops_[slot].route;
    relay_hop hop{};
    if (route) {
        const auto link = links_.find(route->interface);
        const bool is_local = route->kind == Route::Kind::Local;
        const auto neighbour = neighbours_.find({route->interface, route->next_hop});
        if (link == links_.end() || !link->second.is_up) {
            // Nowhere.
        } else if (is_local) {
            hop.ifindex = static_cast<std::uint32_t>(route->interface);
            hop.mtu = link->second.mtu;
            hop.flags = RELAY_LOCAL;
        } else if (link->second.type == ARPHRD_ETHER && neighbour != neighbours_.end() &&
                   neighbour->second.address) {
            hop.ifindex = static_cast<std::uint32_t>(route->interface);
            hop.mtu = route->mtu != 0 ? std::min(route->mtu, link->second.mtu) : link->second.mtu;
            std::ranges::copy(*neighbour->second.address, hop.to);
            std::ranges::copy(link->second.address, hop.from);
            if (std::ranges::find(takes_xdp_, route->interface) != takes_xdp_.end()) {
                hop.flags = RELAY_TAKES_XDP;
            }
        }
    }
    const std::atomic_ref ifindex{memory_[slot].ifindex};
    if (std::memcmp(&memory_[slot], &hop, offsetof(relay_hop, used)) == 0) return;
    ifindex.store(0);
    std::memcpy(&memory_[slot].mtu, &hop.mtu, sizeof hop - offsetof(relay_hop, mtu));
    ifindex.store(hop.ifindex);
}

void HopTable::follow() {
    auto changes = monitor_.poll();
    if (changes.lost == NetlinkMonitor::Changes::Lost::Some) {
        read_neighbours();
        changes.routes = NetlinkMonitor::Changes::Routes::Changed;
    }
    std::set<NeighbourKey> changed;
    std::set<NeighbourKey> lost;
    for (const auto& neighbour : changes.neighbours) {
        const bool is_lost = !neighbour.address && neighbours_.contains(neighbour.key);
        neighbours_.insert_or_assign(neighbour.key, neighbour);
        if (!neighbour.address) neighbours_.erase(neighbour.key);
        changed.insert(neighbour.key);
        if (is_lost) lost.insert(neighbour.key);
    }
    if (changes.routes == NetlinkMonitor::Changes::Routes::Changed) {
        read_links();
        to_resolve_.clear();
        for (const auto& [ends, slot] : slots_) to_resolve_.push_back(slot);
        return;
    }
    if (changed.empty()) return;
    for (const auto& [ends, slot] : slots_) {
        const auto& route = hops_[slot].route;
        if (!route) continue;
        const NeighbourKey key{route->interface, route->next_hop};
        if (changed.contains(key)) write(slot);
        if (lost.erase(key) != 0) netlink_.use(key);
    }
}

void HopTable::look_after_neighbours() {
    std::set<NeighbourKey> wanted;
    // No notice comes of a path that takes smaller packets than before.
    const bool asks_anew = to_resolve_.empty();
    for (const auto& [ends, slot] : slots_) {
        const auto& route = hops_[slot].route;
        const bool is_used = std::atomic_ref{memory_[slot].used}.exchange(0) != 0;
        if (asks_anew && (is_used || !route)) to_resolve_.push_back(slot);
        if (!route || route->kind == Route::Kind::Local) continue;
        const NeighbourKey key{route->interface, route->next_hop};
        const auto neighbour = neighbours_.find(key);
        const bool is_known = neighbour != neighbours_.end();
        if (!is_known || (is_used && (neighbour->second.state & NUD_STALE) != 0)) {
            wanted.insert(key);
        }
    }
    for (const auto& key : wanted) netlink_.use(key);
}

void HopTable::tend(Instant now) {
    follow();
    if (!looked_after_ || now - *looked_after_ >= look_after_time) {
        looked_after_ = now;
        look_after_neighbours();
    }
    for (std::size_t i = 0; i < most_resolved_at_once && !to_resolve_.empty(); ++i) {
        resolve(to_resolve_.front());
        to_resolve_.pop_front();
    }
}

}  // namespace stile::drivers::kernel
