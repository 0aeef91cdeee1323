// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/peer_policy.hpp>

#include <stile/turn/limits.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

enum class Rule : std::uint8_t {
    Never,
    Openable,
    Nat64,  // openable, and the IPv4 address in the last 32 bits is judged too
};

struct SpecialRange {
    IpPrefix prefix;
    Rule rule;
};

constexpr IpAddress v6(std::array<std::uint8_t, 16> octets) {
    std::array<std::byte, 16> bytes{};
    for (std::size_t i = 0; i < octets.size(); ++i) bytes[i] = std::byte{octets[i]};
    return IpAddress::v6(bytes);
}
constexpr SpecialRange range(IpAddress address, std::uint8_t length, Rule rule) {
    return {.prefix = {.address = address, .length = length}, .rule = rule};
}

constexpr IpPrefix teredo{.address = v6({0x20, 0x01, 0x00, 0x00}), .length = 32};
constexpr IpPrefix six_to_four{.address = v6({0x20, 0x02}), .length = 16};

// The IANA registries of special-purpose addresses (RFC 6890), and multicast.
constexpr std::array v4_ranges{
    range(IpAddress::v4({0, 0, 0, 0}), 8, Rule::Never),
    range(IpAddress::v4({10, 0, 0, 0}), 8, Rule::Openable),
    range(IpAddress::v4({100, 64, 0, 0}), 10, Rule::Openable),
    range(IpAddress::v4({127, 0, 0, 0}), 8, Rule::Openable),
    range(IpAddress::v4({169, 254, 0, 0}), 16, Rule::Openable),
    range(IpAddress::v4({172, 16, 0, 0}), 12, Rule::Openable),
    range(IpAddress::v4({192, 0, 0, 0}), 24, Rule::Openable),
    range(IpAddress::v4({192, 0, 2, 0}), 24, Rule::Openable),
    range(IpAddress::v4({192, 88, 99, 0}), 24, Rule::Never),  // 6to4 relays
    range(IpAddress::v4({192, 168, 0, 0}), 16, Rule::Openable),
    range(IpAddress::v4({198, 18, 0, 0}), 15, Rule::Openable),
    range(IpAddress::v4({198, 51, 100, 0}), 24, Rule::Openable),
    range(IpAddress::v4({203, 0, 113, 0}), 24, Rule::Openable),
    range(IpAddress::v4({224, 0, 0, 0}), 4, Rule::Never),
    range(IpAddress::v4({240, 0, 0, 0}), 4, Rule::Never),
};
constexpr std::array v6_ranges{
    range(v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 128, Rule::Openable),
    range(v6({0x00, 0x64, 0xff, 0x9b}), 96, Rule::Nat64),
    range(v6({0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}), 48, Rule::Never),  // layout is local
    SpecialRange{.prefix = teredo, .rule = Rule::Never},
    SpecialRange{.prefix = six_to_four, .rule = Rule::Never},
    range(v6({0x20, 0x01, 0x00, 0x00}), 23, Rule::Openable),  // protocol assignments
    range(v6({0x20, 0x01, 0x0d, 0xb8}), 32, Rule::Openable),
    range(v6({0x3f, 0xff}), 20, Rule::Openable),
    range(v6({0xfc}), 7, Rule::Openable),
    range(v6({0xfe, 0x80}), 10, Rule::Openable),
    range(v6({0xfe, 0xc0}), 10, Rule::Openable),
    range(v6({0xff}), 8, Rule::Never),
};
constexpr IpPrefix global_unicast{.address = v6({0x20}), .length = 3};

// RFC 5214 Section 6.1: 0000:5efe or 0200:5efe before an IPv4 address.
bool is_isatap(BytesView octets) {
    return (octets[8] & std::byte{0xFD}) == std::byte{0} && octets[9] == std::byte{0} &&
           octets[10] == std::byte{0x5E} && octets[11] == std::byte{0xFE};
}

}  // namespace

bool PeerPolicy::open(const IpPrefix& prefix) {
    if (opened_.size() == most_policy_prefixes) return false;
    opened_.push_back(prefix);
    return true;
}

bool PeerPolicy::deny(const IpPrefix& prefix) {
    if (denied_.size() == most_policy_prefixes) return false;
    denied_.push_back(prefix);
    return true;
}

bool PeerPolicy::deny_own(const IpAddress& address) {
    return deny(
        {.address = address, .length = address.is_v4() ? std::uint8_t{32} : std::uint8_t{128}});
}

bool PeerPolicy::is_tunnelled(const IpAddress& address) {
    return teredo.contains(address) || six_to_four.contains(address);
}

PeerPolicy::Verdict PeerPolicy::judge(const SocketAddress& peer) const {
    return peer.port.value == 0 ? Verdict::Denied : judge(peer.ip);
}

PeerPolicy::Verdict PeerPolicy::judge(const IpAddress& peer) const {
    for (const IpPrefix& prefix : denied_) {
        if (prefix.contains(peer)) return Verdict::Denied;
    }
    bool known = peer.is_v4() || global_unicast.contains(peer);
    if (peer.is_v6() && is_isatap(peer.octets())) return Verdict::Denied;
    for (const SpecialRange& special :
         peer.is_v4() ? std::span<const SpecialRange>{v4_ranges} : v6_ranges) {
        if (!special.prefix.contains(peer)) continue;
        known = true;
        if (special.rule == Rule::Never) return Verdict::Denied;
        if (!is_opened(peer, special.prefix.length)) return Verdict::Denied;
        if (special.rule == Rule::Nat64 &&
            judge(IpAddress::from_octets(peer.octets().last(4))) == Verdict::Denied) {
            return Verdict::Denied;
        }
    }
    return known ? Verdict::Allowed : Verdict::Denied;
}

bool PeerPolicy::is_opened(const IpAddress& peer, unsigned least_length) const {
    return std::ranges::any_of(opened_, [&](const IpPrefix& prefix) {
        return prefix.length >= least_length && prefix.contains(peer);
    });
}

}  // namespace stile::turn
