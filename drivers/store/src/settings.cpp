// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <stile/base/try.hpp>

namespace stile::drivers {

StoreResult<void> write_setting(Database& database, std::string_view name, BytesView value) {
    Statement statement = STILE_TRY(database.prepare(
        "INSERT INTO setting VALUES(?, ?) ON CONFLICT DO UPDATE SET value=excluded.value"));
    return statement.bind(0, name).bind(1, value).run();
}

StoreResult<std::optional<Bytes>> read_setting(Database& database, std::string_view name) {
    Statement statement = STILE_TRY(database.prepare("SELECT value FROM setting WHERE name=?"));
    const auto step = STILE_TRY(statement.bind(0, name).step());
    if (step == Statement::Step::Done) return std::nullopt;
    return statement.blob(0);
}

}  // namespace stile::drivers
