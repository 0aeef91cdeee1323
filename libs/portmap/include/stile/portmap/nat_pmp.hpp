// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/portmap/mapping.hpp>

#include <expected>
#include <variant>

// What NAT-PMP has on the wire. RFC 6886.
namespace stile::portmap::nat_pmp {

// RFC 6886 Section 3.5. Values beyond 5 are kept as they came.
enum class ResultCode : std::uint16_t {
    Success = 0,
    UnsupportedVersion = 1,
    NotAuthorized = 2,
    NetworkFailure = 3,
    OutOfResources = 4,
    UnsupportedOpcode = 5,
};

// Asks for the external address. Section 3.2.
Bytes address_request();

// Section 3.3; a lifetime of 0 removes, and then `suggested` is 0 (Section 3.4).
struct MapRequest {
    Protocol protocol = Protocol::Udp;
    Port internal;
    Port suggested;
    std::chrono::seconds lifetime{0};

    Bytes to_bytes() const;
};

// The answer to an address request, and what a gateway announces. Section 3.2.
struct AddressResponse {
    ResultCode result = ResultCode::Success;
    std::chrono::seconds epoch{0};
    IpAddress external;  // meaningful with Success
};

// Section 3.3.
struct MapResponse {
    Protocol protocol = Protocol::Udp;
    ResultCode result = ResultCode::Success;
    std::chrono::seconds epoch{0};
    Port internal;
    Port external;
    std::chrono::seconds lifetime{0};
};

// Requires: octets are of a datagram whose first octet is 0.
std::expected<std::variant<AddressResponse, MapResponse>, ParseError> parse_response(
    BytesView octets);

}  // namespace stile::portmap::nat_pmp
