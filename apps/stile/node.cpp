// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "node.hpp"

#include "ended_problem.hpp"

#include <stile/base/drain.hpp>
#include <stile/base/encoding.hpp>
#include <stile/drivers/random.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace stile::peer {
namespace {

app::Problem problem_of(const session::Ended& ended, const std::string& peer,
                        const std::optional<Meeting>& meeting) {
    using session::EndReason;
    if (meeting && ended.reason == EndReason::SessionFault) return went_silent(peer);
    // Nobody ends a session that has not begun but for want of a path.
    if (!meeting && ended.reason == EndReason::PeerEnded) {
        return to_problem(session::Ended{ended.session, EndReason::SessionFault,
                                         session::SessionFault::NoPath, ended.evidence},
                          peer);
    }
    return to_problem(ended, peer);
}

// How long a stopping node waits for its server to take the registration back.
constexpr Duration stop_patience = std::chrono::seconds{1};
// From an answered session's route to the end of its handshake.
constexpr Duration meeting_patience = std::chrono::seconds{15};
// Sessions that one caller may have with us: a browser, a feed reader and a download at once.
constexpr std::ptrdiff_t most_sessions_a_caller = 8;

// The instance of RFC 5626 Section 4.1: one a device and address, the same at every start. Made
// from the key, so that there is nothing more to keep; a version 8 UUID (RFC 9562 Section 5.8).
std::string instance_of(const Account& account) {
    const crypto::Digest thumbprint = account.key().public_key().thumbprint();
    Bytes octets = to_bytes(thumbprint.bytes().first(16));
    octets[6] = (octets[6] & std::byte{0x0F}) | std::byte{0x80};
    octets[8] = (octets[8] & std::byte{0x3F}) | std::byte{0x80};
    const std::string hex = to_hex(octets);
    return fmt::format("urn:uuid:{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4),
                       hex.substr(12, 4), hex.substr(16, 4), hex.substr(20));
}

session::EndpointConfig endpoint_config(const Account& account, session::Purpose purpose) {
    return {.address = account.address,
            .instance = instance_of(account),
            .software = "stile",
            .purpose = purpose,
            .fingerprint = identity::Fingerprint::of(account.certificate())};
}

}  // namespace

Node::Node(drivers::Loop& loop, drivers::PeerStore& store, Account account,
           session::Purpose purpose, NodeHandlers handlers, std::optional<Port> udp_port)
    : loop_(loop),
      store_(store),
      account_(std::move(account)),
      purpose_(purpose),
      handlers_(std::move(handlers)),
      dialer_(loop),
      api_(loop),
      signalling_(loop, account_,
                  {.on_open =
                       [this](const sip::Flow& flow) {
                           flow_open_ = true;
                           endpoint_.handle_flow_opened(loop_.now(), flow);
                           try_waiting();
                           pump();
                       },
                   .on_bytes =
                       [this](sip::FlowId flow, BytesView bytes) {
                           if (!endpoint_.handle_signalling(loop_.now(), flow, bytes)) {
                               signalling_.close(flow);
                           }
                           pump();
                       },
                   .on_closed =
                       [this](sip::FlowId flow) {
                           flow_open_ = false;
                           endpoint_.handle_flow_closed(loop_.now(), flow);
                           pump();
                       },
                   .on_unavailable =
                       [this](const app::Problem& problem) { handle_signalling_lost(problem); }}),
      endpoint_(loop.now(), endpoint_config(account_, purpose),
                crypto::RandomStream{drivers::random_seed()}),
      sockets_(loop, udp_port,
               [this](std::span<const drivers::Datagram> batch) { handle_datagrams(batch); }),
      timer_(loop,
             [this] {
                 endpoint_.handle_timeout(loop_.now());
                 pump();
             }),
      meeting_timer_(loop, [this] { end_unmet(); }),
      stop_timer_(loop,
                  [this] {
                      signalling_stopped_ = true;
                      consider_stopped();
                  }),
      names_(loop),
      local_names_(loop),
      nat64_(loop, names_) {
    begin_port_mapping();
    watch_network();
    look_for_nat64();
}

Node::~Node() = default;

// Who serves has its ports opened by routers before anybody comes. A port that was asked for is for
// a firewall's rule: with another nothing would come in.
void Node::start() {
    if (purpose_ == session::Purpose::Serve || sockets_.is_port_asked()) open_sockets();
    if (const auto& problem = sockets_.problem()) {
        return loop_.post([this, text = problem->text] {
            if (!handlers_.on_refused) return;
            handlers_.on_refused({app::ExitCode::Local, "This UDP port cannot be used", text, "",
                                  "end the program that has it, or choose another --udp-port"});
        });
    }
    endpoint_.start(loop_.now());
    pump();
}

void Node::stop(std::move_only_function<void()> done) {
    on_stopped_ = std::move(done);
    for (auto& [id, entry] : entries_) entry.link->close(quic::no_error, "the program ends");
    endpoint_.stop(loop_.now());
    const bool must_wait = purpose_ == session::Purpose::Serve && flow_open_;
    stop_timer_.arm_after(must_wait ? stop_patience : Duration::zero());
    if (mappings_) {
        mappings_->stop([this] {
            mappings_.reset();
            consider_stopped();
        });
    }
    pump();
}

void Node::consider_stopped() {
    if (!signalling_stopped_ || mappings_) return;
    if (auto done = std::exchange(on_stopped_, {})) done();
}

// ---- the endpoint ------------------------------------------------------------------------------

void Node::pump() {
    if (pumping_) return;
    pumping_ = true;
    timer_.arm(drain(
        endpoint_, [this](const session::EndpointTransmit& transmit) { send(transmit); },
        [this](session::EndpointEvent event) { handle(std::move(event)); }));
    pumping_ = false;
    keep_reports();
}

void Node::send(const session::EndpointTransmit& transmit) {
    if (const auto* const signalling = std::get_if<sip::Outgoing>(&transmit)) {
        return signalling_.write(signalling->flow, signalling->bytes);
    }
    if (const auto* const stream = std::get_if<session::PathStreamTransmit>(&transmit)) {
        const auto entry = entries_.find(stream->session);
        if (entry != entries_.end()) {
            entry->second.streams->send(stream->bytes.stream, stream->bytes.octets);
        }
        return;
    }
    const auto& path = std::get<session::PathTransmit>(transmit);
    const auto entry = entries_.find(path.session);
    if (entry != entries_.end()) entry->second.link->transmit(path.datagram);
}

void Node::handle(session::EndpointEvent event) {
    if (std::holds_alternative<session::Registered>(event)) {
        log("registered", {{"address", account_.address}});
        if (handlers_.on_registered) handlers_.on_registered();
    } else if (const auto* const failed = std::get_if<session::RegistrationFailed>(&event)) {
        auto& handler = failed->retry_at ? handlers_.on_trouble : handlers_.on_refused;
        if (handler) handler(to_problem(*failed, account_));
    } else if (std::holds_alternative<session::Unregistered>(event)) {
        stop_timer_.arm(loop_.now());
    } else if (std::holds_alternative<session::FlowWanted>(event)) {
        signalling_.connect();
    } else if (const auto* const unwanted = std::get_if<session::FlowUnwanted>(&event)) {
        signalling_.close(unwanted->flow);
    } else if (const auto* const incoming = std::get_if<session::Incoming>(&event)) {
        handle_incoming(*incoming);
    } else if (const auto* const opened = std::get_if<session::RouteOpened>(&event)) {
        const auto entry = entries_.find(opened->session);
        if (entry == entries_.end()) return;
        const session::HttpSession* const session = endpoint_.find(opened->session);
        if (session != nullptr && entry->second.link->connection() == nullptr) {
            entry->second.link->set_credentials(
                session->part() == session::Part::Offerer ? quic::Role::Client : quic::Role::Server,
                credentials(*session));
        }
        log_route(entry->second, opened->route);
        entry->second.link->set_route(opened->route);
        if (!entry->second.meeting && !entry->second.meeting_deadline) {
            entry->second.meeting_deadline = loop_.now() + meeting_patience;
            meeting_timer_.arm_after(meeting_patience);
        }
    } else if (const auto* const lost = std::get_if<session::RouteClosed>(&event)) {
        const auto entry = entries_.find(lost->session);
        if (entry == entries_.end()) return;
        log_route_lost(*entry->second.link);
        entry->second.link->clear_route();
    } else if (const auto* const stream = std::get_if<session::StreamWanted>(&event)) {
        open_stream(*stream);
    } else if (const auto* const unneeded = std::get_if<session::StreamUnwanted>(&event)) {
        const auto entry = entries_.find(unneeded->session);
        if (entry != entries_.end()) entry->second.streams->close(unneeded->stream);
    } else if (const auto* const name = std::get_if<session::NameWanted>(&event)) {
        look_for_name(name->session, name->name);
    } else if (const auto* const ended = std::get_if<session::Ended>(&event)) {
        handle_ended(*ended);
    }
}

void Node::handle_incoming(const session::Incoming& incoming) {
    const session::SessionId session = incoming.session;
    const auto with_caller = std::ranges::count_if(
        entries_, [&](const auto& entry) { return entry.second.link->peer() == incoming.from; });
    if (with_caller >= most_sessions_a_caller) return endpoint_.reject(loop_.now(), session);
    Entry& made = entries_[session];
    made.link = make_link(incoming.from);
    made.link->bind(session);
    made.streams = make_streams(*made.link);
    want_access();
    const auto entry = entries_.find(session);
    if (entry == entries_.end()) return;
    open_sockets();
    const auto hosts = sockets_.addresses();
    endpoint_.accept(loop_.now(), session,
                     path_config(hosts, listen(*entry->second.streams, hosts)));
    log_session(*entry->second.link, session::Part::Answerer);
    // The client's first packet may come before our own checks have found the way.
    if (const session::HttpSession* const accepted = endpoint_.find(session)) {
        entry->second.link->set_credentials(quic::Role::Server, credentials(*accepted));
    }
}

void Node::handle_ended(const session::Ended& ended) {
    const auto found = entries_.find(ended.session);
    if (found == entries_.end()) return;
    Entry entry = std::move(found->second);
    entries_.erase(found);
    Link& link = *entry.link;
    const app::Problem problem =
        entry.problem ? *entry.problem : problem_of(ended, link.peer(), entry.meeting);
    for (OnLink& waiting : std::exchange(entry.waiting, {})) waiting(std::unexpected(problem));
    unmap_ports(entry);
    log_ended(entry, problem);
    link.end(problem);
    if (handlers_.on_link_closed) handlers_.on_link_closed(link);
    ended_.push_back(std::move(entry));
    loop_.post([this] { ended_.clear(); });
}

void Node::handle_signalling_lost(const app::Problem& problem) {
    endpoint_.handle_flow_unavailable(loop_.now());
    for (Waiting& waiting : std::exchange(waiting_, {})) waiting.done(std::unexpected(problem));
    if (handlers_.on_trouble) handlers_.on_trouble(problem);
    pump();
}

void Node::drop(Link& link) { link.close(quic::no_error, "done"); }

void Node::with_link(session::SessionId session, std::move_only_function<void(Link&)> then) {
    const auto found = entries_.find(session);
    if (found != entries_.end() && !found->second.link->closed()) then(*found->second.link);
}

Node::Entry* Node::find(const Link& link) {
    const auto found = entries_.find(link.session());
    return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace stile::peer
