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
    // What an authorization server gave out for one STUN server. RFC 7635 Section 5.
    struct Grant {
        std::string key_id;  // kid, in USERNAME
        Bytes token;         // the octets of ACCESS-TOKEN, opaque
        Bytes mac_key;
    };
    struct Credentials {
        std::string username;
        std::string password;
        // Takes precedence where the server offers third-party authorization, and is unused where
        // it does not. RFC 7635 Section 6.1.
        std::optional<Grant> grant = std::nullopt;
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

    // Requires: username, password and key id are at most most_sent_text_octets and have been
    // through OpaqueString; the token is at most most_access_token_octets.
    explicit LongTermClient(Credentials credentials);

    // Adds USERNAME or USERHASH, REALM, NONCE, the password algorithms and the integrity; nothing
    // before the first challenge. RFC 8489 Section 9.2.3.
    void authenticate(MessageBuilder& builder) const;

    // Requires: response answers request (same transaction id), which was built by authenticate().
    [[nodiscard]] Outcome handle_response(const MessageView& request, const MessageView& response);

    // From the next request on. Requires: as the constructor.
    void set_grant(Grant grant);

    // The name to ask an authorization server for, where the last challenge offered third-party
    // authorization. RFC 7635 Section 6.1.
    const std::string* third_party() const {
        return challenge_ && challenge_->third_party ? &*challenge_->third_party : nullptr;
    }
    // Absent before the first challenge.
    const std::string* realm() const { return challenge_ ? &challenge_->realm : nullptr; }
    // The key that requests are signed with now; absent before the first challenge.
    const IntegrityKey* key() const { return challenge_ ? &challenge_->key : nullptr; }
    const Credentials& credentials() const { return credentials_; }

private:
    struct Challenge {
        std::string realm;  // empty where only third-party authorization is offered
        std::string nonce;
        std::optional<std::string> third_party;
        std::optional<Bytes> algorithms;  // the value of PASSWORD-ALGORITHMS, to be echoed
        PasswordAlgorithm algorithm;      // meaningful with algorithms
        bool anonymous;                   // USERHASH instead of USERNAME
        enum class Proof : std::uint8_t { Password, Grant };
        Proof proof;
        IntegrityKey key;
    };

    Outcome handle_challenge(std::uint16_t code, const MessageView& request,
                             const MessageView& response);
    bool is_outdated(const MessageView& request, const Challenge& offered) const;
    Outcome judge_integrity(const MessageView& request, const MessageView& response) const;
    std::optional<Challenge> read_challenge(const MessageView& response) const;
    void prepare_key(Challenge& challenge) const;

    Credentials credentials_;
    std::optional<Challenge> challenge_;
    std::uint32_t challenges_in_a_row_ = 0;
};

}  // namespace stile::stun
