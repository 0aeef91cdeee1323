// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/digest.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::drivers {

// How a certificate must name the peer.
enum class NameRules : std::uint8_t {
    Web,  // RFC 6125: DNS names with a wildcard as the whole first label, or IP addresses
    Sip,  // RFC 5922 Section 7: sip: URIs first, else DNS names; no wildcards
};

struct TlsServerConfig {
    enum class ClientCertificate : std::uint8_t { NotAsked, Optional, Required };

    std::string certificate_pem;  // the server's certificate, then its intermediates
    std::string key_pem;
    ClientCertificate client_certificate = ClientCertificate::NotAsked;
    std::string client_ca_pem;      // authorities of client certificates; needed unless NotAsked
    std::vector<std::string> alpn;  // in order of preference; empty ignores what clients offer
    Duration handshake_timeout = std::chrono::seconds{10};
};

struct TlsClientConfig {
    std::string host;  // the name or IP address that the certificate must be for; also the SNI
    NameRules names = NameRules::Web;
    // Authorities to trust: these certificates, and any certificate with one of these SHA-256
    // fingerprints that the server presents. With neither, the system's authorities.
    std::string ca_pem;
    std::vector<crypto::Digest> ca_fingerprints;
    std::string certificate_pem;  // the client's own certificate and key, or empty
    std::string key_pem;
    std::vector<std::string> alpn;
    Duration handshake_timeout = std::chrono::seconds{10};
};

struct TlsError {
    std::string text;  // what in the configuration is wrong, with the cause
};

// What carries the records: a stream (TLS 1.2 and 1.3), or datagrams (DTLS 1.2, the dtls driver).
enum class TlsCarrier : std::uint8_t { Stream, Datagrams };

// Prepared once, shared by any number of connections of any thread, each of the carrier that it was
// made for.
class TlsContext {
public:
    static std::expected<TlsContext, TlsError> server(const TlsServerConfig& config,
                                                      TlsCarrier carrier = TlsCarrier::Stream);
    static std::expected<TlsContext, TlsError> client(const TlsClientConfig& config,
                                                      TlsCarrier carrier = TlsCarrier::Stream);

    struct State;

private:
    friend class TlsStream;
    friend class DtlsClient;
    friend class DtlsServer;
    explicit TlsContext(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

// A certificate that the peer proved to hold and that a trusted authority issued.
struct PeerCertificate {
    Bytes der;
    std::string pem;
    crypto::Digest sha256;  // of the DER, as in a=fingerprint
};

// TLS over a stream that it owns. on_open means that the handshake is done and the peer's
// certificate is good.
class TlsStream final : public Stream {
public:
    TlsStream(Loop& loop, std::unique_ptr<Stream> transport, const TlsContext& context);
    ~TlsStream() override;

    void set_handlers(StreamHandlers handlers) override;
    Written write(BytesView bytes) override;
    std::size_t buffered() const override;
    void finish() override;
    void close() override;
    void set_reading(Reading reading) override;
    SocketAddress local_address() const override;
    SocketAddress peer_address() const override;

    // After on_open.
    std::optional<PeerCertificate> peer_certificate() const;
    std::string alpn() const;         // the protocol agreed on, or empty
    std::string version() const;      // "TLSv1.3"
    std::string cipher() const;       // "TLS_AES_256_GCM_SHA384"
    std::string server_name() const;  // server: the SNI, or empty

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::drivers
