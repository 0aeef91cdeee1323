// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <array>
#include <compare>
#include <optional>

namespace stile {

enum class AddressFamily : std::uint8_t { V4, V6 };

// An IPv4 or IPv6 address, in network order. An IPv4-mapped IPv6 address stays IPv6: what it stands
// for is policy, see unmapped().
class IpAddress {
public:
    constexpr IpAddress() = default;  // 0.0.0.0
    static constexpr IpAddress v4(std::array<std::uint8_t, 4> octets) {
        IpAddress address;
        for (std::size_t i = 0; i < octets.size(); ++i) address.octets_[i] = std::byte{octets[i]};
        return address;
    }
    static constexpr IpAddress v4(std::uint32_t value) {
        return v4({static_cast<std::uint8_t>(value >> 24U), static_cast<std::uint8_t>(value >> 16U),
                   static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)});
    }
    static constexpr IpAddress v6(std::array<std::byte, 16> octets) {
        IpAddress address;
        address.family_ = AddressFamily::V6;
        address.octets_ = octets;
        return address;
    }
    // Requires: octets has 4 or 16 elements.
    static IpAddress from_octets(BytesView octets);

    // Dotted decimal, or RFC 4291 Section 2.2 text without brackets and zone.
    static std::optional<IpAddress> parse(std::string_view text);
    // RFC 5952 for IPv6.
    std::string to_string() const;

    constexpr AddressFamily family() const { return family_; }
    constexpr bool is_v4() const { return family_ == AddressFamily::V4; }
    constexpr bool is_v6() const { return family_ == AddressFamily::V6; }
    // 4 or 16 octets, valid as long as the address.
    constexpr BytesView octets() const& { return BytesView{octets_}.first(is_v4() ? 4 : 16); }
    BytesView octets() const&& = delete;

    bool is_unspecified() const;
    bool is_loopback() const;
    bool is_link_local() const;
    bool is_multicast() const;
    bool is_private() const;  // RFC 1918, RFC 6598, RFC 4193
    // The IPv4 address inside ::ffff:0:0/96, otherwise this address.
    IpAddress unmapped() const;

    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

private:
    AddressFamily family_ = AddressFamily::V4;
    std::array<std::byte, 16> octets_{};
};

// An address prefix such as 10.0.0.0/8.
struct IpPrefix {
    IpAddress address;
    std::uint8_t length = 0;  // in bits, at most 32 or 128

    static std::optional<IpPrefix> parse(std::string_view text);
    // False for an address of the other family.
    bool contains(const IpAddress& candidate) const;
    std::string to_string() const;
    friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

}  // namespace stile
