// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "announcements.hpp"

#include <stile/drivers/link_datagram.hpp>
#include <stile/drivers/native_address.hpp>
#include <stile/portmap/mapping.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <array>

namespace stile::drivers {
namespace {

constexpr std::size_t most_message = 1100;

}  // namespace

std::unique_ptr<AnnouncementListener> AnnouncementListener::open(Loop& loop, AddressFamily family,
                                                                 OnAnnouncement on_announcement) {
    const bool v4 = family == AddressFamily::V4;
    FileDescriptor fd{
        ::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const auto set = [&](int level, int name) {
        const int on = 1;
        return ::setsockopt(fd.get(), level, name, &on, sizeof on) == 0;
    };
    if (!fd.valid() || !set(SOL_SOCKET, SO_REUSEADDR)) return nullptr;
    if (v4 ? !set(IPPROTO_IP, IP_PKTINFO)
           : !(set(IPPROTO_IPV6, IPV6_V6ONLY) && set(IPPROTO_IPV6, IPV6_RECVPKTINFO))) {
        return nullptr;
    }
    // Every host is a member of both groups. An IPv6 group's address would need an interface to be
    // bound to.
    const IpAddress address = v4 ? IpAddress::v4({224, 0, 0, 1}) : IpAddress::v6({});
    const NativeAddress native = to_native({address, portmap::announcement_port});
    if (::bind(fd.get(), native.get(), native.size) != 0) return nullptr;
    return std::unique_ptr<AnnouncementListener>(
        new AnnouncementListener(loop, std::move(fd), std::move(on_announcement)));
}

AnnouncementListener::AnnouncementListener(Loop& loop, FileDescriptor fd,
                                           OnAnnouncement on_announcement)
    : fd_(std::move(fd)),
      on_announcement_(std::move(on_announcement)),
      watch_(loop, fd_.get(), [this] { receive(); }) {
    watch_.want_readable(Watch::Wanted::Yes);
}

void AnnouncementListener::receive() {
    std::array<std::byte, most_message> buffer;
    while (const auto received = receive_link_datagram(fd_.get(), buffer)) {
        // RFC 6886 Section 3.2.1: from the gateway's port for requests.
        if (received->from.port != portmap::server_port) continue;
        on_announcement_(received->from.ip, received->info ? received->info->interface_index : 0,
                         received->payload);
    }
}

}  // namespace stile::drivers
