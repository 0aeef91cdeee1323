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

    // Each row's first two columns.
    void each(const char* sql, const std::function<void(std::string, std::string)>& row) {
        if (code_ != SQLITE_OK) return;
        sqlite3_stmt* prepared = nullptr;
        code_ = sqlite3_prepare_v2(handle_.get(), sql, -1, &prepared, nullptr);
        const std::unique_ptr<sqlite3_stmt, Close> statement{prepared};
        while (code_ == SQLITE_OK || code_ == SQLITE_ROW) {
            code_ = sqlite3_step(prepared);
            if (code_ == SQLITE_ROW) row(text(prepared, 0), text(prepared, 1));
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
    reader.each("SELECT name, hmackey FROM turnusers_lt ORDER BY realm, name",
                [&](std::string name, std::string key) {
                    users.accounts.push_back({"", std::move(name), to_lower(key)});
                });
    std::size_t index = 0;
    reader.each("SELECT realm, name FROM turnusers_lt ORDER BY realm, name",
                [&](std::string realm, std::string name) {
                    if (index < users.accounts.size() && users.accounts.at(index).name == name) {
                        users.accounts.at(index).realm = std::move(realm);
                    }
                    ++index;
                });
    reader.each("SELECT realm, value FROM turn_secret ORDER BY realm, value",
                [&](std::string realm, std::string value) {
                    users.secrets.push_back({std::move(realm), std::move(value)});
                });
    reader.each("SELECT realm, ip_range FROM allowed_peer_ip ORDER BY realm, ip_range",
                [&](std::string realm, std::string range) {
                    users.allowed.push_back({std::move(realm), std::move(range)});
                });
    reader.each("SELECT realm, ip_range FROM denied_peer_ip ORDER BY realm, ip_range",
                [&](std::string realm, std::string range) {
                    users.denied.push_back({std::move(realm), std::move(range)});
                });
    reader.each("SELECT kid, realm FROM oauth_key",
                [&](const std::string&, const std::string&) { ++users.oauth_keys; });
    if (reader.ok()) return users;
    return std::unexpected(app::Problem{
        app::ExitCode::Local, "coturn's user database cannot be read", reader.error(), path,
        "run this as root, or copy the file; other databases than SQLite are not read"});
}

}  // namespace stile::relay
