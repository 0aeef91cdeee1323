// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tls_context.hpp"

#include "peer_name.hpp"

#include <algorithm>

namespace stile::drivers {
namespace {

using State = TlsContext::State;

std::unexpected<TlsError> failed(std::string what) {
    return std::unexpected(TlsError{std::move(what) + ": " + openssl::last_error()});
}

CloseReason reason_of_verification(long result) {
    switch (result) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return CloseReason::WrongName;
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return CloseReason::Expired;
        default:
            return CloseReason::Untrusted;
    }
}

std::expected<std::string, TlsError> alpn_wire(const std::vector<std::string>& names) {
    std::string wire;
    for (const std::string& name : names) {
        if (name.empty() || name.size() > 255) {
            return std::unexpected(TlsError{"an ALPN name must have 1 to 255 octets"});
        }
        wire += static_cast<char>(name.size());
        wire += name;
    }
    return wire;
}

std::expected<void, TlsError> use_certificate(SSL_CTX* context, const std::string& certificate_pem,
                                              const std::string& key_pem) {
    auto chain = openssl::read_certificates(certificate_pem);
    if (chain.empty()) {
        return std::unexpected(TlsError{"the certificate is not PEM text of X.509 certificates"});
    }
    const openssl::Bio bio{BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()))};
    const openssl::Key key{PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr)};
    if (!key) return failed("the private key cannot be read as PEM");
    if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
        return failed("the certificate cannot be used");
    }
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return failed("the private key does not belong to the certificate");
    }
    for (auto issuer = chain.begin() + 1; issuer != chain.end(); ++issuer) {
        if (SSL_CTX_add1_chain_cert(context, issuer->get()) != 1) {
            return failed("an intermediate certificate cannot be used");
        }
    }
    return {};
}

std::expected<void, TlsError> trust(SSL_CTX* context, const std::string& ca_pem) {
    const auto authorities = openssl::read_certificates(ca_pem);
    if (authorities.empty()) {
        return std::unexpected(
            TlsError{"the trusted authorities are not PEM text of X.509 certificates"});
    }
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (const auto& authority : authorities) {
        if (X509_STORE_add_cert(store, authority.get()) != 1) {
            return failed("a trusted authority cannot be used");
        }
    }
    return {};
}

int choose_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                const unsigned char* offered, unsigned offered_size, void* argument) {
    const auto* state = static_cast<const State*>(argument);
    unsigned char* found = nullptr;
    const auto* own = reinterpret_cast<const unsigned char*>(state->alpn_wire.data());
    const auto own_size = static_cast<unsigned>(state->alpn_wire.size());
    if (SSL_select_next_proto(&found, chosen_size, own, own_size, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol, RFC 7301 Section 3.2.
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

// Verifies a server's chain and name. Pinned authorities count as trusted where they are presented.
int verify_server(X509_STORE_CTX* chain, void* argument) {
    const auto& state = *static_cast<const State*>(argument);
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> pinned{
        sk_X509_new_null(), [](STACK_OF(X509) * stack) { sk_X509_free(stack); }};
    if (!state.ca_fingerprints.empty()) {
        const auto consider = [&](X509* certificate) {
            if (certificate == nullptr) return;
            if (std::ranges::find(state.ca_fingerprints, fingerprint(certificate)) !=
                state.ca_fingerprints.end()) {
                sk_X509_push(pinned.get(), certificate);
            }
        };
        consider(X509_STORE_CTX_get0_cert(chain));
        const STACK_OF(X509)* presented = X509_STORE_CTX_get0_untrusted(chain);
        for (int i = 0; i < sk_X509_num(presented); ++i) consider(sk_X509_value(presented, i));
        // A pinned certificate need not be self-signed.
        X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(chain), X509_V_FLAG_PARTIAL_CHAIN);
        if (sk_X509_num(pinned.get()) > 0) X509_STORE_CTX_set0_trusted_stack(chain, pinned.get());
    }
    if (X509_verify_cert(chain) != 1) return 0;
    X509* certificate = X509_STORE_CTX_get0_cert(chain);
    if (match_peer_name(certificate, state.host, state.names) == NameMatch::Matches) return 1;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_HOSTNAME_MISMATCH);
    return 0;
}

// RFC 8489 Section 6.2.3 and RFC 9325 Section 4.2: forward secrecy and authenticated encryption.
constexpr const char* dtls_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM";

std::expected<openssl::Context, TlsError> make_context(State::Role role, TlsCarrier carrier) {
    const bool server = role == State::Role::Server;
    const SSL_METHOD* method = nullptr;
    switch (carrier) {
        case TlsCarrier::Stream:
            method = server ? TLS_server_method() : TLS_client_method();
            break;
        case TlsCarrier::Datagrams:
            method = server ? DTLS_server_method() : DTLS_client_method();
            break;
    }
    openssl::Context context{SSL_CTX_new(method)};
    if (!context) return failed("TLS cannot be started");
    if (carrier == TlsCarrier::Stream) {
        SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    } else {
        SSL_CTX_set_min_proto_version(context.get(), DTLS1_2_VERSION);
        if (SSL_CTX_set_cipher_list(context.get(), dtls_ciphers) != 1) {
            return failed("the cipher suites of DTLS are not available");
        }
        // Resumption is by tickets, which take no memory here.
        SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    }
    // For those who have nothing better: RFC 8489 Section 6.2.3 wants TLS_DHE_RSA too.
    SSL_CTX_set_dh_auto(context.get(), 1);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Buffers only while there is something in them: 15 kB an idle connection instead of 50.
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

}  // namespace

Bytes to_der(X509* certificate) {
    unsigned char* start = nullptr;
    const int size = i2d_X509(certificate, &start);
    if (size <= 0) return {};
    const auto* octets = reinterpret_cast<const std::byte*>(start);
    Bytes der{octets, octets + size};
    OPENSSL_free(start);
    return der;
}

crypto::Digest fingerprint(X509* certificate) {
    return crypto::digest(crypto::DigestAlgorithm::Sha256, to_der(certificate));
}

void send_server_name(SSL* session, const State& state) {
    if (IpAddress::parse(state.host)) return;
    // The macro SSL_set_tlsext_host_name holds an old-style cast; the name is copied.
    std::string name = state.host;
    SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
}

Closed describe_failure(const SSL* session, const State& state, const std::string& peer) {
    const std::string_view protocol = state.carrier == TlsCarrier::Stream ? "TLS" : "DTLS";
    const unsigned long code = ERR_peek_last_error();
    const int reason = ERR_GET_REASON(code);
    const char* known = ERR_reason_error_string(code);
    const std::string cause = known != nullptr ? known : "no cause given";
    const long verification = SSL_get_verify_result(session);
    if (verification != X509_V_OK && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        const CloseReason why = reason_of_verification(verification);
        return {why,
                "the certificate of " + peer + " is not accepted: " +
                    (why == CloseReason::WrongName ? "it is not for \"" + state.host + "\""
                                                   : X509_verify_cert_error_string(verification))};
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        return {CloseReason::Untrusted, peer + " presented no certificate"};
    }
    // OpenSSL numbers the peer's alerts from here on.
    if (reason >= SSL_AD_REASON_OFFSET) {
        return {CloseReason::RejectedByPeer,
                peer + " rejected the " + std::string(protocol) + " connection: " + cause};
    }
    return {CloseReason::Protocol, std::string(protocol) + " with " + peer + " failed: " + cause};
}

std::optional<PeerCertificate> verified_certificate(const SSL* session) {
    X509* certificate = SSL_get0_peer_certificate(session);
    if (certificate == nullptr || SSL_get_verify_result(session) != X509_V_OK) return std::nullopt;
    const openssl::Bio bio{BIO_new(BIO_s_mem())};
    PEM_write_bio_X509(bio.get(), certificate);
    char* start = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &start);
    return PeerCertificate{.der = to_der(certificate),
                           .pem = std::string(start, static_cast<std::size_t>(size)),
                           .sha256 = fingerprint(certificate)};
}

std::string chosen_alpn(const SSL* session) {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(session, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

TlsContext::TlsContext(std::shared_ptr<State> state) : state_(std::move(state)) {}

std::expected<TlsContext, TlsError> TlsContext::server(const TlsServerConfig& config,
                                                       TlsCarrier carrier) {
    using enum TlsServerConfig::ClientCertificate;
    auto state = std::make_shared<State>();
    state->role = State::Role::Server;
    state->carrier = carrier;
    state->handshake_timeout = config.handshake_timeout;
    auto context = make_context(state->role, carrier);
    if (!context) return std::unexpected(context.error());
    state->context = *std::move(context);
    SSL_CTX* raw = state->context.get();
    if (auto used = use_certificate(raw, config.certificate_pem, config.key_pem); !used) {
        return std::unexpected(used.error());
    }
    auto wire = alpn_wire(config.alpn);
    if (!wire) return std::unexpected(wire.error());
    state->alpn_wire = *std::move(wire);
    if (!state->alpn_wire.empty()) SSL_CTX_set_alpn_select_cb(raw, choose_alpn, state.get());
    // Sessions are bound to what they were for: needed once client certificates are verified.
    static constexpr unsigned char session_context[] = "stile";
    SSL_CTX_set_session_id_context(raw, session_context, sizeof session_context - 1);
    if (config.client_certificate != NotAsked) {
        if (auto trusted = trust(raw, config.client_ca_pem); !trusted) {
            return std::unexpected(trusted.error());
        }
        for (const auto& authority : openssl::read_certificates(config.client_ca_pem)) {
            SSL_CTX_add_client_CA(raw, authority.get());
        }
        const int required =
            config.client_certificate == Required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
        SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | required, nullptr);
    }
    return TlsContext{std::move(state)};
}

std::expected<TlsContext, TlsError> TlsContext::client(const TlsClientConfig& config,
                                                       TlsCarrier carrier) {
    auto state = std::make_shared<State>();
    state->role = State::Role::Client;
    state->carrier = carrier;
    state->handshake_timeout = config.handshake_timeout;
    state->host = config.host;
    state->names = config.names;
    state->ca_fingerprints = config.ca_fingerprints;
    if (config.host.empty()) return std::unexpected(TlsError{"the server's name is missing"});
    auto context = make_context(state->role, carrier);
    if (!context) return std::unexpected(context.error());
    state->context = *std::move(context);
    SSL_CTX* raw = state->context.get();
    if (!config.certificate_pem.empty()) {
        if (auto used = use_certificate(raw, config.certificate_pem, config.key_pem); !used) {
            return std::unexpected(used.error());
        }
    }
    if (!config.ca_pem.empty()) {
        if (auto trusted = trust(raw, config.ca_pem); !trusted) {
            return std::unexpected(trusted.error());
        }
    } else if (config.ca_fingerprints.empty()) {
        SSL_CTX_set_default_verify_paths(raw);
    }
    auto wire = alpn_wire(config.alpn);
    if (!wire) return std::unexpected(wire.error());
    if (!wire->empty()) {
        // Unlike everything else in OpenSSL it returns 0 for success.
        SSL_CTX_set_alpn_protos(raw, reinterpret_cast<const unsigned char*>(wire->data()),
                                static_cast<unsigned>(wire->size()));
    }
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(raw, verify_server, state.get());
    return TlsContext{std::move(state)};
}

}  // namespace stile::drivers
