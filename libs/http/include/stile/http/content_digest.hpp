// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/http/fields.hpp>

namespace stile::http {

// Digests of content and of whole representations. RFC 9530.
enum class DigestField : std::uint8_t { Content, Representation };
// "content-digest" and "repr-digest"; "want-content-digest" and "want-repr-digest".
std::string_view field_name(DigestField field);
std::string_view want_field_name(DigestField field);

// The two algorithms that RFC 9530 Section 5 has not deprecated.
enum class DigestKind : std::uint8_t { Sha256, Sha512 };
std::string_view to_string(DigestKind kind);

struct ContentDigest {
    DigestKind kind = DigestKind::Sha256;
    Bytes digest;  // 32 or 64 octets
    friend bool operator==(const ContentDigest&, const ContentDigest&) = default;
};

// Digests of other algorithms, and ones of the wrong length, are left out. A field that is no
// dictionary has none.
std::vector<ContentDigest> read_digests(const Fields& fields, DigestField field);
std::string format_digests(const std::vector<ContentDigest>& digests);

// SHA-256 over octets that are at hand.
ContentDigest sha256_digest(BytesView content);

enum class DigestCheck : std::uint8_t { Absent, Matches, Differs };
// Compares the SHA-256 that was computed over what arrived with the one the fields announce.
DigestCheck check_sha256(const Fields& fields, DigestField field, BytesView computed);

// What a Want-*-Digest field asks for, best first; empty where there is none or nothing known is
// acceptable. RFC 9530 Section 4.
std::vector<DigestKind> wanted_digests(const Fields& fields, DigestField field);

}  // namespace stile::http
