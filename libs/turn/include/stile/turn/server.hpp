// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/aes_gcm.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/long_term_server.hpp>
#include <stile/turn/channel_offload.hpp>
#include <stile/turn/connection_table.hpp>
#include <stile/turn/credential_table.hpp>
#include <stile/turn/refusal_counters.hpp>
#include <stile/turn/server_config.hpp>
#include <stile/turn/session.hpp>
#include <stile/turn/snapshot.hpp>

#include <deque>

namespace stile::turn {

enum class DropReason : std::uint8_t {
    Malformed,     // neither STUN nor ChannelData that parses, or a Send without its attributes
    NoAllocation,  // data on a 5-tuple without one
    NoChannel,     // ChannelData on a number that is not bound
    NoPermission,  // data from or to a peer without one
    PeerRefused,   // a Send indication to what the policy denies
    Bandwidth,     // over the user's rate
    TooLarge,      // more than fits one message
    UnknownRelay,  // from a relay that is closed already
    QueueFull,     // an answer nobody fetched
    count,
};

struct ServerCounters {
    std::uint64_t packets_to_peers = 0;
    std::uint64_t octets_to_peers = 0;  // payload, as the next
    std::uint64_t packets_to_clients = 0;
    std::uint64_t octets_to_clients = 0;
    std::uint64_t allocations_made = 0;
    RefusalCounters refused;
    std::array<std::uint64_t, static_cast<std::size_t>(DropReason::count)> dropped{};
};

// All allocations behind any number of listeners of one shard. RFC 8656.
//
// Relayed data never waits here: handle_client and handle_peer return what is to be sent, as parts
// that view the datagram they were given, so a driver can collect a batch and send it before it
// reuses the receive buffers. Nothing is allocated or copied for it. Answers to requests are queued
// for poll_transmit.
class Server {
public:
    // Both sides of a relay appear and disappear; for logs and accounting.
    struct AllocationOpened {
        ClientFlow flow;
        std::string username;
        std::vector<SocketAddress> relayed;
    };
    struct AllocationClosed {
        Usage usage;
    };
    // The client goes on at another 5-tuple; what was the old one is nobody's. RFC 8016.
    struct AllocationMoved {
        ClientFlow from;
        ClientFlow to;
    };
    using Event = std::variant<RelayWanted, RelayClosed, AllocationOpened, AllocationClosed,
                               AllocationMoved, ConnectionWanted, ConnectionJoined,
                               ConnectionClosed, ChannelOpened, ChannelClosed>;

    // Whether who caused the answer has shown a valid credential (and thereby that it receives at
    // its address). Answers to others are what reflection attacks ask for: limit their rate.
    enum class Trust : std::uint8_t { Authenticated, Unauthenticated };
    struct Transmit {
        ClientFlow flow;
        BytesView message;  // valid until the next call that is not const
        Trust trust = Trust::Unauthenticated;
    };

    // `wall` is the time at `now`, for nonces and time-limited credentials.
    // Requires: the limits of ServerConfig.
    Server(Instant now, WallTime wall, ServerConfig config, crypto::RandomStream random);

    // One whole message from a client: a datagram, or what framed_size cut from a stream.
    [[nodiscard]] std::optional<Relayed> handle_client(Instant now, const ClientFlow& flow,
                                                       BytesView message);
    // A datagram that arrived at a relay socket.
    [[nodiscard]] std::optional<ToClient> handle_peer(Instant now, RelayId relay,
                                                      const SocketAddress& peer, BytesView payload);
    // An ICMP error about a datagram that the relay sent to the peer; port 0 where the system does
    // not tell. `error_data` is the MTU for the types that have one. RFC 8656 Section 11.5.
    void handle_icmp(Instant now, RelayId relay, const SocketAddress& peer, stun::Icmp icmp);
    // The answers to RelayWanted. `relayed` is the address that peers see, which behind a
    // one-to-one NAT is not the socket's.
    void handle_relay_opened(Instant now, RelayId relay, const SocketAddress& relayed);
    void handle_relay_failed(Instant now, RelayId relay);
    // A client's connection is closed: its allocation ends. RFC 8656 Section 3.1. For a joined data
    // flow it is handle_connection_gone.
    void handle_client_gone(Instant now, const ClientFlow& flow);

    // The answers to ConnectionWanted. RFC 6062 Section 5.2.
    void handle_connection_opened(Instant now, ConnectionId connection);
    void handle_connection_failed(Instant now, ConnectionId connection, ConnectionFailure why);
    // A peer connected to a TCP relay. Absent: the driver closes it at once, for want of a
    // permission or of room. RFC 6062 Section 5.3.
    [[nodiscard]] std::optional<ConnectionId> handle_peer_accepted(Instant now, RelayId relay,
                                                                   const SocketAddress& peer);
    // Either side of it was closed; the driver closes the other.
    void handle_connection_gone(Instant now, ConnectionId connection);

    // Traffic that did not pass through here, since the last call about it: for the counters and
    // against the user's rates. Spent: pause the connection, and ask again with no traffic later.
    enum class Budget : std::uint8_t { Within, Spent };
    Budget handle_spliced(Instant now, ConnectionId connection, const Traffic& carried);
    // Of all channels of the relay. Over a rate they are taken back with ChannelClosed until they
    // are refreshed.
    void handle_offloaded(Instant now, RelayId relay, const Traffic& carried);
    void handle_timeout(Instant now);
    // The wall clock was read again, or stepped.
    void set_wall_time(Instant now, WallTime wall);

    // No new allocation from now on: 300 with the redirection where its family is the client's,
    // else 508. What exists lives on. For a planned stop.
    void drain(std::optional<Redirect> redirect = std::nullopt);
    // Replaces all but the shard, for what is asked from now on. With another realm the credentials
    // are gone, and are to be filled in again. Requires: as the constructor.
    void reconfigure(ServerConfig config);
    // Replaces the policy for permissions and bindings from now on.
    void set_peer_policy(PeerPolicy policy) { config_.peers = std::move(policy); }
    CredentialTable& credentials() { return credentials_; }

    std::optional<Transmit> poll_transmit();
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    // Which shard knows what the message refers to: one with a RESERVATION-TOKEN, MOBILITY-TICKET
    // or CONNECTION-ID. A driver hands such a message, or its connection, to that shard's server.
    static std::optional<std::uint8_t> shard_of_request(BytesView message);

    std::vector<Session> sessions(Instant now) const;
    Snapshot snapshot(Instant now) const;
    // Continues what another server had, without an event but ChannelOpened. How many allocations
    // found their place. Requires: nothing was allocated here yet.
    std::size_t restore(Instant now, const Snapshot& snapshot);
    // Another process has it: forgotten without an event, its sockets stay open for the other.
    void forget(const ClientFlow& flow);

    const ServerCounters& counters() const { return counters_; }
    std::size_t allocations() const { return table_.allocations(); }
    std::size_t relays() const { return table_.relays(); }
    std::uint64_t dropped(DropReason reason) const {
        return counters_.dropped[static_cast<std::size_t>(reason)];
    }

private:
    // A request whose sender proved who it is.
    struct Verified {
        const stun::MessageView& request;
        const ClientFlow& flow;
        std::string username;
        std::string owner;
        stun::IntegrityKey key;
        stun::IntegrityKind reply_kind;
        std::optional<TokenSession> token;  // that came with the request
    };
    using Checked = std::expected<Verified, stun::LongTermServer::Refusal>;
    // What an Allocate request asks for, after all checks that need no state.
    struct AllocateWish;

    std::optional<Relayed> handle_stun(Instant now, const ClientFlow& flow, BytesView message);
    void handle_request(Instant now, const ClientFlow& flow, const stun::MessageView& request);
    std::optional<Verified> authenticate(Instant now, const ClientFlow& flow,
                                         const stun::MessageView& request);
    Checked check_account(Instant now, const ClientFlow& flow, const stun::MessageView& request,
                          const stun::LongTermServer::Claim& claim);
    Checked check_token(Instant now, const ClientFlow& flow, const stun::MessageView& request,
                        const stun::LongTermServer::Claim& claim, BytesView token);
    Checked check_token_session(Instant now, const ClientFlow& flow,
                                const stun::MessageView& request,
                                const stun::LongTermServer::Claim& claim,
                                const Allocation& allocation);
    std::expected<stun::IntegrityKey, stun::LongTermServer::Refusal> try_keys(
        Instant now, const ClientFlow& flow, const stun::MessageView& request,
        const stun::LongTermServer::Claim& claim, std::vector<stun::IntegrityKey> keys) const;
    // Whose access token counts for a request without one.
    const Allocation* token_holder(const ClientFlow& flow, const stun::MessageView& request);
    void handle_allocation_request(Instant now, const Verified& verified);
    void handle_allocate(Instant now, Verified& verified);
    static bool is_owner(const Verified& verified, const Allocation& allocation);
    void handle_moving_refresh(Instant now, const Verified& verified, BytesView sealed);
    enum class Client : std::uint8_t { Stays, Moves };
    void refresh(Instant now, const Verified& verified, Allocation& allocation, Client client);
    void settle_move(Instant now, Allocation& allocation);
    Bytes make_ticket(const Mobility& mobility);
    struct Ticket;
    std::optional<Ticket> open_ticket(BytesView sealed) const;
    void handle_create_permission(Instant now, const Verified& verified, Allocation& allocation);
    void handle_channel_bind(Instant now, const Verified& verified, Allocation& allocation);

    // RFC 6062.
    void handle_connect(Instant now, const Verified& verified, Allocation& allocation);
    void handle_connection_bind(Instant now, const Verified& verified);
    void fail_connect(Connection& connection, const stun::ErrorCode& error);
    void close_connection(Connection& connection);
    void close_connections(Allocation& allocation, RelayId relay);
    void expire_connections(Instant now);

    void offer_channel(Instant now, Allocation& allocation, ChannelNumber number);
    // All that are bound to the peer.
    void offer_channels(Instant now, Allocation& allocation, const IpAddress& peer);
    void offer_moved_channels(Instant now, Allocation& allocation);
    void withdraw(const Channel& channel, ChannelNumber number, PeerChannel& back);
    void tell_withdrawn();

    Session session_of(Instant now, const Allocation& allocation) const;
    Snapshot::Allocation copy_of(Instant now, const Allocation& allocation) const;
    bool restore(Instant now, const Snapshot::Allocation& copy);
    const std::string& owner_of(const Allocation& allocation) const;

    void refuse_draining(const Verified& verified);
    std::expected<AllocateWish, stun::ErrorCode> read_wish(Instant now, const Verified& verified);
    std::optional<stun::ErrorCode> read_protocol(const Verified& verified,
                                                 AllocateWish& wish) const;
    std::optional<stun::ErrorCode> check_capacity(const Verified& verified,
                                                  const AllocateWish& wish) const;
    void open_relays(Instant now, Allocation& allocation, const AllocateWish& wish,
                     UserTable::Place user);
    void finish_allocate(Instant now, Allocation& allocation);
    void reserve_next(Instant now, Allocation& allocation, Relay& opened);
    // The driver knows of its own failure; of every other end of a relay it is told.
    enum class Driver : std::uint8_t { Knows, IsTold };
    void fail_relay(Instant now, Relay& relay, Driver driver);
    void free_relay(Instant now, Relay& relay, Driver driver);
    // Ends the allocation with its last relay.
    void close_relay(Instant now, Relay& relay, EndReason why);
    void close_relays(Instant now, Allocation& allocation, EndReason why);
    bool open_at(Relay& relay, const SocketAddress& relayed, Relay::State state);
    Duration lifetime_for(Instant now, const Verified& verified,
                          std::optional<Duration> requested) const;
    User& user_of(const Allocation& allocation);
    bool take_new_peers(Instant now, Allocation& allocation, std::span<const IpAddress> peers);

    std::optional<Relayed> relay_channel_data(Instant now, const ClientFlow& flow,
                                              BytesView message);
    std::optional<Relayed> relay_send(Instant now, const ClientFlow& flow,
                                      const stun::MessageView& indication);
    // Where data of the flow belongs; the first on a new 5-tuple completes a move.
    std::optional<AllocationIndex> arrived_from(Instant now, const ClientFlow& flow);
    bool admit(Instant now, RelayId relay, std::size_t octets);
    std::optional<Relayed> to_peer(Instant now, const ToPeer& datagram);
    std::optional<ToClient> to_client(Instant now, Relay& relay, const SocketAddress& peer,
                                      BytesView payload);
    bool take_rates(Instant now, User& user, std::size_t octets);
    enum class Standing : std::uint8_t { Allowed, Forbidden };
    bool is_relay_address(const IpAddress& ip) const;
    Standing judge_peer(const IpAddress& peer) const;
    Standing judge_peer(const SocketAddress& peer, RelayProtocol protocol = RelayProtocol::Udp);

    stun::MessageBuilder reply(const Verified& verified, stun::Class message_class) const;
    void answer(const Verified& verified, stun::MessageBuilder builder);
    Bytes seal(const Verified& verified, stun::MessageBuilder builder) const;
    void refuse(const Verified& verified, const stun::ErrorCode& error);
    void refuse_unknown(const Verified& verified, const stun::UnknownAttributes& unknown);
    void queue(const ClientFlow& flow, Bytes message, Trust trust);
    void drop(DropReason reason) { ++counters_.dropped[static_cast<std::size_t>(reason)]; }
    WallTime wall_at(Instant now) const;

    struct Answer {
        ClientFlow flow;
        Bytes message;
        Trust trust;
    };

    ServerConfig config_;
    stun::LongTermServer authenticator_;
    CredentialTable credentials_;
    crypto::RandomStream random_;
    stun::IntegrityKey nobody_;  // matches nothing
    crypto::AesGcm ticket_key_;
    AllocationTable table_;
    ConnectionTable connections_;
    UserTable users_;
    Instant clock_instant_;
    WallTime clock_wall_;
    enum class Phase : std::uint8_t { Serving, Draining };
    Phase phase_ = Phase::Serving;
    std::optional<Redirect> redirect_;  // meaningful while draining
    std::deque<Answer> answers_;
    Bytes polled_;  // the message that the last poll_transmit views
    std::deque<Event> events_;
    ServerCounters counters_;
};

}  // namespace stile::turn
