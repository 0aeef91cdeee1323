// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Networks that change while the session goes on.
#include <stile/session/http_session.hpp>

namespace stile::session {

void HttpSession::handle_host_added(Instant now, const SocketAddress& host) {
    (void)path_.add_host(now, host);
    see(now);
}

void HttpSession::handle_host_removed(Instant now, const SocketAddress& host) {
    path_.remove_host(now, host);
    see(now);
}

}  // namespace stile::session
