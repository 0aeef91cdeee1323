// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/stun/attribute.hpp>
#include <stile/stun/limits.hpp>

#include <array>
#include <span>
#include <string_view>

namespace stile::stun {

// RFC 8489 Section 14.8.
//     |           Reserved, should be 0         |Class|     Number    |
//     |      Reason Phrase (variable)                                ..
struct ErrorCode {
    static constexpr AttributeType type = AttributeType::ErrorCode;
    std::uint16_t code = 0;  // 300..699
    std::string_view reason;

    static std::optional<ErrorCode> decode(BytesView value, const TransactionId&);
    // Requires: 300 <= code <= 699 and a reason of at most most_sent_text_octets.
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(const ErrorCode&, const ErrorCode&) = default;
};

// The registered codes with their recommended phrases. RFC 8489 Section 14.8, RFC 8656 Section 19,
// RFC 8445 Section 16.2, RFC 6062 Section 6.3, RFC 8016 Section 3.4.
namespace error {
inline constexpr ErrorCode try_alternate{300, "Try Alternate"};
inline constexpr ErrorCode bad_request{400, "Bad Request"};
inline constexpr ErrorCode unauthenticated{401, "Unauthenticated"};
inline constexpr ErrorCode forbidden{403, "Forbidden"};
inline constexpr ErrorCode mobility_forbidden{405, "Mobility Forbidden"};
inline constexpr ErrorCode unknown_attribute{420, "Unknown Attribute"};
inline constexpr ErrorCode allocation_mismatch{437, "Allocation Mismatch"};
inline constexpr ErrorCode stale_nonce{438, "Stale Nonce"};
inline constexpr ErrorCode address_family_not_supported{440, "Address Family not Supported"};
inline constexpr ErrorCode wrong_credentials{441, "Wrong Credentials"};
inline constexpr ErrorCode unsupported_transport{442, "Unsupported Transport Protocol"};
inline constexpr ErrorCode peer_family_mismatch{443, "Peer Address Family Mismatch"};
inline constexpr ErrorCode connection_already_exists{446, "Connection Already Exists"};
inline constexpr ErrorCode connection_failure{447, "Connection Timeout or Failure"};
inline constexpr ErrorCode allocation_quota_reached{486, "Allocation Quota Reached"};
inline constexpr ErrorCode role_conflict{487, "Role Conflict"};
inline constexpr ErrorCode server_error{500, "Server Error"};
inline constexpr ErrorCode insufficient_capacity{508, "Insufficient Capacity"};
}  // namespace error

// RFC 8489 Section 14.13. Holds the first most_unknown_attributes of a longer list.
struct UnknownAttributes {
    static constexpr AttributeType type = AttributeType::UnknownAttributes;

    std::span<const AttributeType> types() const& { return std::span{types_}.first(count_); }
    std::span<const AttributeType> types() const&& = delete;
    bool empty() const { return count_ == 0; }
    // Does nothing if the type is there already or the list is full.
    void add(AttributeType unknown);

    static std::optional<UnknownAttributes> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(const UnknownAttributes&, const UnknownAttributes&) = default;

private:
    std::array<AttributeType, most_unknown_attributes> types_{};
    std::size_t count_ = 0;
};

// RFC 8656 Section 18.12.
struct AddressErrorCode {
    static constexpr AttributeType type = AttributeType::AddressErrorCode;
    AddressFamily family = AddressFamily::V4;
    std::uint16_t code = 0;
    std::string_view reason;

    static std::optional<AddressErrorCode> decode(BytesView value, const TransactionId&);
    // Requires: as ErrorCode.
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(const AddressErrorCode&, const AddressErrorCode&) = default;
};

}  // namespace stile::stun
