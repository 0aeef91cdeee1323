// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/shared_ports.hpp>

#include <algorithm>

namespace stile::connect {

SharedPorts::SharedPorts(HashSeed seed) : mux_(seed) {}

void SharedPorts::follow(Instant now, UserId id, const Connector& connector) {
    User& user = users_[id];
    follow_fragment(user, id, connector.local_description().credentials.fragment);
    learn(now, user, connector);
    if (!user.member) return;
    const auto route = connector.route();
    const bool is_direct = route && !route->stream && route->wire == route->pair;
    if (!is_direct) {
        user.used.reset();
    } else if (user.used != route->pair && mux_.use(now, *user.member, route->pair)) {
        user.used = route->pair;
    }
}

void SharedPorts::follow_fragment(User& user, UserId id, const std::string& fragment) {
    if (!user.fragments.empty() && user.fragments.back() == fragment) return;
    if (!user.member) {
        const auto joined = mux_.join(fragment);
        if (!joined) return;
        user.member = *joined;
        members_[*joined] = id;
    } else {
        if (user.fragments.size() == ice::limits::most_mux_fragments) {
            mux_.remove_fragment(*user.member, user.fragments.front());
            user.fragments.pop_front();
        }
        if (!mux_.add_fragment(*user.member, fragment)) return;
    }
    user.fragments.push_back(fragment);
}

void SharedPorts::leave(UserId id) {
    const auto user = users_.find(id);
    if (user == users_.end()) return;
    if (user->second.member) {
        mux_.leave(*user->second.member);
        members_.erase(*user->second.member);
    }
    users_.erase(user);
}

void SharedPorts::sent(Instant now, UserId id, const Transmit& transmit) {
    if (is_own_socket(transmit.path.local)) return;
    keep_fresh(now, transmit.path);
    const auto user = users_.find(id);
    if (user == users_.end() || !user->second.member) return;
    mux_.sent(now, *user->second.member, transmit.path, transmit.payload);
}

std::span<const UserId> SharedPorts::route(Instant now, const Path& path, BytesView datagram) {
    std::size_t count = 0;
    for (const ice::MemberId member : mux_.route(now, path, datagram)) {
        routed_[count++] = members_.at(member);
    }
    return std::span{routed_}.first(count);
}

// --- what servers say of the sockets -----------------------------------------------------------

void SharedPorts::learn(Instant now, User& user, const Connector& connector) {
    for (const SocketAddress& server : connector.immobile_servers()) {
        if (std::ranges::find(immobile_, server) != immobile_.end()) continue;
        if (immobile_.size() == limits::most_turn_servers) immobile_.erase(immobile_.begin());
        immobile_.push_back(server);
    }
    if (user.learned == connector.learned()) return;
    for (const ReflexiveAddress& news : connector.learned()) {
        if (std::ranges::find(user.learned, news) != user.learned.end()) continue;
        const auto known = std::ranges::find(reflexive_, news.path, &ReflexiveAddress::path);
        if (known != reflexive_.end()) {
            *known = news;
            continue;
        }
        std::erase_if(reflexive_, [&](const auto& old) { return old.fresh_until <= now; });
        if (reflexive_.size() < limits::most_reflexive) reflexive_.push_back(news);
    }
    user.learned = connector.learned();
}

void SharedPorts::mark_immobile(std::vector<TurnServer>& servers) const {
    for (TurnServer& server : servers) {
        if (std::ranges::find(immobile_, server.address) == immobile_.end()) continue;
        server.mobility = turn::ClientConfig::Mobility::NotWanted;
    }
}

// A NAT that maps per destination would not keep it so; what it does is of no use anyway.
void SharedPorts::keep_fresh(Instant now, const Path& path) {
    const IpAddress& to = path.remote.ip;
    if (to.is_private() || to.is_link_local() || to.is_loopback()) return;
    for (ReflexiveAddress& known : reflexive_) {
        if (known.path.local != path.local || known.fresh_until <= now) continue;
        known.fresh_until = std::max(known.fresh_until, now + limits::reflexive_lifetime);
    }
}

std::vector<ReflexiveAddress> SharedPorts::reflexive(Instant now) const {
    std::vector<ReflexiveAddress> found;
    for (const ReflexiveAddress& known : reflexive_) {
        const bool differs = std::ranges::any_of(reflexive_, [&](const ReflexiveAddress& other) {
            return other.path.local == known.path.local && other.mapped != known.mapped;
        });
        if (!differs && known.fresh_until > now) found.push_back(known);
    }
    return found;
}

}  // namespace stile::connect
