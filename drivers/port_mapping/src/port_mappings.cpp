// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/port_mappings.hpp>

#include "announcements.hpp"
#include "gateway_lane.hpp"
#include "local_port.hpp"
#include "upnp_mapper.hpp"

#include <stile/drivers/interfaces.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace stile::drivers {
namespace {

LocalPort port_of(const MappedPort& mapped) { return {mapped.socket, mapped.protocol}; }

}  // namespace

struct PortMappings::Impl : std::enable_shared_from_this<PortMappings::Impl> {
    Impl(Loop& event_loop, PortMappingsOptions wishes, Handlers callbacks);

    void begin();
    void look_around();
    void map(const LocalPort& port);
    void unmap(const LocalPort& port);
    void map_at_gateways(const LocalPort& port);
    GatewayLane* lane(const Gateway& gateway, const IpAddress& local);
    bool is_mapped(const LocalPort& port) const;
    void ask_upnp(const LocalPort& port);
    void ask_upnp_if_due();

    void handle_mapped(const MappedPort& mapped);
    void handle_lost(const LocalPort& port, const IpAddress& gateway, MappedBy by);
    void handle_refused(const LocalPort& port);
    void consider_stopped();
    void post(std::move_only_function<void(Impl&)> task);
    std::vector<Gateway> gateways_of(const IpAddress& local) const;
    void give_back(const LocalPort& port);

    Loop& loop;
    PortMappingsOptions options;
    Handlers handlers;
    std::vector<Gateway> gateways;
    std::vector<LocalAddress> addresses;
    std::vector<std::unique_ptr<GatewayLane>> lanes;
    std::map<IpAddress, std::unique_ptr<UpnpMapper>> upnp;  // by our address
    std::vector<std::unique_ptr<AnnouncementListener>> listeners;
    std::map<LocalPort, Instant> wanted;  // since when
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

void PortMappings::Impl::map(const LocalPort& port) {
    if (on_stopped || !wanted.emplace(port, loop.now()).second) return;
    map_at_gateways(port);
    if (!upnp_timer.deadline()) upnp_timer.arm_after(upnp_delay);
}

// Those that may be on the way of what leaves from this address.
std::vector<Gateway> PortMappings::Impl::gateways_of(const IpAddress& local) const {
    const auto own = std::ranges::find(addresses, local, &LocalAddress::ip);
    std::vector<Gateway> found;
    if (own == addresses.end()) return found;
    std::ranges::copy_if(gateways, std::back_inserter(found), [&](const Gateway& gateway) {
        return gateway.interface_index == own->interface_index &&
               gateway.address.family() == local.family();
    });
    return found;
}

void PortMappings::Impl::map_at_gateways(const LocalPort& port) {
    for (const Gateway& gateway : gateways_of(port.socket.ip)) {
        if (GatewayLane* const found = lane(gateway, port.socket.ip)) found->map(port);
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
             [this, by](GatewayLane& at, const LocalPort& port,
                        const portmap::Client::Mapped& news) {
                 handle_mapped({.socket = port.socket,
                                .external = news.external,
                                .gateway = at.gateway().address,
                                .by = by(news),
                                .protocol = port.protocol});
             },
         .on_lost =
             [this](GatewayLane& at, const LocalPort& port) {
                 handle_lost(port, at.gateway().address, MappedBy::Pcp);
             },
         .on_refused = [this](GatewayLane&, const LocalPort& port) { handle_refused(port); },
         .on_idle = [this] { consider_stopped(); }});
    if (!opened) return nullptr;
    lanes.push_back(std::move(opened));
    return lanes.back().get();
}

void PortMappings::Impl::unmap(const LocalPort& port) {
    if (wanted.erase(port) == 0) return;
    std::erase_if(mapped, [&](const MappedPort& each) { return port_of(each) == port; });
    give_back(port);
}

void PortMappings::Impl::give_back(const LocalPort& port) {
    for (const auto& each : lanes) {
        if (each->local() == port.socket.ip) each->unmap(port);
    }
    const auto by_upnp = upnp.find(port.socket.ip);
    if (by_upnp != upnp.end()) by_upnp->second->unmap(port);
}

bool PortMappings::Impl::is_mapped(const LocalPort& port) const {
    return std::ranges::any_of(mapped,
                               [&](const MappedPort& each) { return port_of(each) == port; });
}

void PortMappings::Impl::ask_upnp_if_due() {
    std::optional<Instant> next;
    std::vector<LocalPort> due;
    for (const auto& [port, since] : wanted) {
        if (is_mapped(port)) continue;
        if (loop.now() >= since + upnp_delay) {
            due.push_back(port);
        } else {
            next = earlier(next, since + upnp_delay);
        }
    }
    for (const LocalPort& port : due) ask_upnp(port);
    upnp_timer.arm(next);
}

void PortMappings::Impl::ask_upnp(const LocalPort& port) {
    if (options.upnp == PortMappingsOptions::Upnp::Off || on_stopped) return;
    const IpAddress& local = port.socket.ip;
    const auto routers = gateways_of(local);
    if (routers.empty()) return;
    auto& mapper = upnp[local];
    // UPnP's router says nothing of the kind; who takes the best gateway for it is seldom wrong.
    const IpAddress router = routers.front().address;
    if (!mapper) {
        mapper = std::make_unique<UpnpMapper>(
            loop, UpnpMapper::Place{local, routers.front().interface_index},
            UpnpMapper::Handlers{.on_mapped =
                                     [this, router](const UpnpMapper::Mapped& news) {
                                         handle_mapped({.socket = news.port.socket,
                                                        .external = news.external,
                                                        .gateway = router,
                                                        .by = MappedBy::Upnp,
                                                        .protocol = news.port.protocol});
                                     },
                                 .on_lost =
                                     [this, router](const LocalPort& lost) {
                                         handle_lost(lost, router, MappedBy::Upnp);
                                     },
                                 .on_idle = [this] { consider_stopped(); }});
    }
    mapper->map(port);
}

void PortMappings::Impl::handle_mapped(const MappedPort& news) {
    if (!wanted.contains(port_of(news))) return;
    std::erase_if(mapped, [&](const MappedPort& each) {
        return port_of(each) == port_of(news) && each.gateway == news.gateway;
    });
    mapped.push_back(news);
    post([news](Impl& self) {
        // It may have been given back meanwhile.
        if (std::ranges::find(self.mapped, news) == self.mapped.end()) return;
        if (self.handlers.on_mapped) self.handlers.on_mapped(news);
    });
}

void PortMappings::Impl::handle_lost(const LocalPort& port, const IpAddress& gateway, MappedBy by) {
    const auto lost = std::ranges::find_if(mapped, [&](const MappedPort& each) {
        return port_of(each) == port && each.gateway == gateway &&
               (each.by == MappedBy::Upnp) == (by == MappedBy::Upnp);
    });
    if (lost == mapped.end()) return;
    const MappedPort news = *lost;
    mapped.erase(lost);
    post([news](Impl& self) {
        if (!self.on_stopped && self.handlers.on_lost) self.handlers.on_lost(news);
    });
}

void PortMappings::Impl::handle_refused(const LocalPort& port) {
    if (wanted.contains(port) && !is_mapped(port)) ask_upnp(port);
}

void PortMappings::Impl::consider_stopped() {
    const bool at_rest =
        std::ranges::all_of(lanes, [](const auto& each) { return each->idle(); }) &&
        std::ranges::all_of(upnp, [](const auto& each) { return each.second->idle(); });
    if (on_stopped && at_rest) stop_timer.arm(loop.now());
}

PortMappings::PortMappings(Loop& loop, PortMappingsOptions options, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, std::move(options), std::move(handlers))) {
    impl_->begin();
}

PortMappings::~PortMappings() = default;

void PortMappings::map(const SocketAddress& socket, portmap::Protocol protocol) {
    impl_->map({socket, protocol});
}

void PortMappings::unmap(const SocketAddress& socket, portmap::Protocol protocol) {
    impl_->unmap({socket, protocol});
}

const std::vector<MappedPort>& PortMappings::mapped() const { return impl_->mapped; }

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
        for (const auto& [port, since] : impl.wanted) {
            if (port.socket.ip != lane->local()) continue;
            impl.handle_lost(port, lane->gateway().address, MappedBy::Pcp);
        }
    }
    std::erase_if(impl.lanes, [&](const auto& lane) { return is_gone(*lane); });
    if (impl.on_stopped) return;
    if (before != impl.gateways) {
        for (const auto& [local, mapper] : impl.upnp) mapper->forget_router();
    }
    for (const auto& [port, since] : impl.wanted) impl.map_at_gateways(port);
}

void PortMappings::stop(Task done) {
    Impl& impl = *impl_;
    impl.on_stopped = std::move(done);
    impl.stop_timer.arm_after(stop_patience);
    for (const auto& [port, since] : std::exchange(impl.wanted, {})) impl.give_back(port);
    impl.mapped.clear();
    impl.consider_stopped();
}

}  // namespace stile::drivers
