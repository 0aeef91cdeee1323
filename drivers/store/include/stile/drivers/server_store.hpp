// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/drivers/database.hpp>

#include <utility>
#include <vector>

namespace stile::drivers {

// Modern accounts are challenged with SHA-512-256 and SHA-256, compatible ones (stock phones,
// browsers' SIP libraries) with MD5 alone.
enum class AccountClass : std::uint8_t { Modern, Compatible };
enum class AccountState : std::uint8_t { Enabled, Disabled };

// H(user:realm:password) of RFC 7616 Section 3.4.2 for each algorithm, as lower-case hexadecimal;
// empty where the account's class does not use it. Passwords themselves are not kept.
struct Account {
    std::string user;
    std::string domain;
    AccountClass account_class = AccountClass::Modern;
    AccountState state = AccountState::Enabled;
    std::string ha1_md5;
    std::string ha1_sha256;
    std::string ha1_sha512_256;
    // Certificates from before it are of somebody who had the name earlier.
    WallTime created{};
    friend bool operator==(const Account&, const Account&) = default;
};

// One registered contact. RFC 3261 Section 10.3. User and key together name it; the key is the
// registrar's.
struct StoredBinding {
    std::string user;
    std::string key;
    std::string contact;  // the Contact header field's value, without expires
    std::string path;     // the Path values, one a line
    std::string call_id;
    std::uint32_t cseq = 0;
    WallTime expires{};
    friend bool operator==(const StoredBinding&, const StoredBinding&) = default;
};

// The server's lasting state. Synchronous: at start, or on the worker thread.
class ServerStore {
public:
    static StoreResult<ServerStore> open(const std::string& path);

    // Accounts. Names compare without regard to case in the domain, exactly in the user.
    [[nodiscard]] StoreResult<void> add_account(const Account& account);  // Conflict if it exists
    [[nodiscard]] StoreResult<void> update_account(const Account& account);
    // With its login tokens, certificate and bindings.
    [[nodiscard]] StoreResult<bool> remove_account(std::string_view user, std::string_view domain);
    [[nodiscard]] StoreResult<std::optional<Account>> find_account(std::string_view user,
                                                                   std::string_view domain);
    [[nodiscard]] StoreResult<std::vector<Account>> accounts(std::string_view domain);

    // Login tokens: only a SHA-256 of the token is kept, and each is good once.
    [[nodiscard]] StoreResult<void> add_login_token(BytesView token, std::string_view user,
                                                    std::string_view domain, WallTime expires);
    struct TokenOwner {
        std::string user;
        std::string domain;
    };
    // Empty for a token that is unknown, used or expired.
    [[nodiscard]] StoreResult<std::optional<TokenOwner>> take_login_token(BytesView token,
                                                                          WallTime now);

    // Bindings.
    [[nodiscard]] StoreResult<void> put_binding(const StoredBinding& binding);
    [[nodiscard]] StoreResult<void> remove_binding(const StoredBinding& binding);
    // All in one commit: what a registrar batches before it answers.
    struct BindingChange {
        enum class Kind : std::uint8_t { Put, Remove };
        Kind kind = Kind::Put;
        StoredBinding binding;
    };
    [[nodiscard]] StoreResult<void> apply(const std::vector<BindingChange>& changes);
    // Those that are still valid, of one user or of all.
    [[nodiscard]] StoreResult<std::vector<StoredBinding>> bindings(std::string_view user,
                                                                   WallTime now);
    [[nodiscard]] StoreResult<std::vector<StoredBinding>> all_bindings(WallTime now);
    [[nodiscard]] StoreResult<std::uint64_t> remove_expired(WallTime now);

    // Certificates that the domain signed for its users' keys; the newest counts.
    [[nodiscard]] StoreResult<void> put_certificate(std::string_view user, std::string_view domain,
                                                    std::string_view pem, WallTime expires);
    [[nodiscard]] StoreResult<std::optional<std::string>> find_certificate(std::string_view user,
                                                                           std::string_view domain);

    // Secrets and keys by name: the relay's shared secret, nonce keys, the domain's signing key.
    [[nodiscard]] StoreResult<void> put_setting(std::string_view name, BytesView value);
    [[nodiscard]] StoreResult<std::optional<Bytes>> find_setting(std::string_view name);

private:
    explicit ServerStore(Database database);
    std::unique_ptr<Database> database_;  // its place must not change under prepared statements
};

}  // namespace stile::drivers
