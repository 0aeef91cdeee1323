// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <cstddef>
#include <optional>

namespace stile::connect {

// RFC 4571 Section 2: packets on a stream, each behind its length.
inline constexpr std::size_t frame_header_octets = 2;
inline constexpr std::size_t most_framed_octets = 65535;

// Requires: at most most_framed_octets.
Bytes framed(BytesView packet);

// The packet at the front of a stream, a view into it; empty where it has not arrived whole.
std::optional<BytesView> first_packet(BytesView stream);

}  // namespace stile::connect
