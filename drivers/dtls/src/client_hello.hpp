// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <optional>

namespace stile::drivers {

// The random octets of the ClientHello with which a datagram begins; empty where it begins with
// anything else. They tell a client that began again from one that repeats itself. Valid as long
// as the datagram.
std::optional<BytesView> client_hello_random(BytesView datagram);

}  // namespace stile::drivers
