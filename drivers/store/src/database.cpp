// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/database.hpp>

#include "private_file.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/try.hpp>

#include <sqlite3.h>
#include <utility>

namespace stile::drivers {
namespace {

// Another process, such as an administrator's command, may hold the file for a moment.
constexpr int busy_timeout_milliseconds = 5000;

StoreFailure failure_of(int code) {
    switch (code & 0xFF) {
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
            return StoreFailure::Damaged;
        case SQLITE_FULL:
            return StoreFailure::Full;
        case SQLITE_CONSTRAINT:
            return StoreFailure::Conflict;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return StoreFailure::Busy;
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_IOERR:
            return StoreFailure::CannotOpen;
        default:
            return StoreFailure::Other;
    }
}

std::string_view advice(StoreFailure failure) {
    switch (failure) {
        case StoreFailure::CannotOpen:
            return " Check that the file and its directory belong to this user and can be written.";
        case StoreFailure::Damaged:
            return " It has not been changed. Restore it from a backup, or move it away (with its "
                   "-wal and -shm files) to start with an empty one.";
        case StoreFailure::OtherSchema:
            return " It has not been changed. Install the newer release, or name another file.";
        case StoreFailure::Full:
            return " Free some space on its file system and try again.";
        case StoreFailure::Busy:
            return " Another process holds it: stop that one, or try again.";
        case StoreFailure::Conflict:
        case StoreFailure::Other:
            return "";
    }
    return "";
}

StoreError make_error(StoreFailure failure, std::string what) {
    what += '.';
    what += advice(failure);
    return {failure, std::move(what)};
}

}  // namespace

Database::Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
Database::Database(Database&& other) noexcept
    : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, nullptr)) {}
Database& Database::operator=(Database&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(handle_, other.handle_);
    return *this;
}
Database::~Database() { sqlite3_close(handle_); }

StoreError Database::error(int code, std::string_view doing) const {
    const StoreFailure failure = failure_of(code);
    std::string text = path_;
    text += failure == StoreFailure::Damaged ? " is damaged: " : ": ";
    text += doing;
    text += ": ";
    text += sqlite3_errmsg(handle_);
    return make_error(failure, std::move(text));
}

StoreResult<Database> Database::open(const std::string& path, std::uint32_t application,
                                     std::uint32_t version, std::string_view schema) {
    if (path != ":memory:") {
        if (auto made = make_private_file(path); !made) {
            return std::unexpected(make_error(StoreFailure::CannotOpen, made.error().text));
        }
    }
    sqlite3* handle = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &handle,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    Database database{path, handle};
    if (opened != SQLITE_OK) return std::unexpected(database.error(opened, "cannot be opened"));
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, busy_timeout_milliseconds);

    // Looked at before anything is written, so that a file that is not ours stays as it is.
    const auto number = [&database](std::string_view sql) -> StoreResult<std::int64_t> {
        Statement statement = STILE_TRY(database.prepare(sql));
        STILE_TRY(statement.step());
        return statement.integer(0);
    };
    const std::int64_t pages = STILE_TRY(number("PRAGMA page_count"));
    const std::int64_t found_application = STILE_TRY(number("PRAGMA application_id"));
    const std::int64_t found_version = STILE_TRY(number("PRAGMA user_version"));
    if (pages > 0 && found_application != application) {
        return std::unexpected(
            make_error(StoreFailure::OtherSchema, path + " is a database of another program"));
    }
    if (found_version > version) {
        return std::unexpected(make_error(StoreFailure::OtherSchema,
                                          path + " was written by a newer release (schema " +
                                              std::to_string(found_version) + ", known here " +
                                              std::to_string(version) + ")"));
    }
    if (pages > 0) {
        Statement check = STILE_TRY(database.prepare("PRAGMA quick_check(1)"));
        STILE_TRY(check.step());
        if (const std::string verdict = check.text(0); verdict != "ok") {
            return std::unexpected(
                make_error(StoreFailure::Damaged, path + " is damaged: " + verdict));
        }
    }

    STILE_TRY(database.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"));
    if (found_version < version) {
        Transaction transaction = STILE_TRY(Transaction::begin(database));
        STILE_TRY(database.execute(schema));
        STILE_TRY(database.execute("PRAGMA application_id=" + std::to_string(application) +
                                   "; PRAGMA user_version=" + std::to_string(version)));
        STILE_TRY(transaction.commit());
    }
    return database;
}

StoreResult<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    if (code != SQLITE_OK) return std::unexpected(error(code, "cannot be read"));
    return Statement{*this, statement};
}

StoreResult<void> Database::execute(std::string_view sql) {
    const int code = sqlite3_exec(handle_, std::string{sql}.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return std::unexpected(error(code, "cannot be changed"));
    return {};
}

std::uint64_t Database::changes() const {
    return static_cast<std::uint64_t>(sqlite3_changes64(handle_));
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(handle_, other.handle_);
    return *this;
}
Statement::~Statement() { sqlite3_finalize(handle_); }

Statement& Statement::bind(int parameter, std::int64_t value) {
    const int code = sqlite3_bind_int64(handle_, parameter + 1, value);
    STILE_ASSERT(code == SQLITE_OK);
    return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
    // A null pointer would bind NULL instead of the empty text.
    const char* start = text.data() != nullptr ? text.data() : "";
    const int code = sqlite3_bind_text64(handle_, parameter + 1, start, text.size(),
                                         SQLITE_TRANSIENT, SQLITE_UTF8);
    STILE_ASSERT(code == SQLITE_OK);
    return *this;
}

Statement& Statement::bind(int parameter, BytesView blob) {
    const int code = blob.empty() ? sqlite3_bind_zeroblob(handle_, parameter + 1, 0)
                                  : sqlite3_bind_blob64(handle_, parameter + 1, blob.data(),
                                                        blob.size(), SQLITE_TRANSIENT);
    STILE_ASSERT(code == SQLITE_OK);
    return *this;
}

Statement& Statement::bind_null(int parameter) {
    const int code = sqlite3_bind_null(handle_, parameter + 1);
    STILE_ASSERT(code == SQLITE_OK);
    return *this;
}

StoreResult<Statement::Step> Statement::step() {
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return Step::Row;
    if (code == SQLITE_DONE) return Step::Done;
    auto error = database_->error(code, "cannot be used");
    sqlite3_reset(handle_);
    return std::unexpected(std::move(error));
}

StoreResult<void> Statement::run() {
    const Step done = STILE_TRY(step());
    STILE_ASSERT(done == Step::Done);
    reset();
    return {};
}

void Statement::reset() {
    sqlite3_reset(handle_);
    sqlite3_clear_bindings(handle_);
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }

std::string Statement::text(int column) const {
    const auto* start = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    if (start == nullptr) return {};
    return {start, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

Bytes Statement::blob(int column) const {
    const auto* start = static_cast<const std::byte*>(sqlite3_column_blob(handle_, column));
    if (start == nullptr) return {};
    return {start, start + sqlite3_column_bytes(handle_, column)};
}

StoreResult<Transaction> Transaction::begin(Database& database) {
    STILE_TRY(database.execute("BEGIN IMMEDIATE"));
    return Transaction{database};
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
    // Nothing to be done about a failure: the next open rolls back what was not committed.
    if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

StoreResult<void> Transaction::commit() {
    STILE_TRY(database_->execute("COMMIT"));
    database_ = nullptr;
    return {};
}

}  // namespace stile::drivers
