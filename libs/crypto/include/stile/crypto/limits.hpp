// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace stile::crypto {

// A certificate with one P-256 key and a few names has 400 to 700 octets, a public web server's up
// to 3,000. What is longer is refused before it is looked at.
inline constexpr std::size_t most_certificate_octets = 16'384;

// Keys that are read: a PKCS#8 P-256 key has 138 octets. Room for attributes of other programs.
inline constexpr std::size_t most_key_octets = 4'096;

// PEM is 4/3 of its DER, plus line ends, marker lines and text around it.
inline constexpr std::size_t most_pem_octets = 2 * most_certificate_octets;

// Alternative names of one certificate. Our own have at most a handful.
inline constexpr std::size_t most_certificate_names = 64;

// Characters of one name in a certificate; a SIP URI of ours has at most 256.
inline constexpr std::size_t most_name_octets = 512;

// RFC 5280 Appendix A.1: ub-common-name.
inline constexpr std::size_t most_common_name_octets = 64;

static_assert(most_key_octets <= most_certificate_octets);

}  // namespace stile::crypto
