// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/dtls_limits.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <compare>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace stile::drivers {

// Whether a datagram that came in is DTLS, by its first octet alone. RFC 7983 Section 7.
bool looks_like_dtls(BytesView datagram);

enum class DtlsSent : std::uint8_t {
    Sent,
    TooLong,  // more than most_dtls_octets: nothing left
    NotOpen,  // before the handshake is done, or after the end
};

struct DtlsOptions {
    // Octets of the datagrams of a handshake, less IP and UDP headers: the default fits IPv6's
    // least MTU. Data is sent as large as it is.
    std::size_t mtu = 1200;
    // Doubles with each retransmission, up to 60 s. RFC 6347 Section 4.2.4.1.
    Duration first_retransmission = std::chrono::seconds{1};
};

// ---- server ---------------------------------------------------------------------------------

// Names an association for as long as the server lives.
struct DtlsSessionId {
    std::uint64_t value = 0;
    friend auto operator<=>(DtlsSessionId, DtlsSessionId) = default;
};

struct DtlsServerOptions : DtlsOptions {
    std::size_t most_sessions = 20'000;  // open ones and handshakes
    // Of one IPv4 address or one IPv6 /64: who can receive there is one of that network.
    std::size_t most_handshakes_an_address = 64;
    // An open association in which nothing genuine came for so long is closed.
    Duration idle_timeout = std::chrono::minutes{10};
};

// Callbacks of a server. Each may close sessions, send, or destroy the server.
struct DtlsServerHandlers {
    std::move_only_function<void(const Path&, BytesView)> on_output;  // a datagram to send
    std::move_only_function<void(DtlsSessionId, const Path&)> on_opened;
    // One datagram of the client's, decrypted; valid, and may be altered, during the callback.
    std::move_only_function<void(DtlsSessionId, MutableBytes)> on_data;
    // After on_opened, once, for whatever reason; not from within close().
    std::move_only_function<void(DtlsSessionId, Closed)> on_closed;
};

struct DtlsServerCounters {
    std::uint64_t hellos = 0;  // ClientHellos without a good cookie, all answered the same
    std::uint64_t opened = 0;  // handshakes that were completed
    std::uint64_t failed = 0;  // handshakes that were not
    std::uint64_t refused_for_room = 0;  // good cookies for which there was no room
};

// DTLS 1.2 (RFC 6347, RFC 7350) for the clients of a UDP socket that belongs to somebody else and
// may carry other protocols too. A client is told by its path. Nothing is kept of one that has not
// returned its cookie (Section 4.2.1), and no answer before that is longer than the question.
class DtlsServer {
public:
    // Requires: a context made by TlsContext::server for TlsCarrier::Datagrams.
    DtlsServer(Loop& loop, const TlsContext& context, const DtlsServerOptions& options,
               DtlsServerHandlers handlers);
    DtlsServer(const DtlsServer&) = delete;
    DtlsServer& operator=(const DtlsServer&) = delete;
    // Says goodbye to nobody and calls nothing.
    ~DtlsServer();

    // A datagram whose first octet is DTLS's; what is not DTLS all the same is dropped.
    void handle_datagram(const Path& path, BytesView datagram);

    // One datagram: `prefix`, then `payload`.
    DtlsSent send(DtlsSessionId session, BytesView payload, BytesView prefix = {});
    // Sends close_notify and forgets the session.
    void close(DtlsSessionId session);
    // For handshakes that begin from now on. As the constructor.
    void set_context(const TlsContext& context);

    std::size_t sessions() const;    // open ones
    std::size_t handshakes() const;  // not open yet
    const DtlsServerCounters& counters() const;
    // Of an open session, otherwise empty.
    std::optional<Path> path(DtlsSessionId session) const;
    std::string alpn(DtlsSessionId session) const;
    std::string cipher(DtlsSessionId session) const;
    std::optional<PeerCertificate> peer_certificate(DtlsSessionId session) const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// ---- client ---------------------------------------------------------------------------------

// Callbacks of a client. Each may destroy it or replace its callbacks.
struct DtlsClientHandlers {
    std::move_only_function<void()> on_open;
    std::move_only_function<void(MutableBytes)> on_data;  // one datagram of the server's
    std::move_only_function<void(Closed)> on_closed;  // at most once, the last; not from close()
};

// One association with a server, over a socket of its own. The handshake begins with the next turn
// of the loop. The certificate is judged as TlsStream does.
class DtlsClient {
public:
    // Requires: a context made by TlsContext::client for TlsCarrier::Datagrams.
    DtlsClient(Loop& loop, std::unique_ptr<UdpSocket> socket, SocketAddress server,
               const TlsContext& context, const DtlsOptions& options = {});
    DtlsClient(const DtlsClient&) = delete;
    DtlsClient& operator=(const DtlsClient&) = delete;
    ~DtlsClient();

    void set_handlers(DtlsClientHandlers handlers);
    DtlsSent send(BytesView payload, BytesView prefix = {});
    // Sends close_notify; nothing comes any more.
    void close();

    SocketAddress local_address() const;
    SocketAddress peer_address() const;
    // After on_open.
    std::string alpn() const;
    std::string version() const;  // "DTLSv1.2"
    std::string cipher() const;
    std::optional<PeerCertificate> peer_certificate() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::drivers
