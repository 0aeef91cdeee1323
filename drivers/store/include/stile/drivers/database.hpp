// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace stile::drivers {

enum class StoreFailure : std::uint8_t {
    CannotOpen,   // the file or its directory cannot be opened, made or written
    Damaged,      // not a database, or a broken one; it is left as it is
    OtherSchema,  // written by a newer release, or by another program
    Full,         // no space left
    Conflict,     // a constraint does not hold: it is there already
    Busy,         // another process holds it
    Other,
};

struct StoreError {
    StoreFailure failure = StoreFailure::Other;
    std::string text;  // cause, evidence and next step, for a person
};

template <class T>
using StoreResult = std::expected<T, StoreError>;

class Statement;

// One SQLite file, for one thread at a time. Write-ahead log, full durability at each commit, so
// that what was answered for survives kill -9 and power loss.
class Database {
public:
    // Makes the file (0600) and its directory (0700) where they are missing, and then runs
    // `schema`. `application` tells our files from others'; `version` is the schema's. A file that
    // cannot be read as such a database is an error and is not touched.
    static StoreResult<Database> open(const std::string& path, std::uint32_t application,
                                      std::uint32_t version, std::string_view schema);
    Database(Database&&) noexcept;
    Database& operator=(Database&&) noexcept;
    ~Database();

    [[nodiscard]] StoreResult<Statement> prepare(std::string_view sql);
    [[nodiscard]] StoreResult<void> execute(std::string_view sql);
    // Rows that the last INSERT, UPDATE or DELETE touched.
    std::uint64_t changes() const;
    const std::string& path() const { return path_; }

private:
    friend class Statement;
    Database(std::string path, sqlite3* handle);
    StoreError error(int code, std::string_view doing) const;
    std::string path_;
    sqlite3* handle_ = nullptr;
};

// A prepared statement; parameters and columns count from 0. Must not outlive its database, which
// must not move meanwhile.
class Statement {
public:
    Statement(Statement&&) noexcept;
    Statement& operator=(Statement&&) noexcept;
    ~Statement();

    // Copies of the values are kept until the next reset().
    Statement& bind(int parameter, std::int64_t value);
    Statement& bind(int parameter, std::string_view text);
    Statement& bind(int parameter, BytesView blob);
    Statement& bind_null(int parameter);

    enum class Step : std::uint8_t { Row, Done };
    [[nodiscard]] StoreResult<Step> step();
    // Runs a statement that yields no rows, and resets it.
    [[nodiscard]] StoreResult<void> run();
    // Ready to run again, with no parameter bound.
    void reset();

    // Of the current row.
    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    std::string text(int column) const;
    Bytes blob(int column) const;

private:
    friend class Database;
    Statement(Database& database, sqlite3_stmt* handle) : database_(&database), handle_(handle) {}
    Database* database_;
    sqlite3_stmt* handle_ = nullptr;
};

// BEGIN IMMEDIATE; rolls back unless committed.
class Transaction {
public:
    static StoreResult<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    [[nodiscard]] StoreResult<void> commit();

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace stile::drivers
