// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/portmap/mapping.hpp>

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace stile::drivers {

// An Internet gateway device as seen from one of our addresses, by miniupnpc. Every call blocks.
// For an IPv4 address it maps ports (WANIPConnection), for an IPv6 one it opens the firewall
// (WANIPv6FirewallControl).
class UpnpRouter {
public:
    // Looks for one on the network of this address. The request for an IPv6 address goes over IPv6,
    // since routers open pinholes for the sender alone; none is found where the kernel would choose
    // another one of our addresses for it.
    static std::optional<UpnpRouter> discover(const IpAddress& local, unsigned interface_index);

    enum class Refusal : std::uint8_t {
        PortTaken,  // by another host
        NoLeases,   // OnlyPermanentLeasesSupported: ask for lifetime 0
        Other,
    };
    // Requires: the router of an IPv4 address. Zero is for ever.
    std::expected<void, Refusal> add(portmap::Protocol protocol, Port external, Port internal,
                                     std::chrono::seconds lifetime);
    void remove(portmap::Protocol protocol, Port external);
    std::optional<IpAddress> external_address();

    // Requires: the router of an IPv6 address. From anybody to this port; the router's name for it.
    std::optional<std::string> open_pinhole(portmap::Protocol protocol, Port internal,
                                            std::chrono::seconds lifetime);
    bool renew_pinhole(const std::string& pinhole, std::chrono::seconds lifetime);
    void close_pinhole(const std::string& pinhole);

private:
    struct Impl;
    struct Close {
        void operator()(Impl* impl) const;
    };
    explicit UpnpRouter(std::unique_ptr<Impl, Close> impl) : impl_(std::move(impl)) {}
    std::unique_ptr<Impl, Close> impl_;
};

}  // namespace stile::drivers
