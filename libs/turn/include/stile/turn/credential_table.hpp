// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/long_term_server.hpp>
#include <stile/turn/access_token.hpp>
#include <stile/turn/limits.hpp>
#include <stile/turn/time_limited.hpp>

#include <map>
#include <vector>

namespace stile::turn {

// Who may relay: accounts with a password of their own, and secrets whose holders hand out
// time-limited credentials. A table that the program fills and may change at any time; of passwords
// only the keys made from them are kept (RFC 8656 Section 6).
class CredentialTable {
public:
    // Requires: the realm that the server answers with, through OpaqueString.
    explicit CredentialTable(std::string realm);

    // Adds or changes. False at most_accounts, and where either text is empty or longer than STUN
    // can carry. Requires: both have been through OpaqueString.
    [[nodiscard]] bool set_account(std::string_view username, std::string_view password);
    // From a store: the keys of RFC 8489 Section 9.2.2 (MD5) and 18.5.1.2 (SHA-256).
    struct Keys {
        Bytes md5;
        Bytes sha256;
    };
    [[nodiscard]] bool set_account(std::string_view username, Keys keys);
    void remove_account(std::string_view username);
    std::size_t accounts() const { return accounts_.size(); }

    // Replaces all; the order does not matter. For rotation the new secret is added first, and the
    // old one removed when its last credential has expired. False past most_shared_secrets.
    [[nodiscard]] bool set_shared_secrets(std::vector<SharedSecret> secrets);

    // Replaces all keys of authorization servers. False past most_token_keys, and where a kid is
    // empty, longer than STUN can carry or there twice, or a key has neither 16 nor 32 octets.
    [[nodiscard]] bool set_token_keys(std::vector<TokenKey> keys);
    // Null for an unknown kid.
    const TokenKey* find_token_key(std::string_view kid) const;

    enum class Validity : std::uint8_t { Valid, Expired };
    // The keys that would prove the claim; none for an unknown user.
    struct Candidates {
        std::string username;  // as the claim has it, or as the user hash means
        std::string owner;     // whom quotas count: the user behind a time-limited username
        std::vector<stun::IntegrityKey> keys;
        Validity validity = Validity::Valid;
    };
    Candidates look_up(const stun::LongTermServer::Claim& claim, WallTime now) const;

private:
    Candidates look_up_name(std::string_view username, stun::PasswordAlgorithm algorithm,
                            WallTime now) const;

    std::string realm_;
    std::map<std::string, Keys, std::less<>> accounts_;
    std::map<stun::UserHash, std::string> names_;  // of accounts_, by hash
    std::vector<SharedSecret> secrets_;
    std::vector<TokenKey> token_keys_;
};

}  // namespace stile::turn
