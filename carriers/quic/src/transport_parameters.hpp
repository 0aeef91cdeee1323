// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

namespace stile::quic {

// RFC 9287 Section 3: the offer to take packets whose QUIC bit is clear.
inline constexpr std::uint64_t grease_quic_bit = 0x2ab2;

// The transport parameters of RFC 9000 Section 18 without the one named. What cannot be read is
// kept as it stands, for the library to refuse.
Bytes without_parameter(BytesView parameters, std::uint64_t id);

}  // namespace stile::quic
