// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/link_datagram.hpp>
#include <stile/drivers/native_address.hpp>

#include <net/if.h>
#include <netinet/in.h>
#include <array>

namespace stile::drivers {
namespace {

FileDescriptor bound_to(const SocketAddress& address) {
    FileDescriptor fd{
        ::socket(address.ip.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const NativeAddress native = to_native(address);
    REQUIRE(::bind(fd.get(), native.get(), native.size) == 0);
    return fd;
}

void ask_for_packet_info(const FileDescriptor& fd, const IpAddress& ip) {
    const int on = 1;
    const int done = ip.is_v4()
                         ? ::setsockopt(fd.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on)
                         : ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    REQUIRE(done == 0);
}

void send(const FileDescriptor& from, const SocketAddress& to, BytesView payload) {
    const NativeAddress native = to_native(to);
    REQUIRE(::sendto(from.get(), payload.data(), payload.size(), 0, native.get(), native.size) ==
            static_cast<ssize_t>(payload.size()));
}

TEST_CASE("link datagram: who sent it, where to and on which link, of both families") {
    for (const char* const text : {"127.0.0.1:0", "[::1]:0"}) {
        CAPTURE(text);
        const SocketAddress any = *SocketAddress::parse(text);
        const FileDescriptor sender = bound_to(any);
        const FileDescriptor receiver = bound_to(any);
        ask_for_packet_info(receiver, any.ip);
        std::array<std::byte, 8> buffer{};
        CHECK_FALSE(receive_link_datagram(receiver.get(), buffer));
        send(sender, bound_address(receiver.get()), as_bytes("hello"));
        const auto received = receive_link_datagram(receiver.get(), buffer);
        REQUIRE(received);
        CHECK(received->from == bound_address(sender.get()));
        REQUIRE(received->info);
        CHECK(received->info->destination == any.ip);
        CHECK(received->info->interface_index == ::if_nametoindex("lo"));
        CHECK(as_text(received->payload) == "hello");
        CHECK_FALSE(receive_link_datagram(receiver.get(), buffer));
    }
}

TEST_CASE("link datagram: a longer one is cut, and a socket that did not ask is told no link") {
    const SocketAddress any = *SocketAddress::parse("127.0.0.1:0");
    const FileDescriptor sender = bound_to(any);
    const FileDescriptor receiver = bound_to(any);
    std::array<std::byte, 4> buffer{};
    send(sender, bound_address(receiver.get()), as_bytes("hello"));
    const auto received = receive_link_datagram(receiver.get(), buffer);
    REQUIRE(received);
    CHECK_FALSE(received->info);
    CHECK(as_text(received->payload) == "hell");
}

}  // namespace
}  // namespace stile::drivers
