// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>

namespace stile::drivers {

// 32 octets from the operating system (getrandom), for a crypto::RandomStream.
crypto::Seed random_seed();

}  // namespace stile::drivers
