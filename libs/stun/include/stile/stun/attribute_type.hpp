// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace stile::stun {

// The IANA registry "STUN Attributes" as far as this library speaks of it. A value outside the list
// is kept as it came.
enum class AttributeType : std::uint16_t {
    // Comprehension-required.
    MappedAddress = 0x0001,           // RFC 8489
    ChangeRequest = 0x0003,           // RFC 5780
    Username = 0x0006,                // RFC 8489
    MessageIntegrity = 0x0008,        // RFC 8489
    ErrorCode = 0x0009,               // RFC 8489
    UnknownAttributes = 0x000A,       // RFC 8489
    ChannelNumber = 0x000C,           // RFC 8656
    Lifetime = 0x000D,                // RFC 8656
    XorPeerAddress = 0x0012,          // RFC 8656
    Data = 0x0013,                    // RFC 8656
    Realm = 0x0014,                   // RFC 8489
    Nonce = 0x0015,                   // RFC 8489
    XorRelayedAddress = 0x0016,       // RFC 8656
    RequestedAddressFamily = 0x0017,  // RFC 8656
    EvenPort = 0x0018,                // RFC 8656
    RequestedTransport = 0x0019,      // RFC 8656
    DontFragment = 0x001A,            // RFC 8656
    AccessToken = 0x001B,             // RFC 7635
    MessageIntegritySha256 = 0x001C,  // RFC 8489
    PasswordAlgorithm = 0x001D,       // RFC 8489
    UserHash = 0x001E,                // RFC 8489
    XorMappedAddress = 0x0020,        // RFC 8489
    ReservationToken = 0x0022,        // RFC 8656
    Priority = 0x0024,                // RFC 8445
    UseCandidate = 0x0025,            // RFC 8445
    Padding = 0x0026,                 // RFC 5780
    ResponsePort = 0x0027,            // RFC 5780
    ConnectionId = 0x002A,            // RFC 6062
    // Comprehension-optional.
    AdditionalAddressFamily = 0x8000,     // RFC 8656
    AddressErrorCode = 0x8001,            // RFC 8656
    PasswordAlgorithms = 0x8002,          // RFC 8489
    AlternateDomain = 0x8003,             // RFC 8489
    Icmp = 0x8004,                        // RFC 8656
    Software = 0x8022,                    // RFC 8489
    AlternateServer = 0x8023,             // RFC 8489
    TransactionTransmitCounter = 0x8025,  // RFC 7982
    CacheTimeout = 0x8027,                // RFC 5780
    Fingerprint = 0x8028,                 // RFC 8489
    IceControlled = 0x8029,               // RFC 8445
    IceControlling = 0x802A,              // RFC 8445
    ResponseOrigin = 0x802B,              // RFC 5780
    OtherAddress = 0x802C,                // RFC 5780
    EcnCheck = 0x802D,                    // RFC 6679
    ThirdPartyAuthorization = 0x802E,     // RFC 7635
    MobilityTicket = 0x8030,              // RFC 8016
};

// RFC 8489 Section 14.
constexpr bool is_comprehension_required(AttributeType type) {
    return static_cast<std::uint16_t>(type) < 0x8000;
}

// The registered name, as "XOR-MAPPED-ADDRESS"; empty for a value outside the list.
std::string_view name(AttributeType type);

}  // namespace stile::stun
