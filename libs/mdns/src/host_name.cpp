// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/mdns/host_name.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>

#include <algorithm>

namespace stile::mdns {
namespace {

constexpr std::string_view suffix = ".local";
// xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx, y being 8 to b.
constexpr std::string_view pattern = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";

bool fits(char wanted, char found) {
    const bool is_hex = is_digit(found) || (found >= 'a' && found <= 'f');
    if (wanted == 'x') return is_hex;
    if (wanted == 'y') return found == '8' || found == '9' || found == 'a' || found == 'b';
    return found == wanted;
}

}  // namespace

std::optional<HostName> HostName::parse(std::string_view text) {
    if (text.size() != pattern.size() + suffix.size()) return std::nullopt;
    std::string lower = to_lower(text);
    const std::string_view label = std::string_view{lower}.substr(0, pattern.size());
    if (!lower.ends_with(suffix) || !std::ranges::equal(pattern, label, fits)) return std::nullopt;
    return HostName{std::move(lower)};
}

HostName HostName::random(crypto::RandomStream& random) {
    auto octets = random.array<16>();
    octets[6] = (octets[6] & std::byte{0x0F}) | std::byte{0x40};
    octets[8] = (octets[8] & std::byte{0x3F}) | std::byte{0x80};
    std::string text = to_hex(octets);
    for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, 1, '-');
    return HostName{text + std::string{suffix}};
}

}  // namespace stile::mdns
