// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/crypto/certificate.hpp>
#include <stile/crypto/p256.hpp>
#include <stile/drivers/peer_store.hpp>

#include <expected>
#include <string>

namespace stile::peer {

// What a login left on this machine, ready for use.
struct Account {
    std::string address;  // "alice@example.org"
    std::string domain;
    std::string server_host;  // as the login link named it: a name or an IP address
    Port sips_port;
    Port https_port;
    std::string ca_pem;  // the domain's own authority
    std::string key_pem;
    std::string certificate_pem;  // for the address's key, signed by the domain

    crypto::PrivateKey key() const;
    crypto::Certificate certificate() const;
};

drivers::PeerAccount to_stored(const Account& account);

// The account to act as: the only one, or the one named.
std::expected<Account, app::Problem> load_account(drivers::PeerStore& store,
                                                  const std::string& address);

std::expected<drivers::PeerStore, app::Problem> open_store();

}  // namespace stile::peer
