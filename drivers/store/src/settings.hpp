// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/database.hpp>

#include <chrono>

namespace stile::drivers {

// The table of named values that both stores have.
inline constexpr std::string_view settings_schema =
    "CREATE TABLE IF NOT EXISTS setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) "
    "STRICT, WITHOUT ROWID;";

StoreResult<void> write_setting(Database& database, std::string_view name, BytesView value);
StoreResult<std::optional<Bytes>> read_setting(Database& database, std::string_view name);

inline std::int64_t to_column(std::chrono::sys_seconds time) {
    return time.time_since_epoch().count();
}
inline std::chrono::sys_seconds to_time(std::int64_t column) {
    return std::chrono::sys_seconds{std::chrono::seconds{column}};
}

}  // namespace stile::drivers
