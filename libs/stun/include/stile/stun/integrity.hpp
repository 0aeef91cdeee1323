// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/hmac.hpp>
#include <stile/stun/attributes/credentials.hpp>
#include <stile/stun/message_view.hpp>

#include <optional>

namespace stile::stun {

// A credential prepared for computing message integrity. Each kind is prepared when it is first
// used, hence one key must not be used by two threads at once.
class IntegrityKey {
public:
    // RFC 8489 Section 9.1.1. Requires: the password has been through OpaqueString.
    static IntegrityKey short_term(std::string_view password);
    // RFC 8489 Sections 9.2.2 and 18.5.1. Requires: all three have been through OpaqueString.
    // Trailing NULs and one pair of surrounding quotes (of username and realm) are removed.
    static IntegrityKey long_term(std::string_view username, std::string_view realm,
                                  std::string_view password,
                                  PasswordAlgorithm algorithm = PasswordAlgorithm::Md5);
    // A key computed elsewhere: H(A1) of a user database, or an RFC 7635 session key.
    static IntegrityKey from_octets(BytesView key);

    // The octets of the key, for a store.
    BytesView octets() const& { return key_; }
    BytesView octets() const&& = delete;

    crypto::Digest tag(IntegrityKind kind, std::initializer_list<BytesView> parts) const;

    // Gives back what was prepared, some kilobytes; the next use prepares it anew, for a
    // microsecond. For a key that is seldom used.
    void rest() const {
        sha1_.reset();
        sha256_.reset();
    }

private:
    explicit IntegrityKey(Bytes key) : key_(std::move(key)) {}

    Bytes key_;
    mutable std::optional<crypto::Hmac> sha1_;
    mutable std::optional<crypto::Hmac> sha256_;
};

enum class Integrity : std::uint8_t { Passed, Failed };

// The shortest MESSAGE-INTEGRITY-SHA256 to accept. RFC 8489 Section 14.6 wants all 32 octets unless
// the usage allows truncation, and never fewer than 16.
struct LeastTag {
    std::size_t octets = full_sha256_tag_octets;
};

// Failed if the attribute is absent, of a wrong length, or does not match.
[[nodiscard]] Integrity check_integrity(const MessageView& message, const IntegrityKey& key,
                                        IntegrityKind kind, LeastTag least = {});

// The kind to check in a received message: SHA-256 if both are there. RFC 8489 Section 9.1.3.
std::optional<IntegrityKind> strongest_integrity(const MessageView& message);

enum class Fingerprint : std::uint8_t { Absent, Correct, Wrong };
// RFC 8489 Section 14.7.
[[nodiscard]] Fingerprint check_fingerprint(const MessageView& message);

}  // namespace stile::stun
