// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "dialer.hpp"

#include <stile/drivers/tunnel.hpp>

#include <fmt/format.h>
#include <cstdlib>

namespace stile::peer {

std::expected<drivers::ProxySettings, app::Problem> proxies_here() {
    auto settings = drivers::ProxySettings::from_environment(
        [](const char* name) -> std::optional<std::string> {
            const char* const value = std::getenv(name);
            if (value == nullptr) return std::nullopt;
            return value;
        });
    if (settings) return *std::move(settings);
    // The value may hold a password.
    return std::unexpected(
        app::Problem{app::ExitCode::BadConfiguration,
                     fmt::format("The variable {} cannot be used", settings.error().variable),
                     std::string{drivers::to_string(settings.error().error)}, "",
                     "such as http://user:password@proxy.example.org:3128"});
}

Dialer::Dialer(drivers::Loop& loop) : loop_(loop), resolver_(loop), proxies_(proxies_here()) {}

bool Dialer::is_proxied(const std::string& host) const {
    return !proxies_ || proxies_->proxy_for(host) != nullptr;
}

void Dialer::dial(const std::string& host, Port port, const drivers::TcpOptions& options,
                  OnStream done) {
    if (!proxies_) {
        // By way of the resolver, so that it comes from the loop and ends with this.
        return resolver_.addresses("127.0.0.1",
                                   [this, done = std::move(done)](const auto&) mutable {
                                       done(std::unexpected(proxies_.error()));
                                   });
    }
    const drivers::HttpProxy* const proxy = proxies_->proxy_for(host);
    const std::string name = proxy != nullptr ? proxy->host : host;
    resolver_.addresses(name, [=, this, done = std::move(done)](const auto& addresses) mutable {
        if (!addresses || addresses->empty()) {
            return done(std::unexpected(
                app::Problem{app::ExitCode::NoPath,
                             fmt::format("The {} {} is not found",
                                         proxy != nullptr ? "HTTP proxy" : "server", name),
                             addresses ? "the name has no address" : addresses.error().text, "",
                             proxy != nullptr ? "check https_proxy in the environment"
                                              : "check the name, and the network's DNS"}));
        }
        auto stream = drivers::TcpStream::connect(
            loop_, {addresses->front(), proxy != nullptr ? proxy->port : port}, options);
        if (proxy == nullptr) return done(std::move(stream));
        done(std::make_unique<drivers::TunnelStream>(
            loop_, std::move(stream),
            drivers::TunnelOptions{.proxy = *proxy, .host = host, .port = port}));
    });
}

}  // namespace stile::peer
