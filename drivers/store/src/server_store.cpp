// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/server_store.hpp>

#include "settings.hpp"

#include <stile/base/text.hpp>
#include <stile/base/try.hpp>

namespace stile::drivers {
namespace {

using Step = Statement::Step;

constexpr std::uint32_t application = 0x53544C53;  // "STLS"
constexpr std::uint32_t version = 1;

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS account("
    "user TEXT NOT NULL, domain TEXT NOT NULL, class INTEGER NOT NULL, state INTEGER NOT NULL, "
    "ha1_md5 TEXT NOT NULL, ha1_sha256 TEXT NOT NULL, ha1_sha512_256 TEXT NOT NULL, "
    "created INTEGER NOT NULL, PRIMARY KEY(domain, user)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS login_token("
    "hash BLOB PRIMARY KEY, user TEXT NOT NULL, domain TEXT NOT NULL, expires INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS binding("
    "user TEXT NOT NULL, key TEXT NOT NULL, contact TEXT NOT NULL, path TEXT NOT NULL, "
    "call_id TEXT NOT NULL, cseq INTEGER NOT NULL, expires INTEGER NOT NULL, "
    "PRIMARY KEY(user, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS binding_expires ON binding(expires);"
    "CREATE TABLE IF NOT EXISTS certificate("
    "user TEXT NOT NULL, domain TEXT NOT NULL, pem TEXT NOT NULL, expires INTEGER NOT NULL, "
    "PRIMARY KEY(domain, user)) STRICT, WITHOUT ROWID;";

constexpr std::string_view put_binding_sql =
    "INSERT OR REPLACE INTO binding VALUES(?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view remove_binding_sql = "DELETE FROM binding WHERE user=? AND key=?";
constexpr std::string_view binding_columns =
    "SELECT user, key, contact, path, call_id, cseq, expires FROM binding ";

void bind(Statement& statement, const StoredBinding& binding) {
    statement.bind(0, binding.user)
        .bind(1, binding.key)
        .bind(2, binding.contact)
        .bind(3, binding.path)
        .bind(4, binding.call_id)
        .bind(5, std::int64_t{binding.cseq})
        .bind(6, to_column(binding.expires));
}

StoredBinding read_binding(const Statement& row) {
    return {.user = row.text(0),
            .key = row.text(1),
            .contact = row.text(2),
            .path = row.text(3),
            .call_id = row.text(4),
            .cseq = static_cast<std::uint32_t>(row.integer(5)),
            .expires = to_time(row.integer(6))};
}

StoreResult<std::vector<StoredBinding>> read_bindings(Statement& statement) {
    std::vector<StoredBinding> found;
    while (STILE_TRY(statement.step()) == Step::Row) found.push_back(read_binding(statement));
    return found;
}

void bind(Statement& statement, const Account& account) {
    statement.bind(0, account.user)
        .bind(1, to_lower(account.domain))
        .bind(2, std::int64_t{std::to_underlying(account.account_class)})
        .bind(3, std::int64_t{std::to_underlying(account.state)})
        .bind(4, account.ha1_md5)
        .bind(5, account.ha1_sha256)
        .bind(6, account.ha1_sha512_256)
        .bind(7, to_column(account.created));
}

constexpr std::string_view account_columns =
    "SELECT user, domain, class, state, ha1_md5, ha1_sha256, ha1_sha512_256, created FROM account ";

Account read_account(const Statement& row) {
    return {.user = row.text(0),
            .domain = row.text(1),
            .account_class = row.integer(2) == std::to_underlying(AccountClass::Compatible)
                                 ? AccountClass::Compatible
                                 : AccountClass::Modern,
            .state = row.integer(3) == std::to_underlying(AccountState::Enabled)
                         ? AccountState::Enabled
                         : AccountState::Disabled,
            .ha1_md5 = row.text(4),
            .ha1_sha256 = row.text(5),
            .ha1_sha512_256 = row.text(6),
            .created = to_time(row.integer(7))};
}

crypto::Digest token_hash(BytesView token) {
    return crypto::digest(crypto::DigestAlgorithm::Sha256, token);
}

}  // namespace

ServerStore::ServerStore(Database database)
    : database_(std::make_unique<Database>(std::move(database))) {}

StoreResult<ServerStore> ServerStore::open(const std::string& path) {
    const std::string whole = std::string{schema} + std::string{settings_schema};
    return ServerStore{STILE_TRY(Database::open(path, application, version, whole))};
}

StoreResult<void> ServerStore::add_account(const Account& account) {
    Statement statement =
        STILE_TRY(database_->prepare("INSERT INTO account VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
    bind(statement, account);
    auto added = statement.run();
    if (!added && added.error().failure == StoreFailure::Conflict) {
        return std::unexpected(StoreError{
            StoreFailure::Conflict, account.user + "@" + account.domain + " exists already."});
    }
    return added;
}

StoreResult<void> ServerStore::update_account(const Account& account) {
    Statement statement = STILE_TRY(
        database_->prepare("INSERT OR REPLACE INTO account VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
    bind(statement, account);
    return statement.run();
}

StoreResult<bool> ServerStore::remove_account(std::string_view user, std::string_view domain) {
    Transaction transaction = STILE_TRY(Transaction::begin(*database_));
    // Whoever gets the name next is somebody else.
    for (const std::string_view table : {"login_token", "certificate"}) {
        Statement statement = STILE_TRY(
            database_->prepare("DELETE FROM " + std::string{table} + " WHERE user=? AND domain=?"));
        STILE_TRY(statement.bind(0, user).bind(1, to_lower(domain)).run());
    }
    Statement bindings = STILE_TRY(database_->prepare("DELETE FROM binding WHERE user=?"));
    STILE_TRY(bindings.bind(0, user).run());
    Statement statement =
        STILE_TRY(database_->prepare("DELETE FROM account WHERE user=? AND domain=?"));
    STILE_TRY(statement.bind(0, user).bind(1, to_lower(domain)).run());
    const bool removed = database_->changes() > 0;
    STILE_TRY(transaction.commit());
    return removed;
}

StoreResult<std::optional<Account>> ServerStore::find_account(std::string_view user,
                                                              std::string_view domain) {
    Statement statement =
        STILE_TRY(database_->prepare(std::string{account_columns} + "WHERE user=? AND domain=?"));
    const Step step = STILE_TRY(statement.bind(0, user).bind(1, to_lower(domain)).step());
    if (step == Step::Done) return std::nullopt;
    return read_account(statement);
}

StoreResult<std::vector<Account>> ServerStore::accounts(std::string_view domain) {
    Statement statement = STILE_TRY(
        database_->prepare(std::string{account_columns} + "WHERE domain=? ORDER BY user"));
    statement.bind(0, to_lower(domain));
    std::vector<Account> found;
    while (STILE_TRY(statement.step()) == Step::Row) found.push_back(read_account(statement));
    return found;
}

StoreResult<void> ServerStore::add_login_token(BytesView token, std::string_view user,
                                               std::string_view domain, WallTime expires) {
    Statement statement =
        STILE_TRY(database_->prepare("INSERT INTO login_token VALUES(?, ?, ?, ?)"));
    const crypto::Digest hash = token_hash(token);
    return statement.bind(0, hash.bytes())
        .bind(1, user)
        .bind(2, to_lower(domain))
        .bind(3, to_column(expires))
        .run();
}

StoreResult<std::optional<ServerStore::TokenOwner>> ServerStore::take_login_token(BytesView token,
                                                                                  WallTime now) {
    // Read and removed in one statement: of two users of one token, one gets it.
    Statement statement = STILE_TRY(
        database_->prepare("DELETE FROM login_token WHERE hash=? RETURNING user, domain, expires"));
    const crypto::Digest hash = token_hash(token);
    const Step step = STILE_TRY(statement.bind(0, hash.bytes()).step());
    if (step == Step::Done) return std::nullopt;
    TokenOwner owner{.user = statement.text(0), .domain = statement.text(1)};
    const WallTime expires = to_time(statement.integer(2));
    while (STILE_TRY(statement.step()) == Step::Row) {
    }
    if (expires <= now) return std::nullopt;
    return owner;
}

StoreResult<void> ServerStore::put_binding(const StoredBinding& binding) {
    Statement statement = STILE_TRY(database_->prepare(put_binding_sql));
    bind(statement, binding);
    return statement.run();
}

StoreResult<void> ServerStore::remove_binding(const StoredBinding& binding) {
    Statement statement = STILE_TRY(database_->prepare(remove_binding_sql));
    return statement.bind(0, binding.user).bind(1, binding.key).run();
}

StoreResult<void> ServerStore::apply(const std::vector<BindingChange>& changes) {
    Statement put = STILE_TRY(database_->prepare(put_binding_sql));
    Statement remove = STILE_TRY(database_->prepare(remove_binding_sql));
    Transaction transaction = STILE_TRY(Transaction::begin(*database_));
    for (const BindingChange& change : changes) {
        switch (change.kind) {
            case BindingChange::Kind::Put:
                bind(put, change.binding);
                STILE_TRY(put.run());
                break;
            case BindingChange::Kind::Remove:
                remove.bind(0, change.binding.user).bind(1, change.binding.key);
                STILE_TRY(remove.run());
                break;
        }
    }
    return transaction.commit();
}

StoreResult<std::vector<StoredBinding>> ServerStore::bindings(std::string_view user, WallTime now) {
    Statement statement =
        STILE_TRY(database_->prepare(std::string{binding_columns} + "WHERE user=? AND expires>?"));
    statement.bind(0, user).bind(1, to_column(now));
    return read_bindings(statement);
}

StoreResult<std::vector<StoredBinding>> ServerStore::all_bindings(WallTime now) {
    Statement statement =
        STILE_TRY(database_->prepare(std::string{binding_columns} + "WHERE expires>?"));
    statement.bind(0, to_column(now));
    return read_bindings(statement);
}

StoreResult<std::uint64_t> ServerStore::remove_expired(WallTime now) {
    Statement tokens = STILE_TRY(database_->prepare("DELETE FROM login_token WHERE expires<=?"));
    STILE_TRY(tokens.bind(0, to_column(now)).run());
    Statement bindings = STILE_TRY(database_->prepare("DELETE FROM binding WHERE expires<=?"));
    STILE_TRY(bindings.bind(0, to_column(now)).run());
    return database_->changes();
}

StoreResult<void> ServerStore::put_certificate(std::string_view user, std::string_view domain,
                                               std::string_view pem, WallTime expires) {
    Statement statement =
        STILE_TRY(database_->prepare("INSERT OR REPLACE INTO certificate VALUES(?, ?, ?, ?)"));
    return statement.bind(0, user)
        .bind(1, to_lower(domain))
        .bind(2, pem)
        .bind(3, to_column(expires))
        .run();
}

StoreResult<std::optional<std::string>> ServerStore::find_certificate(std::string_view user,
                                                                      std::string_view domain) {
    Statement statement =
        STILE_TRY(database_->prepare("SELECT pem FROM certificate WHERE user=? AND domain=?"));
    const Step step = STILE_TRY(statement.bind(0, user).bind(1, to_lower(domain)).step());
    if (step == Step::Done) return std::nullopt;
    return statement.text(0);
}

StoreResult<void> ServerStore::put_setting(std::string_view name, BytesView value) {
    return write_setting(*database_, name, value);
}
StoreResult<std::optional<Bytes>> ServerStore::find_setting(std::string_view name) {
    return read_setting(*database_, name);
}

}  // namespace stile::drivers
