// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "test_authority.hpp"
#include "test_relay.hpp"

#include <stile/drivers/tls.hpp>

namespace stile::relay::testing {

inline const drivers::testing::TestAuthority& authority() {
    static const drivers::testing::TestAuthority shared;
    return shared;
}

inline Settings with_certificate(Settings settings) {
    const auto issued = authority().issue({.alternative_names = "DNS:relay.example"});
    settings.certificate_pem = issued.certificate_pem;
    settings.key_pem = issued.key_pem;
    return settings;
}

inline drivers::TlsContext client_context(
    std::vector<std::string> alpn = {}, drivers::TlsCarrier carrier = drivers::TlsCarrier::Stream) {
    drivers::TlsClientConfig config;
    config.host = "relay.example";
    config.ca_pem = authority().pem();
    config.alpn = std::move(alpn);
    auto made = drivers::TlsContext::client(config, carrier);
    REQUIRE(made);
    return *made;
}

}  // namespace stile::relay::testing
