// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/behavior_server.hpp>
#include <stile/turn/server.hpp>
#include <stile/turn_server/limits.hpp>
#include <stile/turn_server/reply_limiter.hpp>

#include <deque>

namespace stile::turn_server {

// Where Binding requests are answered by RFC 5780. With two addresses and two ports the program
// receives and sends at all four; with one address RESPONSE-PORT and PADDING are all there is.
struct DiscoveryAddresses {
    SocketAddress primary;
    std::optional<SocketAddress> alternate;  // of the same family; address and port differ
};

struct ServiceConfig {
    turn::ServerConfig relay;
    // Every address that the host has, public and private: never a peer. At most
    // most_own_addresses.
    std::vector<IpAddress> own_addresses;
    ReplyLimits replies;
    // Binding on the same sockets. RFC 8489 Section 12.
    turn::Offer binding = turn::Offer::Offered;
    // At most most_discovery_addresses; Binding at other addresses is answered plainly.
    std::vector<DiscoveryAddresses> discovery;
};

struct ServiceCounters {
    std::uint64_t binding_answers = 0;
    std::uint64_t strangers_answered = 0;  // 401 and the like
    std::uint64_t strangers_silenced = 0;  // over the rate, Binding included
    std::uint64_t answers_dropped = 0;     // nobody fetched them
};

// What a program runs behind its listeners: the relay core with STUN Binding on the same sockets,
// and a limit on answers to strangers. Credentials, quotas, bandwidth and the policy of peers are
// the core's (ServiceConfig::relay); their data is the program's to fill and change.
//
// One shard: one thread, its own sockets. What handle_client and handle_peer return views their
// input.
class Service {
public:
    using Event = turn::Server::Event;
    struct Transmit {
        turn::ClientFlow flow;
        BytesView message;  // valid until the next call that is not const
    };

    Service(Instant now, WallTime wall, ServiceConfig config, crypto::RandomStream random);

    // One whole message from a client: a datagram, or what turn::framed_size cut from a stream.
    [[nodiscard]] std::optional<turn::Relayed> handle_client(Instant now,
                                                             const turn::ClientFlow& flow,
                                                             BytesView message);
    [[nodiscard]] std::optional<turn::ToClient> handle_peer(Instant now, turn::RelayId relay,
                                                            const SocketAddress& peer,
                                                            BytesView payload);
    void handle_icmp(Instant now, turn::RelayId relay, const SocketAddress& peer, stun::Icmp icmp);
    void handle_relay_opened(Instant now, turn::RelayId relay, const SocketAddress& relayed);
    void handle_relay_failed(Instant now, turn::RelayId relay);
    void handle_client_gone(Instant now, const turn::ClientFlow& flow);
    void handle_connection_opened(Instant now, turn::ConnectionId connection);
    void handle_connection_failed(Instant now, turn::ConnectionId connection,
                                  turn::ConnectionFailure why);
    [[nodiscard]] std::optional<turn::ConnectionId> handle_peer_accepted(Instant now,
                                                                         turn::RelayId relay,
                                                                         const SocketAddress& peer);
    void handle_connection_gone(Instant now, turn::ConnectionId connection);
    turn::Server::Budget handle_spliced(Instant now, turn::ConnectionId connection,
                                        const turn::Traffic& carried) {
        return core_.handle_spliced(now, connection, carried);
    }
    void handle_offloaded(Instant now, turn::RelayId relay, const turn::Traffic& carried) {
        core_.handle_offloaded(now, relay, carried);
    }
    void handle_timeout(Instant now);
    void set_wall_time(Instant now, WallTime wall) { core_.set_wall_time(now, wall); }
    // All of it from now on, without losing an allocation; turn::Server::reconfigure says the rest.
    void reconfigure(Instant now, ServiceConfig config);
    void drain(std::optional<turn::Redirect> redirect = std::nullopt) {
        core_.drain(std::move(redirect));
    }
    std::vector<turn::Session> sessions(Instant now) const { return core_.sessions(now); }
    turn::Snapshot snapshot(Instant now) const { return core_.snapshot(now); }
    std::size_t restore(Instant now, const turn::Snapshot& snapshot) {
        return core_.restore(now, snapshot);
    }
    void forget(const turn::ClientFlow& flow) { core_.forget(flow); }

    // May be changed at any time.
    turn::CredentialTable& credentials() { return core_.credentials(); }
    // The addresses of ServiceConfig::own_addresses stay denied. False where a limit is passed.
    [[nodiscard]] bool set_peer_policy(turn::PeerPolicy policy);

    std::optional<Transmit> poll_transmit();
    std::optional<Event> poll_event() { return core_.poll_event(); }
    std::optional<Instant> poll_timeout() const { return core_.poll_timeout(); }

    const ServiceCounters& counters() const { return counters_; }
    const turn::ServerCounters& relay_counters() const { return core_.counters(); }
    std::size_t allocations() const { return core_.allocations(); }
    std::size_t relays() const { return core_.relays(); }

private:
    struct Answer {
        turn::ClientFlow flow;
        Bytes message;
    };

    enum class Charged : std::uint8_t { Already, NotYet };
    void answer_binding(Instant now, const turn::ClientFlow& flow,
                        const stun::MessageView& request);
    // The flow that the answer leaves by, which RFC 5780 lets a request choose.
    std::optional<Answer> binding_answer(const turn::ClientFlow& flow,
                                         const stun::MessageView& request) const;
    bool may_answer(Instant now, const turn::ClientFlow& flow);
    void queue_to_stranger(Instant now, const turn::ClientFlow& flow, Bytes message);
    void collect(Instant now, Charged charged);
    void queue(const turn::ClientFlow& flow, Bytes message);

    std::vector<IpAddress> own_addresses_;
    turn::Offer binding_;
    std::string software_;
    std::vector<stun::BehaviorServer> discovery_;
    ReplyLimiter limiter_;
    turn::Server core_;
    std::deque<Answer> answers_;
    Bytes polled_;  // what the last poll_transmit views
    ServiceCounters counters_;
};

}  // namespace stile::turn_server
