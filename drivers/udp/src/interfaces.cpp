// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/interfaces.hpp>

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/native_address.hpp>

#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>

namespace stile::drivers {
namespace {

// Changes come in bursts: a cable plugged in is a link, two addresses and three routes.
constexpr Duration quiet_time = std::chrono::milliseconds{30};
constexpr Duration settle_time = std::chrono::milliseconds{200};

constexpr std::array tunnel_prefixes{"tun", "tap", "wg",    "tailscale", "zt",     "ppp",
                                     "gre", "vti", "ipsec", "nordlynx",  "proton", "utun"};
constexpr std::array container_prefixes{"docker", "br-",    "veth", "virbr", "cni",   "flannel",
                                        "cali",   "podman", "lxc",  "lxdbr", "vmnet", "vboxnet"};
constexpr std::array cellular_prefixes{"ww", "rmnet"};

// IFA_F_ flags of the IPv6 addresses, which getifaddrs does not tell.
std::map<IpAddress, unsigned> ipv6_flags() {
    std::map<IpAddress, unsigned> flags;
    std::ifstream file{"/proc/net/if_inet6"};
    std::string digits;
    std::string index;
    std::string prefix;
    std::string scope;
    std::string flag_text;
    std::string name;
    while (file >> digits >> index >> prefix >> scope >> flag_text >> name) {
        std::array<std::byte, 16> octets{};
        if (digits.size() != 2 * octets.size()) continue;
        for (std::size_t i = 0; i < octets.size(); ++i) {
            octets[i] = static_cast<std::byte>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
        }
        flags[IpAddress::v6(octets)] = static_cast<unsigned>(std::stoul(flag_text, nullptr, 16));
    }
    return flags;
}

}  // namespace

InterfaceKind interface_kind(std::string_view name) {
    const auto any_of = [name](const auto& prefixes) {
        return std::ranges::any_of(prefixes,
                                   [name](const char* prefix) { return name.starts_with(prefix); });
    };
    if (name == "lo") return InterfaceKind::Loopback;
    if (any_of(tunnel_prefixes)) return InterfaceKind::Tunnel;
    if (any_of(container_prefixes)) return InterfaceKind::Container;
    if (any_of(cellular_prefixes)) return InterfaceKind::Cellular;
    if (name.starts_with("wl")) return InterfaceKind::Wireless;
    return InterfaceKind::Ethernet;
}

std::expected<std::vector<LocalAddress>, OsError> local_addresses() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return std::unexpected(os_error("list of local addresses"));
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner{list, &::freeifaddrs};
    const auto flags = ipv6_flags();

    std::vector<LocalAddress> found;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
        if ((entry->ifa_flags & IFF_RUNNING) == 0) continue;  // no cable, no network
        const auto family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        sockaddr_storage storage{};
        std::memcpy(&storage, entry->ifa_addr,
                    family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
        LocalAddress address;
        address.ip = from_native(storage).ip;
        address.interface_name = entry->ifa_name;
        address.interface_index = ::if_nametoindex(entry->ifa_name);
        address.kind = (entry->ifa_flags & IFF_LOOPBACK) != 0
                           ? InterfaceKind::Loopback
                           : interface_kind(address.interface_name);
        address.link_local = address.ip.is_link_local();
        if (const auto known = flags.find(address.ip); known != flags.end()) {
            if ((known->second & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0) continue;
            address.temporary = (known->second & IFA_F_TEMPORARY) != 0;
            address.deprecated = (known->second & IFA_F_DEPRECATED) != 0;
        }
        found.push_back(std::move(address));
    }
    return found;
}

struct NetworkMonitor::Impl {
    Impl(Loop& loop_, FileDescriptor socket, Task on_changed)
        : loop(loop_),
          fd(std::move(socket)),
          settled(loop_, std::move(on_changed)),
          watch(loop_, fd.get(), [this] { drain(); }) {
        watch.want_readable(Watch::Wanted::Yes);
    }

    void drain() {
        std::array<std::byte, 8192> buffer;
        // What changed is asked of the kernel afterwards; a lost message (ENOBUFS) matters no more.
        while (::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
        }
        const Instant now = loop.now();
        if (!settled.deadline()) latest = now + settle_time;
        settled.arm(std::min(now + quiet_time, latest));
    }

    Loop& loop;
    FileDescriptor fd;
    Timer settled;
    Instant latest{};  // for the first of the changes that wait
    Watch watch;
};

NetworkMonitor::NetworkMonitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NetworkMonitor::~NetworkMonitor() = default;

std::expected<std::unique_ptr<NetworkMonitor>, OsError> NetworkMonitor::open(Loop& loop,
                                                                             Task on_changed) {
    FileDescriptor fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)};
    if (!fd.valid()) return std::unexpected(os_error("netlink socket"));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                        RTMGRP_IPV6_ROUTE;
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return std::unexpected(os_error("netlink socket, bind"));
    }
    return std::unique_ptr<NetworkMonitor>(
        new NetworkMonitor(std::make_unique<Impl>(loop, std::move(fd), std::move(on_changed))));
}

}  // namespace stile::drivers
