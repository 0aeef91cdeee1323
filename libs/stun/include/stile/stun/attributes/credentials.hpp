// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/attribute.hpp>
#include <stile/stun/limits.hpp>

#include <array>
#include <span>
#include <string_view>

namespace stile::stun {

// The IANA registry "STUN Password Algorithms". RFC 8489 Section 18.5. A value outside the list is
// kept as it came.
enum class PasswordAlgorithm : std::uint16_t { Md5 = 0x0001, Sha256 = 0x0002 };

// RFC 8489 Section 14.4.
struct UserHash {
    static constexpr AttributeType type = AttributeType::UserHash;
    std::array<std::byte, 32> octets{};

    // Requires: both have been through OpaqueString.
    static UserHash of(std::string_view username, std::string_view realm);

    static std::optional<UserHash> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const { writer.bytes(octets); }
    friend auto operator<=>(const UserHash&, const UserHash&) = default;
};

// RFC 8489 Section 14.12. The parameters of both algorithms are empty; those of others are skipped.
//     |          Algorithm           |  Algorithm Parameters Length   |
//     |                    Algorithm Parameters (variable)
struct PasswordAlgorithmAttribute {
    static constexpr AttributeType type = AttributeType::PasswordAlgorithm;
    PasswordAlgorithm algorithm = PasswordAlgorithm::Md5;

    static std::optional<PasswordAlgorithmAttribute> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(const PasswordAlgorithmAttribute&,
                           const PasswordAlgorithmAttribute&) = default;
};

// RFC 8489 Section 14.11, in the order of preference. A longer list than most_password_algorithms
// and an empty one are malformed.
struct PasswordAlgorithms {
    static constexpr AttributeType type = AttributeType::PasswordAlgorithms;

    std::span<const PasswordAlgorithm> list() const& { return std::span{list_}.first(count_); }
    std::span<const PasswordAlgorithm> list() const&& = delete;
    bool contains(PasswordAlgorithm algorithm) const;
    // Requires: fewer than most_password_algorithms are there.
    void add(PasswordAlgorithm algorithm);

    static std::optional<PasswordAlgorithms> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(const PasswordAlgorithms&, const PasswordAlgorithms&) = default;

private:
    std::array<PasswordAlgorithm, most_password_algorithms> list_{};
    std::size_t count_ = 0;
};

// RFC 7635 Section 6.2: nonce length, nonce, encrypted block; opaque here.
struct AccessToken {
    static constexpr AttributeType type = AttributeType::AccessToken;
    BytesView octets;

    static std::optional<AccessToken> decode(BytesView value, const TransactionId&) {
        return AccessToken{value};
    }
    void encode(ByteWriter& writer, const TransactionId&) const { writer.bytes(octets); }
};

}  // namespace stile::stun
