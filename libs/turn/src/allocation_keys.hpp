// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/turn/allocation_table.hpp>

#include <array>
#include <cstring>

// What things are found by, as words for KeyedTable.
namespace stile::turn {

inline std::array<std::uint64_t, 2> words_of(const IpAddress& ip) {
    std::array<std::uint64_t, 2> words{};
    const BytesView octets = ip.octets();
    std::memcpy(words.data(), octets.data(), octets.size());
    return words;
}

inline std::uint64_t bit_of(AddressFamily family) { return family == AddressFamily::V6 ? 1U : 0U; }

inline std::array<std::uint64_t, 5> key_of(const ClientFlow& flow) {
    const auto local = words_of(flow.local.ip);
    const auto remote = words_of(flow.remote.ip);
    const std::uint64_t rest =
        std::uint64_t{flow.local.port.value} << 48U | std::uint64_t{flow.remote.port.value} << 32U |
        static_cast<std::uint64_t>(flow.transport) << 2U | bit_of(flow.local.ip.family()) << 1U |
        bit_of(flow.remote.ip.family());
    return {local[0], local[1], remote[0], remote[1], rest};
}

// An address within the context of an allocation; index and port both matter or are 0.
inline std::array<std::uint64_t, 3> key_of(AllocationIndex index, const SocketAddress& address) {
    const auto ip = words_of(address.ip);
    return {ip[0], ip[1],
            std::uint64_t{index} << 32U | std::uint64_t{address.port.value} << 8U |
                bit_of(address.ip.family())};
}

// Relayed addresses: TCP and UDP have ports of their own.
inline std::array<std::uint64_t, 3> key_of(RelayProtocol protocol, const SocketAddress& address) {
    return key_of(static_cast<AllocationIndex>(protocol), address);
}

inline std::array<std::uint64_t, 1> key_of(AllocationIndex index, ChannelNumber number) {
    return {std::uint64_t{index} << 16U | number.value};
}

}  // namespace stile::turn
