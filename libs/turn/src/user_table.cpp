// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/user_table.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

// A quota that is not asked for is never in the way.
TokenRate rate_of(const std::optional<TokenRate>& quota) { return quota.value_or(TokenRate{}); }
TokenRate rate_of(const std::optional<std::uint32_t>& a_minute) {
    return per_minute(a_minute.value_or(0));
}

Instant full_at(const User& user, const ServerConfig& config) {
    return std::max({user.octets.full_at(rate_of(config.user_bandwidth)),
                     user.packets.full_at(rate_of(config.user_packets)),
                     user.new_peers.full_at(rate_of(config.user_new_peers)),
                     user.connects.full_at(rate_of(config.user_connects))});
}

}  // namespace

UserTable::Place UserTable::find_or_add(Instant now, const std::string& owner,
                                        const ServerConfig& config) {
    while (const auto whole = idle_.expired(now)) forget(users_.find(*whole));
    const auto known = users_.find(owner);
    if (known != users_.end()) {
        idle_.update(owner, known->second.forgotten_at, std::nullopt);
        return known;
    }
    return users_
        .emplace(owner, User{.octets = {now, rate_of(config.user_bandwidth)},
                             .packets = {now, rate_of(config.user_packets)},
                             .new_peers = {now, rate_of(config.user_new_peers)},
                             .connects = {now, rate_of(config.user_connects)},
                             .forgotten_at = {}})
        .first;
}

std::size_t UserTable::relays_of(const std::string& owner) const {
    const auto known = users_.find(owner);
    return known == users_.end() ? 0 : known->second.relays;
}

void UserTable::release(Instant now, Place user, const ServerConfig& config) {
    if (user->second.relays != 0) return;
    const Instant full = full_at(user->second, config);
    if (full <= now) return forget(user);
    if (idle_.size() == most_idle_users) forget(users_.find(*idle_.expired(Instant::max())));
    idle_.update(user->first, user->second.forgotten_at, full);
}

void UserTable::forget(Place user) {
    idle_.update(user->first, user->second.forgotten_at, std::nullopt);
    users_.erase(user);
}

}  // namespace stile::turn
