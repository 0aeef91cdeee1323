// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "account.hpp"
#include "link.hpp"
#include "path_streams.hpp"
#include "server_api.hpp"
#include "session_report.hpp"
#include "signalling.hpp"

#include <stile/drivers/dns.hpp>
#include <stile/drivers/interfaces.hpp>
#include <stile/drivers/multicast_dns.hpp>
#include <stile/drivers/port_mappings.hpp>
#include <stile/identity/pin.hpp>
#include <stile/identity/proof.hpp>
#include <stile/nat_probe/nat64_search.hpp>

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace stile::peer {

class EventLog;

// Who is at the other end of a link, as far as it is known.
struct Meeting {
    identity::Standing standing = identity::Standing::NotVerified;
    std::string key;  // the thumbprint of the peer's key, in hexadecimal
};

struct NodeHandlers {
    std::move_only_function<void()> on_registered;
    // Something that the node tries again by itself, or that ends nothing; for a log.
    std::move_only_function<void(const app::Problem&)> on_trouble;
    // Nothing is tried again: the server does not take our login, and will not, or the UDP port
    // that was asked for is somebody else's.
    std::move_only_function<void(const app::Problem&)> on_refused;
    // A peer has connected to us.
    std::move_only_function<void(Link&, const Meeting&)> on_peer;
    std::move_only_function<void(Link&, quic::StreamId, const quic::RequestHead&)> on_request;
    std::move_only_function<void(Link&, quic::StreamId)> on_body_writable;
    std::move_only_function<void(Link&, quic::StreamId)> on_stream_closed;
    std::move_only_function<void(Link&)> on_link_closed;
};

// A person's node in the network: signalling to its own server, sessions with peers, the links on
// them, and the pins of whom it has met.
class Node {
public:
    // `udp_port`: of the sockets for all sessions; empty: any that is free.
    Node(drivers::Loop& loop, drivers::PeerStore& store, Account account, session::Purpose purpose,
         NodeHandlers handlers, std::optional<Port> udp_port = {});
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node();

    // Connects to the server, and registers where the purpose is to serve.
    void start();
    // Takes the registration back and closes the links; `done` comes soon, whatever the network
    // does.
    void stop(std::move_only_function<void()> done);

    // A link to this address: one that is there, or a new one. The link is valid until on_closed of
    // a Link, which drop() brings about; look it up again rather than keep it.
    using OnLink = std::move_only_function<void(std::expected<Link*, app::Problem>)>;
    void open(const std::string& address, OnLink done);
    const Meeting* meeting(const Link& link) const;
    void drop(Link& link);
    // Only if the link of this session is still there.
    void with_link(session::SessionId session, std::move_only_function<void(Link&)> then);

    // What was tried for the session with this address that was opened last: as it is now, or, once
    // it has ended, as it was last seen. For programs of few sessions: it is copied at each step.
    void keep_report_of(std::string address) { reported_ = std::move(address); }
    const std::optional<SessionReport>& kept_report() const { return report_; }
    // What sessions meet from now on goes there, too. The log must outlive the node.
    void keep_log(EventLog& log) { log_ = &log; }

    const Account& account() const { return account_; }

private:
    struct Entry {
        std::unique_ptr<Link> link;
        std::unique_ptr<PathStreams> streams;
        std::vector<OnLink> waiting;
        std::optional<Meeting> meeting;
        std::optional<Instant> meeting_deadline;  // from the first route on
        std::optional<app::Problem> problem;  // why it ends, where that is better known than by SIP
        SessionReport report;                 // as last seen, where somebody wants it
    };
    enum class AccessState : std::uint8_t { None, Asked, Known, Failed };

    void pump();
    void send(const session::EndpointTransmit& transmit);
    void handle(session::EndpointEvent event);
    void handle_incoming(const session::Incoming& incoming);
    void handle_ended(const session::Ended& ended);
    void handle_signalling_lost(const app::Problem& problem);

    void consider_stopped();
    Entry* find(const Link& link);
    // node_links.cpp
    void try_waiting();
    void fetch(const std::string& address, OnLink done);
    Entry* find_usable(const std::string& address);
    std::unique_ptr<Link> make_link(const std::string& peer);
    void end_closed(session::SessionId session, Duration patience);
    // node_log.cpp
    void keep_reports();
    void refresh_report(Entry& entry);
    void log(const char* event, nlohmann::ordered_json fields);
    void log_network_changed(const std::vector<IpAddress>& addresses);
    void log_session(const Link& link, session::Part part);
    void log_route(Entry& entry, const connect::Route& route);
    void log_route_lost(const Link& link);
    void log_met(Entry& entry);
    void log_ended(const Entry& entry, const app::Problem& problem);
    static void add_report(nlohmann::ordered_json& fields, const Entry& entry);
    // node_paths.cpp
    void want_access();
    connect::ConnectorConfig path_config(std::vector<SocketAddress> hosts,
                                         std::vector<connect::Listener> listeners);
    void open_sockets();
    void handle_datagrams(std::span<const drivers::Datagram> batch);
    void handle_datagram(Link& link, const Path& path, BytesView datagram);
    void look_for_nat64();
    void begin_port_mapping();
    void look_for_name(session::SessionId session, const std::string& name);
    connect::Concealment concealment();
    void unmap_ports(const Entry& entry);
    // network_changes.cpp
    void watch_network();
    void handle_network_changed();
    void follow_addresses();
    void follow_addresses(session::SessionId session, Entry& entry,
                          const std::vector<IpAddress>& addresses,
                          const NodeSockets::Changes& changes);
    std::vector<IpAddress> candidate_addresses() const;
    // node_streams.cpp
    std::unique_ptr<PathStreams> make_streams(Link& link);
    std::vector<connect::Listener> listen(PathStreams& streams,
                                          const std::vector<SocketAddress>& hosts);
    void open_stream(const session::StreamWanted& event);
    void handle_stream_bytes(Link& link, connect::StreamId stream, BytesView bytes);
    void send_by_session(const Link& link, BytesView payload);
    // node_meetings.cpp
    quic::Credentials credentials(const session::HttpSession& session) const;
    void judge(Link& link);
    void fail(Entry& entry, const app::Problem& problem);
    void end_unmet();

    drivers::Loop& loop_;
    drivers::PeerStore& store_;
    Account account_;
    session::Purpose purpose_;
    NodeHandlers handlers_;
    Dialer dialer_;
    ServerApi api_;
    Signalling signalling_;
    session::Endpoint endpoint_;
    NodeSockets sockets_;
    drivers::Timer timer_;
    drivers::Timer meeting_timer_;
    drivers::Timer stop_timer_;
    std::map<session::SessionId, Entry> entries_;
    std::vector<Entry> ended_;  // until nothing on the stack uses them
    struct Waiting {
        std::string address;
        OnLink done;
    };
    std::vector<Waiting> waiting_;  // for the connection to our server
    bool flow_open_ = false;
    RelayAccess access_;
    AccessState access_state_ = AccessState::None;
    Instant access_until_{};
    drivers::Resolver names_;
    drivers::MulticastDns local_names_;
    nat_probe::Nat64Search nat64_;
    std::unique_ptr<drivers::NetworkMonitor> monitor_;  // absent where the system has none
    std::optional<drivers::PortMappings> mappings_;     // absent: not wanted, or given back
    std::move_only_function<void()> on_stopped_;
    bool signalling_stopped_ = false;
    bool pumping_ = false;
    std::string reported_;
    std::optional<SessionReport> report_;
    EventLog* log_ = nullptr;
};

}  // namespace stile::peer
