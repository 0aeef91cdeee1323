// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/certificate.hpp>

#include <expected>
#include <span>

namespace stile::identity {

// What a peer showed of itself in a handshake, and what came of it.
struct Met {
    crypto::Certificate device;     // whose fingerprint the signalling tells
    crypto::PublicKey address_key;  // the long-lived key: its thumbprint is what gets pinned
};

enum class PresentedError : std::uint8_t {
    Nothing,       // no certificate
    TooMany,       // more than most_presented_certificates
    UnusableKey,   // a key that is not P-256
    NotCertified,  // the second certificate's key did not sign the first, or may not
    NotYetValid,   // one of the two has not begun
    Expired,       // one of the two is over
};

// Takes what the handshake gave, the device's certificate first. With one certificate the device's
// key is the address's own; with two the second is the address's, of use AddressAuthority, and must
// have signed the first and be valid. The only certificate of a self-signed pair says nothing that
// its fingerprint in the signalling does not, so its dates are not looked at.
[[nodiscard]] std::expected<Met, PresentedError> meet(
    std::span<const crypto::Certificate> presented, WallTime now);

}  // namespace stile::identity
