// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Servers that become known while sessions already look for their paths.
#include <stile/session/endpoint.hpp>

namespace stile::session {

void HttpSession::handle_servers(Instant now, const std::vector<SocketAddress>& stun_servers,
                                 const std::vector<connect::TurnServer>& turn_servers) {
    if (!path_.awaits_servers()) return;
    config_.path.turn_servers = turn_servers;
    path_.set_servers(now, stun_servers, turn_servers);
    see(now);
}

void Endpoint::handle_servers(Instant now, const std::vector<SocketAddress>& stun_servers,
                              const std::vector<connect::TurnServer>& turn_servers) {
    std::vector<connect::TurnServer> relays = turn_servers;
    if (ports_) ports_->mark_immobile(relays);
    for (auto& [id, entry] : entries_) {
        if (entry.session) entry.session->handle_servers(now, stun_servers, relays);
    }
    see(now);
}

}  // namespace stile::session
