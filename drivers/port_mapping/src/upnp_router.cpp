// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "upnp_router.hpp"

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <net/if.h>
#include <array>

namespace stile::drivers {
namespace {

// The library asks for several kinds of routers one after the other, each for so long.
constexpr int discovery_milliseconds = 500;
// UPnP Device Architecture 1.0 Section 1.1.2 has 4; home routers are one hop away.
constexpr unsigned char discovery_ttl = 2;

// WANIPConnection:1 Section 2.4.16.
constexpr int conflict_in_mapping_entry = 718;
constexpr int only_permanent_leases_supported = 725;

// WANIPv6FirewallControl:1 Section 2.3.2: a unique id is the decimal of 16 bits; the library copies
// as much as this.
constexpr std::size_t unique_id_size = 8;

// UPnP has names where this service has IANA's numbers.
const char* name_of(portmap::Protocol protocol) {
    return protocol == portmap::Protocol::Udp ? "UDP" : "TCP";
}
const char* number_of(portmap::Protocol protocol) {
    return protocol == portmap::Protocol::Udp ? "17" : "6";
}

}  // namespace

struct UpnpRouter::Impl {
    std::string local;
    UPNPUrls urls{};
    IGDdatas data{};

    const char* control() const { return urls.controlURL; }
    const char* service() const { return &data.first.servicetype[0]; }
    const char* firewall_control() const { return urls.controlURL_6FC; }
    const char* firewall_service() const { return &data.IPv6FC.servicetype[0]; }
    bool has_firewall_control() const {
        return urls.controlURL_6FC != nullptr && urls.controlURL_6FC[0] != '\0' &&
               data.IPv6FC.servicetype[0] != '\0';
    }
};

void UpnpRouter::Close::operator()(Impl* impl) const {
    FreeUPNPUrls(&impl->urls);
    delete impl;
}

std::optional<UpnpRouter> UpnpRouter::discover(const IpAddress& local, unsigned interface_index) {
    std::unique_ptr<Impl, Close> impl{new Impl};
    impl->local = local.to_string();
    // The library names an IPv6 network by its interface.
    std::array<char, IF_NAMESIZE> name{};
    if (local.is_v6() && ::if_indextoname(interface_index, name.data()) == nullptr) {
        return std::nullopt;
    }
    const char* const network = local.is_v4() ? impl->local.c_str() : name.data();
    int error = 0;
    const std::unique_ptr<UPNPDev, decltype(&freeUPNPDevlist)> devices{
        upnpDiscover(discovery_milliseconds, network, nullptr, UPNP_LOCAL_PORT_ANY,
                     local.is_v6() ? 1 : 0, discovery_ttl, &error),
        &freeUPNPDevlist};
    if (!devices) return std::nullopt;
    std::array<char, 64> address{};
#if MINIUPNPC_API_VERSION >= 18
    std::array<char, 64> outside{};
    const int kind = UPNP_GetValidIGD(devices.get(), &impl->urls, &impl->data, address.data(),
                                      address.size(), outside.data(), outside.size());
#else
    const int kind = UPNP_GetValidIGD(devices.get(), &impl->urls, &impl->data, address.data(),
                                      static_cast<int>(address.size()));
#endif
    // 1 is a router with a connection, which without IPv4 it may not have. Others open nothing that
    // is of use.
    if (local.is_v4() ? kind != 1 : kind == 0 || !impl->has_firewall_control()) {
        return std::nullopt;
    }
    return UpnpRouter{std::move(impl)};
}

std::expected<void, UpnpRouter::Refusal> UpnpRouter::add(portmap::Protocol protocol, Port external,
                                                         Port internal,
                                                         std::chrono::seconds lifetime) {
    const int result = UPNP_AddPortMapping(
        impl_->control(), impl_->service(), std::to_string(external.value).c_str(),
        std::to_string(internal.value).c_str(), impl_->local.c_str(), "Stile", name_of(protocol),
        nullptr, std::to_string(lifetime.count()).c_str());
    if (result == UPNPCOMMAND_SUCCESS) return {};
    if (result == conflict_in_mapping_entry) return std::unexpected(Refusal::PortTaken);
    if (result == only_permanent_leases_supported) return std::unexpected(Refusal::NoLeases);
    return std::unexpected(Refusal::Other);
}

void UpnpRouter::remove(portmap::Protocol protocol, Port external) {
    (void)UPNP_DeletePortMapping(impl_->control(), impl_->service(),
                                 std::to_string(external.value).c_str(), name_of(protocol),
                                 nullptr);
}

std::optional<IpAddress> UpnpRouter::external_address() {
    std::array<char, 64> text{};
    if (UPNP_GetExternalIPAddress(impl_->control(), impl_->service(), text.data()) !=
        UPNPCOMMAND_SUCCESS) {
        return std::nullopt;
    }
    const auto address = IpAddress::parse(text.data());
    if (!address || address->is_unspecified()) return std::nullopt;
    return address;
}

std::optional<std::string> UpnpRouter::open_pinhole(portmap::Protocol protocol, Port internal,
                                                    std::chrono::seconds lifetime) {
    std::array<char, unique_id_size> id{};
    // "empty" is the library's word for any host.
    const int result =
        UPNP_AddPinhole(impl_->firewall_control(), impl_->firewall_service(), "empty", "0",
                        impl_->local.c_str(), std::to_string(internal.value).c_str(),
                        number_of(protocol), std::to_string(lifetime.count()).c_str(), id.data());
    if (result != UPNPCOMMAND_SUCCESS) return std::nullopt;
    id.back() = '\0';
    return std::string{id.data()};
}

bool UpnpRouter::renew_pinhole(const std::string& pinhole, std::chrono::seconds lifetime) {
    return UPNP_UpdatePinhole(impl_->firewall_control(), impl_->firewall_service(), pinhole.c_str(),
                              std::to_string(lifetime.count()).c_str()) == UPNPCOMMAND_SUCCESS;
}

void UpnpRouter::close_pinhole(const std::string& pinhole) {
    (void)UPNP_DeletePinhole(impl_->firewall_control(), impl_->firewall_service(), pinhole.c_str());
}

}  // namespace stile::drivers
