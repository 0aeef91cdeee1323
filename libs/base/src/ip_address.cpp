// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/ip_address.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>

#include <algorithm>
#include <charconv>

namespace stile {
namespace {

constexpr std::size_t group_count = 8;  // 16-bit groups of an IPv6 address

std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) {
    std::array<std::uint8_t, 4> octets{};
    for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t dot = i < 3 ? text.find('.') : text.size();
        if (dot == std::string_view::npos) return std::nullopt;
        const std::string_view part = text.substr(0, dot);
        // A leading zero is refused: some systems read it as octal.
        if (part.size() > 1 && part.front() == '0') return std::nullopt;
        const auto value = parse_unsigned(part, 255);
        if (!value) return std::nullopt;
        octets[i] = static_cast<std::uint8_t>(*value);
        text.remove_prefix(std::min(text.size(), dot + 1));
    }
    return octets;
}

std::optional<std::uint16_t> parse_group(std::string_view text) {
    if (text.empty() || text.size() > 4) return std::nullopt;
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Groups of one side of "::". A dotted IPv4 tail counts as two groups.
std::optional<std::vector<std::uint16_t>> parse_groups(std::string_view text) {
    std::vector<std::uint16_t> groups;
    while (!text.empty()) {
        const std::size_t colon = text.find(':');
        const std::string_view part = text.substr(0, colon);
        if (colon == std::string_view::npos && part.find('.') != std::string_view::npos) {
            const auto tail = parse_v4(part);
            if (!tail) return std::nullopt;
            groups.push_back(static_cast<std::uint16_t>((*tail)[0] << 8 | (*tail)[1]));
            groups.push_back(static_cast<std::uint16_t>((*tail)[2] << 8 | (*tail)[3]));
            return groups;
        }
        const auto group = parse_group(part);
        if (!group || groups.size() == group_count) return std::nullopt;
        groups.push_back(*group);
        if (colon == std::string_view::npos) return groups;
        text.remove_prefix(colon + 1);
        if (text.empty()) return std::nullopt;  // ends in a single colon
    }
    return groups;
}

std::optional<IpAddress> parse_v6(std::string_view text) {
    const std::size_t gap = text.find("::");
    const auto head = parse_groups(text.substr(0, gap));
    if (!head) return std::nullopt;
    std::vector<std::uint16_t> groups = *head;
    if (gap == std::string_view::npos) {
        if (groups.size() != group_count) return std::nullopt;
    } else {
        const auto tail = parse_groups(text.substr(gap + 2));
        if (!tail || groups.size() + tail->size() >= group_count) return std::nullopt;
        groups.resize(group_count - tail->size());
        groups.insert(groups.end(), tail->begin(), tail->end());
    }
    std::array<std::byte, 16> octets{};
    for (std::size_t i = 0; i < group_count; ++i) {
        octets[2 * i] = static_cast<std::byte>(groups[i] >> 8U);
        octets[2 * i + 1] = static_cast<std::byte>(groups[i] & 0xFFU);
    }
    return IpAddress::v6(octets);
}

std::string v6_text(BytesView octets) {
    std::array<unsigned, group_count> groups{};
    for (std::size_t i = 0; i < group_count; ++i) {
        groups[i] = std::to_integer<unsigned>(octets[2 * i]) << 8U |
                    std::to_integer<unsigned>(octets[2 * i + 1]);
    }
    // RFC 5952 Section 4.2: the first longest run of at least two zero groups becomes "::".
    std::size_t best = group_count;
    std::size_t best_length = 1;
    for (std::size_t i = 0; i < group_count;) {
        std::size_t end = i;
        while (end < group_count && groups[end] == 0) ++end;
        if (end - i > best_length) {
            best = i;
            best_length = end - i;
        }
        i = std::max(end, i + 1);
    }
    std::string text;
    for (std::size_t i = 0; i < group_count;) {
        if (i == best) {
            text += "::";
            i += best_length;
            continue;
        }
        if (!text.empty() && text.back() != ':') text += ':';
        std::array<char, 4> digits{};
        const auto result = std::to_chars(digits.begin(), digits.end(), groups[i], 16);
        text.append(digits.begin(), result.ptr);
        ++i;
    }
    return text;
}

struct Bits {
    std::uint32_t value;
    unsigned length;
};

bool v4_in(std::uint32_t address, Bits prefix) {
    return (address ^ prefix.value) >> (32U - prefix.length) == 0;
}

std::uint32_t v4_value(BytesView octets) {
    std::uint32_t value = 0;
    for (const std::byte octet : octets)
        value = value << 8U | std::to_integer<std::uint32_t>(octet);
    return value;
}

}  // namespace

IpAddress IpAddress::from_octets(BytesView octets) {
    STILE_ASSERT(octets.size() == 4 || octets.size() == 16);
    IpAddress address;
    address.family_ = octets.size() == 4 ? AddressFamily::V4 : AddressFamily::V6;
    std::ranges::copy(octets, address.octets_.begin());
    return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.find(':') != std::string_view::npos) return parse_v6(text);
    const auto octets = parse_v4(text);
    if (!octets) return std::nullopt;
    return v4(*octets);
}

std::string IpAddress::to_string() const {
    if (is_v6()) return v6_text(octets());
    std::string text;
    for (const std::byte octet : octets()) {
        if (!text.empty()) text += '.';
        text += std::to_string(std::to_integer<int>(octet));
    }
    return text;
}

bool IpAddress::is_unspecified() const {
    return std::ranges::all_of(octets(), [](std::byte octet) { return octet == std::byte{}; });
}

bool IpAddress::is_loopback() const {
    if (is_v4()) return octets_[0] == std::byte{127};
    return octets_[15] == std::byte{1} &&
           std::all_of(octets_.begin(), octets_.end() - 1,
                       [](std::byte octet) { return octet == std::byte{}; });
}

bool IpAddress::is_link_local() const {
    if (is_v4()) return v4_in(v4_value(octets()), {0xA9FE0000, 16});
    return octets_[0] == std::byte{0xFE} && (octets_[1] & std::byte{0xC0}) == std::byte{0x80};
}

bool IpAddress::is_multicast() const {
    if (is_v4()) return (octets_[0] & std::byte{0xF0}) == std::byte{0xE0};
    return octets_[0] == std::byte{0xFF};
}

bool IpAddress::is_private() const {
    if (is_v6()) return (octets_[0] & std::byte{0xFE}) == std::byte{0xFC};
    const std::uint32_t value = v4_value(octets());
    return v4_in(value, {0x0A000000, 8}) || v4_in(value, {0xAC100000, 12}) ||
           v4_in(value, {0xC0A80000, 16}) || v4_in(value, {0x64400000, 10});
}

IpAddress IpAddress::unmapped() const {
    constexpr std::array<std::byte, 12> mapped{
        {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, std::byte{0xFF}, std::byte{0xFF}}};
    if (is_v4() || !std::equal(mapped.begin(), mapped.end(), octets_.begin())) return *this;
    return from_octets(BytesView{octets_}.subspan(12));
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    const std::uint64_t most = address->is_v4() ? 32 : 128;
    if (slash == std::string_view::npos) return IpPrefix{*address, static_cast<std::uint8_t>(most)};
    const auto length = parse_unsigned(text.substr(slash + 1), most);
    if (!length) return std::nullopt;
    return IpPrefix{*address, static_cast<std::uint8_t>(*length)};
}

bool IpPrefix::contains(const IpAddress& candidate) const {
    if (candidate.family() != address.family()) return false;
    const BytesView left = address.octets();
    const BytesView right = candidate.octets();
    const std::size_t whole = length / 8U;
    if (!equal(left.first(whole), right.first(whole))) return false;
    const unsigned rest = length % 8U;
    if (rest == 0) return true;
    const auto difference = std::to_integer<unsigned>(left[whole] ^ right[whole]);
    return difference >> (8U - rest) == 0;
}

std::string IpPrefix::to_string() const {
    return address.to_string() + '/' + std::to_string(length);
}

}  // namespace stile
