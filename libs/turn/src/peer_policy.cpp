// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/peer_policy.hpp>

#include <stile/turn/embedded_ipv4.hpp>
#include <stile/turn/limits.hpp>

#include <algorithm>
#include <array>
#include <span>

namespace stile::turn {
namespace {

enum class Rule : std::uint8_t {
    Never,
    Openable,
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
    range(v6({0x00, 0x64, 0xff, 0x9b}), 96, Rule::Openable),
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

constexpr std::array nat64_homes{
    IpPrefix{.address = v6({0x20}), .length = 3},
    IpPrefix{.address = v6({0xfc}), .length = 7},
    IpPrefix{.address = v6({0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}), .length = 48},
};

using Mark = PrefixTrie::Mark;

// Made once, and copied into each policy.
const PrefixTrie& special_ranges() {
    static const PrefixTrie ranges = [] {
        PrefixTrie made;
        made.mark({.address = IpAddress{}, .length = 0}, Mark::Known);
        made.mark(global_unicast, Mark::Known);
        const auto add = [&](std::span<const SpecialRange> list) {
            for (const SpecialRange& range : list) {
                made.mark(range.prefix, Mark::Known);
                made.mark(range.prefix, range.rule == Rule::Never ? Mark::Never : Mark::Special);
            }
        };
        add(v4_ranges);
        add(v6_ranges);
        return made;
    }();
    return ranges;
}

}  // namespace

PeerPolicy::PeerPolicy() : ranges_(special_ranges()) {}

bool PeerPolicy::open(const IpPrefix& prefix) {
    if (opened_ == most_policy_prefixes) return false;
    ++opened_;
    ranges_.mark(prefix, Mark::Opened);
    return true;
}

bool PeerPolicy::deny(const IpPrefix& prefix) {
    if (denied_ == most_policy_prefixes) return false;
    ++denied_;
    ranges_.mark(prefix, Mark::Denied);
    return true;
}

bool PeerPolicy::deny_own(const IpAddress& address) {
    return deny(
        {.address = address, .length = address.is_v4() ? std::uint8_t{32} : std::uint8_t{128}});
}

bool PeerPolicy::add_nat64(const IpPrefix& prefix) {
    const bool has_home = std::ranges::any_of(nat64_homes, [&](const IpPrefix& home) {
        return prefix.length >= home.length && home.contains(prefix.address);
    });
    if (nat64_.size() == most_nat64_prefixes || !has_home || !is_nat64_length(prefix.length)) {
        return false;
    }
    nat64_.push_back(prefix);
    return true;
}

bool PeerPolicy::is_tunnelled(const IpAddress& address) {
    return teredo.contains(address) || six_to_four.contains(address);
}

PeerPolicy::Verdict PeerPolicy::judge(const SocketAddress& peer) const {
    return peer.port.value == 0 ? Verdict::Denied : judge(peer.ip);
}

PeerPolicy::Verdict PeerPolicy::judge(const IpAddress& peer) const {
    const PrefixTrie::Findings found = ranges_.look_up(peer);
    if (found.has(Mark::Denied)) return Verdict::Denied;
    const auto inner = embedded_ipv4(peer, nat64_);
    if (inner && inner->disguise != Disguise::Nat64) return Verdict::Denied;
    const bool is_ours =
        std::ranges::any_of(nat64_, [&](const IpPrefix& prefix) { return prefix.contains(peer); });
    // An opening that is wider than what it opens is a slip, not a wish.
    const bool passes =
        found.has(Mark::Known) && !found.has(Mark::Never) && found.opened >= found.special;
    if (!is_ours && !passes) return Verdict::Denied;
    return inner ? judge(inner->address) : Verdict::Allowed;
}

}  // namespace stile::turn
