// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace stile::turn_server {

// Answers that wait for the driver: Binding responses and what the relay core answers.
inline constexpr std::size_t most_queued_answers = 4096;
// 24 octets each. Enough that two busy prefixes rarely share a bucket, little enough to be nothing.
inline constexpr std::size_t most_reply_buckets = 1U << 20U;
// Addresses of the server itself that a configuration lists.
inline constexpr std::size_t most_own_addresses = 256;
// One pair of addresses a family, and room for a second provider.
inline constexpr std::size_t most_discovery_addresses = 4;

}  // namespace stile::turn_server
