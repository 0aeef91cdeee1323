// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/relay.hpp>

#include "behavior_places.hpp"
#include "limits.hpp"
#include "shard.hpp"

#include <stile/relay/handover.hpp>

#include <stile/drivers/random.hpp>

#include <algorithm>
#include <iterator>

namespace stile::relay {
namespace {

std::vector<turn::RelayDirectory::Address> directory_of(const Settings& settings) {
    std::vector<turn::RelayDirectory::Address> addresses;
    for (const RelayAddress& address : settings.relay_addresses) {
        addresses.push_back(
            {.local = address.local, .external = address.external.value_or(address.local)});
    }
    return addresses;
}

std::size_t shard_count(const Settings& settings) {
    const std::size_t wanted = settings.shards != 0
                                   ? settings.shards
                                   : std::max<std::size_t>(1, std::thread::hardware_concurrency());
    return std::min(wanted, most_shards);
}

HashSeed make_seed() {
    crypto::RandomStream random{drivers::random_seed()};
    const std::uint64_t k0 = random.u64();
    return {.k0 = k0, .k1 = random.u64()};
}

// ALPN by RFC 7443; without HTTPS on the same port nothing else is agreed on.
std::expected<Contexts, StartError> make_contexts(const Settings& settings, bool https) {
    Contexts contexts;
    if (settings.certificate_pem.empty()) return contexts;
    drivers::TlsServerConfig config;
    config.certificate_pem = settings.certificate_pem;
    config.key_pem = settings.key_pem;
    config.handshake_timeout = settings.streams.first_message;
    config.alpn = {"stun.turn", "stun.nat-discovery"};
    auto dtls = drivers::TlsContext::server(config, drivers::TlsCarrier::Datagrams);
    if (https) config.alpn.emplace_back("http/1.1");
    auto tls = drivers::TlsContext::server(config);
    for (const auto* const made : {&dtls, &tls}) {
        if (*made) continue;
        return std::unexpected(
            StartError{.what = "cannot use the certificate", .cause = made->error().text});
    }
    contexts.tls = *std::move(tls);
    contexts.dtls = *std::move(dtls);
    return contexts;
}

std::optional<turn::Redirect> redirect_of(const Settings& settings) {
    if (!settings.redirect) return std::nullopt;
    return turn::Redirect{.address = *settings.redirect,
                          .other_family = std::nullopt,
                          .domain = settings.redirect_domain};
}

}  // namespace

struct Relay::Impl {
    Impl(Settings wanted, OnHttps https)
        : settings(std::move(wanted)),
          common{.directory = turn::RelayDirectory{directory_of(settings)},
                 .on_https = std::move(https),
                 .seed = make_seed(),
                 .shards = {},
                 .kernel = {}} {}

    // Every thread ends before any shard goes: they know each other.
    ~Impl() {
        for (const auto& shard : shards) shard->stop();
    }

    std::expected<void, StartError> start();

    Settings settings;
    Common common;
    std::vector<SocketAddress> listening;
    std::vector<std::unique_ptr<Shard>> shards;
};

std::expected<void, StartError> Relay::Impl::start() {
    const auto contexts = make_contexts(settings, static_cast<bool>(common.on_https));
    if (!contexts) return std::unexpected(contexts.error());
    if (settings.kernel_path != KernelPath::Off) {
        common.kernel = std::make_unique<KernelOffload>(settings);
    }
    for (std::size_t i = 0; i < shard_count(settings); ++i) {
        shards.push_back(
            std::make_unique<Shard>(common, static_cast<std::uint8_t>(i), settings, *contexts));
        common.shards.push_back(shards.back().get());
    }
    auto listeners = settings.listeners;
    std::ranges::copy(behavior_listeners(settings), std::back_inserter(listeners));
    for (const Listener& listener : listeners) {
        // The first shard may choose the port; the others share it.
        Listener bound = listener;
        for (const auto& shard : shards) {
            const auto address = shard->listen(bound);
            if (!address) return std::unexpected(address.error());
            bound.address = *address;
        }
        // Those of RFC 5780 that come after are nobody's to ask for.
        if (listening.size() < settings.listeners.size()) listening.push_back(bound.address);
        // Two-address answers (RFC 5780) are more than the kernel's.
        if (common.kernel && listener.kind == ListenerKind::Udp && !settings.alternate) {
            common.kernel->listens(bound.address, settings);
        }
    }
    for (const auto& shard : shards) shard->run();
    return {};
}

Relay::Relay(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Relay::~Relay() = default;

std::expected<std::unique_ptr<Relay>, StartError> Relay::start(Settings settings,
                                                               OnHttps on_https) {
    auto impl = std::make_unique<Impl>(std::move(settings), std::move(on_https));
    if (auto started = impl->start(); !started) return std::unexpected(started.error());
    return std::unique_ptr<Relay>{new Relay(std::move(impl))};
}

std::expected<std::unique_ptr<Relay>, StartError> Relay::resume(Settings, Handover, OnHttps) {
    return std::unexpected(
        StartError{.what = "cannot continue another process's work", .cause = "not possible yet"});
}

std::expected<void, StartError> Relay::reload(Settings) {
    return std::unexpected(
        StartError{.what = "cannot change the settings", .cause = "not possible yet"});
}

void Relay::drain() {
    const auto redirect = redirect_of(impl_->settings);
    for (const auto& shard : impl_->shards) {
        shard->post([&shard = *shard, redirect] { shard.drain(redirect); });
    }
}

Statistics Relay::statistics() {
    Statistics sum;
    for (const auto& shard : impl_->shards) {
        shard->ask([&](Shard& asked) { asked.add_statistics(sum); });
    }
    sum.kernel_path = "user space";
    if (impl_->common.kernel) {
        const auto kernel = impl_->common.kernel->statistics();
        sum.kernel_path = impl_->common.kernel->describe();
        sum.kernel_packets = kernel.to_peer + kernel.to_client;
        sum.binding_answers += kernel.bindings;
    }
    return sum;
}

std::vector<turn::Session> Relay::sessions() {
    std::vector<turn::Session> list;
    for (const auto& shard : impl_->shards) {
        shard->ask([&](Shard& asked) { asked.add_sessions(list); });
    }
    return list;
}

std::vector<turn::Usage> Relay::take_usage() {
    std::vector<turn::Usage> list;
    for (const auto& shard : impl_->shards) {
        shard->ask([&](Shard& asked) { asked.take_usage(list); });
    }
    return list;
}

Handover Relay::hand_over() { return {}; }

std::vector<SocketAddress> Relay::listening() const { return impl_->listening; }

}  // namespace stile::relay
