// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/portmap/mapping.hpp>

#include <array>
#include <expected>
#include <variant>

// What PCP version 2 has on the wire, as far as a client that maps ports needs it. RFC 6887.
namespace stile::portmap::pcp {

inline constexpr std::uint8_t version = 2;

// RFC 6887 Section 7.4. Values beyond 13 are kept as they came.
enum class ResultCode : std::uint8_t {
    Success = 0,
    UnsupportedVersion = 1,
    NotAuthorized = 2,
    MalformedRequest = 3,
    UnsupportedOpcode = 4,
    UnsupportedOption = 5,
    MalformedOption = 6,
    NetworkFailure = 7,
    NoResources = 8,
    UnsupportedProtocol = 9,
    UserExceededQuota = 10,
    CannotProvideExternal = 11,
    AddressMismatch = 12,
    ExcessiveRemotePeers = 13,
};

// Section 11.1: what only the owner of a mapping knows.
using Nonce = std::array<std::byte, 12>;

// Sections 7.1 and 11.1. A lifetime of 0 removes; `suggested` is then all zeros (Section 15.1).
struct MapRequest {
    IpAddress client;
    std::chrono::seconds lifetime{0};
    Nonce nonce{};
    Protocol protocol = Protocol::Udp;
    Port internal;
    SocketAddress suggested;  // of the client's family; port 0 and address 0: no wish

    Bytes to_bytes() const;
};

struct MapResponse {
    ResultCode result = ResultCode::Success;
    std::chrono::seconds lifetime{0};  // of the mapping, or of the error
    std::chrono::seconds epoch{0};
    Nonce nonce{};
    Protocol protocol = Protocol::Udp;
    Port internal{};
    SocketAddress external{};  // an IPv4 address as such
};

// Section 14.1: the server has restarted, or says that it is there.
struct Announcement {
    std::chrono::seconds epoch{0};
};

// Section 9. Version 0 is a gateway that knows NAT-PMP alone.
struct VersionRefused {
    std::uint8_t supported = 0;
};

using Response = std::variant<MapResponse, Announcement, VersionRefused>;
std::expected<Response, ParseError> parse_response(BytesView octets);

}  // namespace stile::portmap::pcp
