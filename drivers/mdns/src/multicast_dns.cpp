// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/multicast_dns.hpp>

#include "group_socket.hpp"

#include <stile/drivers/interfaces.hpp>
#include <stile/drivers/random.hpp>
#include <stile/mdns/resolver.hpp>
#include <stile/mdns/responder.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace stile::drivers {

struct MulticastDns::Impl : std::enable_shared_from_this<MulticastDns::Impl> {
    explicit Impl(Loop& event_loop) : loop(event_loop), timer(event_loop, [this] { wake(); }) {}

    bool open();
    void look_around();
    void take(mdns::Link link, const SocketAddress& source, BytesView datagram);
    void wake();
    void pump();
    void finish(const mdns::HostName& name, std::optional<IpAddress> address);

    struct Own {
        mdns::HostName name;
        mdns::Link link;
    };

    Loop& loop;
    Timer timer;
    mdns::Resolver resolver;
    mdns::Responder responder;
    crypto::RandomStream random{random_seed()};
    std::vector<std::pair<AddressFamily, std::unique_ptr<GroupSocket>>> sockets;
    std::vector<LocalAddress> addresses;
    std::map<IpAddress, Own> own;
    std::map<mdns::HostName, std::vector<OnResolved>> waiting;
};

bool MulticastDns::Impl::open() {
    if (!sockets.empty()) return true;
    for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
        auto socket = GroupSocket::open(
            loop, family, [this](mdns::Link link, const SocketAddress& source, BytesView datagram) {
                take(link, source, datagram);
            });
        if (socket) sockets.emplace_back(family, std::move(socket));
    }
    look_around();
    return !sockets.empty();
}

void MulticastDns::Impl::look_around() {
    addresses = local_addresses().value_or(std::vector<LocalAddress>{});
    for (const auto& [family, socket] : sockets) {
        std::set<mdns::Link> links;
        for (const LocalAddress& address : addresses) {
            const bool is_loopback = address.ip.is_loopback();
            if (!is_loopback && address.ip.family() == family) {
                links.insert(mdns::Link{address.interface_index});
            }
        }
        socket->join(links);
    }
}

void MulticastDns::Impl::take(mdns::Link link, const SocketAddress& source, BytesView datagram) {
    const auto message = mdns::Message::parse(datagram);
    if (!message) return;
    switch (message->kind) {
        case mdns::Message::Kind::Query:
            responder.handle_query(loop.now(), link, source, *message);
            break;
        case mdns::Message::Kind::Response:
            // RFC 6762 Section 6: others are not from a responder.
            if (source.port == mdns::port) resolver.handle_response(loop.now(), *message);
            break;
    }
    pump();
}

void MulticastDns::Impl::wake() {
    resolver.handle_timeout(loop.now());
    responder.handle_timeout(loop.now());
    pump();
}

void MulticastDns::Impl::pump() {
    while (const auto query = resolver.poll_transmit()) {
        for (const auto& [family, socket] : sockets) socket->send({}, {}, *query);
    }
    while (const auto out = responder.poll_transmit()) {
        for (const auto& [family, socket] : sockets) {
            if (family == out->family) socket->send(out->link, out->to, out->octets);
        }
    }
    while (const auto event = resolver.poll_event()) {
        if (const auto* const found = std::get_if<mdns::Resolver::Resolved>(&*event)) {
            finish(found->name, found->address);
        } else {
            finish(std::get<mdns::Resolver::Failed>(*event).name, std::nullopt);
        }
    }
    timer.arm(earlier(resolver.poll_timeout(), responder.poll_timeout()));
}

void MulticastDns::Impl::finish(const mdns::HostName& name, std::optional<IpAddress> address) {
    auto entry = waiting.extract(name);
    if (!entry) return;
    loop.post([weak = weak_from_this(), done = std::move(entry.mapped()), address]() mutable {
        for (OnResolved& each : done) {
            if (weak.expired()) return;
            each(address);
        }
    });
}

MulticastDns::MulticastDns(Loop& loop) : impl_(std::make_shared<Impl>(loop)) {}

MulticastDns::~MulticastDns() {
    for (const auto& [address, own] : impl_->own) impl_->responder.withdraw(own.name);
    impl_->pump();
}

void MulticastDns::resolve(const mdns::HostName& name, OnResolved done) {
    impl_->waiting[name].push_back(std::move(done));
    if (!impl_->open()) return impl_->finish(name, std::nullopt);
    impl_->resolver.resolve(impl_->loop.now(), name);
    impl_->pump();
}

std::optional<mdns::HostName> MulticastDns::name_of(const IpAddress& local) {
    if (!impl_->open()) return std::nullopt;
    const auto known = impl_->own.find(local);
    if (known != impl_->own.end()) return known->second.name;
    const auto place = std::ranges::find(impl_->addresses, local, &LocalAddress::ip);
    if (place == impl_->addresses.end() || local.is_loopback()) return std::nullopt;
    const mdns::HostName name = mdns::HostName::random(impl_->random);
    const mdns::Link link{place->interface_index};
    if (!impl_->responder.publish(name, local, link)) return std::nullopt;
    impl_->own.emplace(local, Impl::Own{name, link});
    return name;
}

void MulticastDns::handle_network_changed() {
    if (impl_->sockets.empty()) return;
    impl_->look_around();
    std::erase_if(impl_->own, [&](const auto& entry) {
        const auto place = std::ranges::find(impl_->addresses, entry.first, &LocalAddress::ip);
        const bool stays =
            place != impl_->addresses.end() && place->interface_index == entry.second.link.index;
        if (!stays) impl_->responder.withdraw(entry.second.name);
        return !stays;
    });
    impl_->pump();
}

}  // namespace stile::drivers
