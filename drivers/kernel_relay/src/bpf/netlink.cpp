// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "netlink.hpp"

#include <cerrno>
#include <cstring>

#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

namespace stile::drivers::kernel {

namespace {

// From linux/netdev.h, which Debian 12 has not yet.
constexpr std::uint8_t netdev_device_get = 1;
constexpr std::uint16_t netdev_device_ifindex = 1;
constexpr std::uint16_t netdev_device_xdp_features = 3;
// Answers come in pieces of at most this (NLMSG_GOODSIZE, and 32 KiB for dumps).
constexpr std::size_t buffer_octets = 65536;

template <class T>
void append(Bytes& bytes, const T& value) {
    const auto at = bytes.size();
    bytes.resize(at + NLMSG_ALIGN(sizeof(T)));
    std::memcpy(bytes.data() + at, &value, sizeof(T));
}

Bytes start(std::uint16_t type, std::uint16_t flags) {
    Bytes bytes;
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    append(bytes, header);
    return bytes;
}

void append_attribute(Bytes& bytes, std::uint16_t type, BytesView value) {
    rtattr attribute{};
    attribute.rta_type = type;
    attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size()));
    append(bytes, attribute);
    const auto at = bytes.size();
    bytes.resize(at + RTA_ALIGN(value.size()));
    std::memcpy(bytes.data() + at, value.data(), value.size());
}

template <class T>
T read(BytesView bytes) {
    T value{};
    std::memcpy(&value, bytes.data(), std::min(sizeof(T), bytes.size()));
    return value;
}

// Calls back with each attribute after a fixed header of `skip` octets.
template <class OnAttribute>
void each_attribute(BytesView body, std::size_t skip, OnAttribute on_attribute) {
    if (body.size() < NLMSG_ALIGN(skip)) return;
    body = body.subspan(NLMSG_ALIGN(skip));
    while (body.size() >= sizeof(rtattr)) {
        const auto attribute = read<rtattr>(body);
        if (attribute.rta_len < sizeof(rtattr) || attribute.rta_len > body.size()) return;
        on_attribute(static_cast<std::uint16_t>(attribute.rta_type & NLA_TYPE_MASK),
                     body.subspan(sizeof(rtattr), attribute.rta_len - sizeof(rtattr)));
        body = body.subspan(std::min<std::size_t>(body.size(), RTA_ALIGN(attribute.rta_len)));
    }
}

std::optional<IpAddress> read_ip(BytesView octets) {
    if (octets.size() != 4 && octets.size() != 16) return std::nullopt;
    return IpAddress::from_octets(octets);
}

// NUL-terminated or not.
std::string read_text(BytesView octets) {
    std::string text(reinterpret_cast<const char*>(octets.data()), octets.size());
    return text.substr(0, text.find('\0'));
}

MacAddress read_mac(BytesView octets) {
    MacAddress mac{};
    if (octets.size() == mac.size()) std::memcpy(mac.data(), octets.data(), mac.size());
    return mac;
}

Link read_link(BytesView body) {
    const auto info = read<ifinfomsg>(body);
    Link link{.index = info.ifi_index, .type = info.ifi_type};
    link.is_up = (info.ifi_flags & IFF_UP) != 0;
    each_attribute(body, sizeof(ifinfomsg), [&](std::uint16_t type, BytesView value) {
        if (type == IFLA_IFNAME) link.name = read_text(value);
        if (type == IFLA_MTU) link.mtu = read<std::uint32_t>(value);
        if (type == IFLA_LINK) link.parent = read<int>(value);
        if (type == IFLA_ADDRESS) link.address = read_mac(value);
        if (type == IFLA_LINKINFO) {
            each_attribute(value, 0, [&](std::uint16_t inner, BytesView text) {
                if (inner == IFLA_INFO_KIND) link.kind = read_text(text);
            });
        }
        if (type == IFLA_XDP) {
            each_attribute(value, 0, [&](std::uint16_t inner, BytesView id) {
                if (inner == IFLA_XDP_PROG_ID) link.xdp_program = read<std::uint32_t>(id);
            });
        }
    });
    return link;
}

std::optional<Neighbour> read_neighbour(BytesView body) {
    const auto info = read<ndmsg>(body);
    Neighbour neighbour{.key = {.interface = info.ndm_ifindex}, .state = info.ndm_state};
    bool has_ip = false;
    each_attribute(body, sizeof(ndmsg), [&](std::uint16_t type, BytesView value) {
        if (type == NDA_DST) {
            if (const auto ip = read_ip(value)) {
                neighbour.key.ip = *ip;
                has_ip = true;
            }
        }
        if (type == NDA_LLADDR && value.size() == 6) neighbour.address = read_mac(value);
    });
    constexpr int valid =
        NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
    if ((neighbour.state & valid) == 0) neighbour.address.reset();
    if (!has_ip) return std::nullopt;
    return neighbour;
}

std::uint8_t family_of(const IpAddress& ip) {
    return static_cast<std::uint8_t>(ip.is_v4() ? AF_INET : AF_INET6);
}

// RTA_VIA is a gateway of the other family: its family, then its octets.
std::optional<IpAddress> read_via(BytesView value) {
    if (value.size() <= 2) return std::nullopt;
    return read_ip(value.subspan(2));
}

std::optional<Route> read_route(BytesView body, const IpAddress& to) {
    const auto info = read<rtmsg>(body);
    if (info.rtm_type != RTN_LOCAL && info.rtm_type != RTN_UNICAST) return std::nullopt;
    Route route{.next_hop = to};
    if (info.rtm_type == RTN_LOCAL) route.kind = Route::Kind::Local;
    each_attribute(body, sizeof(rtmsg), [&](std::uint16_t type, BytesView value) {
        if (type == RTA_OIF) route.interface = read<int>(value);
        if (type == RTA_GATEWAY) route.next_hop = read_ip(value).value_or(to);
        if (type == RTA_VIA) route.next_hop = read_via(value).value_or(to);
        if (type == RTA_METRICS) {
            each_attribute(value, 0, [&](std::uint16_t metric, BytesView number) {
                if (metric == RTAX_MTU) route.mtu = read<std::uint32_t>(number);
            });
        }
    });
    if (route.interface == 0) return std::nullopt;
    return route;
}

// Splits what one recv() brought.
template <class OnMessage>
void each_message(BytesView bytes, OnMessage on_message) {
    while (bytes.size() >= sizeof(nlmsghdr)) {
        const auto header = read<nlmsghdr>(bytes);
        if (header.nlmsg_len < sizeof(nlmsghdr) || header.nlmsg_len > bytes.size()) return;
        on_message(header, bytes.subspan(sizeof(nlmsghdr), header.nlmsg_len - sizeof(nlmsghdr)));
        bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), NLMSG_ALIGN(header.nlmsg_len)));
    }
}

}  // namespace

Netlink::Netlink()
    : route_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)),
      generic_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC)) {
    Bytes request = start(GENL_ID_CTRL, NLM_F_ACK);
    genlmsghdr header{};
    header.cmd = CTRL_CMD_GETFAMILY;
    header.version = 1;
    append(request, header);
    const std::string_view name{"netdev", sizeof("netdev")};
    append_attribute(request, CTRL_ATTR_FAMILY_NAME, std::as_bytes(std::span{name}));
    ask(generic_.get(), request, [this](std::uint16_t, BytesView body) {
        each_attribute(body, sizeof(genlmsghdr), [this](std::uint16_t type, BytesView value) {
            if (type == CTRL_ATTR_FAMILY_ID) netdev_family_ = read<std::uint16_t>(value);
        });
    });
}

// True when the kernel carried it out.
bool Netlink::ask(int fd, Bytes& request, const OnMessage& on_message) {
    auto header = read<nlmsghdr>(request);
    header.nlmsg_len = static_cast<std::uint32_t>(request.size());
    std::memcpy(request.data(), &header, sizeof header);
    if (::send(fd, request.data(), request.size(), 0) < 0) return false;
    Bytes buffer(buffer_octets);
    std::optional<bool> result;
    while (!result) {
        const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        each_message(BytesView{buffer}.first(static_cast<std::size_t>(got)),
                     [&](const nlmsghdr& answer, BytesView body) {
                         if (answer.nlmsg_type == NLMSG_DONE) {
                             result = true;
                         } else if (answer.nlmsg_type == NLMSG_ERROR) {
                             result = read<nlmsgerr>(body).error == 0;
                         } else {
                             on_message(answer.nlmsg_type, body);
                         }
                     });
    }
    return *result;
}

std::vector<Link> Netlink::links() {
    std::vector<Link> links;
    Bytes request = start(RTM_GETLINK, NLM_F_DUMP);
    append(request, ifinfomsg{});
    ask(route_.get(), request,
        [&](std::uint16_t, BytesView body) { links.push_back(read_link(body)); });
    return links;
}

std::vector<Neighbour> Netlink::neighbours() {
    std::vector<Neighbour> neighbours;
    Bytes request = start(RTM_GETNEIGH, NLM_F_DUMP);
    append(request, ndmsg{});
    ask(route_.get(), request, [&](std::uint16_t, BytesView body) {
        if (const auto neighbour = read_neighbour(body)) neighbours.push_back(*neighbour);
    });
    return neighbours;
}

std::optional<Route> Netlink::route(const IpAddress& from, const IpAddress& to) {
    Bytes request = start(RTM_GETROUTE, NLM_F_ACK);
    const auto octets = static_cast<std::uint8_t>(to.octets().size() * 8);
    rtmsg message{};
    message.rtm_family = family_of(to);
    message.rtm_dst_len = octets;
    message.rtm_src_len = octets;
    append(request, message);
    append_attribute(request, RTA_DST, to.octets());
    append_attribute(request, RTA_SRC, from.octets());
    std::optional<Route> route;
    ask(route_.get(), request,
        [&](std::uint16_t, BytesView body) { route = read_route(body, to); });
    return route;
}

void Netlink::use(const NeighbourKey& neighbour) {
    Bytes request = start(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE);
    ndmsg message{};
    message.ndm_family = family_of(neighbour.ip);
    message.ndm_ifindex = neighbour.interface;
    message.ndm_flags = NTF_USE;
    append(request, message);
    append_attribute(request, NDA_DST, neighbour.ip.octets());
    ask(route_.get(), request, [](std::uint16_t, BytesView) {});
}

std::optional<std::uint64_t> Netlink::xdp_features(int interface) {
    if (!netdev_family_) return std::nullopt;
    Bytes request = start(*netdev_family_, NLM_F_ACK);
    genlmsghdr header{};
    header.cmd = netdev_device_get;
    header.version = 1;
    append(request, header);
    append_attribute(request, netdev_device_ifindex, std::as_bytes(std::span{&interface, 1}));
    std::optional<std::uint64_t> features;
    ask(generic_.get(), request, [&](std::uint16_t, BytesView body) {
        each_attribute(body, sizeof(genlmsghdr), [&](std::uint16_t type, BytesView value) {
            if (type == netdev_device_xdp_features) features = read<std::uint64_t>(value);
        });
    });
    return features;
}

NetlinkMonitor::NetlinkMonitor()
    : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    // Unbound, the kernel would take its own messages for ours and leave us out.
    if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
    for (const int group :
         {RTNLGRP_NEIGH, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
          RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP}) {
        setsockopt(fd_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
    }
}

NetlinkMonitor::Changes NetlinkMonitor::poll() {
    Changes changes;
    Bytes buffer(buffer_octets);
    for (;;) {
        const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == ENOBUFS) {
            changes.lost = Changes::Lost::Some;
            continue;
        }
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return changes;
        each_message(
            BytesView{buffer}.first(static_cast<std::size_t>(got)),
            [&](const nlmsghdr& header, BytesView body) {
                if (header.nlmsg_type != RTM_NEWNEIGH && header.nlmsg_type != RTM_DELNEIGH) {
                    changes.routes = Changes::Routes::Changed;
                    return;
                }
                auto neighbour = read_neighbour(body);
                if (!neighbour) return;
                if (header.nlmsg_type == RTM_DELNEIGH) neighbour->address.reset();
                changes.neighbours.push_back(*neighbour);
            });
    }
}

}  // namespace stile::drivers::kernel
