// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/certificate.hpp>
#include <stile/crypto/csr.hpp>
#include <stile/drivers/server_store.hpp>

#include <expected>
#include <string>
#include <vector>

namespace stile::stiled {

// The domain's own certificate authority: made at the first start, kept in the store. It signs the
// server's certificate and the certificates of its users' keys, and nothing of other domains.
class Authority {
public:
    static std::expected<Authority, drivers::StoreError> open(drivers::ServerStore& store,
                                                              const std::string& domain,
                                                              WallTime now);

    const crypto::Certificate& certificate() const { return certificate_; }

    struct ServerIdentity {
        std::string certificate_pem;
        std::string key_pem;
    };
    // For TLS: SIP wants the domain (RFC 5922), HTTPS the hosts and addresses that links name. Made
    // anew at each start.
    ServerIdentity make_server_identity(const std::vector<std::string>& hosts,
                                        const std::vector<IpAddress>& addresses,
                                        WallTime now) const;

    // For a user's key: sip:user@domain.
    crypto::Certificate certify(const crypto::PublicKey& key, const std::string& address,
                                WallTime now) const;

    // Whether it was issued after the account was made: a name may be given to somebody else.
    static bool is_of_account(const crypto::Certificate& certificate,
                              const drivers::Account& account);

    // The address that a client certificate of this authority is for.
    static std::optional<std::string> address_of(const crypto::Certificate& certificate);

private:
    Authority(std::string domain, crypto::PrivateKey key, crypto::Certificate certificate)
        : domain_(std::move(domain)), key_(std::move(key)), certificate_(std::move(certificate)) {}

    std::string domain_;
    crypto::PrivateKey key_;
    crypto::Certificate certificate_;
};

// A secret of so many octets under this name: made when it is first asked for.
std::expected<Bytes, drivers::StoreError> lasting_secret(drivers::ServerStore& store,
                                                         std::string_view name, std::size_t octets);

}  // namespace stile::stiled
