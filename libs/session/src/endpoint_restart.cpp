// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Networks that change while sessions go on.
#include <stile/session/endpoint.hpp>

namespace stile::session {

void Endpoint::handle_host_added(Instant now, SessionId session, const SocketAddress& host) {
    const auto found = entries_.find(session);
    if (found == entries_.end() || !found->second.session) return;
    found->second.session->handle_host_added(now, host);
    see(now);
}

void Endpoint::handle_host_removed(Instant now, SessionId session, const SocketAddress& host) {
    const auto found = entries_.find(session);
    if (found == entries_.end() || !found->second.session) return;
    found->second.session->handle_host_removed(now, host);
    see(now);
}

}  // namespace stile::session
