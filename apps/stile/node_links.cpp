// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Links: opening one, what it says, and its end.
#include "ended_problem.hpp"
#include "node.hpp"

#include <utility>

namespace stile::peer {
namespace {

// Whether this side has closed the connection because of what the peer is or does.
bool is_refusal(const quic::event::Closed& closed) {
    switch (closed.reason) {
        case quic::CloseReason::ClosedHere:
            return closed.code != quic::no_error.value;
        case quic::CloseReason::FingerprintMismatch:
        case quic::CloseReason::NoPeerCertificate:
        case quic::CloseReason::PeerBrokeProtocol:
            return true;
        case quic::CloseReason::ClosedByPeer:
        case quic::CloseReason::RefusedByPeer:
        case quic::CloseReason::IdleTimeout:
        case quic::CloseReason::HandshakeTimeout:
        case quic::CloseReason::PeerReportedError:
        case quic::CloseReason::PeerLostState:
        case quic::CloseReason::Internal:
            return false;
    }
    return false;
}

// For a refused peer to hear of it by QUIC, on a slow path too: RFC 9000 Section 10.2 repeats a
// close for three probe timeouts. Its BYE ends the wait.
constexpr Duration telling_patience = std::chrono::seconds{3};

}  // namespace

Node::Entry* Node::find_usable(const std::string& address) {
    for (auto& [id, entry] : entries_) {
        const Link& link = *entry.link;
        if (link.peer() != address || link.closed() || link.doubtful() || entry.problem) continue;
        return &entry;
    }
    return nullptr;
}

void Node::open(const std::string& address, OnLink done) {
    if (Entry* const entry = find_usable(address)) {
        if (entry->meeting) return done(entry->link.get());
        return entry->waiting.push_back(std::move(done));
    }
    waiting_.push_back({address, std::move(done)});
    if (flow_open_) {
        try_waiting();
    } else {
        signalling_.connect();
        want_access();  // meanwhile
    }
}

void Node::try_waiting() {
    for (Waiting& waiting : std::exchange(waiting_, {})) {
        fetch(waiting.address, std::move(waiting.done));
    }
}

void Node::fetch(const std::string& address, OnLink done) {
    // Several may have waited for the same peer: one session serves them all.
    if (Entry* const entry = find_usable(address)) {
        if (entry->meeting) return done(entry->link.get());
        return entry->waiting.push_back(std::move(done));
    }
    want_access();
    auto link = make_link(address);
    open_sockets();
    const auto hosts = sockets_.addresses();
    auto streams = make_streams(*link);
    const auto listeners = listen(*streams, hosts);
    const auto session = endpoint_.fetch(loop_.now(), address, path_config(hosts, listeners));
    if (!session) return done(std::unexpected(to_problem(session.error(), address)));
    link->bind(*session);
    Entry& entry = entries_[*session];
    entry.link = std::move(link);
    entry.streams = std::move(streams);
    entry.waiting.push_back(std::move(done));
    log_session(*entry.link, session::Part::Offerer);
    pump();
}

std::unique_ptr<Link> Node::make_link(const std::string& peer) {
    return std::make_unique<Link>(
        loop_, sockets_, peer,
        LinkHandlers{
            .on_ready = [this](Link& link) { judge(link); },
            .on_request =
                [this](Link& link, quic::StreamId stream, const quic::RequestHead& head) {
                    // Nothing for who was refused, or not judged yet.
                    if (meeting(link) == nullptr) return;
                    if (handlers_.on_request) handlers_.on_request(link, stream, head);
                },
            .on_body_writable =
                [this](Link& link, quic::StreamId stream) {
                    if (handlers_.on_body_writable) handlers_.on_body_writable(link, stream);
                },
            .on_stream_closed =
                [this](Link& link, quic::StreamId stream) {
                    if (handlers_.on_stream_closed) handlers_.on_stream_closed(link, stream);
                },
            .on_closed =
                [this](Link& link, const quic::event::Closed& closed) {
                    Entry* const entry = find(link);
                    if (entry == nullptr) return;
                    if (!entry->problem) entry->problem = to_problem(closed, link.peer());
                    // Not from within the link's own call.
                    const bool refused = is_refusal(closed);
                    loop_.post([this, session = link.session(), refused] {
                        end_closed(session, refused ? telling_patience : Duration{});
                    });
                },
            .send_by_session = [this](Link& link,
                                      BytesView payload) { send_by_session(link, payload); },
            .on_datagram = [this](Link& link, const Path& path,
                                  BytesView datagram) { handle_datagram(link, path, datagram); }});
}

// Whoever waits is told at once; the peer by QUIC, before a BYE that could not say why.
void Node::end_closed(session::SessionId session, Duration patience) {
    const auto found = entries_.find(session);
    if (found == entries_.end()) return;
    const app::Problem problem = *found->second.problem;
    // Whoever is told may end all sessions, and so the entry.
    auto waiting = std::exchange(found->second.waiting, {});
    found->second.link->end(problem);
    for (OnLink& each : waiting) each(std::unexpected(problem));
    endpoint_.end_when_told(loop_.now(), session, patience);
    pump();
}

}  // namespace stile::peer
