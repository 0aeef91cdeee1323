// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/tcp_relay.hpp>

#include <stile/base/machine.hpp>
#include <stile/connect/limits.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {

static_assert(Machine<TcpRelay>);

TcpRelay::TcpRelay(Instant now, turn::ClientConfig config, crypto::RandomStream random)
    : client_(now, std::move(config), std::move(random)) {}

// ---- inputs ----------------------------------------------------------------------------------

void TcpRelay::handle_message(Instant now, BytesView message) {
    // A TCP allocation relays no datagrams.
    (void)client_.handle_message(now, message);
    collect(now);
}

void TcpRelay::handle_unreachable(Instant now) {
    client_.handle_unreachable(now);
    collect(now);
}

void TcpRelay::handle_timeout(Instant now) {
    client_.handle_timeout(now);
    collect(now);
    std::vector<StreamId> late;
    for (Link& link : links_) {
        if (link.binding) link.binding->handle_timeout(now);
        if (link.deadline && now >= *link.deadline) late.push_back(link.stream);
    }
    for (const StreamId stream : late) fail(stream, {.kind = turn::FailureKind::TimedOut});
    for (std::size_t i = links_.size(); i-- > 0;) collect(links_[i]);
}

void TcpRelay::permit(Instant now, const IpAddress& peer) { client_.permit(now, peer); }

void TcpRelay::connect(Instant now, StreamId stream, const SocketAddress& peer) {
    const bool has_room = links_.size() < limits::most_relayed_connections;
    if (!has_room || client_.connect(now, peer) != turn::Client::Accepted::Yes) {
        events_.push_back(Failed{stream, {.kind = turn::FailureKind::Unreachable}});
        return;
    }
    links_.push_back({.stream = stream, .peer = peer});
    collect(now);
}

bool TcpRelay::accept(Instant now, StreamId stream, const Attempted& attempt) {
    if (links_.size() >= limits::most_relayed_connections) return false;
    links_.push_back({.stream = stream,
                      .peer = attempt.peer,
                      .phase = Phase::Opening,
                      .connection = attempt.connection,
                      .deadline = now + limits::bind_patience});
    return true;
}

void TcpRelay::handle_stream_opened(Instant now, StreamId stream) {
    Link* const link = find(stream);
    if (link == nullptr || link->phase != Phase::Opening) return;
    link->phase = Phase::Binding;
    link->binding = client_.data_connection(now, *link->connection);
    collect(*link);
}

BytesView TcpRelay::handle_octets(Instant now, StreamId stream, BytesView octets) {
    Link* const link = find(stream);
    if (link == nullptr) return {};
    if (link->phase == Phase::Bound) return octets;
    if (!link->binding) return {};
    const BytesView rest = link->binding->handle_octets(now, octets);
    collect(*link);
    return rest;
}

void TcpRelay::drop(StreamId stream) {
    std::erase_if(links_, [&](const Link& link) { return link.stream == stream; });
}

bool TcpRelay::is_bound(StreamId stream) const {
    return std::ranges::any_of(links_, [&](const Link& link) {
        return link.stream == stream && link.phase == Phase::Bound;
    });
}

void TcpRelay::release(Instant now) {
    client_.release(now);
    collect(now);
}

// ---- inside ----------------------------------------------------------------------------------

void TcpRelay::collect(Instant now) {
    using Client = turn::Client;
    while (auto event = client_.poll_event()) {
        if (const auto* const allocated = std::get_if<Client::Allocated>(&*event)) {
            events_.push_back(Allocated{allocated->relayed.front(), allocated->mapped});
        } else if (auto* const failed = std::get_if<Client::Failed>(&*event)) {
            events_.push_back(Lost{std::move(failed->failure)});
        } else if (auto* const expired = std::get_if<Client::Expired>(&*event)) {
            events_.push_back(Lost{std::move(expired->failure)});
        } else if (std::holds_alternative<Client::Released>(*event)) {
            events_.push_back(Released{});
        } else if (const auto* const attempt = std::get_if<Client::ConnectionAttempt>(&*event)) {
            events_.push_back(Attempted{attempt->peer, attempt->connection});
        } else if (const auto* const connected = std::get_if<Client::Connected>(&*event)) {
            // One that nobody wants any more the server closes after a while.
            if (Link* const link = find_connecting(connected->peer)) {
                link->phase = Phase::Opening;
                link->connection = connected->connection;
                link->deadline = now + limits::bind_patience;
                events_.push_back(StreamDue{link->stream});
            }
        } else if (auto* const refused = std::get_if<Client::ConnectFailed>(&*event)) {
            if (const Link* const link = find_connecting(refused->peer)) {
                fail(link->stream, std::move(refused->failure));
            }
        }
    }
}

void TcpRelay::collect(Link& link) {
    if (!link.binding) return;
    while (const auto octets = link.binding->poll_transmit()) {
        queue_.push_back({link.stream, to_bytes(*octets)});
    }
    const auto event = link.binding->poll_event();
    if (!event) return;
    if (const auto* const failed = std::get_if<turn::DataConnection::Failed>(&*event)) {
        return fail(link.stream, failed->failure);
    }
    link.phase = Phase::Bound;
    link.binding.reset();
    link.deadline.reset();
    events_.push_back(Bound{link.stream, link.peer});
}

void TcpRelay::fail(StreamId stream, turn::Failure failure) {
    drop(stream);
    events_.push_back(Failed{stream, std::move(failure)});
}

TcpRelay::Link* TcpRelay::find(StreamId stream) {
    const auto link = std::ranges::find(links_, stream, &Link::stream);
    return link == links_.end() ? nullptr : &*link;
}

TcpRelay::Link* TcpRelay::find_connecting(const SocketAddress& peer) {
    const auto link = std::ranges::find_if(links_, [&](const Link& each) {
        return each.phase == Phase::Connecting && each.peer == peer;
    });
    return link == links_.end() ? nullptr : &*link;
}

// ---- outputs ---------------------------------------------------------------------------------

std::optional<TcpRelay::Outgoing> TcpRelay::poll_transmit() {
    if (!queue_.empty()) {
        const StreamId stream = queue_.front().stream;
        current_ = std::move(queue_.front().octets);
        queue_.pop_front();
        return Outgoing{stream, current_};
    }
    if (const auto octets = client_.poll_transmit()) return Outgoing{{}, *octets};
    return std::nullopt;
}

std::optional<TcpRelay::Event> TcpRelay::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
}

std::optional<Instant> TcpRelay::poll_timeout() const {
    std::optional<Instant> soonest = client_.poll_timeout();
    for (const Link& link : links_) {
        soonest = earlier(soonest, link.deadline);
        if (link.binding) soonest = earlier(soonest, link.binding->poll_timeout());
    }
    return soonest;
}

}  // namespace stile::connect
