// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "authority.hpp"
#include "config.hpp"

#include <stile/drivers/dns.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/drivers/worker.hpp>
#include <stile/sip/stream_framer.hpp>
#include <stile/sip_server/server.hpp>

#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stile::stiled {

// SIP over UDP, TCP and TLS: the sockets and the store around sip_server::Server.
class SipService {
public:
    struct Facts {
        std::string domain;
        std::vector<sip::SentBy> addresses;  // what Via and Record-Route say, and mean us
        Bytes flow_key;
        Bytes nonce_key;
        Config::PlainCompatible plain_compatible = Config::PlainCompatible::Refused;
    };

    SipService(drivers::Loop& loop, drivers::ServerStore& store, Facts facts,
               drivers::TlsContext tls);
    ~SipService();

    std::expected<SocketAddress, drivers::OsError> listen_udp(const SocketAddress& address);
    std::expected<SocketAddress, drivers::OsError> listen_tcp(const SocketAddress& address);
    std::expected<SocketAddress, drivers::OsError> listen_tls(const SocketAddress& address);
    // What the store knows. Before the first listen.
    std::expected<std::size_t, drivers::StoreError> load_bindings();

    const sip_server::Server& server() const { return server_; }

private:
    // A user who has shown the certificate of a login.
    struct Certified {
        std::string user;
        crypto::Certificate certificate;
    };
    // A connection of a client.
    struct Connection {
        std::unique_ptr<drivers::Stream> stream;
        drivers::TlsStream* tls = nullptr;  // the same stream, where it is TLS
        sip::StreamFramer framer{sip::FlowSide::Accepted};
        std::optional<Certified> certified;
        Instant last_heard;
        enum class Heard : std::uint8_t { Nothing, Something };
        Heard heard = Heard::Nothing;
        bool open = false;
    };
    // A UDP client: nothing tells when it is gone, so silence does.
    struct UdpFlow {
        drivers::UdpSocket* socket = nullptr;
        Path path;
        Instant last_seen;
    };

    void accept(std::unique_ptr<drivers::TcpStream> stream, sip::TransportKind transport);
    void handle_open(sip::FlowId id, sip::TransportKind transport);
    void handle_bytes(sip::FlowId id, BytesView bytes);
    void handle_closed(sip::FlowId id);
    void handle_datagrams(drivers::UdpSocket& socket, std::span<const drivers::Datagram> batch);
    sip::FlowId udp_flow(drivers::UdpSocket& socket, const Path& path);
    void forget_silent_flows();
    std::optional<Certified> certified_by(const drivers::TlsStream& stream) const;
    bool is_enabled(const Certified& certified);
    bool may_stay(const Connection& connection);
    void close_unwanted();
    sip::SentBy sent_by(const SocketAddress& local) const;

    void pump();
    void send(const sip::Outgoing& outgoing);
    void handle(const sip_server::Server::Event& event);
    void answer_account(const sip_server::Server::AccountWanted& wanted);
    void persist(const sip_server::Server::PersistBindings& batch);

    drivers::Loop& loop_;
    drivers::ServerStore& store_;
    Facts facts_;
    drivers::TlsContext tls_;
    sip_server::Server server_;
    std::vector<std::unique_ptr<drivers::TcpListener>> listeners_;
    std::vector<std::unique_ptr<drivers::UdpSocket>> sockets_;
    std::map<sip::FlowId, Connection> connections_;
    std::map<sip::FlowId, UdpFlow> udp_flows_;
    std::map<Path, sip::FlowId> udp_flow_ids_;
    std::vector<std::unique_ptr<drivers::Stream>> closed_;  // until no callback of theirs runs
    std::uint64_t last_flow_ = 0;
    drivers::Timer timer_;
    drivers::Timer sweep_;
    bool pumping_ = false;
};

}  // namespace stile::stiled
