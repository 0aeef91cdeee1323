// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/gateways.hpp>

#include <stile/base/bytes.hpp>
#include <stile/drivers/file_descriptor.hpp>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace stile::drivers {
namespace {

// The kernel's messages are aligned; theirs are the structures of its headers.
template <class T>
std::optional<T> read(BytesView octets) {
    if (octets.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, octets.data(), sizeof value);
    return value;
}

constexpr std::size_t aligned(std::size_t size) { return (size + 3U) & ~std::size_t{3}; }

BytesView after(BytesView octets, std::size_t size) {
    return octets.subspan(std::min(octets.size(), size));
}

template <class Visit>
void for_each_attribute(BytesView rest, Visit&& visit) {
    while (const auto header = read<rtattr>(rest)) {
        if (header->rta_len < sizeof(rtattr) || header->rta_len > rest.size()) return;
        visit(header->rta_type, rest.first(header->rta_len).subspan(sizeof(rtattr)));
        rest = after(rest, aligned(header->rta_len));
    }
}

std::optional<IpAddress> address_of(BytesView value) {
    if (value.size() != 4 && value.size() != 16) return std::nullopt;
    return IpAddress::from_octets(value);
}

// RTA_VIA: a gateway of the other family (RFC 8950), as an address family and an address. It is no
// use for a mapping.
void add_hops(BytesView hops, std::uint32_t metric, std::vector<Gateway>& found) {
    while (const auto hop = read<rtnexthop>(hops)) {
        if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > hops.size()) return;
        for_each_attribute(
            hops.first(hop->rtnh_len).subspan(sizeof(rtnexthop)),
            [&](unsigned type, BytesView value) {
                const auto address = address_of(value);
                if (type != RTA_GATEWAY || !address) return;
                found.push_back({*address, static_cast<unsigned>(hop->rtnh_ifindex), metric});
            });
        hops = after(hops, aligned(hop->rtnh_len));
    }
}

void add_route(BytesView message, std::vector<Gateway>& found) {
    const auto route = read<rtmsg>(message);
    if (!route || route->rtm_dst_len != 0 || route->rtm_type != RTN_UNICAST) return;
    std::uint32_t table = route->rtm_table;
    Gateway gateway;
    bool has_gateway = false;
    BytesView hops;
    for_each_attribute(after(message, aligned(sizeof(rtmsg))), [&](unsigned type, BytesView value) {
        if (type == RTA_TABLE) table = read<std::uint32_t>(value).value_or(table);
        if (type == RTA_OIF) gateway.interface_index = read<unsigned>(value).value_or(0);
        if (type == RTA_PRIORITY) gateway.metric = read<std::uint32_t>(value).value_or(0);
        if (type == RTA_MULTIPATH) hops = value;
        if (type != RTA_GATEWAY) return;
        if (const auto address = address_of(value)) {
            gateway.address = *address;
            has_gateway = true;
        }
    });
    if (table != RT_TABLE_MAIN) return;
    if (has_gateway) found.push_back(gateway);
    add_hops(hops, gateway.metric, found);
}

enum class Dump : std::uint8_t { GoesOn, Done };

Dump read_messages(BytesView rest, std::vector<Gateway>& found) {
    while (const auto header = read<nlmsghdr>(rest)) {
        if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest.size()) break;
        if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
            return Dump::Done;
        }
        if (header->nlmsg_type == RTM_NEWROUTE) {
            add_route(rest.first(header->nlmsg_len).subspan(sizeof(nlmsghdr)), found);
        }
        rest = after(rest, aligned(header->nlmsg_len));
    }
    return Dump::GoesOn;
}

}  // namespace

std::expected<std::vector<Gateway>, OsError> default_gateways() {
    const FileDescriptor fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    if (!fd.valid()) return std::unexpected(os_error("netlink socket"));
    // The kernel answers while it is asked; a lost answer must not stop the program.
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::vector<Gateway> found;
    // The rest of a family's answer is read before the other is asked.
    for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
        struct {
            nlmsghdr header{};
            rtmsg route{};
        } request;
        request.header.nlmsg_len = sizeof request;
        request.header.nlmsg_type = RTM_GETROUTE;
        request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        request.route.rtm_family = family;
        if (::send(fd.get(), &request, sizeof request, 0) < 0) {
            return std::unexpected(os_error("netlink request"));
        }
        std::vector<std::byte> buffer(std::size_t{64} * 1024);
        for (;;) {
            const auto size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
            if (size < 0) return std::unexpected(os_error("netlink answer"));
            const BytesView octets = BytesView{buffer}.first(static_cast<std::size_t>(size));
            if (read_messages(octets, found) == Dump::Done) break;
        }
    }
    std::ranges::stable_sort(found, {}, &Gateway::metric);
    return found;
}

}  // namespace stile::drivers
