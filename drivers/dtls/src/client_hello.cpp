// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "client_hello.hpp"

#include <stile/drivers/dtls.hpp>

namespace stile::drivers {

bool looks_like_dtls(BytesView datagram) {
    return !datagram.empty() && datagram[0] >= std::byte{20} && datagram[0] <= std::byte{63};
}

std::optional<BytesView> client_hello_random(BytesView datagram) {
    // RFC 6347 Sections 4.1 and 4.2.2. A record's header: type, version, epoch (2), number (6),
    // length (2); a handshake message's: type, length (3), sequence (2), offset (3), length (3).
    constexpr std::size_t record_header = 13;
    constexpr std::size_t message_header = 12;
    constexpr std::size_t version = 2;
    constexpr std::size_t random = 32;
    constexpr std::size_t random_at = record_header + message_header + version;
    if (datagram.size() < random_at + random) return std::nullopt;
    const auto is_zero = [&](std::size_t at, std::size_t count) {
        for (const std::byte octet : datagram.subspan(at, count)) {
            if (octet != std::byte{0}) return false;
        }
        return true;
    };
    constexpr std::byte handshake{22};
    constexpr std::byte client_hello{1};
    const bool begins = datagram[0] == handshake && is_zero(3, 2) &&
                        datagram[record_header] == client_hello && is_zero(record_header + 6, 3);
    if (!begins) return std::nullopt;
    return datagram.subspan(random_at, random);
}

}  // namespace stile::drivers
