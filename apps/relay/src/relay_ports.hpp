// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/relay/settings.hpp>
#include <stile/turn/relay.hpp>

#include <functional>
#include <optional>
#include <vector>

namespace stile::relay {

// Where new relays go: a random address of the family, spread evenly, and a random port of the
// range that nobody can guess. RFC 8656 Section 7.2, RFC 6056.
class RelayPorts {
public:
    RelayPorts(std::vector<RelayAddress> addresses, PortRange range, crypto::RandomStream random);

    // For relays from now on.
    void change(std::vector<RelayAddress> addresses, PortRange range);

    // Whether this process has a relay there already.
    using IsTaken = std::function<bool(const SocketAddress&)>;
    // Both are told whether a socket could be bound there.
    using Bind = std::function<bool(turn::RelayId, const SocketAddress&)>;
    using Unbind = std::function<void(turn::RelayId)>;
    // The address of `wanted.relay`; that of `wanted.next` is one port higher.
    std::optional<SocketAddress> open(const turn::RelayWanted& wanted, const IsTaken& is_taken,
                                      const Bind& bind, const Unbind& unbind);

    // What peers see instead of it.
    SocketAddress external(SocketAddress local) const;

private:
    std::vector<RelayAddress> addresses_;
    PortRange range_;
    crypto::RandomStream random_;
};

}  // namespace stile::relay
