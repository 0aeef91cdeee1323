// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>

namespace stile::drivers {

// Request line and fields together: cookies and tokens fit, a memory attack does not.
inline constexpr std::size_t most_head_octets = 16'384;
// Requests that a client may send ahead of the answers; beyond it the connection is not read.
inline constexpr std::size_t most_pipelined_octets = 65'536;
// What is read of a body that the handler did not want before the connection is given up.
inline constexpr std::size_t most_discarded_octets = 262'144;
// A client's whole head must be there in this time (slow-loris).
inline constexpr Duration head_timeout = std::chrono::seconds{10};
// Between two requests.
inline constexpr Duration keep_alive_timeout = std::chrono::seconds{60};
// Without a byte of a request body that is being read.
inline constexpr Duration body_timeout = std::chrono::seconds{60};
// Of one connection; then it is closed after the response, so that none lives for ever.
inline constexpr std::size_t most_requests_a_connection = 10'000;
// Connections of one server. A person's browser needs six.
inline constexpr std::size_t most_connections = 1024;

}  // namespace stile::drivers
