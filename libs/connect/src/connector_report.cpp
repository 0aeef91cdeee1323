// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/connector.hpp>

namespace stile::connect {
namespace {

// Requests may go on for half a minute; who has said nothing so long is called silent.
SourceReport judged(SourceReport source, Instant now) {
    const Duration waited = now - source.asked;
    if (source.outcome == SourceReport::Outcome::Pending && waited >= limits::source_deadline) {
        source.outcome = SourceReport::Outcome::Silent;
        source.took = waited;
    }
    return source;
}

}  // namespace

PathReport Connector::report() const {
    PathReport report;
    report.role = agent_.role();
    report.state = agent_.state();
    for (const Relay& relay : relays_) report.sources.push_back(judged(relay.report, now_));
    if (tcp_relay_) report.sources.push_back(judged(tcp_relay_->report, now_));
    report.sources.insert(report.sources.end(), past_tcp_relays_.begin(), past_tcp_relays_.end());
    report.sources.insert(report.sources.end(), recalled_.begin(), recalled_.end());
    for (const Probe& probe : probes_) report.sources.push_back(judged(probe.report, now_));
    for (const Attempt& attempt : attempts_) report.sources.push_back(judged(attempt.report, now_));
    for (const std::deque<Source>* const line : {&waiting_, &between_, &rest_}) {
        for (const Source& waiting : *line) {
            SourceReport& source = report.sources.emplace_back();
            if (const auto* const path = std::get_if<Path>(&waiting)) {
                source.path = *path;
            } else if (const auto* const stream = std::get_if<StreamSource>(&waiting)) {
                source.transport = turn::ClientTransport::Tcp;
                source.path = {stream->listener.address, stream->server};
            } else {
                source.kind = SourceReport::Kind::Turn;
                source.path = {SocketAddress{}, std::get<TurnServer>(waiting).address};
            }
        }
    }
    const auto add_not_asked = [&](const TurnServer& server, turn::RelayProtocol relays) {
        SourceReport& source = report.sources.emplace_back();
        source.kind = SourceReport::Kind::Turn;
        source.transport = server.transport;
        source.relays = relays;
        source.path = {SocketAddress{}, server.address};
    };
    for (const TurnServer& server : stream_servers_) {
        add_not_asked(server, turn::RelayProtocol::Udp);
    }
    for (const TurnServer& server : tcp_relay_servers_) {
        add_not_asked(server, turn::RelayProtocol::Tcp);
    }
    for (const Mapped& mapped : mapped_) report.mapped.push_back(mapped.port);
    const ice::LocalCandidates& local = agent_.local_candidates();
    for (std::uint16_t i = 0; i < local.size(); ++i) {
        if (!local.is_retired(i)) report.local.push_back(local[i]);
    }
    const ice::RemoteCandidates& remote = agent_.remote_candidates();
    for (std::uint16_t i = 0; i < remote.size(); ++i) report.remote.push_back(remote[i]);
    report.remote.insert(report.remote.end(), aside_.begin(), aside_.end());
    report.unresolved = unresolved_;
    report.pairs = agent_.pairs();
    report.route = route();
    return report;
}

}  // namespace stile::connect
