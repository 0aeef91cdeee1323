// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Candidates over TCP: RFC 6544 Sections 4.1, 5.1 and 5.2.
#include <stile/connect/connector.hpp>

#include <algorithm>
#include <utility>

namespace stile::connect {

bool Connector::add_listener(Instant now, const Listener& listener) {
    auto& known = config_.listeners;
    const bool is_known = std::ranges::find(known, listener) != known.end();
    if (phase_ == Phase::Released || is_known || known.size() == limits::most_listeners) {
        return false;
    }
    known.push_back(listener);
    gather_listener(now, listener);
    see(now);
    return true;
}

void Connector::remove_listener(Instant now, const Listener& listener) {
    if (std::erase(config_.listeners, listener) == 0) return;
    std::erase_if(mapped_, [&](const Mapped& mapped) {
        return mapped.port.host == listener.address && mapped.port.transport == ice::Transport::Tcp;
    });
    const bool address_stays = std::ranges::any_of(config_.listeners, [&](const Listener& other) {
        return other.address.ip == listener.address.ip;
    });
    std::vector<SocketAddress> bases{listener.address};
    if (!address_stays) bases.push_back({listener.address.ip, ice::discard_port});
    for (const SocketAddress& base : bases) {
        std::erase_if(gathered_, [&](const ice::GatheredCandidate& gathered) {
            return gathered.base == base && gathered.protocol.transport == ice::Transport::Tcp;
        });
        std::erase_if(local_.candidates, [&](const ice::Candidate& candidate) {
            return candidate.base == base && candidate.transport == ice::Transport::Tcp;
        });
        if (phase_ == Phase::Running) agent_.remove_base(now, base, ice::Transport::Tcp);
    }
    see(now);
}

void Connector::gather_listener(Instant now, const Listener& listener) {
    if (!may_use(listener.address)) return;
    add_gathered(now, ice::tcp_host_candidate(listener.address, listener.type));
    // RFC 6544 Section 4.1: a placeholder on each interface; the agent keeps one.
    const SocketAddress anywhere{listener.address.ip, ice::discard_port};
    add_gathered(now, ice::tcp_host_candidate(anywhere, ice::TcpType::Active));
}

// One server is enough: it is how the NAT shows the port that matters, not the NAT's kind.
void Connector::ask_by_listeners() {
    if (config_.policy == CandidatePolicy::RelayedOnly) return;
    for (const Listener& listener : config_.listeners) {
        const auto server =
            std::ranges::find_if(config_.stun_servers, [&](const SocketAddress& address) {
                return may_use(listener.address) && can_reach(listener.address, address);
            });
        if (server == config_.stun_servers.end()) continue;
        between_.emplace_back(StreamSource{listener, *server});
    }
}

void Connector::start_stream_probe(Instant now, const StreamSource& source) {
    const Path path{source.listener.address, source.server};
    const StreamId id = streams_.add(Stream::Use::Reflexive, Stream::Phase::Opening, path).id;
    attempts_.push_back(
        {.stream = id,
         .source = source,
         .state = SourceState::Pending,
         .report = asked(SourceReport::Kind::Stun, turn::ClientTransport::Tcp, path, now)});
    queue_event(StreamWanted{.stream = id,
                             .path = path,
                             .local_port = StreamWanted::LocalPort::Shared,
                             .security = StreamSecurity::None,
                             .server_name = {}});
}

void Connector::open_stream_probe(Instant now, const StreamSource& source, StreamId stream,
                                  const Path& path) {
    probes_.push_back(
        {.machine = ReflexiveProbe{now, path, stun::RetransmitSchedule::reliable(), random_},
         .state = SourceState::Pending,
         .report = asked(SourceReport::Kind::Stun, turn::ClientTransport::Tcp, path, now),
         .protocol = {.transport = ice::Transport::Tcp, .tcp_type = source.listener.type},
         .stream = stream});
}

bool Connector::awaits_stream_probe() const {
    const auto is_opening = [](const Attempt& attempt) {
        return attempt.state == SourceState::Pending &&
               std::holds_alternative<StreamSource>(attempt.source);
    };
    const auto is_asked = [](const Probe& probe) {
        return probe.state == SourceState::Pending && probe.stream;
    };
    return std::ranges::any_of(attempts_, is_opening) || std::ranges::any_of(probes_, is_asked);
}

// RFC 6544 Section 4.1: "Once the candidates have been obtained, the agent MUST keep the TCP
// connections open until ICE processing has completed."
void Connector::drop_stream_probes() {
    std::vector<StreamId> ended;
    for (const Stream& stream : streams_.all()) {
        if (stream.use == Stream::Use::Reflexive) ended.push_back(stream.id);
    }
    for (const StreamId stream : ended) {
        std::erase_if(attempts_, [&](const Attempt& attempt) { return attempt.stream == stream; });
        close_stream(stream);
    }
    for (Probe& probe : probes_) {
        if (!probe.stream || probe.state == SourceState::Done) continue;
        probe.state = SourceState::Done;
        probe.report.outcome = SourceReport::Outcome::Silent;
    }
}

}  // namespace stile::connect
