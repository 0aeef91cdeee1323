// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Ports that routers keep open, on their way to the paths whose sockets they are for.
#include <stile/session/endpoint.hpp>

namespace stile::session {

void HttpSession::handle_port_mapped(Instant now, const connect::MappedPort& mapped) {
    path_.handle_port_mapped(now, mapped);
    see(now);
}

void HttpSession::handle_port_unmapped(Instant now, const connect::MappedPort& mapped) {
    path_.handle_port_unmapped(now, mapped);
    see(now);
}

void Endpoint::handle_port_mapped(Instant now, const connect::MappedPort& mapped) {
    for (auto& [id, entry] : entries_) {
        if (entry.session) entry.session->handle_port_mapped(now, mapped);
    }
    see(now);
}

void Endpoint::handle_port_unmapped(Instant now, const connect::MappedPort& mapped) {
    for (auto& [id, entry] : entries_) {
        if (entry.session) entry.session->handle_port_unmapped(now, mapped);
    }
    see(now);
}

}  // namespace stile::session
