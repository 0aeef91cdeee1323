// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/sdp/attributes.hpp>

namespace stile::sdp {

// RFC 8122 Section 5. Md5 and Md2 are recognised and must never be used.
enum class HashFunction : std::uint8_t { Sha1, Sha224, Sha256, Sha384, Sha512, Md5, Md2 };

std::size_t digest_octets(HashFunction hash);
std::string_view to_string(HashFunction hash);

// a=fingerprint: the hash of a certificate's DER form.
struct Fingerprint {
    static constexpr std::string_view name = "fingerprint";
    HashFunction hash = HashFunction::Sha256;
    Bytes digest;

    // Hash names in any case; hexadecimal in any case although the grammar has capitals only. An
    // unknown hash function is Unsupported, a digest of the wrong length OutOfRange.
    [[nodiscard]] static std::expected<Fingerprint, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const;
    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

// Those of the offered fingerprints that a certificate must match one of: all that use the first
// function of `preference` that was offered at all. Empty when none was: no connection may be made
// then (RFC 8122 Section 5.1). Md5 and Md2 in `preference` are passed over.
std::vector<Fingerprint> select_fingerprints(const std::vector<Fingerprint>& offered,
                                             const std::vector<HashFunction>& preference);

// The same set, in whatever order: with an unchanged tls-id it asks for the existing association
// (RFC 8842 Section 4).
bool same_fingerprints(const std::vector<Fingerprint>& left, const std::vector<Fingerprint>& right);

}  // namespace stile::sdp
