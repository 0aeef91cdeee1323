// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>

namespace stile::drivers {

// Plaintext of one record, and so of one datagram: RFC 6347 Section 4.1.
inline constexpr std::size_t most_dtls_octets = 16'384;
// What a record adds to its plaintext with any suite offered here: header 13, explicit nonce 8,
// tag 16. RFC 6347 Section 4.1, RFC 5288 Section 3.
inline constexpr std::size_t dtls_overhead = 37;
// Bounds of DtlsOptions::mtu: below a handshake would fall into shreds; above one datagram of a
// flight outgrows OpenSSL's buffer.
inline constexpr std::size_t least_dtls_mtu = 256;
inline constexpr std::size_t most_dtls_mtu = 4'000;
// The server's cookie: with it a HelloVerifyRequest has 44 octets, and no ClientHello less than 67.
inline constexpr std::size_t dtls_cookie_octets = 16;
// How long a cookie is good: for this long at least, for twice as long at most.
inline constexpr Duration dtls_cookie_period = std::chrono::seconds{30};

}  // namespace stile::drivers
