// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/stun/message_view.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace stile::turn {

// Why something was refused. Each code of RFC 8656 Section 19, RFC 6062 Section 6.3 and RFC 8016
// Section 3.4 has its own value, because each asks for something else of the application.
enum class FailureKind : std::uint8_t {
    TryAlternate,                  // 300: the same at Failure::alternate
    BadRequest,                    // 400
    Unauthenticated,               // 401 despite credentials: wrong or expired
    Forbidden,                     // 403: the peer, or the whole allocation, by policy
    MobilityForbidden,             // 405: make a new allocation after a move
    UnknownAttribute,              // 420
    AllocationMismatch,            // 437; to Allocate: use another local port
    StaleNonce,                    // 438: the server takes none of its own nonces
    AddressFamilyNotSupported,     // 440: never ask this server for the family again
    WrongCredentials,              // 441
    UnsupportedTransportProtocol,  // 442
    PeerFamilyMismatch,            // 443: no relayed address of the peer's family
    ConnectionExists,              // 446: there is a connection to this peer already
    ConnectionFailed,              // 447: the peer does not take the connection
    QuotaReached,                  // 486: wait a minute or more
    RoleConflict,                  // 487: of ICE; no TURN server has a reason to say it
    ServerError,                   // 500: the same again may do
    InsufficientCapacity,          // 508: wait a minute, or ask without special wishes
    OtherCode,                     // what is not known; Failure::code says what
    TimedOut,                      // no answer
    Unreachable,                   // the network or the connection says so
    IntegrityViolated,             // answers came, none authentic
    ProtocolViolated,              // an answer lacks what it must have
    count,
};

FailureKind failure_kind_of(std::uint16_t code);

// A few words for logs, as "allocation quota reached".
std::string_view to_string(FailureKind kind);

struct Failure {
    FailureKind kind = FailureKind::OtherCode;
    std::uint16_t code = 0;  // of the server, 0 where none
    std::string reason;      // the server's words
    // With TryAlternate: ask there, over the same transport with the same credentials; over TLS and
    // DTLS the certificate is for alternate_domain, or, where that is empty, for the name it was
    // for here. RFC 8489 Section 10.
    std::optional<SocketAddress> alternate;
    std::string alternate_domain;
};

// Requires: an error response.
Failure failure_of(const stun::MessageView& response);

}  // namespace stile::turn
