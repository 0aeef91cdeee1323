// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/digest_client.hpp>
#include <stile/sip/nonce.hpp>
#include <stile/sip/transport_kind.hpp>
#include <stile/sip_server/account.hpp>
#include <stile/sip_server/routing.hpp>

#include <string>
#include <vector>

namespace stile::sip_server {

// Where a compatible account may be challenged with MD5.
enum class Md5Transports : std::uint8_t { SecureOnly, Any };

// How a request was judged.
enum class AuthVerdict : std::uint8_t {
    Passed,
    Missing,    // no credentials for our realm: challenge
    Stale,      // right, but for an old nonce: challenge with stale
    Failed,     // wrong password, unknown user or forged nonce: challenge again
    Forbidden,  // this account may not log in by this transport
};

// Digest on the server's side. RFC 3261 Section 22, RFC 7616, RFC 8760.
class Authenticator {
public:
    struct Config {
        std::string realm;
        OwnNames own;  // what the URI of the credentials may name besides the Request-URI
        Duration nonce_lifetime = std::chrono::minutes{5};
        Md5Transports md5_transports = Md5Transports::SecureOnly;
        // What an unknown user is challenged with, so that it looks like a known one.
        AccountClass default_class = AccountClass::Modern;
    };

    // Requires: a key of at least 16 octets.
    Authenticator(Config config, BytesView key);

    const std::string& realm() const { return config_.realm; }

    // The user name that the credentials in `name` (Authorization, Proxy-Authorization) claim.
    std::optional<std::string> claimed_user(const sip::Message& request,
                                            sip::HeaderName name) const;

    struct Source {
        sip::FlowId flow;
        sip::TransportKind transport;
    };
    // `account` is empty for an unknown user.
    AuthVerdict judge(const sip::Message& request, sip::HeaderName name,
                      const std::optional<AccountRecord>& account, const Source& source,
                      WallTime now) const;

    // The values of WWW-Authenticate or Proxy-Authenticate. Empty where the account may not log in
    // by this transport.
    std::vector<std::string> challenges(const std::optional<AccountRecord>& account,
                                        const Source& source, sip::Staleness staleness,
                                        WallTime now, crypto::RandomStream& random) const;

private:
    std::string binding_of(const Source& source) const;
    bool may_use(AccountClass account_class, const Source& source) const;

    Config config_;
    sip::NonceIssuer nonces_;
};

}  // namespace stile::sip_server
