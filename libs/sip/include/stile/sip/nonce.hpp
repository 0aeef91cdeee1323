// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/crypto/hmac.hpp>
#include <stile/crypto/random_stream.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace stile::sip {

enum class NonceVerdict : std::uint8_t {
    Fresh,
    Stale,   // ours, but too old: challenge again with stale=true
    Forged,  // not ours, or for another realm or binding
};

// Nonces that need no memory: time, 8 random octets and an HMAC over both, the realm and whatever
// the caller binds the nonce to (a flow, an address; empty binds it to nothing, as clients that
// change their address want). Servers that share the key share the nonces.
class NonceIssuer {
public:
    // Requires: a key of at least 16 octets; lifetime > 0.
    NonceIssuer(BytesView key, Duration lifetime);

    std::string issue(WallTime now, std::string_view realm, std::string_view binding,
                      crypto::RandomStream& random) const;
    // A nonce from more than one lifetime in the future is Stale too: a clock was set back.
    NonceVerdict check(std::string_view nonce, WallTime now, std::string_view realm,
                       std::string_view binding) const;

private:
    crypto::Digest tag(BytesView head, std::string_view realm, std::string_view binding) const;

    crypto::Hmac mac_;
    std::chrono::seconds lifetime_;
};

}  // namespace stile::sip
