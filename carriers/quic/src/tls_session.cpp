// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tls_session.hpp"

#include <stile/base/assert.hpp>
#include "native.hpp"
#include "transport_parameters.hpp"

#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

namespace stile::quic {
namespace {

// AES first: without hardware for it ChaCha20 would be better, but such machines have become rare,
// and GnuTLS's ChaCha20 takes seven times as long.
constexpr const char* priorities =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:"
    "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
    "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:%DISABLE_TLS13_COMPAT_MODE";

constexpr unsigned transport_parameters_extension = 0x39;  // RFC 9001 Section 8.2.
constexpr std::size_t most_parameters_octets = 512;        // ours have about 100

gnutls_datum_t datum(BytesView octets) {
    // The interface predates const; it only reads.
    return {const_cast<unsigned char*>(native_data(octets)), static_cast<unsigned>(octets.size())};
}

void set_certificate(gnutls_certificate_credentials_t credentials, const Credentials& given) {
    if (given.chain.empty()) return;
    gnutls_x509_privkey_t key = nullptr;
    STILE_ASSERT(gnutls_x509_privkey_init(&key) == 0);
    const Bytes key_der = given.key.pkcs8_der();
    const gnutls_datum_t key_datum = datum(key_der);
    STILE_ASSERT(gnutls_x509_privkey_import2(key, &key_datum, GNUTLS_X509_FMT_DER, nullptr, 0) ==
                 0);
    std::vector<gnutls_x509_crt_t> chain(given.chain.size());
    for (std::size_t i = 0; i < chain.size(); ++i) {
        STILE_ASSERT(gnutls_x509_crt_init(&chain[i]) == 0);
        const gnutls_datum_t der = datum(given.chain[i].der());
        STILE_ASSERT(gnutls_x509_crt_import(chain[i], &der, GNUTLS_X509_FMT_DER) == 0);
    }
    STILE_ASSERT(gnutls_certificate_set_x509_key(credentials, chain.data(),
                                                 static_cast<int>(chain.size()), key) >= 0);
    for (gnutls_x509_crt_t certificate : chain) gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

ngtcp2_crypto_level level_of(gnutls_record_encryption_level_t level) {
    return ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(level);
}

}  // namespace

// The library's own hooks would offer and honour grease_quic_bit, after which packets could no
// longer be told from STUN's and RTP's. RFC 9443 Section 3: "Endpoints that wish to demultiplex
// QUIC MUST NOT send the grease_quic_bit transport parameter".
struct TlsSession::Hooks {
    static TlsSession& of(gnutls_session_t session) {
        return *static_cast<TlsSession*>(gnutls_session_get_ptr(session));
    }

    static int secret(gnutls_session_t session, gnutls_record_encryption_level_t level,
                      const void* receive, const void* send, std::size_t size) {
        ngtcp2_conn* const connection = of(session).connection_;
        const auto installed = [](int result) { return result == 0; };
        if (receive != nullptr && !installed(ngtcp2_crypto_derive_and_install_rx_key(
                                      connection, nullptr, nullptr, nullptr, level_of(level),
                                      static_cast<const std::uint8_t*>(receive), size))) {
            return GNUTLS_E_INTERNAL_ERROR;
        }
        if (send != nullptr && !installed(ngtcp2_crypto_derive_and_install_tx_key(
                                   connection, nullptr, nullptr, nullptr, level_of(level),
                                   static_cast<const std::uint8_t*>(send), size))) {
            return GNUTLS_E_INTERNAL_ERROR;
        }
        return 0;
    }

    static int handshake_octets(gnutls_session_t session, gnutls_record_encryption_level_t level,
                                gnutls_handshake_description_t type, const void* data,
                                std::size_t size) {
        if (type == GNUTLS_HANDSHAKE_CHANGE_CIPHER_SPEC) return 0;  // RFC 9001 Section 8.4.
        const int result = ngtcp2_conn_submit_crypto_data(
            of(session).connection_, level_of(level), static_cast<const std::uint8_t*>(data), size);
        return result == 0 ? 0 : GNUTLS_E_INTERNAL_ERROR;
    }

    static int alert(gnutls_session_t session, gnutls_record_encryption_level_t,
                     gnutls_alert_level_t, gnutls_alert_description_t description) {
        ngtcp2_conn_set_tls_alert(of(session).connection_, static_cast<std::uint8_t>(description));
        return 0;
    }

    static int receive_parameters(gnutls_session_t session, const unsigned char* data,
                                  std::size_t size) {
        ngtcp2_conn* const connection = of(session).connection_;
        const Bytes kept = without_parameter(from_native(data, size), grease_quic_bit);
        const int result = ngtcp2_conn_decode_remote_transport_params(
            connection, native_data(BytesView{kept}), kept.size());
        if (result == 0) return 0;
        ngtcp2_conn_set_tls_error(connection, result);
        return GNUTLS_E_RECEIVED_ILLEGAL_EXTENSION;
    }

    static int send_parameters(gnutls_session_t session, gnutls_buffer_t buffer) {
        std::array<std::uint8_t, most_parameters_octets> encoded{};
        const auto size = ngtcp2_conn_encode_local_transport_params(of(session).connection_,
                                                                    encoded.data(), encoded.size());
        if (size < 0) return GNUTLS_E_INTERNAL_ERROR;
        const Bytes kept = without_parameter(
            from_native(encoded.data(), static_cast<std::size_t>(size)), grease_quic_bit);
        const int result = gnutls_buffer_append_data(buffer, kept.data(), kept.size());
        return result < 0 ? result : static_cast<int>(kept.size());
    }

    static int verify(gnutls_session_t session) { return of(session).judge_peer(); }
};

TlsSession::TlsSession(Role role, const Credentials& credentials)
    : expected_(credentials.expected) {
    gnutls_certificate_credentials_t made = nullptr;
    STILE_ASSERT(gnutls_certificate_allocate_credentials(&made) == 0);
    credentials_.reset(made);
    set_certificate(made, credentials);

    const unsigned side =
        role == Role::Server ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET : GNUTLS_CLIENT;
    gnutls_session_t session = nullptr;
    STILE_ASSERT(gnutls_init(&session, side | GNUTLS_NO_END_OF_EARLY_DATA | GNUTLS_NO_SIGNAL) == 0);
    session_.reset(session);
    STILE_ASSERT(gnutls_priority_set_direct(session, priorities, nullptr) == 0);
    set_hooks();
    gnutls_session_set_ptr(session, this);
    STILE_ASSERT(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, made) == 0);
    if (role == Role::Server) gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    const gnutls_datum_t protocol = datum(as_bytes("h3"));
    STILE_ASSERT(gnutls_alpn_set_protocols(session, &protocol, 1, GNUTLS_ALPN_MANDATORY) == 0);
}

void TlsSession::set_hooks() {
    gnutls_session_t const session = session_.get();
    gnutls_handshake_set_secret_function(session, &Hooks::secret);
    gnutls_handshake_set_read_function(session, &Hooks::handshake_octets);
    gnutls_alert_set_read_function(session, &Hooks::alert);
    gnutls_session_set_verify_function(session, &Hooks::verify);
    STILE_ASSERT(gnutls_session_ext_register(
                     session, "quic_transport_parameters", transport_parameters_extension,
                     GNUTLS_EXT_TLS, &Hooks::receive_parameters, &Hooks::send_parameters, nullptr,
                     nullptr, nullptr,
                     GNUTLS_EXT_FLAG_TLS | GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_EE) == 0);
}

void TlsSession::attach(ngtcp2_conn* connection) {
    connection_ = connection;
    ngtcp2_conn_set_tls_native_handle(connection, session_.get());
}

int TlsSession::judge_peer() {
    unsigned count = 0;
    const gnutls_datum_t* const list = gnutls_certificate_get_peers(session_.get(), &count);
    if (list == nullptr || count == 0) return GNUTLS_E_CERTIFICATE_REQUIRED;
    peer_check_ = PeerCheck::Unreadable;
    if (count > most_peer_certificates) return GNUTLS_E_CERTIFICATE_ERROR;
    std::vector<crypto::Certificate> shown;
    for (const gnutls_datum_t& one : std::span{list, count}) {
        auto certificate = crypto::Certificate::from_der(from_native(one.data, one.size));
        if (!certificate) return GNUTLS_E_CERTIFICATE_ERROR;
        shown.push_back(*std::move(certificate));
    }
    peer_certificates_ = std::move(shown);
    const auto check = identity::check_fingerprint(expected_, peer_certificates_.front());
    peer_check_ =
        check == identity::FingerprintCheck::Match ? PeerCheck::Match : PeerCheck::Mismatch;
    return peer_check_ == PeerCheck::Match ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

}  // namespace stile::quic
