// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "openssl.hpp"

#include <stile/drivers/tls.hpp>

namespace stile::drivers {

// Whether the certificate is for this host.
enum class NameMatch : std::uint8_t { Matches, Differs };
NameMatch match_peer_name(X509* certificate, const std::string& host, NameRules rules);

}  // namespace stile::drivers
