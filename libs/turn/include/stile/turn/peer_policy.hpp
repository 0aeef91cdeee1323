// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/turn/prefix_trie.hpp>

#include <vector>

namespace stile::turn {

// Which peers a server relays to. Special-purpose addresses are refused unless configured
// otherwise: without that a relay is a door into its operator's network.
//
// Refused whatever is configured: the unspecified address and 0.0.0.0/8, multicast, broadcast and
// 240.0.0.0/4, IPv4-mapped, IPv4-compatible and IPv4-translated addresses, ISATAP, 6to4, Teredo and
// 64:ff9b:1::/48 (RFC 8656 Section 21.4), and addresses outside 2000::/3 that nothing below names.
// Refused unless opened: loopback, private (RFC 1918, 4193, 6598), link-local, site-local,
// documentation, benchmarking and protocol-assignment ranges; NAT64 addresses (RFC 6052),
// which are opened only as far as the IPv4 address inside is also allowed.
class PeerPolicy {
public:
    enum class Verdict : std::uint8_t { Allowed, Denied };

    PeerPolicy();

    // Opens a special-purpose range or a part of one. A wider prefix opens nothing: 0.0.0.0/0 is
    // not taken for "the metadata service too". False at the limit of prefixes.
    [[nodiscard]] bool open(const IpPrefix& prefix);
    // Refuses peers that would be allowed; wins over open(). False at the limit of prefixes.
    [[nodiscard]] bool deny(const IpPrefix& prefix);
    // An address of the server itself (listeners, relays, management): refused even inside an
    // opened range. False at the limit of prefixes.
    [[nodiscard]] bool deny_own(const IpAddress& address);

    // A prefix behind which this network translates to IPv4 (RFC 6052 Section 2.2, RFC 8215): an
    // address there is what the IPv4 address inside is. False at the limit, for another length
    // than RFC 6052 has, and outside of 2000::/3, fc00::/7 and 64:ff9b:1::/48.
    [[nodiscard]] bool add_nat64(const IpPrefix& prefix);

    Verdict judge(const IpAddress& peer) const;
    // Port 0 is no destination.
    Verdict judge(const SocketAddress& peer) const;

    // 6to4 and Teredo: neither a peer nor a client. RFC 8656 Section 21.4.
    static bool is_tunnelled(const IpAddress& address);

private:
    PrefixTrie ranges_;
    std::size_t opened_ = 0;
    std::size_t denied_ = 0;
    std::vector<IpPrefix> nat64_;
};

}  // namespace stile::turn
