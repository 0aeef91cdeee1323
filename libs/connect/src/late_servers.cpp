// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Servers that are not known when the path is begun: whoever names them has to be asked first.
#include <stile/base/assert.hpp>
#include <stile/connect/connector.hpp>

#include <utility>

namespace stile::connect {

void Connector::set_servers(Instant now, std::vector<SocketAddress> stun_servers,
                            std::vector<TurnServer> turn_servers) {
    STILE_ASSERT(stun_servers.size() <= limits::most_servers);
    STILE_ASSERT(turn_servers.size() <= limits::most_turn_servers);
    if (phase_ == Phase::Released || !awaits_servers()) return;
    config_.servers = Servers::Known;
    given_.stun_servers = std::move(stun_servers);
    given_.turn_servers = std::move(turn_servers);
    reconsider_translation();
    ask_sources(now);
    see(now);
}

}  // namespace stile::connect
