// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/identity/address.hpp>
#include <stile/identity/fingerprint.hpp>
#include <stile/identity/presented.hpp>
#include <stile/identity/proof.hpp>

#include <optional>

namespace stile::identity {

// What is remembered of an address after a meeting. A store keeps it as it stands here, one an
// address; it stays when the person moves to another provider's server.
struct Pin {
    Address address;
    crypto::Digest key;  // thumbprint of the address's long-lived key
    WallTime first_met;
    WallTime last_met;
    Proof proof;  // the best that was ever shown for this key

    friend bool operator==(const Pin&, const Pin&) = default;
};

enum class Decision : std::uint8_t {
    Match,                // the key of earlier meetings
    FirstContact,         // nothing is pinned: the peer is who the signalling says, no more
    PinMismatch,          // another key than the pinned one: end it, and say so to the person
    FingerprintMismatch,  // not the certificate that the signalling told: end it
};

// Judges a completed handshake with an address. The fingerprint comes first: a certificate that the
// signalling did not tell of is a stranger's, whatever key it holds.
Decision decide(const std::optional<Pin>& stored, std::span<const Fingerprint> said,
                const Met& met);

// What to keep after a meeting that was not refused.
// Requires: `decision` is what decide() gave for these, Match or FirstContact.
Pin remember(const std::optional<Pin>& stored, Decision decision, const Address& address,
             const Met& met, Proof proof, WallTime now);

}  // namespace stile::identity
