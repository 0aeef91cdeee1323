// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/nat.hpp>

#include <algorithm>

namespace stile::sim {

Nat::Nat(NatBehavior behavior, std::optional<IpAddress> external, crypto::RandomStream random)
    : behavior_(behavior),
      external_(external),
      random_(std::move(random)),
      next_port_(behavior.first_port) {}

Nat::Key Nat::key_of(const SocketAddress& internal, const SocketAddress& remote) const {
    switch (behavior_.mapping) {
        case Mapping::EndpointIndependent:
            return {internal, std::nullopt, std::nullopt};
        case Mapping::AddressDependent:
            return {internal, remote.ip, std::nullopt};
        case Mapping::AddressAndPortDependent:
            return {internal, remote.ip, remote.port};
    }
    return {internal, std::nullopt, std::nullopt};
}

std::expected<SocketAddress, NatRefusal> Nat::outbound(Instant now, const SocketAddress& internal,
                                                       const SocketAddress& remote) {
    const Key key = key_of(internal, remote);
    auto found = entries_.find(key);
    if (found == entries_.end() || !is_alive(found->second.refreshed, now)) {
        if (found != entries_.end()) {
            by_external_.erase(found->second.external);
            entries_.erase(found);
        }
        forget_expired(now);
        SocketAddress external = internal;
        if (external_) {
            const auto port = choose_port(internal.port, now);
            if (!port) return std::unexpected(NatRefusal::NoPortsLeft);
            external = {.ip = *external_, .port = *port};
        }
        found = entries_.insert_or_assign(key, Entry{external, now, {}}).first;
        by_external_.insert_or_assign(external, key);
    }
    Entry& entry = found->second;
    auto& permission = entry.permissions.try_emplace(remote, now).first->second;
    if (behavior_.refresh != Refresh::Inbound) {
        entry.refreshed = now;
        permission = now;
    } else if (!is_alive(permission, now)) {
        permission = now;
    }
    return entry.external;
}

std::expected<SocketAddress, NatRefusal> Nat::inbound(Instant now, const SocketAddress& external,
                                                      const SocketAddress& remote) {
    const auto key = by_external_.find(external);
    if (key == by_external_.end()) return std::unexpected(NatRefusal::NoMapping);
    const auto found = entries_.find(key->second);
    if (found == entries_.end() || !is_alive(found->second.refreshed, now)) {
        return std::unexpected(NatRefusal::NoMapping);
    }
    Entry& entry = found->second;
    if (!admits(entry, remote, now)) return std::unexpected(NatRefusal::Filtered);
    if (behavior_.refresh != Refresh::Outbound) {
        entry.refreshed = now;
        const auto permission = entry.permissions.find(remote);
        if (permission != entry.permissions.end()) permission->second = now;
    }
    return key->second.internal;
}

bool Nat::admits(const Entry& entry, const SocketAddress& remote, Instant now) const {
    return std::ranges::any_of(entry.permissions, [&](const auto& permission) {
        if (!is_alive(permission.second, now)) return false;
        switch (behavior_.filtering) {
            case Filtering::EndpointIndependent:
                return true;
            case Filtering::AddressDependent:
                return permission.first.ip == remote.ip;
            case Filtering::AddressAndPortDependent:
                return permission.first == remote;
        }
        return false;
    });
}

void Nat::forget_expired(Instant now) {
    if (entries_.size() < sweep_at_) return;
    std::erase_if(entries_, [&](const auto& item) {
        const Entry& entry = item.second;
        if (is_alive(entry.refreshed, now)) return false;
        by_external_.erase(entry.external);
        return true;
    });
    sweep_at_ = 64 + entries_.size() * 2;
}

bool Nat::is_free(Port port, Instant now) {
    const auto owner = by_external_.find(SocketAddress{.ip = *external_, .port = port});
    if (owner == by_external_.end()) return true;
    const auto entry = entries_.find(owner->second);
    if (entry != entries_.end() && is_alive(entry->second.refreshed, now)) return false;
    if (entry != entries_.end()) entries_.erase(entry);
    by_external_.erase(owner);
    return true;
}

std::optional<Port> Nat::choose_port(Port internal, Instant now) {
    if (behavior_.ports == PortAssignment::Preserving && is_free(internal, now)) return internal;
    const std::uint32_t first = behavior_.first_port;
    const std::uint32_t count = behavior_.last_port - first + 1U;
    std::uint32_t offset = 0;
    switch (behavior_.ports) {
        case PortAssignment::Preserving:
            offset = internal.value < first ? 0 : (internal.value - first) % count;
            break;
        case PortAssignment::Sequential:
            offset = next_port_ - first;
            break;
        case PortAssignment::Random:
            offset = static_cast<std::uint32_t>(random_.below(count));
            break;
    }
    for (std::uint32_t tries = 0; tries < count; ++tries) {
        const auto candidate = static_cast<std::uint16_t>(first + (offset + tries) % count);
        const bool fits =
            behavior_.parity == PortParity::Ignored || candidate % 2 == internal.value % 2;
        if (!fits || !is_free(Port{candidate}, now)) continue;
        next_port_ = candidate == behavior_.last_port ? behavior_.first_port
                                                      : static_cast<std::uint16_t>(candidate + 1U);
        return Port{candidate};
    }
    return std::nullopt;
}

void Nat::restart() {
    entries_.clear();
    by_external_.clear();
}

std::size_t Nat::mappings(Instant now) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        entries_, [&](const auto& item) { return is_alive(item.second.refreshed, now); }));
}

}  // namespace stile::sim
