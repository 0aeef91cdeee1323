// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "socket_options.hpp"

#include <stile/drivers/native_address.hpp>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <array>
#include <cstring>

namespace stile::drivers {

bool set_option(int fd, int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

void set_receive_buffer(int fd, std::size_t octets) {
    const int size = static_cast<int>(octets);
    if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, size)) return;
    set_option(fd, SOL_SOCKET, SO_RCVBUF, size);
}

void set_send_buffer(int fd, std::size_t octets) {
    const int size = static_cast<int>(octets);
    if (set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, size)) return;
    set_option(fd, SOL_SOCKET, SO_SNDBUF, size);
}

std::expected<FileDescriptor, OsError> make_udp_socket(const SocketAddress& local,
                                                       UdpOptions::ReusePort reuse_port) {
    const bool v4 = local.ip.is_v4();
    const auto failed = [&](const char* what) {
        const int code = errno;
        return std::unexpected(os_error("UDP socket on " + local.to_string() + what, code));
    };
    FileDescriptor socket{
        ::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket.valid()) return failed("");
    if (!v4 && !set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
        return failed(", IPV6_V6ONLY");
    }
    if (reuse_port == UdpOptions::ReusePort::Yes &&
        !set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1)) {
        return failed(", SO_REUSEPORT");
    }
    return socket;
}

bool report_destination(int fd, AddressFamily family) {
    return family == AddressFamily::V4 ? set_option(fd, IPPROTO_IP, IP_PKTINFO, 1)
                                       : set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

bool report_icmp_errors(int fd, AddressFamily family) {
    return family == AddressFamily::V4 ? set_option(fd, IPPROTO_IP, IP_RECVERR, 1)
                                       : set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

ErrorRead read_error_queue(int fd, IcmpError& error) {
    NativeAddress destination;
    alignas(cmsghdr) std::array<std::byte, 512> control;
    std::byte payload[1];
    iovec vector{payload, sizeof payload};
    msghdr message{};
    message.msg_name = &destination.storage;
    message.msg_namelen = destination.size;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return ErrorRead::None;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        const bool v4 = header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR;
        const bool v6 = header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6) continue;
        sock_extended_err report;
        std::memcpy(&report, CMSG_DATA(header), sizeof report);
        if (report.ee_origin != SO_EE_ORIGIN_ICMP && report.ee_origin != SO_EE_ORIGIN_ICMP6) {
            return ErrorRead::Other;
        }
        error = {.destination = from_native(destination.storage),
                 .type = report.ee_type,
                 .code = report.ee_code,
                 .data = report.ee_info};
        return ErrorRead::Icmp;
    }
    return ErrorRead::Other;
}

}  // namespace stile::drivers
