// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/attributes/turn.hpp>
#include <stile/stun/client_transaction.hpp>
#include <stile/stun/long_term_client.hpp>
#include <stile/turn/channel_data.hpp>
#include <stile/turn/client_flow.hpp>
#include <stile/turn/connection.hpp>
#include <stile/turn/data_connection.hpp>
#include <stile/turn/failure.hpp>
#include <stile/turn/limits.hpp>
#include <stile/turn/relay.hpp>

#include <deque>
#include <list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stile::turn {

enum class FamilyWish : std::uint8_t {
    ServerDefault,  // IPv4, RFC 8656 Section 7.2
    V4,
    V6,
    Both,  // a dual allocation; one family alone is a success, too
};

struct ClientConfig {
    ClientTransport transport = ClientTransport::Udp;
    // Tcp is a TCP allocation of RFC 6062: over a stream only, and without even_port, reservation,
    // dont_fragment and mobility.
    RelayProtocol protocol = RelayProtocol::Udp;
    std::string username;  // through OpaqueString, as the password
    std::string password;
    // Takes precedence over the password where the server offers third-party authorization.
    std::optional<stun::LongTermClient::Grant> grant;
    // Whether the application can get grants when it is told for which server. RFC 7635.
    enum class ThirdParty : std::uint8_t { NotUsed, Used };
    ThirdParty third_party = ThirdParty::NotUsed;
    FamilyWish family = FamilyWish::ServerDefault;
    std::optional<std::chrono::seconds> lifetime;  // the server decides
    std::optional<stun::EvenPort> even_port;
    std::optional<stun::ReservationToken> reservation;  // excludes family and even_port
    // Asks for Fragmentation::Forbidden to be possible. A server that cannot is asked again
    // without.
    enum class DontFragment : std::uint8_t { NotNeeded, Wanted };
    DontFragment dont_fragment = DontFragment::NotNeeded;
    // Asks for a ticket, so that move() is possible. A server that forbids mobility is asked again
    // without. RFC 8016.
    enum class Mobility : std::uint8_t { NotWanted, Wanted };
    Mobility mobility = Mobility::NotWanted;
    std::string software;                 // absent if empty
    stun::RetransmitSchedule retransmit;  // over UDP and DTLS
};

// One allocation on one server: makes it, keeps it alive, and holds the permissions and channels
// that the application asks for, until released. RFC 8656. It starts with its construction.
//
// A TCP allocation (RFC 6062) has connections in place of channels and datagrams: connect() or a
// ConnectionAttempt gives a ConnectionId; with it the driver opens a connection of its own to the
// server's same address and hands it to a DataConnection.
class Client {
public:
    struct Allocated {
        std::vector<SocketAddress> relayed;  // one, or one a family
        SocketAddress mapped;                // the client as the server sees it
        Duration lifetime;
        std::optional<stun::ReservationToken> reservation;  // for EVEN-PORT with Reserve
        std::optional<FailureKind> missing_family;          // of a dual allocation
    };
    // There is no allocation, and none will come: make another client.
    struct Failed {
        Failure failure;
    };
    // Both are said at the first success, not at each refresh.
    struct PermissionInstalled {
        IpAddress peer;
    };
    struct ChannelBound {
        SocketAddress peer;
        ChannelNumber channel;
    };
    // Also when a refresh is refused; it is not tried again unless asked for again.
    struct PermissionFailed {
        IpAddress peer;
        Failure failure;
    };
    struct ChannelFailed {
        SocketAddress peer;
        Failure failure;
    };
    // The allocation lives on, and refreshing is tried again until it expires.
    struct RefreshFailed {
        Failure failure;
    };
    // The allocation was there, and is no more, with its permissions and channels. Why: the
    // server does not know it (AllocationMismatch), the connection is gone (Unreachable), or no
    // refresh came through in time (the failure of the last one).
    struct Expired {
        Failure failure;
    };
    struct Released {};
    // A router reported about a datagram to the peer; port 0 where it is not known.
    // RFC 8656 Section 11.6.
    struct PeerUnreachable {
        SocketAddress peer;
        stun::Icmp icmp;
    };
    // The server is connected to the peer. The driver has 30 seconds to open a connection and to
    // run data_connection() on it. RFC 6062 Section 4.3.
    struct Connected {
        SocketAddress peer;
        ConnectionId connection;
    };
    struct ConnectFailed {
        SocketAddress peer;
        Failure failure;
    };
    // A permitted peer has connected to the relayed address. As Connected; ignoring it refuses the
    // peer after 30 seconds. RFC 6062 Section 4.4.
    struct ConnectionAttempt {
        SocketAddress peer;
        ConnectionId connection;
    };
    // The new 5-tuple is the allocation's; the old one is of no use any more.
    struct Moved {};
    // The old 5-tuple is the allocation's still.
    struct MoveFailed {
        Failure failure;
    };
    // Nothing goes on without authorize(): the server wants a grant for this server name, or takes
    // the present one no more. RFC 7635 Sections 6.1 and 8.
    struct AuthorizationWanted {
        std::string server_name;
    };
    using Event =
        std::variant<Allocated, Failed, PermissionInstalled, PermissionFailed, ChannelBound,
                     ChannelFailed, RefreshFailed, Expired, Released, PeerUnreachable, Connected,
                     ConnectFailed, ConnectionAttempt, Moved, MoveFailed, AuthorizationWanted>;

    // Views into the message that it came in.
    struct PeerData {
        SocketAddress peer;
        BytesView payload;
    };

    // Requires: a schedule as for ClientTransaction, and the rules that ClientConfig states.
    Client(Instant now, ClientConfig config, crypto::RandomStream random);

    // One whole message from the server: a datagram, or what framed_size cut from a stream.
    [[nodiscard]] std::optional<PeerData> handle_message(Instant now, BytesView message);
    void handle_timeout(Instant now);
    // The connection is gone, or an ICMP error from the server's address came. A stream that is
    // lost while a move is under way costs nothing unless the move fails.
    void handle_unreachable(Instant now);
    // The same for what a move opened.
    void handle_move_unreachable(Instant now);

    // Commands. Those that come before the allocation wait for it.
    enum class Accepted : std::uint8_t { Yes, LimitReached, Ended };
    // Installs a permission and keeps it alive. Asking again is safe.
    Accepted permit(Instant now, const IpAddress& peer);
    // Binds a channel, with its permission, and keeps it alive.
    Accepted bind_channel(Instant now, const SocketAddress& peer);
    // Lets the permission and the channels of the peer run out.
    void forget(const IpAddress& peer);
    // On the channel if one is bound, otherwise as a Send indication.
    enum class Sent : std::uint8_t {
        Queued,
        NotPermitted,  // no permission is known to be there, RFC 8656 Section 11.1
        TooLarge,
        QueueFull,
    };
    Sent send(Instant now, const SocketAddress& peer, BytesView payload,
              ClientConfig::DontFragment fragment = ClientConfig::DontFragment::NotNeeded);
    // The channel to put before payload that the sender writes itself, with channel_header.
    std::optional<ChannelNumber> channel_of(Instant now, const SocketAddress& peer) const;
    // Asks the server to connect to the peer; Connected or ConnectFailed follows. After a 447 the
    // next attempt for the same peer waits until 10 seconds are over. RFC 6062 Section 4.3.
    // Requires: a TCP allocation.
    Accepted connect(Instant now, const SocketAddress& peer);
    // For a new connection to the server, with the allocation's credentials.
    DataConnection data_connection(Instant now, ConnectionId connection);
    // The network has changed: the allocation is to go on over another socket or connection of the
    // given transport. What poll_move_transmit gives belongs there; what arrives on either goes to
    // handle_message. Data and all else keep to the old one until Moved. Another call replaces a
    // move that is under way. RFC 8016.
    enum class Moving : std::uint8_t {
        UnderWay,
        NoTicket,  // the server gave none, or there is no allocation: make another client
    };
    Moving move(Instant now, ClientTransport transport);
    // The answer to AuthorizationWanted; also in advance, before a grant runs out.
    void authorize(Instant now, stun::LongTermClient::Grant grant);
    // Deletes the allocation on the server; Released or Expired follows.
    void release(Instant now);

    std::optional<BytesView> poll_transmit();       // to the server; until the next non-const call
    std::optional<BytesView> poll_move_transmit();  // likewise, by the socket of a move
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    const std::vector<SocketAddress>& relayed() const { return relayed_; }
    bool has_ticket() const { return ticket_.has_value(); }
    // The server has said 405.
    bool is_mobility_forbidden() const { return mobility_forbidden_; }

private:
    enum class State : std::uint8_t { Allocating, Allocated, Releasing, Ended };
    enum class Operation : std::uint8_t { Allocate, Refresh, Release, Permit, Bind, Connect };
    enum class Flight : std::uint8_t { Idle, UnderWay };

    struct Permission {
        IpAddress peer;
        std::optional<Instant> installed_until;
        std::optional<Instant> due;  // absent: nobody wants it any more
        Flight flight = Flight::Idle;
    };
    // At position number - ChannelNumber::first.
    struct Channel {
        SocketAddress peer;
        std::optional<Instant> bound_until;
        std::optional<Instant> permitted_until;
        std::optional<Instant> due;
        Flight flight = Flight::Idle;
    };
    struct Connect {
        SocketAddress peer;
        Instant not_before;
        enum class Wanted : std::uint8_t { No, Yes };
        Wanted wanted = Wanted::Yes;
        Flight flight = Flight::Idle;
    };
    struct Task {
        Operation operation;
        SocketAddress peer;  // of Permit, Bind and Connect
    };
    struct Transaction {
        Task task;
        stun::ClientTransaction machine;
    };
    // Nonces may be good for one address only, so a move has its own.
    struct Move {
        ClientTransport transport;
        stun::LongTermClient authentication;
        stun::ClientTransaction machine;
        enum class OldPath : std::uint8_t { Usable, Gone };
        OldPath old_path = OldPath::Usable;
    };

    ChannelNumber number_of(const Channel& channel) const;
    Permission* find_permission(const IpAddress& peer);
    const Permission* find_permission(const IpAddress& peer) const;
    Channel* find_channel(const SocketAddress& peer);
    const Channel* find_channel(const SocketAddress& peer) const;
    bool is_permitted(Instant now, const IpAddress& peer) const;
    Channel* free_channel(Instant now);

    void start(Instant now, const Task& task);
    Bytes build(const Task& task);
    stun::RetransmitSchedule schedule_for(ClientTransport transport) const;
    void add_allocate_attributes(stun::MessageBuilder& builder) const;
    // Starts what is due, as far as transactions are free, then collects what the machines want.
    void pump(Instant now);
    void start_due(Instant now);
    void collect(Instant now);
    void handle_response(Instant now, const stun::MessageView& response);
    // What a response asks for that is neither success nor failure of the request.
    enum class Detour : std::uint8_t { None, Taken };
    Detour ask_for_less(Instant now, const Task& task, const stun::MessageView& response);
    Detour await_grant(const Task& task);
    std::optional<PeerData> handle_channel_data(Instant now, BytesView message);
    std::optional<PeerData> handle_data(Instant now, const stun::MessageView& indication);

    void handle_attempt(Instant now, const stun::MessageView& indication);
    void succeed(Instant now, const Task& task, const stun::MessageView& response);
    void on_allocated(Instant now, const stun::MessageView& response);
    void on_permitted(Instant now, const IpAddress& peer);
    void on_bound(Instant now, const SocketAddress& peer);
    void on_connected(Instant now, const SocketAddress& peer, const stun::MessageView& response);
    void fail(Instant now, const Task& task, Failure failure);
    void fail_permission(Instant now, const IpAddress& peer, Failure failure);
    void fail_channel(Instant now, const SocketAddress& peer, Failure failure);
    void fail_connect(Instant now, const SocketAddress& peer, Failure failure);
    void set_lifetime(Instant now, Duration lifetime);

    Bytes build_move(const stun::LongTermClient& authentication);
    void handle_move_response(Instant now, const stun::MessageView& response);
    void collect_move(Instant now);
    void on_moved(Instant now, const stun::MessageView& response);
    void fail_move(Failure failure);
    void end(Event event);
    void notify(Event event);
    void transmit(Bytes message);

    ClientConfig config_;
    stun::LongTermClient authentication_;
    crypto::RandomStream random_;
    State state_ = State::Allocating;
    std::vector<SocketAddress> relayed_;
    std::optional<Instant> expires_;
    std::optional<Instant> refresh_due_;
    Failure last_refresh_failure_{.kind = FailureKind::TimedOut};
    std::vector<Permission> permissions_;
    std::vector<Channel> channels_;
    std::vector<Connect> connects_;
    std::list<Transaction> transactions_;
    std::vector<Task> waiting_for_grant_;
    std::optional<Bytes> ticket_;
    bool mobility_forbidden_ = false;
    std::optional<Move> move_;
    std::deque<Bytes> queue_;
    Bytes polled_;  // what the last poll_transmit views
    std::deque<Event> events_;
};

}  // namespace stile::turn
