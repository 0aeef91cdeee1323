// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/limits.hpp>
#include <stile/connect/nat64_discovery.hpp>

#include <algorithm>
#include <array>

namespace stile::connect {
namespace {

// RFC 7050 Section 2.2: what the name stands for.
constexpr std::array known_addresses{IpAddress::v4({192, 0, 0, 170}),
                                     IpAddress::v4({192, 0, 0, 171})};
constexpr std::array<std::uint8_t, 6> lengths{96, 64, 56, 48, 40, 32};  // RFC 6052 Section 2.2

struct Place {
    Nat64Prefix prefix;
    IpAddress known;
};

// Everywhere in the address where one of the known ones is.
std::vector<Place> places_in(const IpAddress& address) {
    std::vector<Place> places;
    for (const std::uint8_t length : lengths) {
        const auto prefix = Nat64Prefix::from({.address = address, .length = length});
        if (!prefix) continue;
        for (const IpAddress& known : known_addresses) {
            const auto embedded = prefix->embed(known);
            // What follows the IPv4 address is reserved, and to be ignored: RFC 6052 Section 2.2.
            const std::size_t end = length == 96 ? 16U : length / 8U + 5U;
            if (embedded &&
                std::ranges::equal(embedded->octets().first(end), address.octets().first(end))) {
                places.push_back({*prefix, known});
            }
        }
    }
    return places;
}

}  // namespace

std::vector<Nat64Prefix> nat64_prefixes(std::span<const IpAddress> answers) {
    const auto looked_at = answers.first(std::min(answers.size(), limits::most_nat64_answers));
    std::vector<std::vector<Place>> all;
    for (const IpAddress& answer : looked_at) {
        // An IPv4-mapped address is an IPv4 one.
        const bool is_v6 = answer.is_v6() && answer.unmapped().is_v6();
        all.push_back(is_v6 ? places_in(answer) : std::vector<Place>{});
    }
    const auto is_confirmed = [&](const Place& place) {
        return std::ranges::any_of(all, [&](const std::vector<Place>& places) {
            return std::ranges::any_of(places, [&](const Place& other) {
                return other.prefix == place.prefix && other.known != place.known;
            });
        });
    };
    std::vector<Nat64Prefix> prefixes;
    for (const std::vector<Place>& places : all) {
        for (const Place& place : places) {
            if (places.size() > 1 && !is_confirmed(place)) continue;
            if (prefixes.size() == limits::most_nat64_prefixes) return prefixes;
            if (std::ranges::find(prefixes, place.prefix) == prefixes.end()) {
                prefixes.push_back(place.prefix);
            }
        }
    }
    return prefixes;
}

}  // namespace stile::connect
