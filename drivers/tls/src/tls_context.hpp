// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "openssl.hpp"

#include <stile/drivers/tls.hpp>

namespace stile::drivers {

struct TlsContext::State {
    enum class Role : std::uint8_t { Server, Client };

    Role role = Role::Client;
    openssl::Context context;
    Duration handshake_timeout{};
    std::string alpn_wire;  // length-prefixed names, as the extension has them
    // Client
    std::string host;
    NameRules names = NameRules::Web;
    std::vector<crypto::Digest> ca_fingerprints;
};

crypto::Digest fingerprint(X509* certificate);
Bytes to_der(X509* certificate);

}  // namespace stile::drivers
