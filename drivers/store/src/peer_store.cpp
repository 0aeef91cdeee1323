// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/peer_store.hpp>

#include "settings.hpp"

#include <stile/base/try.hpp>

namespace stile::drivers {
namespace {

using Step = Statement::Step;

constexpr std::uint32_t application = 0x53544C50;  // "STLP"
constexpr std::uint32_t version = 1;

constexpr std::string_view schema =
    "CREATE TABLE IF NOT EXISTS account("
    "address TEXT PRIMARY KEY, registrar TEXT NOT NULL, key_pem TEXT NOT NULL, "
    "certificate_pem TEXT NOT NULL, password TEXT NOT NULL, settings TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS pin("
    "address TEXT PRIMARY KEY, thumbprint BLOB NOT NULL, first_seen INTEGER NOT NULL, "
    "last_seen INTEGER NOT NULL, verified INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;";

PeerAccount read_account(const Statement& row) {
    return {.address = row.text(0),
            .registrar = row.text(1),
            .key_pem = row.text(2),
            .certificate_pem = row.text(3),
            .password = row.text(4),
            .settings = row.text(5)};
}

Pin read_pin(const Statement& row) {
    return {.address = row.text(0),
            .thumbprint = row.blob(1),
            .first_seen = to_time(row.integer(2)),
            .last_seen = to_time(row.integer(3)),
            .verified = row.integer(4) == std::to_underlying(Pin::Verified::ByCode)
                            ? Pin::Verified::ByCode
                            : Pin::Verified::No};
}

}  // namespace

PeerStore::PeerStore(Database database)
    : database_(std::make_unique<Database>(std::move(database))) {}

StoreResult<PeerStore> PeerStore::open(const std::string& path) {
    const std::string whole = std::string{schema} + std::string{settings_schema};
    return PeerStore{STILE_TRY(Database::open(path, application, version, whole))};
}

StoreResult<void> PeerStore::put_account(const PeerAccount& account) {
    Statement statement =
        STILE_TRY(database_->prepare("INSERT OR REPLACE INTO account VALUES(?, ?, ?, ?, ?, ?)"));
    return statement.bind(0, account.address)
        .bind(1, account.registrar)
        .bind(2, account.key_pem)
        .bind(3, account.certificate_pem)
        .bind(4, account.password)
        .bind(5, account.settings)
        .run();
}

StoreResult<bool> PeerStore::remove_account(std::string_view address) {
    Statement statement = STILE_TRY(database_->prepare("DELETE FROM account WHERE address=?"));
    STILE_TRY(statement.bind(0, address).run());
    return database_->changes() > 0;
}

StoreResult<std::optional<PeerAccount>> PeerStore::find_account(std::string_view address) {
    Statement statement = STILE_TRY(database_->prepare("SELECT * FROM account WHERE address=?"));
    if (STILE_TRY(statement.bind(0, address).step()) == Step::Done) return std::nullopt;
    return read_account(statement);
}

StoreResult<std::vector<PeerAccount>> PeerStore::accounts() {
    Statement statement = STILE_TRY(database_->prepare("SELECT * FROM account ORDER BY address"));
    std::vector<PeerAccount> found;
    while (STILE_TRY(statement.step()) == Step::Row) found.push_back(read_account(statement));
    return found;
}

StoreResult<void> PeerStore::put_pin(const Pin& pin) {
    Statement statement =
        STILE_TRY(database_->prepare("INSERT OR REPLACE INTO pin VALUES(?, ?, ?, ?, ?)"));
    return statement.bind(0, pin.address)
        .bind(1, BytesView{pin.thumbprint})
        .bind(2, to_column(pin.first_seen))
        .bind(3, to_column(pin.last_seen))
        .bind(4, std::int64_t{std::to_underlying(pin.verified)})
        .run();
}

StoreResult<bool> PeerStore::remove_pin(std::string_view address) {
    Statement statement = STILE_TRY(database_->prepare("DELETE FROM pin WHERE address=?"));
    STILE_TRY(statement.bind(0, address).run());
    return database_->changes() > 0;
}

StoreResult<std::optional<Pin>> PeerStore::find_pin(std::string_view address) {
    Statement statement = STILE_TRY(database_->prepare("SELECT * FROM pin WHERE address=?"));
    if (STILE_TRY(statement.bind(0, address).step()) == Step::Done) return std::nullopt;
    return read_pin(statement);
}

StoreResult<std::vector<Pin>> PeerStore::pins() {
    Statement statement = STILE_TRY(database_->prepare("SELECT * FROM pin ORDER BY address"));
    std::vector<Pin> found;
    while (STILE_TRY(statement.step()) == Step::Row) found.push_back(read_pin(statement));
    return found;
}

StoreResult<void> PeerStore::put_setting(std::string_view name, BytesView value) {
    return write_setting(*database_, name, value);
}
StoreResult<std::optional<Bytes>> PeerStore::find_setting(std::string_view name) {
    return read_setting(*database_, name);
}

}  // namespace stile::drivers
