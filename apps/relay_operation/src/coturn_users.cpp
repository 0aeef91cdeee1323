// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/coturn_import.hpp>

#include <stile/base/text.hpp>

#include <fmt/format.h>
#include <sqlite3.h>
#include <functional>
#include <memory>

namespace stile::relay {
namespace {

constexpr std::uint64_t most_seconds = 1ULL << 33U;  // far beyond any date that is meant

struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

// Somebody else's database, read only.
class Reader {
public:
    explicit Reader(const std::string& path) {
        sqlite3* handle = nullptr;
        code_ = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr);
        handle_.reset(handle);
    }

    // The columns of each row, as texts.
    void each(const char* sql, const std::function<void(const std::vector<std::string>&)>& row) {
        if (code_ != SQLITE_OK) return;
        sqlite3_stmt* prepared = nullptr;
        code_ = sqlite3_prepare_v2(handle_.get(), sql, -1, &prepared, nullptr);
        const std::unique_ptr<sqlite3_stmt, Close> statement{prepared};
        while (code_ == SQLITE_OK || code_ == SQLITE_ROW) {
            code_ = sqlite3_step(prepared);
            if (code_ != SQLITE_ROW) break;
            std::vector<std::string> columns;
            for (int i = 0; i < sqlite3_column_count(prepared); ++i) {
                columns.push_back(text(prepared, i));
            }
            row(columns);
        }
        if (code_ == SQLITE_DONE) code_ = SQLITE_OK;
    }

    bool ok() const { return code_ == SQLITE_OK; }
    std::string error() const { return sqlite3_errmsg(handle_.get()); }

private:
    static std::string text(sqlite3_stmt* statement, int column) {
        const unsigned char* const value = sqlite3_column_text(statement, column);
        const int size = sqlite3_column_bytes(statement, column);
        return value == nullptr ? std::string{}
                                : std::string{value, value + static_cast<std::ptrdiff_t>(size)};
    }

    int code_ = SQLITE_OK;
    std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace

std::expected<CoturnUsers, app::Problem> read_coturn_users(const std::string& path) {
    CoturnUsers users;
    Reader reader{path};
    using Row = std::vector<std::string>;
    reader.each("SELECT realm, name, hmackey FROM turnusers_lt ORDER BY realm, name",
                [&](const Row& row) {
                    users.accounts.push_back({row.at(0), row.at(1), to_lower(row.at(2))});
                });
    reader.each("SELECT realm, value FROM turn_secret ORDER BY realm, value",
                [&](const Row& row) { users.secrets.push_back({row.at(0), row.at(1)}); });
    reader.each("SELECT realm, ip_range FROM allowed_peer_ip ORDER BY realm, ip_range",
                [&](const Row& row) { users.allowed.push_back({row.at(0), row.at(1)}); });
    reader.each("SELECT realm, ip_range FROM denied_peer_ip ORDER BY realm, ip_range",
                [&](const Row& row) { users.denied.push_back({row.at(0), row.at(1)}); });
    reader.each(
        "SELECT realm, kid, ikm_key, as_rs_alg, timestamp, lifetime FROM oauth_key ORDER BY kid",
        [&](const Row& row) {
            users.token_keys.push_back({row.at(0), row.at(1), row.at(2), row.at(3),
                                        parse_unsigned(row.at(4), most_seconds).value_or(0),
                                        parse_unsigned(row.at(5), most_seconds).value_or(0)});
        });
    if (reader.ok()) return users;
    return std::unexpected(app::Problem{
        app::ExitCode::Local, "coturn's user database cannot be read", reader.error(), path,
        "run this as root, or copy the file; other databases than SQLite are not read"});
}

}  // namespace stile::relay
