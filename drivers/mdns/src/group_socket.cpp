// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "group_socket.hpp"

#include <stile/drivers/link_datagram.hpp>
#include <stile/drivers/native_address.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <array>
#include <cstring>

namespace stile::drivers {
namespace {

bool set(int fd, int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// RFC 6762 Section 11: what is sent has a TTL of 255.
bool prepare(int fd, AddressFamily family) {
    if (!set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return false;
    if (family == AddressFamily::V4) {
        return set(fd, IPPROTO_IP, IP_PKTINFO, 1) && set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 255) &&
               set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1) && set(fd, IPPROTO_IP, IP_TTL, 255) &&
               // Groups that others on this host have joined are not this socket's.
               set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    }
    return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255);
}

enum class Change : std::uint8_t { Join, Leave };

void change_membership(int fd, AddressFamily family, mdns::Link link, Change change) {
    const bool join = change == Change::Join;
    const NativeAddress group = to_native({mdns::group(family), mdns::port});
    // Twice, or not at all any more: as it should be.
    if (family == AddressFamily::V4) {
        ip_mreqn request{};
        sockaddr_in in;
        std::memcpy(&in, &group.storage, sizeof in);
        request.imr_multiaddr = in.sin_addr;
        request.imr_ifindex = static_cast<int>(link.index);
        (void)::setsockopt(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request,
                           sizeof request);
    } else {
        ipv6_mreq request{};
        sockaddr_in6 in;
        std::memcpy(&in, &group.storage, sizeof in);
        request.ipv6mr_multiaddr = in.sin6_addr;
        request.ipv6mr_interface = link.index;
        (void)::setsockopt(fd, IPPROTO_IPV6, join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP,
                           &request, sizeof request);
    }
}

template <class Info>
void attach(msghdr& message, std::span<std::byte> room, int level, int type, const Info& info) {
    message.msg_control = room.data();
    message.msg_controllen = CMSG_SPACE(sizeof info);
    cmsghdr* const control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(control), &info, sizeof info);
}

}  // namespace

std::unique_ptr<GroupSocket> GroupSocket::open(Loop& loop, AddressFamily family,
                                               OnMessage on_message) {
    const bool v4 = family == AddressFamily::V4;
    FileDescriptor fd{
        ::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd.valid() || !prepare(fd.get(), family)) return nullptr;
    const NativeAddress any = to_native({v4 ? IpAddress::v4(0U) : IpAddress::v6({}), mdns::port});
    if (::bind(fd.get(), any.get(), any.size) != 0) return nullptr;
    return std::unique_ptr<GroupSocket>(
        new GroupSocket(loop, family, std::move(fd), std::move(on_message)));
}

GroupSocket::GroupSocket(Loop& loop, AddressFamily family, FileDescriptor fd, OnMessage on_message)
    : family_(family),
      fd_(std::move(fd)),
      on_message_(std::move(on_message)),
      watch_(loop, fd_.get(), [this] { receive(); }) {
    watch_.want_readable(Watch::Wanted::Yes);
}

void GroupSocket::join(const std::set<mdns::Link>& links) {
    for (const mdns::Link link : links_) {
        if (!links.contains(link)) change_membership(fd_.get(), family_, link, Change::Leave);
    }
    for (const mdns::Link link : links) change_membership(fd_.get(), family_, link, Change::Join);
    links_ = links;
}

void GroupSocket::send(std::optional<mdns::Link> link, std::optional<SocketAddress> to,
                       BytesView datagram) {
    const SocketAddress target = to.value_or(SocketAddress{mdns::group(family_), mdns::port});
    if (link) return send_on(*link, target, datagram);
    for (const mdns::Link each : links_) send_on(each, target, datagram);
}

void GroupSocket::send_on(mdns::Link link, const SocketAddress& to, BytesView datagram) {
    NativeAddress target = to_native(to);
    // sendmsg() takes what is not written to without const.
    iovec part{.iov_base = const_cast<std::byte*>(datagram.data()), .iov_len = datagram.size()};
    alignas(cmsghdr) std::array<std::byte, 64> control{};
    msghdr message{};
    message.msg_name = &target.storage;
    message.msg_namelen = target.size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (family_ == AddressFamily::V4) {
        in_pktinfo info{};
        info.ipi_ifindex = static_cast<int>(link.index);
        attach(message, control, IPPROTO_IP, IP_PKTINFO, info);
    } else {
        in6_pktinfo info{};
        info.ipi6_ifindex = link.index;
        attach(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
    (void)::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
}

void GroupSocket::receive() {
    std::array<std::byte, mdns::limits::most_message> buffer;
    while (const auto received = receive_link_datagram(fd_.get(), buffer)) {
        // RFC 6762 Section 11: nobody beyond the link can send to the group; what comes to an
        // address of this host may be from anywhere, and was not asked for.
        if (!received->info || received->info->destination != mdns::group(family_)) continue;
        on_message_({received->info->interface_index}, received->from, received->payload);
    }
}

}  // namespace stile::drivers
