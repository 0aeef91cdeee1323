// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace stile::identity {

// How it is known whom a peer's key belongs to, the weakest first. Each is shown to the person.
enum class Proof : std::uint8_t {
    NotVerified,      // the signalling said so, and whoever carried it could have lied
    DomainCertified,  // the domain of the address signed a certificate for the key
    DomainSigned,  // PASSporTs with `mky` both ways cover the fingerprints; RFC 8225 Section 5.2.2
    CodeCompared,  // two people compared a code, or typed one
};

// What a person is shown: an earlier meeting counts by itself, with the proof of that time.
enum class Standing : std::uint8_t {
    Refused,      // a mismatch: there is no session
    NotVerified,  // first contact, nothing proven
    Proven,       // first contact, and proven now
    Pinned,       // met before, the same key
};

// A word each, for logs and machine-readable output.
std::string_view to_text(Proof proof);
std::string_view to_text(Standing standing);

}  // namespace stile::identity
