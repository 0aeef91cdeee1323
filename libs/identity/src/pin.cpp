// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/identity/pin.hpp>

#include <stile/base/assert.hpp>
#include <stile/crypto/hmac.hpp>

#include <algorithm>

namespace stile::identity {

Decision decide(const std::optional<Pin>& stored, std::span<const Fingerprint> said,
                const Met& met) {
    if (check_fingerprint(said, met.device) == FingerprintCheck::Mismatch) {
        return Decision::FingerprintMismatch;
    }
    if (!stored) return Decision::FirstContact;
    const crypto::Digest thumbprint = met.address_key.thumbprint();
    const bool same = crypto::equal_in_constant_time(stored->key.bytes(), thumbprint.bytes());
    return same ? Decision::Match : Decision::PinMismatch;
}

Pin remember(const std::optional<Pin>& stored, Decision decision, const Address& address,
             const Met& met, Proof proof, WallTime now) {
    STILE_ASSERT(decision == Decision::Match || decision == Decision::FirstContact);
    STILE_ASSERT(stored.has_value() == (decision == Decision::Match));
    if (!stored) {
        return {.address = address,
                .key = met.address_key.thumbprint(),
                .first_met = now,
                .last_met = now,
                .proof = proof};
    }
    Pin pin = *stored;
    pin.last_met = std::max(pin.last_met, now);
    pin.proof = std::max(pin.proof, proof);
    return pin;
}

}  // namespace stile::identity
