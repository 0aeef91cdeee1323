// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

#include <optional>
#include <string>

namespace stile::stun {

// The client's side of the long-term credential mechanism towards one server: what it was told
// (realm, nonce, algorithms), and what follows from each response. RFC 8489 Section 9.2.
//
// Order of calls, for each request: authenticate() as the last thing before the fingerprint, send
// it (a ClientTransaction), and handle_response() with each response before the transaction sees
// it.
class LongTermClient {
public:
    struct Credentials {
        std::string username;
        std::string password;
    };
    // What a response means, and what to do with it.
    enum class Outcome : std::uint8_t {
        // Authentic, or an answer to a request without credentials: hand it to the transaction as
        // Integrity::Passed.
        Accepted,
        // Hand it to the transaction as Integrity::Failed: as if it had never come.
        Discarded,
        // A challenge: the transaction is over, build the request anew with a new transaction id.
        Retry,
        // The server refuses these credentials, or somebody weakened the challenge, or the server
        // never accepts its own nonces. Retrying cannot help.
        Refused,
    };

    // Requires: username and password are at most most_sent_text_octets and have been through
    // OpaqueString.
    explicit LongTermClient(Credentials credentials);

    // Adds USERNAME or USERHASH, REALM, NONCE, the password algorithms and the integrity; nothing
    // before the first challenge. RFC 8489 Section 9.2.3.
    void authenticate(MessageBuilder& builder) const;

    // Requires: response answers request (same transaction id), which was built by authenticate().
    [[nodiscard]] Outcome handle_response(const MessageView& request, const MessageView& response);

    // Absent before the first challenge.
    const std::string* realm() const { return challenge_ ? &challenge_->realm : nullptr; }
    // The key that requests are signed with now; absent before the first challenge.
    const IntegrityKey* key() const { return challenge_ ? &challenge_->key : nullptr; }
    const Credentials& credentials() const { return credentials_; }

private:
    struct Challenge {
        std::string realm;
        std::string nonce;
        std::optional<Bytes> algorithms;  // the value of PASSWORD-ALGORITHMS, to be echoed
        PasswordAlgorithm algorithm;      // meaningful with algorithms
        bool anonymous;                   // USERHASH instead of USERNAME
        IntegrityKey key;
    };

    Outcome handle_challenge(std::uint16_t code, const MessageView& request,
                             const MessageView& response);
    Outcome judge_integrity(const MessageView& request, const MessageView& response) const;
    std::optional<Challenge> read_challenge(const MessageView& response) const;

    Credentials credentials_;
    std::optional<Challenge> challenge_;
    std::uint32_t challenges_in_a_row_ = 0;
};

}  // namespace stile::stun
