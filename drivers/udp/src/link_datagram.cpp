// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/link_datagram.hpp>

#include "packet_info.hpp"

#include <stile/drivers/native_address.hpp>

#include <sys/socket.h>
#include <array>

namespace stile::drivers {

std::optional<LinkDatagram> receive_link_datagram(int fd, MutableBytes buffer) {
    alignas(cmsghdr) std::array<std::byte, 256> control;
    sockaddr_storage source{};
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr message{};
    message.msg_name = &source;
    message.msg_namelen = sizeof source;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto size = ::recvmsg(fd, &message, MSG_DONTWAIT);
    if (size < 0) return std::nullopt;
    LinkDatagram received{from_native(source), {}, buffer.first(static_cast<std::size_t>(size))};
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr && !received.info;
         header = CMSG_NXTHDR(&message, header)) {
        received.info = read_packet_info(*header);
    }
    return received;
}

}  // namespace stile::drivers
