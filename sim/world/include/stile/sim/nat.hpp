// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/sim/nat_behavior.hpp>

#include <expected>
#include <map>
#include <optional>

namespace stile::sim {

enum class NatRefusal : std::uint8_t {
    NoMapping,    // nothing inside has this outside address (any more)
    Filtered,     // the mapping is there, its filter does not let this source in
    NoPortsLeft,  // every external port is taken
};

// The tables of one NAT box, or, without an external address, of a stateful firewall that
// translates nothing.
class Nat {
public:
    // Requires: first_port <= last_port, and both ports of a parity in between.
    Nat(NatBehavior behavior, std::optional<IpAddress> external, crypto::RandomStream random);

    // A packet leaves: the source it has outside.
    std::expected<SocketAddress, NatRefusal> outbound(Instant now, const SocketAddress& internal,
                                                      const SocketAddress& remote);
    // A packet from `remote` to an outside address: where it goes inside.
    std::expected<SocketAddress, NatRefusal> inbound(Instant now, const SocketAddress& external,
                                                     const SocketAddress& remote);

    // Loses everything, as after loss of power.
    void restart();
    const NatBehavior& behavior() const { return behavior_; }
    std::size_t mappings(Instant now) const;

private:
    // What distinguishes the mappings of one internal endpoint, as far as the behaviour looks at
    // it.
    struct Key {
        SocketAddress internal;
        std::optional<IpAddress> remote_ip;
        std::optional<Port> remote_port;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Entry {
        SocketAddress external;
        Instant refreshed;
        std::map<SocketAddress, Instant> permissions;  // remote, last refreshed
    };

    Key key_of(const SocketAddress& internal, const SocketAddress& remote) const;
    bool is_alive(Instant refreshed, Instant now) const {
        return now - refreshed < behavior_.lifetime;
    }
    bool admits(const Entry& entry, const SocketAddress& remote, Instant now) const;
    void forget_expired(Instant now);
    std::optional<Port> choose_port(Port internal, Instant now);
    // Forgets the expired mapping that has it, if one has.
    bool is_free(Port port, Instant now);

    NatBehavior behavior_;
    std::optional<IpAddress> external_;
    crypto::RandomStream random_;
    std::map<Key, Entry> entries_;
    std::map<SocketAddress, Key> by_external_;
    std::size_t sweep_at_ = 64;  // entries; keeps the cost of forgetting in proportion
    std::uint16_t next_port_;
};

}  // namespace stile::sim
