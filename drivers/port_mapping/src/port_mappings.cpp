// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/port_mappings.hpp>

#include "announcements.hpp"
#include "gateway_lane.hpp"
#include "upnp_mapper.hpp"

#include <stile/drivers/interfaces.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace stile::drivers {

struct PortMappings::Impl : std::enable_shared_from_this<PortMappings::Impl> {
    Impl(Loop& event_loop, PortMappingsOptions wishes, Handlers callbacks);

    void begin();
    void look_around();
    void map(const SocketAddress& socket);
    void unmap(const SocketAddress& socket);
    void map_at_gateways(const SocketAddress& socket);
    GatewayLane* lane(const Gateway& gateway, const IpAddress& local);
    bool is_mapped(const SocketAddress& socket) const;
    void ask_upnp(const SocketAddress& socket);
    void ask_upnp_if_due();

    void handle_mapped(const MappedPort& mapped);
    void handle_lost(const SocketAddress& socket, const IpAddress& gateway, MappedBy by);
    void handle_refused(const SocketAddress& socket);
    void consider_stopped();
    void post(std::move_only_function<void(Impl&)> task);
    IpAddress best_gateway() const;

    Loop& loop;
    PortMappingsOptions options;
    Handlers handlers;
    std::vector<Gateway> gateways;
    std::vector<LocalAddress> addresses;
    std::vector<std::unique_ptr<GatewayLane>> lanes;
    std::unique_ptr<UpnpMapper> upnp;
    std::vector<std::unique_ptr<AnnouncementListener>> listeners;
    std::map<SocketAddress, Instant> wanted;  // since when
    std::vector<MappedPort> mapped;
    Timer upnp_timer;
    Timer stop_timer;
    std::optional<Task> on_stopped;
};

PortMappings::Impl::Impl(Loop& event_loop, PortMappingsOptions wishes, Handlers callbacks)
    : loop(event_loop),
      options(std::move(wishes)),
      handlers(std::move(callbacks)),
      upnp_timer(event_loop, [this] { ask_upnp_if_due(); }),
      stop_timer(event_loop, [this] {
          if (auto done = std::exchange(on_stopped, {})) (*done)();
      }) {}

void PortMappings::Impl::begin() {
    for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
        auto listener = AnnouncementListener::open(
            loop, family, [this](const IpAddress& source, unsigned index, BytesView datagram) {
                for (const auto& each : lanes) each->handle_announcement(source, index, datagram);
            });
        if (listener) listeners.push_back(std::move(listener));
    }
    look_around();
}

void PortMappings::Impl::look_around() {
    if (options.gateways) {
        gateways = *options.gateways;
    } else {
        gateways = default_gateways().value_or(std::vector<Gateway>{});
    }
    addresses = local_addresses().value_or(std::vector<LocalAddress>{});
}

// Callbacks come from the loop: their owner may do what it likes, this object's end included.
void PortMappings::Impl::post(std::move_only_function<void(Impl&)> task) {
    loop.post([weak = weak_from_this(), task = std::move(task)]() mutable {
        if (const auto self = weak.lock()) task(*self);
    });
}

void PortMappings::Impl::map(const SocketAddress& socket) {
    if (on_stopped || !wanted.emplace(socket, loop.now()).second) return;
    map_at_gateways(socket);
    if (!upnp_timer.deadline()) upnp_timer.arm_after(upnp_delay);
}

void PortMappings::Impl::map_at_gateways(const SocketAddress& socket) {
    const auto own = std::ranges::find(addresses, socket.ip, &LocalAddress::ip);
    if (own == addresses.end()) return;
    for (const Gateway& gateway : gateways) {
        if (gateway.interface_index != own->interface_index) continue;
        if (gateway.address.family() != socket.ip.family()) continue;
        if (GatewayLane* const found = lane(gateway, socket.ip)) found->map(socket.port);
    }
}

GatewayLane* PortMappings::Impl::lane(const Gateway& gateway, const IpAddress& local) {
    for (const auto& each : lanes) {
        if (each->gateway().address == gateway.address &&
            each->gateway().interface_index == gateway.interface_index && each->local() == local) {
            return each.get();
        }
    }
    const auto by = [](const portmap::Client::Mapped& news) {
        return news.dialect == portmap::Dialect::NatPmp ? MappedBy::NatPmp : MappedBy::Pcp;
    };
    auto opened = GatewayLane::open(
        loop, gateway, local,
        {.on_mapped =
             [this, by](GatewayLane& at, Port port, const portmap::Client::Mapped& news) {
                 handle_mapped({{at.local(), port}, news.external, at.gateway().address, by(news)});
             },
         .on_lost =
             [this](GatewayLane& at, Port port) {
                 handle_lost({at.local(), port}, at.gateway().address, MappedBy::Pcp);
             },
         .on_refused = [this](GatewayLane& at, Port port) { handle_refused({at.local(), port}); },
         .on_idle = [this] { consider_stopped(); }});
    if (!opened) return nullptr;
    lanes.push_back(std::move(opened));
    return lanes.back().get();
}

void PortMappings::Impl::unmap(const SocketAddress& socket) {
    if (wanted.erase(socket) == 0) return;
    std::erase_if(mapped, [&](const MappedPort& each) { return each.socket == socket; });
    for (const auto& each : lanes) {
        if (each->local() == socket.ip) each->unmap(socket.port);
    }
    if (upnp) upnp->unmap(socket);
}

bool PortMappings::Impl::is_mapped(const SocketAddress& socket) const {
    return std::ranges::find(mapped, socket, &MappedPort::socket) != mapped.end();
}

void PortMappings::Impl::ask_upnp_if_due() {
    std::optional<Instant> next;
    std::vector<SocketAddress> due;
    for (const auto& [socket, since] : wanted) {
        if (is_mapped(socket)) continue;
        if (loop.now() >= since + upnp_delay) {
            due.push_back(socket);
        } else {
            next = earlier(next, since + upnp_delay);
        }
    }
    for (const SocketAddress& socket : due) ask_upnp(socket);
    upnp_timer.arm(next);
}

void PortMappings::Impl::ask_upnp(const SocketAddress& socket) {
    if (options.upnp == PortMappingsOptions::Upnp::Off || on_stopped) return;
    const auto own = std::ranges::find(addresses, socket.ip, &LocalAddress::ip);
    const bool has_router =
        own != addresses.end() && std::ranges::any_of(gateways, [&](const Gateway& gateway) {
            return gateway.address.is_v4() && gateway.interface_index == own->interface_index;
        });
    if (!socket.ip.is_v4() || !has_router) return;
    if (!upnp) {
        upnp = std::make_unique<UpnpMapper>(
            loop, UpnpMapper::Handlers{.on_mapped =
                                           [this](const UpnpMapper::Mapped& news) {
                                               handle_mapped({news.socket, news.external,
                                                              best_gateway(), MappedBy::Upnp});
                                           },
                                       .on_lost =
                                           [this](const SocketAddress& lost) {
                                               handle_lost(lost, best_gateway(), MappedBy::Upnp);
                                           },
                                       .on_idle = [this] { consider_stopped(); }});
    }
    upnp->map(socket);
}

// UPnP's router says nothing of the kind; who takes the best IPv4 gateway for it is seldom wrong.
IpAddress PortMappings::Impl::best_gateway() const {
    const auto found = std::ranges::find_if(
        gateways, [](const Gateway& gateway) { return gateway.address.is_v4(); });
    return found == gateways.end() ? IpAddress{} : found->address;
}

void PortMappings::Impl::handle_mapped(const MappedPort& news) {
    if (!wanted.contains(news.socket)) return;
    std::erase_if(mapped, [&](const MappedPort& each) {
        return each.socket == news.socket && each.gateway == news.gateway;
    });
    mapped.push_back(news);
    post([news](Impl& self) {
        // It may have been given back meanwhile.
        if (std::ranges::find(self.mapped, news) == self.mapped.end()) return;
        if (self.handlers.on_mapped) self.handlers.on_mapped(news);
    });
}

void PortMappings::Impl::handle_lost(const SocketAddress& socket, const IpAddress& gateway,
                                     MappedBy by) {
    const auto lost = std::ranges::find_if(mapped, [&](const MappedPort& each) {
        return each.socket == socket && each.gateway == gateway &&
               (each.by == MappedBy::Upnp) == (by == MappedBy::Upnp);
    });
    if (lost == mapped.end()) return;
    const MappedPort news = *lost;
    mapped.erase(lost);
    post([news](Impl& self) {
        if (!self.on_stopped && self.handlers.on_lost) self.handlers.on_lost(news);
    });
}

void PortMappings::Impl::handle_refused(const SocketAddress& socket) {
    if (wanted.contains(socket) && !is_mapped(socket)) ask_upnp(socket);
}

void PortMappings::Impl::consider_stopped() {
    const bool at_rest =
        std::ranges::all_of(lanes, [](const auto& each) { return each->idle(); }) &&
        (!upnp || upnp->idle());
    if (on_stopped && at_rest) stop_timer.arm(loop.now());
}

PortMappings::PortMappings(Loop& loop, PortMappingsOptions options, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, std::move(options), std::move(handlers))) {
    impl_->begin();
}

PortMappings::~PortMappings() = default;

void PortMappings::map(const SocketAddress& socket) { impl_->map(socket); }

void PortMappings::unmap(const SocketAddress& socket) { impl_->unmap(socket); }

void PortMappings::handle_network_changed() {
    Impl& impl = *impl_;
    const auto before = impl.gateways;
    impl.look_around();
    const auto is_gone = [&](const GatewayLane& lane) {
        return std::ranges::none_of(impl.gateways,
                                    [&](const Gateway& gateway) {
                                        return gateway.address == lane.gateway().address &&
                                               gateway.interface_index ==
                                                   lane.gateway().interface_index;
                                    }) ||
               std::ranges::find(impl.addresses, lane.local(), &LocalAddress::ip) ==
                   impl.addresses.end();
    };
    for (const auto& lane : impl.lanes) {
        if (!is_gone(*lane)) continue;
        for (const auto& [socket, since] : impl.wanted) {
            if (socket.ip != lane->local()) continue;
            impl.handle_lost(socket, lane->gateway().address, MappedBy::Pcp);
        }
    }
    std::erase_if(impl.lanes, [&](const auto& lane) { return is_gone(*lane); });
    if (impl.on_stopped) return;
    if (impl.upnp && before != impl.gateways) impl.upnp->forget_routers();
    for (const auto& [socket, since] : impl.wanted) impl.map_at_gateways(socket);
}

void PortMappings::stop(Task done) {
    Impl& impl = *impl_;
    impl.on_stopped = std::move(done);
    impl.stop_timer.arm_after(stop_patience);
    for (const auto& [socket, since] : std::exchange(impl.wanted, {})) {
        for (const auto& lane : impl.lanes) {
            if (lane->local() == socket.ip) lane->unmap(socket.port);
        }
        if (impl.upnp) impl.upnp->unmap(socket);
    }
    impl.mapped.clear();
    impl.consider_stopped();
}

}  // namespace stile::drivers
