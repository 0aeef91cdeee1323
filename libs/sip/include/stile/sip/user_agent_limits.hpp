// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>

namespace stile::sip {

// What one user agent keeps at a time.

// Calls that are being set up, up, or lingering: a peer that serves a popular feed has hundreds.
inline constexpr std::size_t most_calls = 4096;
// RFC 5626 Section 4.2.1 wants sets of up to four outbound proxies.
inline constexpr std::size_t most_registrations = 8;
// Requests outside of dialogs without a final response.
inline constexpr std::size_t most_outside_requests = 1024;
// Each call has an INVITE, a BYE or INFO and a CANCEL under way at most for long.
inline constexpr std::size_t most_user_agent_transactions = 4 * most_calls;
// Branches of a forked INVITE that answer: beyond it a 2xx is dropped, and the callee gives up.
inline constexpr std::size_t most_answered_forks = 16;
// Branches of a forked INVITE that ring.
inline constexpr std::size_t most_early_dialogs = 16;
// Requests of ours within one dialog that wait for a response.
inline constexpr std::size_t most_dialog_requests = 32;
// How long a person is waited for, longer than a proxy's timer C: RFC 3261 Section 16.6 step 11.
inline constexpr Duration most_ringing = std::chrono::minutes{5};
// When the application has not answered a request by then the client has given up: 64 * T1.
inline constexpr Duration most_answer_delay = std::chrono::seconds{32};

static_assert(most_user_agent_transactions >= most_calls + most_outside_requests);

}  // namespace stile::sip
