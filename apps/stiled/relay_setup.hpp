// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.hpp"

#include <stile/drivers/server_store.hpp>
#include <stile/relay/operation.hpp>

#include <array>
#include <expected>
#include <string>

namespace stile::stiled {

// What the relay gets from the rest of the server.
struct RelayFacts {
    std::string secret;  // of the credentials that the login service hands out
    std::array<std::byte, 32> nonce_key{};
    std::string certificate_pem;  // where [turn] names none
    std::string key_pem;
};

// The relay's settings: [turn], and the accounts of the domain, whose digest secrets are the keys
// of STUN's long-term credentials (RFC 8489 Sections 9.2.2 and 18.5.1: the realm is the domain).
std::expected<relay::Prepared, app::Problem> prepare_relay(const Config& config,
                                                           drivers::ServerStore& store,
                                                           const relay::StateFolder& state,
                                                           const RelayFacts& facts);

}  // namespace stile::stiled
