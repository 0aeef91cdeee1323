// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/config.hpp>

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <memory>
#include <span>

namespace stile::quic {

// What became of the peer's certificate in the handshake.
enum class PeerCheck : std::uint8_t { NotShown, Unreadable, Mismatch, Match };

// TLS 1.3 for one connection (RFC 9001): both sides show a certificate, and what counts is its
// fingerprint alone: no authority, no name, no date, no resumption. GnuTLS draws its own random
// octets. It stays where it is made: the session points back to it.
class TlsSession {
public:
    TlsSession(Role role, const Credentials& credentials);
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    // Joins the session and the connection that it makes keys for. Once, before any packet.
    void attach(ngtcp2_conn* connection);

    PeerCheck peer_check() const { return peer_check_; }
    std::span<const crypto::Certificate> peer_certificates() const { return peer_certificates_; }

private:
    struct FreeSession {
        void operator()(gnutls_session_t session) const { gnutls_deinit(session); }
    };
    struct FreeCredentials {
        void operator()(gnutls_certificate_credentials_t credentials) const {
            gnutls_certificate_free_credentials(credentials);
        }
    };
    struct Hooks;

    void set_hooks();
    int judge_peer();

    std::unique_ptr<gnutls_certificate_credentials_st, FreeCredentials> credentials_;
    std::unique_ptr<gnutls_session_int, FreeSession> session_;
    std::vector<identity::Fingerprint> expected_;
    ngtcp2_conn* connection_ = nullptr;
    PeerCheck peer_check_ = PeerCheck::NotShown;
    std::vector<crypto::Certificate> peer_certificates_;
};

}  // namespace stile::quic
