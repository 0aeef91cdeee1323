// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/crypto/hmac.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>
#include <stile/stun/nonce_cookie.hpp>

#include <expected>
#include <string>
#include <variant>

namespace stile::stun {

// The server's side of the long-term credential mechanism, without any state a client: a nonce says
// when it was made and for whom, signed with a key of the server. RFC 8489 Section 9.2.4.
//
// Order of calls, for each request:
//   1. examine: everything that can be said without knowing the user;
//   2. the caller looks the claimed user up and has its key for claim.algorithm;
//   3. verify with that key, or with none if there is no such user;
//   4. on success the answer ends with add_integrity(key, kind); on refusal refuse() is the answer.
class LongTermServer {
public:
    enum class Anonymity : std::uint8_t { NotOffered, Offered };
    struct Config {
        std::string realm;  // at most most_sent_text_octets, through OpaqueString
        // Signs nonces. Servers that share clients' address and port share it.
        std::array<std::byte, 32> nonce_key{};
        std::chrono::seconds nonce_lifetime{3600};
        // In the order of preference; empty: as a server of RFC 5389, MD5 and SHA-1 only.
        PasswordAlgorithms algorithms;
        // Offering it asks of the user database a look-up by UserHash.
        Anonymity anonymity = Anonymity::NotOffered;
        std::string software;  // absent from answers if empty
        // The name that access tokens are made for; 401 offers them where it is not empty.
        // RFC 7635 Section 6.1.
        std::string third_party;
    };

    // Who the request claims to come from. Views into the request.
    struct Claim {
        std::variant<Username, UserHash> user;
        PasswordAlgorithm algorithm = PasswordAlgorithm::Md5;  // that the key must be made with
        IntegrityKind kind = IntegrityKind::Sha1;  // that is checked, then answered with
        IntegrityKind reply_kind = IntegrityKind::Sha1;
        std::string_view nonce;
    };
    // The error code to answer with; 400, 401 or 438.
    struct Refusal {
        ErrorCode error;
    };

    explicit LongTermServer(Config config);

    [[nodiscard]] std::expected<Claim, Refusal> examine(const MessageView& request) const;
    // The nonce is checked last, so that 438 is said only to who knows the password.
    [[nodiscard]] std::expected<void, Refusal> verify(const MessageView& request,
                                                      const Claim& claim, const IntegrityKey* key,
                                                      const SocketAddress& client,
                                                      WallTime now) const;

    // The whole error response, with realm, nonce and algorithms where they belong.
    Bytes refuse(const MessageView& request, const Refusal& refusal, const SocketAddress& client,
                 WallTime now) const;

    // The key of a user, for claim.algorithm; convenience for look-ups that have the password.
    IntegrityKey key_of(std::string_view username, std::string_view password,
                        PasswordAlgorithm algorithm) const {
        return IntegrityKey::long_term(username, config_.realm, password, algorithm);
    }

    std::string make_nonce(const SocketAddress& client, WallTime now) const;
    enum class NonceState : std::uint8_t { Valid, Stale };
    // Stale: expired, made for another address, from the future, or not made here.
    NonceState check_nonce(std::string_view nonce, const SocketAddress& client, WallTime now) const;

    const std::string& realm() const { return config_.realm; }

private:
    std::expected<Claim, Refusal> choose_algorithm(const MessageView& request, Claim claim) const;
    crypto::Digest sign(std::uint64_t made, const SocketAddress& client) const;

    Config config_;
    std::string cookie_;
    crypto::Hmac nonce_mac_;
};

}  // namespace stile::stun
