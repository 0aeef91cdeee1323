// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/certificate.hpp>

#include <expected>
#include <span>

namespace stile::identity {

enum class FingerprintError : std::uint8_t {
    Malformed,    // not a hash name, a space and pairs of hexadecimal digits with colons between
    TooLong,      // longer than most_fingerprint_text
    UnknownHash,  // well formed, but of a hash function that is too weak or not known here
    WrongLength,  // not as many octets as the hash function gives
};

// RFC 8122 Section 5 lists more; MD2 and MD5 must not be used and SHA-1 should not be.
enum class HashFunction : std::uint8_t { Sha256 };

// What SDP says about a certificate: a=fingerprint. RFC 8122 Section 5.
struct Fingerprint {
    HashFunction hash = HashFunction::Sha256;
    crypto::Digest octets;  // as many as the hash function gives

    static Fingerprint of(const crypto::Certificate& certificate);

    // The attribute's value: "sha-256 4A:AD:...". Letters of both cases are read.
    [[nodiscard]] static std::expected<Fingerprint, FingerprintError> parse(std::string_view text);
    std::string to_string() const;

    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

enum class FingerprintCheck : std::uint8_t { Match, Mismatch };

// Whether the certificate of a handshake is one of those that the signalling told of. Mismatch when
// it told of none. Looks at the first most_fingerprints. RFC 8122 Section 5.1.
FingerprintCheck check_fingerprint(std::span<const Fingerprint> said,
                                   const crypto::Certificate& met);

}  // namespace stile::identity
