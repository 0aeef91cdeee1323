// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Names of multicast DNS that stand for addresses, on their way between paths and the driver.
#include <stile/session/endpoint.hpp>

namespace stile::session {

void HttpSession::handle_name(Instant now, const std::string& name,
                              const std::optional<IpAddress>& address) {
    path_.handle_name(now, name, address);
    see(now);
}

void Endpoint::handle_name(Instant now, SessionId session, const std::string& name,
                           const std::optional<IpAddress>& address) {
    HttpSession* const to = running(session);
    if (to == nullptr) return;
    to->handle_name(now, name, address);
    see(now);
}

void Endpoint::set_concealment(const connect::Concealment& concealment) {
    for (auto& [id, entry] : entries_) {
        if (entry.session) entry.session->set_concealment(concealment);
    }
}

}  // namespace stile::session
