// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "openssl.hpp"

#include <stile/drivers/stream.hpp>
#include <stile/drivers/tls.hpp>

#include <mutex>

namespace stile::drivers {

struct TlsContext::State {
    enum class Role : std::uint8_t { Server, Client };

    Role role = Role::Client;
    TlsCarrier carrier = TlsCarrier::Stream;
    openssl::Context context;
    Duration handshake_timeout{};
    std::string alpn_wire;            // length-prefixed names, as the extension has them
    std::once_flag cookies_prepared;  // DTLS servers: OpenSSL knows how to ask for cookies
    // Client
    std::string host;
    NameRules names = NameRules::Web;
    std::vector<crypto::Digest> ca_fingerprints;
};

// Client: names the server that it wants, by a name, never an address. RFC 6066 Section 3.
void send_server_name(SSL* session, const TlsContext::State& state);
// What SSL_do_handshake or SSL_read has just failed with. `peer` is its address, for the text.
Closed describe_failure(const SSL* session, const TlsContext::State& state,
                        const std::string& peer);
// The certificate of a peer that was verified.
std::optional<PeerCertificate> verified_certificate(const SSL* session);
// The protocol agreed on, or empty.
std::string chosen_alpn(const SSL* session);

crypto::Digest fingerprint(X509* certificate);
Bytes to_der(X509* certificate);

}  // namespace stile::drivers
