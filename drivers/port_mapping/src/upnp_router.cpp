// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "upnp_router.hpp"

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <array>
#include <string>

namespace stile::drivers {
namespace {

// The library asks for several kinds of routers one after the other, each for so long.
constexpr int discovery_milliseconds = 500;
// UPnP Device Architecture 1.0 Section 1.1.2 has 4; home routers are one hop away.
constexpr unsigned char discovery_ttl = 2;

// WANIPConnection:1 Section 2.4.16.
constexpr int conflict_in_mapping_entry = 718;
constexpr int only_permanent_leases_supported = 725;

constexpr const char* protocol = "UDP";

}  // namespace

struct UpnpRouter::Impl {
    std::string local;
    UPNPUrls urls{};
    IGDdatas data{};

    const char* control() const { return urls.controlURL; }
    const char* service() const { return &data.first.servicetype[0]; }
};

void UpnpRouter::Close::operator()(Impl* impl) const {
    FreeUPNPUrls(&impl->urls);
    delete impl;
}

std::optional<UpnpRouter> UpnpRouter::discover(const IpAddress& local) {
    std::unique_ptr<Impl, Close> impl{new Impl};
    impl->local = local.to_string();
    int error = 0;
    const std::unique_ptr<UPNPDev, decltype(&freeUPNPDevlist)> devices{
        upnpDiscover(discovery_milliseconds, impl->local.c_str(), nullptr, UPNP_LOCAL_PORT_ANY, 0,
                     discovery_ttl, &error),
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
    // 1 is a router with a connection; others map nothing that is of use.
    if (kind != 1) return std::nullopt;
    return UpnpRouter{std::move(impl)};
}

std::expected<void, UpnpRouter::Refusal> UpnpRouter::add(Port external, Port internal,
                                                         std::chrono::seconds lifetime) {
    const int result = UPNP_AddPortMapping(
        impl_->control(), impl_->service(), std::to_string(external.value).c_str(),
        std::to_string(internal.value).c_str(), impl_->local.c_str(), "Stile", protocol, nullptr,
        std::to_string(lifetime.count()).c_str());
    if (result == UPNPCOMMAND_SUCCESS) return {};
    if (result == conflict_in_mapping_entry) return std::unexpected(Refusal::PortTaken);
    if (result == only_permanent_leases_supported) return std::unexpected(Refusal::NoLeases);
    return std::unexpected(Refusal::Other);
}

void UpnpRouter::remove(Port external) {
    (void)UPNP_DeletePortMapping(impl_->control(), impl_->service(),
                                 std::to_string(external.value).c_str(), protocol, nullptr);
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

}  // namespace stile::drivers
