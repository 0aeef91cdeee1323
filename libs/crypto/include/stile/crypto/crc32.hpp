// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

namespace stile::crypto {

// The CRC-32 of ITU V.42, as RFC 8489 Section 14.7 uses it.
std::uint32_t crc32(BytesView bytes);

}  // namespace stile::crypto
