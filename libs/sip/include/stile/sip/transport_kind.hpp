// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/sip/flow.hpp>

#include <optional>
#include <string_view>

namespace stile::sip {

// "TLS", as a Via says it.
std::string_view transport_text(TransportKind kind);
// In any case; empty for a transport that this library has no name for.
std::optional<TransportKind> transport_kind_of(std::string_view text);

// RFC 3261 Section 19.1.2, RFC 7118 Section 5.
constexpr Port default_port(TransportKind kind) {
    switch (kind) {
        case TransportKind::Udp:
        case TransportKind::Tcp:
            return {5060};
        case TransportKind::Tls:
            return {5061};
        case TransportKind::Ws:
            return {80};
        case TransportKind::Wss:
            return {443};
    }
    return {};
}

}  // namespace stile::sip
