// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/identity/standing.hpp>

namespace stile::identity {

Standing standing_of(Decision decision, Proof proof) {
    switch (decision) {
        case Decision::Match:
            return Standing::Pinned;
        case Decision::FirstContact:
            return proof == Proof::NotVerified ? Standing::NotVerified : Standing::Proven;
        case Decision::PinMismatch:
        case Decision::FingerprintMismatch:
            return Standing::Refused;
    }
    return Standing::Refused;
}

std::string_view to_text(Proof proof) {
    switch (proof) {
        case Proof::NotVerified:
            return "not-verified";
        case Proof::DomainCertified:
            return "domain-certified";
        case Proof::DomainSigned:
            return "domain-signed";
        case Proof::CodeCompared:
            return "code-compared";
    }
    return {};
}

std::string_view to_text(Standing standing) {
    switch (standing) {
        case Standing::Refused:
            return "refused";
        case Standing::NotVerified:
            return "not-verified";
        case Standing::Proven:
            return "proven";
        case Standing::Pinned:
            return "pinned";
    }
    return {};
}

std::string_view to_text(Decision decision) {
    switch (decision) {
        case Decision::Match:
            return "match";
        case Decision::FirstContact:
            return "first-contact";
        case Decision::PinMismatch:
            return "pin-mismatch";
        case Decision::FingerprintMismatch:
            return "fingerprint-mismatch";
    }
    return {};
}

}  // namespace stile::identity
