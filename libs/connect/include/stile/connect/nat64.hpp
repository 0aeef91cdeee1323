// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>

#include <optional>

namespace stile::connect {

// How a network writes IPv4 addresses as IPv6 ones, so that a host without IPv4 reaches them
// through a NAT64: RFC 6052. Where it comes from is the driver's matter (RFC 7050).
class Nat64Prefix {
public:
    // 64:ff9b::/96, RFC 6052 Section 2.1.
    static Nat64Prefix well_known();
    // Nothing unless it is an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits and its bits 64 to 71
    // are zero: RFC 6052 Section 2.2. What the address has behind the prefix is ignored.
    static std::optional<Nat64Prefix> from(const IpPrefix& prefix);

    // The IPv6 address that stands for it. Nothing for an address that is not IPv4, and for one
    // that the well-known prefix must not represent since it means something else on either side
    // of the NAT64 (RFC 6052 Section 3.1).
    std::optional<IpAddress> embed(const IpAddress& v4) const;

    const IpPrefix& prefix() const { return prefix_; }
    friend bool operator==(const Nat64Prefix&, const Nat64Prefix&) = default;

private:
    explicit Nat64Prefix(const IpPrefix& prefix) : prefix_(prefix) {}
    IpPrefix prefix_;
};

}  // namespace stile::connect
