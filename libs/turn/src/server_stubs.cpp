// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/server.hpp>
// STUBS
namespace stile::turn {
void Server::handle_connection_opened(Instant, ConnectionId) {}
void Server::handle_connection_failed(Instant, ConnectionId, ConnectionFailure) {}
std::optional<ConnectionId> Server::handle_peer_accepted(Instant, RelayId, const SocketAddress&) {
    return std::nullopt;
}
void Server::handle_connection_gone(Instant, ConnectionId) {}
Server::Budget Server::handle_spliced(Instant, ConnectionId, const Traffic&) {
    return Budget::Within;
}
void Server::handle_offloaded(Instant, RelayId, const Traffic&) {}
std::optional<std::uint8_t> Server::shard_of_request(BytesView) { return std::nullopt; }
std::vector<Session> Server::sessions(Instant) const { return {}; }
Snapshot Server::snapshot(Instant) const { return {}; }
std::size_t Server::restore(Instant, const Snapshot&) { return 0; }
void Server::forget(const ClientFlow&) {}
void Server::reconfigure(ServerConfig config) { config_ = std::move(config); }
Bytes serialize(const Snapshot&) { return {}; }
std::optional<Snapshot> parse_snapshot(BytesView) { return std::nullopt; }
}  // namespace stile::turn
