// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/dns.hpp>
#include <stile/turn/client.hpp>
#include <stile/turn/discovery.hpp>
#include <stile/turn_link/peer_stream.hpp>
#include <stile/turn_link/wire.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::turn_link {

// Redirections (300) that are followed. A server that was asked already ends it. RFC 8489
// Section 10.
inline constexpr unsigned most_redirections = 4;
// Questions to the DNS, all together.
inline constexpr Duration resolving_time = std::chrono::seconds{10};

struct TurnLinkOptions {
    turn::TurnUri uri;
    // What is to be tried, best first, as far as the URI leaves a choice.
    std::vector<turn::ClientTransport> transports = {
        turn::ClientTransport::Udp, turn::ClientTransport::Dtls, turn::ClientTransport::Tcp,
        turn::ClientTransport::Tls};
    // Credentials and wishes; the transport is chosen here, and names are prepared here.
    turn::ClientConfig client;
    std::optional<IpAddress> local;  // bound to
    std::string ca_pem;              // trusted authorities; empty: the system's
    // Whom the certificate is for, if not the URI's host. A turns URI with an address in it needs
    // one: RFC 7350 Section 4.6.1.
    std::string server_name;
};

// Why there is no link, or no more.
struct LinkFailure {
    enum class Stage : std::uint8_t {
        Options,     // what was asked for is not possible
        Resolving,   // no server's address was found
        Connecting,  // no connection, or no secure one
        Allocating,  // the server said no, or nothing
        Using,       // it was there
    };
    Stage stage = Stage::Options;
    std::optional<turn::ServerAddress> server;  // the last one that was tried
    std::optional<turn::Failure> failure;       // what TURN said
    std::optional<drivers::Closed> closed;      // what became of the connection
    std::string text;                           // for a person, one line
};

// One allocation on one of the servers behind a TURN URI, on a loop: the servers are tried one
// after the other until one answers, redirections are followed, then turn::Client is carried out.
class TurnLink {
public:
    // Each may destroy the link.
    struct Handlers {
        std::move_only_function<void(const turn::Client::Event&)> on_event;
        std::move_only_function<void(const SocketAddress& peer, BytesView)> on_data;
        // Once, the last; not after a release, whose end is the event Released.
        std::move_only_function<void(const LinkFailure&)> on_ended;
    };

    // `names` must outlive the link. Nothing is called before the loop runs.
    TurnLink(drivers::Loop& loop, drivers::NameService& names, TurnLinkOptions options,
             Handlers handlers);
    TurnLink(const TurnLink&) = delete;
    TurnLink& operator=(const TurnLink&) = delete;
    // The allocation lives on at the server, for its lifetime, unless released before.
    ~TurnLink();

    // As turn::Client has them; Ended before there is a server to talk to.
    turn::Client::Accepted permit(const IpAddress& peer);
    turn::Client::Accepted bind_channel(const SocketAddress& peer);
    turn::Client::Accepted connect(const SocketAddress& peer);
    turn::Client::Sent send(
        const SocketAddress& peer, BytesView payload,
        turn::ClientConfig::DontFragment fragment = turn::ClientConfig::DontFragment::NotNeeded);
    void authorize(stun::LongTermClient::Grant grant);
    void release();

    // A data connection for a Connected or ConnectionAttempt. Empty where the link has ended.
    std::unique_ptr<PeerStream> open_connection(turn::ConnectionId connection,
                                                PeerStream::Handlers handlers);
    // Opens another socket or connection to the same server, and goes on there. Moved or MoveFailed
    // follows.
    turn::Client::Moving move(std::optional<IpAddress> local,
                              std::optional<turn::ClientTransport> transport = {});

    // Meaningful from Allocated on.
    std::optional<turn::ServerAddress> server() const;
    SocketAddress local_address() const;
    std::string security() const;  // as Wire::security
    std::vector<SocketAddress> relayed() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::turn_link
