// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace stile::identity {

// The text of one fingerprint: the longest registered hash, SHA-512, has 8 + 3 * 64 characters.
inline constexpr std::size_t most_fingerprint_text = 256;

// Fingerprints of one media description that are looked at: a certificate or two, a hash or two.
inline constexpr std::size_t most_fingerprints = 16;

// An address as user@domain. Domains have at most 253 characters.
inline constexpr std::size_t most_address_octets = 512;

// A device's certificate and its address's. Nothing longer has a meaning here.
inline constexpr std::size_t most_presented_certificates = 2;

}  // namespace stile::identity
