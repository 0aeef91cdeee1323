// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace stile::sip {

// The transports that a driver can offer. RFC 3261 Section 18, RFC 7118.
enum class TransportKind : std::uint8_t { Udp, Tcp, Tls, Ws, Wss };

// "TLS", as a Via says it.
std::string_view transport_text(TransportKind kind);
// In any case; empty for an unknown one.
std::optional<TransportKind> transport_kind_of(std::string_view text);

constexpr bool is_reliable(TransportKind kind) { return kind != TransportKind::Udp; }
constexpr bool is_secure(TransportKind kind) {
    return kind == TransportKind::Tls || kind == TransportKind::Wss;
}
// RFC 3261 Section 19.1.2, RFC 7118 Section 5.
constexpr std::uint16_t default_port(TransportKind kind) {
    switch (kind) {
        case TransportKind::Udp:
        case TransportKind::Tcp: return 5060;
        case TransportKind::Tls: return 5061;
        case TransportKind::Ws: return 80;
        case TransportKind::Wss: return 443;
    }
    return 0;
}

}  // namespace stile::sip
