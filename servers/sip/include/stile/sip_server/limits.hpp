// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>
#include <cstdint>

namespace stile::sip_server {

// What one server (one shard of it) keeps at a time. The tables' sizes are configuration, up to
// these.

// Registered contacts: some 2 kB each.
inline constexpr std::size_t most_bindings = 1'000'000;
// One person's devices times their flows: RFC 5626 Section 4.2.1 wants up to four flows a device.
inline constexpr std::size_t most_bindings_per_user = 20;
// Contacts in one REGISTER: an honest one has one or two.
inline constexpr std::size_t most_contacts_per_request = most_bindings_per_user;
// Path values kept of a binding: edge proxies between a user agent and its registrar.
inline constexpr std::size_t most_path_values = 8;
// Transactions of either side at a time: 64 * T1 at 3000 requests a second.
inline constexpr std::size_t most_transactions = 100'000;
// Requests that wait for an answer of the application: an account, a store, a route.
inline constexpr std::size_t most_waiting = 10'000;
// How long the application may take: the client gives up then. 64 * T1.
inline constexpr Duration most_wait = std::chrono::seconds{32};
// Targets of one request after location, before RFC 3841.
inline constexpr std::size_t most_targets = most_bindings_per_user;
// "A proxy server SHOULD use 60" for a request without Max-Breadth. RFC 5393 Section 5.3.
inline constexpr std::uint32_t default_max_breadth = 60;
// Provisional responses forwarded of one branch: more than that only serves to amplify.
inline constexpr std::uint32_t most_provisionals = 32;
// Failed digests on one flow before it is told 403 instead of a new challenge.
inline constexpr std::uint32_t most_auth_failures = 10;
// Users that one connection has proven to be: a gateway with several lines.
inline constexpr std::size_t most_users_per_flow = 64;
// Flows whose place another one has taken, remembered for the dialogs that still name them.
inline constexpr std::size_t most_flow_successors = 100'000;
// Closed flows whose users are remembered, so that their dialogs may follow them.
inline constexpr std::size_t most_departed_flows = most_flow_successors;
// Route values popped because they name this server: two a pass, and a spiral or two.
inline constexpr std::size_t most_own_routes = 8;

static_assert(most_contacts_per_request <= most_bindings_per_user);
static_assert(most_targets >= most_bindings_per_user);

}  // namespace stile::sip_server
