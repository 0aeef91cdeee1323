// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "gateway_lane.hpp"

#include <stile/base/drain.hpp>
#include <stile/drivers/native_address.hpp>
#include <stile/drivers/random.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace stile::drivers {
namespace {

// RFC 6887 Section 7: no message is larger than 1,100 octets.
constexpr std::size_t most_message = 1100;

// A SocketAddress has no zone, and most IPv6 gateways have no other address.
NativeAddress server_address(const Gateway& gateway) {
    NativeAddress native = to_native({gateway.address, portmap::server_port});
    if (gateway.address.is_v6() && gateway.address.is_link_local()) {
        sockaddr_in6 in;
        std::memcpy(&in, &native.storage, sizeof in);
        in.sin6_scope_id = gateway.interface_index;
        std::memcpy(&native.storage, &in, sizeof in);
    }
    return native;
}

}  // namespace

std::unique_ptr<GatewayLane> GatewayLane::open(Loop& loop, const Gateway& gateway,
                                               const IpAddress& local, const Handlers& handlers) {
    FileDescriptor fd{
        ::socket(local.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const NativeAddress bound = to_native({local, Port{}});
    const NativeAddress server = server_address(gateway);
    // Connected: what others send never gets here, and ICMP errors do.
    if (!fd.valid() || ::bind(fd.get(), bound.get(), bound.size) != 0 ||
        ::connect(fd.get(), server.get(), server.size) != 0) {
        return nullptr;
    }
    return std::unique_ptr<GatewayLane>(
        new GatewayLane(loop, gateway, local, std::move(fd), handlers));
}

GatewayLane::GatewayLane(Loop& loop, const Gateway& gateway, const IpAddress& local,
                         FileDescriptor fd, Handlers handlers)
    : loop_(loop),
      gateway_(gateway),
      local_(local),
      fd_(std::move(fd)),
      handlers_(std::move(handlers)),
      client_({.gateway = gateway.address, .local = local}, crypto::RandomStream{random_seed()}),
      timer_(loop,
             [this] {
                 client_.handle_timeout(loop_.now());
                 pump();
             }),
      watch_(loop, fd_.get(), [this] { receive(); }) {
    watch_.want_readable(Watch::Wanted::Yes);
}

void GatewayLane::map(const LocalPort& port) {
    if (mappings_.contains(port)) return;
    const auto id = client_.map(loop_.now(), port.protocol, port.socket.port);
    if (!id) return;
    mappings_.emplace(port, *id);
    pump();
}

void GatewayLane::unmap(const LocalPort& port) {
    const auto mapping = mappings_.extract(port);
    if (!mapping) return;
    client_.unmap(loop_.now(), mapping.mapped());
    pump();
}

void GatewayLane::receive() {
    std::array<std::byte, most_message> buffer;
    for (;;) {
        const auto size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (size >= 0) {
            client_.handle_datagram(loop_.now(), {gateway_.address, portmap::server_port},
                                    BytesView{buffer}.first(static_cast<std::size_t>(size)));
        } else if (errno == ECONNREFUSED) {
            client_.handle_unreachable(loop_.now());
        } else {
            break;
        }
    }
    pump();
}

void GatewayLane::handle_announcement(const IpAddress& source, unsigned interface_index,
                                      BytesView datagram) {
    if (source != gateway_.address || interface_index != gateway_.interface_index) return;
    client_.handle_datagram(loop_.now(), {source, portmap::server_port}, datagram);
    pump();
}

void GatewayLane::pump() {
    if (pumping_) return;
    pumping_ = true;
    // What cannot be sent is lost, and asked again.
    timer_.arm(drain(
        client_,
        [this](const Transmit& out) {
            (void)::send(fd_.get(), out.payload.data(), out.payload.size(), MSG_NOSIGNAL);
        },
        [this](const portmap::Client::Event& event) { handle(event); }));
    pumping_ = false;
    if (client_.idle()) handlers_.on_idle();
}

void GatewayLane::handle(const portmap::Client::Event& event) {
    using Client = portmap::Client;
    if (const auto* const mapped = std::get_if<Client::Mapped>(&event)) {
        if (const auto port = port_of(mapped->mapping)) handlers_.on_mapped(*this, *port, *mapped);
    } else if (const auto* const lost = std::get_if<Client::Lost>(&event)) {
        if (const auto port = port_of(lost->mapping)) handlers_.on_lost(*this, *port);
    } else if (const auto* const refused = std::get_if<Client::Refused>(&event)) {
        if (const auto port = port_of(refused->mapping)) handlers_.on_refused(*this, *port);
    }
}

std::optional<LocalPort> GatewayLane::port_of(portmap::MappingId id) const {
    for (const auto& [port, mapping] : mappings_) {
        if (mapping == id) return port;
    }
    return std::nullopt;
}

}  // namespace stile::drivers
