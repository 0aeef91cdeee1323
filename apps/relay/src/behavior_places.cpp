// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "behavior_places.hpp"

#include <stile/turn_server/limits.hpp>

#include <algorithm>

namespace stile::relay {
namespace {

const Listener* partner_of_alternate(const Settings& settings) {
    if (!settings.alternate) return nullptr;
    const SocketAddress& alternate = *settings.alternate;
    const auto found = std::ranges::find_if(settings.listeners, [&](const Listener& listener) {
        const SocketAddress& address = listener.address;
        return listener.kind == ListenerKind::Udp && !address.ip.is_unspecified() &&
               address.port.value != 0 && address.ip.family() == alternate.ip.family() &&
               address.ip != alternate.ip && address.port != alternate.port;
    });
    return found != settings.listeners.end() ? &*found : nullptr;
}

bool has_listener(const Settings& settings, ListenerKind kind, const SocketAddress& address) {
    return std::ranges::any_of(settings.listeners, [&](const Listener& listener) {
        return listener.kind == kind && listener.address == address;
    });
}

}  // namespace

std::vector<turn_server::DiscoveryAddresses> discovery_addresses(const Settings& settings) {
    std::vector<turn_server::DiscoveryAddresses> places;
    const Listener* const partner = partner_of_alternate(settings);
    if (partner != nullptr) {
        places.push_back({.primary = partner->address, .alternate = settings.alternate});
    }
    for (const Listener& listener : settings.listeners) {
        if (places.size() == turn_server::most_discovery_addresses) break;
        const bool alone = partner == nullptr || (listener.address.ip != partner->address.ip &&
                                                  listener.address.ip != settings.alternate->ip);
        if (listener.kind == ListenerKind::Udp && alone && listener.address.port.value != 0 &&
            !listener.address.ip.is_unspecified()) {
            places.push_back({.primary = listener.address, .alternate = {}});
        }
    }
    return places;
}

std::vector<Listener> behavior_listeners(const Settings& settings) {
    std::vector<Listener> more;
    const Listener* const partner = partner_of_alternate(settings);
    if (partner == nullptr) return more;
    const SocketAddress& first = partner->address;
    const SocketAddress& second = *settings.alternate;
    for (const ListenerKind kind : {ListenerKind::Udp, ListenerKind::Tcp}) {
        if (!has_listener(settings, kind, first)) continue;
        for (const SocketAddress& place :
             {SocketAddress{first.ip, second.port}, SocketAddress{second.ip, first.port}, second}) {
            if (has_listener(settings, kind, place)) continue;
            Listener listener = *partner;
            listener.kind = kind;
            listener.address = place;
            more.push_back(listener);
        }
    }
    return more;
}

}  // namespace stile::relay
