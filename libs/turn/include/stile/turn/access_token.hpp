// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/crypto/aes_gcm.hpp>

#include <optional>
#include <string>

namespace stile::turn {

// A secret that the server shares with an authorization server. RFC 7635 Section 4.1.
struct TokenKey {
    std::string kid;  // which key a client's token is of; it comes as USERNAME
    Bytes key;        // 32 octets for A256GCM, 16 for A128GCM
    // Section 4.1.1, "exp": no token of it is taken from then on. Absent: until it is replaced.
    std::optional<WallTime> expires = std::nullopt;

    bool is_good_at(WallTime now) const { return !expires || now < *expires; }
};

// Section 7: how far clocks may differ.
inline constexpr std::chrono::seconds token_clock_skew{5};

// What an authorization server says of a client, for one STUN server. RFC 7635 Section 6.2.
struct AccessToken {
    Bytes mac_key;  // most_mac_key_octets at most, and at least one
    WallTime issued;
    std::chrono::seconds lifetime{0};

    // Absent where it is not what somebody with the key made for this server, or is malformed.
    [[nodiscard]] static std::optional<AccessToken> open(BytesView token, const TokenKey& key,
                                                         std::string_view server_name);
    // As an authorization server does it. Requires: the nonce is new.
    Bytes seal(const crypto::AesGcm::Nonce& nonce, const TokenKey& key,
               std::string_view server_name) const;

    // Section 9: for how long it is good at `now`; empty where it is not. Section 7 lets tokens
    // from the future in, as far as their lifetime reaches.
    std::optional<std::chrono::seconds> remaining(WallTime now) const;
};

}  // namespace stile::turn
