// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// The tag of a UDP socket of a shard: what it is, and which.
namespace stile::relay::tag {

inline constexpr std::uint64_t relay_bit = 1ULL << 63U;
inline constexpr unsigned tenant_shift = 32;

constexpr std::uint64_t listener(std::size_t index) { return index; }
// Of all relays of a tenant; the low 32 bits are RelayId::index.
constexpr std::uint64_t relays_of(std::size_t tenant) {
    return relay_bit | std::uint64_t{tenant} << tenant_shift;
}

constexpr bool is_relay(std::uint64_t tag) { return (tag & relay_bit) != 0; }
constexpr std::size_t tenant(std::uint64_t tag) { return (tag & ~relay_bit) >> tenant_shift; }
constexpr std::uint32_t index(std::uint64_t tag) { return static_cast<std::uint32_t>(tag); }

}  // namespace stile::relay::tag
