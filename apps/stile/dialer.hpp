// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/drivers/dns.hpp>
#include <stile/drivers/http_proxy.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/tcp.hpp>

#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace stile::peer {

// What the environment says of HTTP proxies: https_proxy and its like, no_proxy.
std::expected<drivers::ProxySettings, app::Problem> proxies_here();

// Opens connections to servers: directly, or through the HTTP proxy that the environment names.
class Dialer {
public:
    explicit Dialer(drivers::Loop& loop);

    // Not inside the call. The stream may still be connecting; a name that is not found, or a proxy
    // that cannot be understood, is a problem. A proxy is asked by name: names need not be known
    // here then. Nothing is called any more when the dialer is gone.
    using OnStream = std::move_only_function<void(
        std::expected<std::unique_ptr<drivers::Stream>, app::Problem>)>;
    void dial(const std::string& host, Port port, const drivers::TcpOptions& options,
              OnStream done);
    // Whether dial() would go through a proxy.
    bool is_proxied(const std::string& host) const;

private:
    drivers::Loop& loop_;
    drivers::Resolver resolver_;
    std::expected<drivers::ProxySettings, app::Problem> proxies_;
};

}  // namespace stile::peer
