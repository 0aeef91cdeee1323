// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/connector.hpp>
#include <stile/ice/port_mux.hpp>

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stile::connect {

// Names a connector to SharedPorts; chosen by the caller, and never given twice.
struct UserId {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(UserId, UserId) = default;
};

// UDP sockets that many connectors use at once (ConnectorConfig::sockets is Shared): says whose an
// arriving datagram is, and remembers what servers say of the sockets, so that later connectors
// need not ask again. ice::PortMux says how a datagram finds its connector; strangers' find none.
//
// Order: follow() when a connector is made and after whatever may have changed it, sent() for each
// datagram that it sends, leave() when it is released.
class SharedPorts {
public:
    explicit SharedPorts(HashSeed seed);

    // Its credentials, those of the generation before, and its route lead to it from now on. Of two
    // with the same fragment (one pair in 2^48) the later gets no requests until the other leaves.
    void follow(Instant now, UserId user, const Connector& connector);
    void leave(UserId user);
    // Datagrams by own_socket_at() are nobody else's, and are let be.
    void sent(Instant now, UserId user, const Transmit& transmit);

    // Whose it may be, the likeliest first; mostly one, and at most ice::limits::most_mux_sharers.
    // Valid until the next call. Several where connectors share the path and it is data: the first
    // that can tell it for its own by what it carries takes it.
    std::span<const UserId> route(Instant now, const Path& path, BytesView datagram);

    // What is known of the sockets now, for ConnectorConfig::reflexive. A mapping stays fresh while
    // datagrams leave by it to the outside (RFC 4787 Section 4.3). Nothing of sockets that two
    // servers see differently: the NAT shows each peer another port.
    std::vector<ReflexiveAddress> reflexive(Instant now) const;
    // Those that have said that relays may not move are not asked again.
    void mark_immobile(std::vector<TurnServer>& servers) const;
    // The network has changed: all that was learned of it may be wrong.
    void forget_reflexive() { reflexive_.clear(); }

    void handle_timeout(Instant now) { mux_.handle_timeout(now); }
    std::optional<Instant> poll_timeout() const { return mux_.poll_timeout(); }

    std::size_t users() const { return users_.size(); }

private:
    struct User {
        std::optional<ice::MemberId> member;  // absent: its fragment is taken
        std::deque<std::string> fragments;    // the oldest first
        std::optional<Path> used;
        std::vector<ReflexiveAddress> learned;  // from it, so far
    };

    void follow_fragment(User& user, UserId id, const std::string& fragment);
    void learn(Instant now, User& user, const Connector& connector);
    void keep_fresh(Instant now, const Path& path);

    ice::PortMux mux_;
    std::map<UserId, User> users_;
    std::map<ice::MemberId, UserId> members_;
    std::vector<ReflexiveAddress> reflexive_;
    std::vector<SocketAddress> immobile_;  // the oldest first
    std::array<UserId, ice::limits::most_mux_sharers> routed_{};
};

}  // namespace stile::connect
