// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <chrono>
#include <expected>
#include <memory>
#include <optional>

namespace stile::drivers {

// An Internet gateway device as seen from one of our addresses, by miniupnpc. Every call blocks.
class UpnpRouter {
public:
    // Looks for one on the network of this IPv4 address.
    static std::optional<UpnpRouter> discover(const IpAddress& local);

    enum class Refusal : std::uint8_t {
        PortTaken,  // by another host
        NoLeases,   // OnlyPermanentLeasesSupported: ask for lifetime 0
        Other,
    };
    // Zero is for ever.
    std::expected<void, Refusal> add(Port external, Port internal, std::chrono::seconds lifetime);
    void remove(Port external);
    std::optional<IpAddress> external_address();

private:
    struct Impl;
    struct Close {
        void operator()(Impl* impl) const;
    };
    explicit UpnpRouter(std::unique_ptr<Impl, Close> impl) : impl_(std::move(impl)) {}
    std::unique_ptr<Impl, Close> impl_;
};

}  // namespace stile::drivers
