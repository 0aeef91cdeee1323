// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace stile::stun {

inline constexpr std::size_t header_octets = 20;
inline constexpr std::size_t attribute_header_octets = 4;

// The length field has 16 bits and its last two are zero. RFC 8489 Section 5.
inline constexpr std::size_t most_message_octets = header_octets + 0xFFFC;

// Far above any message in use (a CreatePermission request names a handful of peers); it bounds the
// work that one datagram can cause. RFC 8489 sets no limit.
inline constexpr std::size_t most_attributes = 128;

// What a receiver must understand of USERNAME, REALM, NONCE, SOFTWARE and reason phrases.
// RFC 8489 Sections 14.3, 14.8, 14.9, 14.10 and 14.14.
inline constexpr std::size_t most_text_octets = 763;
// What a sender may write: fewer than 509 octets.
inline constexpr std::size_t most_sent_text_octets = 508;

// Types that one UNKNOWN-ATTRIBUTES lists; a 420 answer needs no more to make its point, and it
// keeps the answer smaller than a request that provokes it.
inline constexpr std::size_t most_unknown_attributes = 16;

// Two algorithms exist (RFC 8489 Section 18.5).
inline constexpr std::size_t most_password_algorithms = 8;

// RFC 8489 Section 14.6.
inline constexpr std::size_t least_sha256_tag_octets = 16;
inline constexpr std::size_t full_sha256_tag_octets = 32;
inline constexpr std::size_t sha1_tag_octets = 20;

// An ACCESS-TOKEN that a client sends: self-contained ones have about 100 octets, signed ones of
// other kinds a few thousand. RFC 7635 Section 6.2 sets no limit but the message's.
inline constexpr std::size_t most_access_token_octets = 4096;

// Challenges (438, or 401 with another realm) that a client follows without a success between: one
// is usual, more come only from a server that does not know its own nonces.
inline constexpr unsigned most_challenges_in_a_row = 3;

static_assert(most_sent_text_octets < most_text_octets);
static_assert(2 * most_unknown_attributes <= most_text_octets);

}  // namespace stile::stun
