// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace stile::sip {

// What a parser accepts, so that no message can make it spend memory or time without end. The
// defaults are the library's maxima; an application may ask for less, never for more.
struct ParseLimits {
    // One UDP datagram's worth. RFC 3261 Section 18.1.1 asks implementations to take 65 535 octets.
    std::size_t message_octets = 65'535;
    // The largest messages seen in the field (IMS, with all history) have about 60 lines.
    std::size_t header_lines = 200;
    // Start line or one header field after unfolding. Identity and Via stacks need several kB.
    std::size_t line_octets = 16'384;
    friend bool operator==(const ParseLimits&, const ParseLimits&) = default;
};

// The smaller of what is asked for and the library's maxima.
constexpr ParseLimits bounded(const ParseLimits& asked) {
    constexpr ParseLimits most;
    return {.message_octets = std::min(asked.message_octets, most.message_octets),
            .header_lines = std::min(asked.header_lines, most.header_lines),
            .line_octets = std::min(asked.line_octets, most.line_octets)};
}

// Elements of one list header field over all its lines: 70 is the usual Max-Forwards, so no honest
// request carries more Via or Record-Route values. RFC 3261 Section 8.1.1.6.
inline constexpr std::size_t most_list_values = 128;

// Parameters of one header field value or URI. A contact with every base feature tag has 20.
inline constexpr std::size_t most_parameters = 64;

// Feature predicates in one request: "A reasonable number is around 20." RFC 3841 Section 11.
inline constexpr std::size_t most_preferences = 20;

// Alternatives of one feature parameter, as in methods="INVITE,BYE,...". The IANA registry lists 14
// methods and some 40 option tags.
inline constexpr std::size_t most_feature_values = 64;

// Challenges looked at in one response: one an algorithm and realm is the honest use.
inline constexpr std::size_t most_challenges = 16;

// Challenges that a client takes one after the other without a success between: a server whose
// nonces are always stale would otherwise be asked for ever.
inline constexpr std::uint32_t most_challenges_in_a_row = 4;

// A host name. RFC 1035 Section 2.3.4.
inline constexpr std::size_t most_host_octets = 255;

// Requests that one nonce may serve before a client asks for a new one: the count has 8 hexadecimal
// digits. RFC 7616 Section 3.4.
inline constexpr std::uint32_t most_nonce_uses = 0xFFFF'FFFF;

static_assert(ParseLimits{}.line_octets <= ParseLimits{}.message_octets);
static_assert(ParseLimits{}.message_octets <= 0xFFFF'FFFF, "slices have 32 bits");
static_assert(ParseLimits{}.line_octets <= 0xFFFF, "a header name's length has 16 bits");

}  // namespace stile::sip
