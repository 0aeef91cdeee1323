// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace stile::relay {

// Usage records of one tenant on one shard that wait to be fetched: some ten seconds of the fastest
// churn. The oldest give way.
inline constexpr std::size_t most_usage_records = 65'536;
// One octet of tokens and tickets names the shard.
inline constexpr std::size_t most_shards = 256;
// What the tags of sockets have room for; each tenant has tables of its own on each shard.
inline constexpr std::size_t most_tenants = 1024;

// Clients of one shard whose packets arrive at another: mobile ones and those with reservations.
inline constexpr std::size_t most_foreign_flows = 65'536;
// Messages that wait to be handed to another shard, each with a copy of a datagram.
inline constexpr std::size_t most_mail = 4096;

}  // namespace stile::relay
