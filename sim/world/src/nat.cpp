// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/nat.hpp>

#include <algorithm>

namespace stile::sim {

Nat::Nat(NatBehavior behavior, std::optional<IpAddress> external, crypto::RandomStream random)
    : behavior_(behavior), external_(external), random_(std::move(random)) {}

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
        forget_expired(now);
        SocketAddress external = internal;
        if (external_) {
            const auto port = choose_port(internal.port);
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
    std::erase_if(entries_, [&](const auto& item) {
        const Entry& entry = item.second;
        if (is_alive(entry.refreshed, now)) return false;
        by_external_.erase(entry.external);
        return true;
    });
}

bool Nat::is_free(Port port) const {
    return !by_external_.contains(SocketAddress{.ip = *external_, .port = port});
}

std::optional<Port> Nat::choose_port(Port internal) {
    const std::uint16_t step = behavior_.parity == PortParity::Preserved ? 2 : 1;
    std::uint16_t candidate = internal.value;
    switch (behavior_.ports) {
        case PortAssignment::Preserving:
            if (is_free(internal)) return internal;
            break;
        case PortAssignment::Sequential:
            candidate = next_port_;
            break;
        case PortAssignment::Random:
            candidate =
                static_cast<std::uint16_t>(first_port + random_.below(last_port - first_port + 1U));
            break;
    }
    if (step == 2 && (candidate ^ internal.value) % 2 != 0) ++candidate;
    for (std::uint32_t tries = 0; tries <= last_port; ++tries) {
        if (candidate < first_port) {
            // Wrapped around, or a low internal port that is taken.
            candidate =
                static_cast<std::uint16_t>(first_port + (step == 2 ? internal.value % 2 : 0));
        }
        if (is_free(Port{candidate})) {
            next_port_ = static_cast<std::uint16_t>(candidate + 1U);
            return Port{candidate};
        }
        candidate = static_cast<std::uint16_t>(candidate + step);
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
