// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/deadline_queue.hpp>
#include <stile/turn/server_config.hpp>
#include <stile/turn/token_bucket.hpp>

#include <map>
#include <string>

namespace stile::turn {

// What all relays of one user share.
struct User {
    std::size_t relays = 0;
    TokenBucket octets;
    TokenBucket packets;
    TokenBucket new_peers;
    TokenBucket connects;
    std::optional<Instant> forgotten_at;  // while idle; UserTable's own
};

// Users that have relays, and those that had some and whose buckets are not full yet: who gives
// everything back and asks anew goes on with what was left. Of the latter most_idle_users, of which
// those that are full soonest make room.
class UserTable {
public:
    using Place = std::map<std::string, User, std::less<>>::iterator;

    // With full buckets where the user is new. Each call is followed by relays for the user, or by
    // release. The rates are those of `config`, as in release.
    Place find_or_add(Instant now, const std::string& owner, const ServerConfig& config);
    std::size_t relays_of(const std::string& owner) const;
    // After the user has lost relays. The place is of no use any more where none is left.
    void release(Instant now, Place user, const ServerConfig& config);

    // Whole again or not. Requires: the user has no relays.
    void forget(Place user);

    // Idle ones, too.
    std::size_t size() const { return users_.size(); }

private:
    std::map<std::string, User, std::less<>> users_;
    DeadlineQueue<std::string> idle_;
};

}  // namespace stile::turn
