// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace stile::sdp::limits {

// A description travels in one SIP message; two octets of UDP length bound the largest of those.
inline constexpr std::size_t description_octets = 65'535;
// The longest line in use is an identity or key attribute of a few thousand octets.
inline constexpr std::size_t line_octets = 8'192;
// Browsers offer one section a track; a conference of 64 tracks is larger than any seen.
inline constexpr std::size_t media = 64;
// In one section. Browsers' video sections have about 150, trickled candidates included.
inline constexpr std::size_t attributes = 1'024;
// In one m= line; RTP payload types are seven bits.
inline constexpr std::size_t formats = 128;
// Of e=, p=, b=, c= and r= each, in one section, and of t=.
inline constexpr std::size_t repeated_lines = 32;
// A foundation; RFC 8839 Section 5.1.
inline constexpr std::size_t foundation_characters = 32;
// ice-ufrag and ice-pwd; RFC 8839 Section 5.4. A username fragment to send has at most 32.
inline constexpr std::size_t ice_credential_characters = 256;
inline constexpr std::size_t ice_ufrag_characters_to_send = 32;
inline constexpr std::size_t ice_ufrag_least_characters = 4;
inline constexpr std::size_t ice_pwd_least_characters = 22;
// RFC 8842 Section 4.
inline constexpr std::size_t tls_id_characters = 255;
inline constexpr std::size_t tls_id_least_characters = 20;
// RFC 3264 Section 5 wants versions that fit a signed 64-bit integer.
inline constexpr std::uint64_t session_version = INT64_MAX;

static_assert(line_octets < description_octets);
static_assert(ice_credential_characters < line_octets);

}  // namespace stile::sdp::limits
