// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/nat64.hpp>

#include <span>
#include <string_view>
#include <vector>

namespace stile::connect {

// The name that has IPv4 addresses alone, which are known to everybody: whoever gets an IPv6 one
// for it sees how a DNS64 makes them (RFC 7050, RFC 6147).
inline constexpr std::string_view ipv4_only_name = "ipv4only.arpa";

// The prefixes that the AAAA answers for that name show, in the order of the answers; at most
// limits::most_nat64_prefixes. Empty where there is no NAT64, or answers that have nothing to do
// with it. An address that has the known ones in several places counts where another answer agrees
// (RFC 7050 Section 3).
std::vector<Nat64Prefix> nat64_prefixes(std::span<const IpAddress> answers);

}  // namespace stile::connect
