// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/snapshot.hpp>

namespace stile::turn {
Bytes serialize(const Snapshot&) { return {}; }
std::optional<Snapshot> parse_snapshot(BytesView) { return std::nullopt; }
}  // namespace stile::turn
