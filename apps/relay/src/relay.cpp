// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/relay.hpp>

#include "behavior_places.hpp"
#include "limits.hpp"
#include "shard.hpp"
#include "standstill.hpp"
#include "tenant_config.hpp"

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

// What the tables of credentials can hold, before anything depends on it.
std::expected<void, StartError> check_tenants(const Settings& settings) {
    if (settings.tenants.empty() || settings.tenants.size() > most_tenants) {
        return std::unexpected(
            StartError{.what = "cannot serve", .cause = "there are no realms, or too many"});
    }
    for (const Tenant& tenant : settings.tenants) {
        turn::CredentialTable table{tenant.realm};
        if (fill_credentials(table, tenant)) continue;
        return std::unexpected(
            StartError{.what = "cannot serve " + tenant.realm,
                       .cause = "too many secrets, accounts or token keys, or a name that is too "
                                "long"});
    }
    for (const Listener& listener : settings.listeners) {
        if (listener.tenant < settings.tenants.size()) continue;
        return std::unexpected(
            StartError{.what = "cannot listen on " + listener.address.to_string(),
                       .cause = "its realm is not there"});
    }
    return {};
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
        : directory(wanted.relay_addresses),
          settings(std::move(wanted)),
          common{.directory = turn::RelayDirectory{directory_of(settings)},
                 .on_https = std::move(https),
                 .seed = make_seed(),
                 .shards = {},
                 .kernel = {}} {}

    // Every thread ends before any shard goes: they know each other.
    ~Impl() {
        stay();
        for (const auto& shard : shards) shard->stop();
    }

    std::expected<void, StartError> prepare(Handover handover);
    void serve();
    std::expected<Handover, std::string> hand_over();
    void leave();
    void stay();
    std::expected<SocketAddress, StartError> listen(const Listener& listener,
                                                    const Contexts& contexts);
    std::expected<void, StartError> check(const Settings& wanted) const;
    std::expected<void, StartError> reload(Settings wanted);
    void stop_listening(const Listener& listener);

    std::vector<RelayAddress> directory;  // what `common` was made with
    Settings settings;
    Common common;
    std::vector<SocketAddress> listening;
    std::vector<std::unique_ptr<Shard>> shards;
    std::shared_ptr<Standstill> standstill;  // between hand_over() and what comes of it
};

std::expected<void, StartError> Relay::Impl::prepare(Handover handover) {
    if (auto good = check_tenants(settings); !good) return good;
    const auto contexts = make_contexts(settings, static_cast<bool>(common.on_https));
    if (!contexts) return std::unexpected(contexts.error());
    if (settings.kernel_path != KernelPath::Off) {
        common.kernel = std::make_unique<KernelOffload>(settings);
    }
    const std::size_t count =
        handover.shards.empty() ? shard_count(settings) : handover.shards.size();
    for (std::size_t i = 0; i < count; ++i) {
        shards.push_back(
            std::make_unique<Shard>(common, static_cast<std::uint8_t>(i), settings, *contexts));
        common.shards.push_back(shards.back().get());
        if (i < handover.shards.size()) shards[i]->resume(std::move(handover.shards[i]), settings);
    }
    auto listeners = settings.listeners;
    std::ranges::copy(behavior_listeners(settings), std::back_inserter(listeners));
    for (const Listener& listener : listeners) {
        const auto address = listen(listener, *contexts);
        if (!address) return std::unexpected(address.error());
        // Those of RFC 5780 that come after are nobody's to ask for.
        if (listening.size() < settings.listeners.size()) listening.push_back(*address);
    }
    for (const auto& shard : shards) shard->drop_unclaimed();
    return {};
}

void Relay::Impl::serve() {
    for (const auto& shard : shards) shard->run();
}

// The first shard may choose the port; the others share it.
std::expected<SocketAddress, StartError> Relay::Impl::listen(const Listener& listener,
                                                             const Contexts& contexts) {
    Listener bound = listener;
    for (const auto& shard : shards) {
        const auto open = [&](Shard& asked) -> std::expected<SocketAddress, StartError> {
            if (const auto there = asked.resumed(bound)) return *there;
            return asked.listen(bound, contexts);
        };
        const auto address = shard->is_running() ? shard->ask(open) : open(*shard);
        if (!address) return std::unexpected(address.error());
        bound.address = *address;
    }
    // Two-address answers (RFC 5780) are more than the kernel's.
    if (common.kernel && listener.kind == ListenerKind::Udp && !settings.alternate) {
        common.kernel->listens(bound.address, settings);
    }
    return bound.address;
}

// What only a restart can change.
std::expected<void, StartError> Relay::Impl::check(const Settings& wanted) const {
    const auto refuse = [](const char* what,
                           StartError::Remedy remedy = StartError::Remedy::Restart) {
        return std::unexpected(
            StartError{.what = what, .cause = "the server runs", .remedy = remedy});
    };
    if (wanted.tenants.size() < settings.tenants.size()) return refuse("cannot remove a realm");
    if (shard_count(wanted) != shards.size()) {
        return refuse("cannot change the number of shards", StartError::Remedy::StopAndStart);
    }
    if (wanted.kernel_path != settings.kernel_path) return refuse("cannot change the kernel path");
    if (wanted.alternate != settings.alternate) {
        return refuse("cannot change the second address of RFC 5780");
    }
    for (const RelayAddress& address : wanted.relay_addresses) {
        const auto known = std::ranges::find(directory, address);
        if (known == directory.end()) {
            return refuse("cannot add a relay address, nor change the external one of one");
        }
    }
    return check_tenants(wanted);
}

std::expected<void, StartError> Relay::Impl::reload(Settings wanted) {
    if (auto good = check(wanted); !good) return good;
    const auto contexts = make_contexts(wanted, static_cast<bool>(common.on_https));
    if (!contexts) return std::unexpected(contexts.error());
    // Before anything changes: new listeners are what can fail. They may be of new tenants.
    std::vector<SocketAddress> addresses;
    std::vector<Listener> opened;
    for (const Listener& listener : wanted.listeners) {
        const auto known = std::ranges::find(settings.listeners, listener);
        if (known != settings.listeners.end()) {
            addresses.push_back(
                listening[static_cast<std::size_t>(known - settings.listeners.begin())]);
        } else if (listener.tenant >= settings.tenants.size()) {
            return std::unexpected(StartError{.what = "cannot listen for a realm that is new",
                                              .cause = "the server runs",
                                              .remedy = StartError::Remedy::Restart});
        } else {
            const auto address = listen(listener, *contexts);
            if (!address) {
                for (const Listener& back : opened) stop_listening(back);
                return std::unexpected(address.error());
            }
            opened.push_back(listener);
            opened.back().address = *address;
            addresses.push_back(*address);
        }
    }
    for (const auto& shard : shards) {
        shard->ask([&](Shard& asked) { asked.reconfigure(settings, wanted, *contexts); });
    }
    for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
        if (std::ranges::find(wanted.listeners, settings.listeners[i]) != wanted.listeners.end()) {
            continue;
        }
        Listener gone = settings.listeners[i];
        gone.address = listening[i];
        stop_listening(gone);
    }
    settings = std::move(wanted);
    listening = std::move(addresses);
    return {};
}

std::expected<Handover, std::string> Relay::Impl::hand_over() {
    // From here on everything reaches the sockets, and what the kernel has carried is counted.
    if (common.kernel) {
        common.kernel->detach();
        account_for_kernel(common);
    }
    standstill = Standstill::begin(common.shards);
    Handover handover{.shards = standstill->copies()};
    for (const HandedShard& shard : handover.shards) {
        const bool whole = std::ranges::all_of(shard.listeners, [](const HandedListener& listener) {
            return listener.socket.valid();
        });
        if (whole) continue;
        stay();
        return std::unexpected(std::string{"too few file descriptors: see 'ulimit -n'"});
    }
    return handover;
}

void Relay::Impl::leave() {
    if (standstill) standstill->end(Standstill::Goes::Away);
    standstill.reset();
}

void Relay::Impl::stay() {
    if (!standstill) return;
    standstill->end(Standstill::Goes::On);
    standstill.reset();
    if (common.kernel) common.kernel->attach();
}

void Relay::Impl::stop_listening(const Listener& listener) {
    for (const auto& shard : shards) {
        shard->ask([&](Shard& asked) { asked.stop_listening(listener.address, listener.kind); });
    }
}

Relay::Relay(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Relay::~Relay() = default;

std::expected<std::unique_ptr<Relay>, StartError> Relay::start(Settings settings,
                                                               OnHttps on_https) {
    auto impl = std::make_unique<Impl>(std::move(settings), std::move(on_https));
    if (auto prepared = impl->prepare({}); !prepared) return std::unexpected(prepared.error());
    impl->serve();
    return std::unique_ptr<Relay>{new Relay(std::move(impl))};
}

std::expected<std::unique_ptr<Relay>, StartError> Relay::resume(Settings settings,
                                                                Handover handover,
                                                                OnHttps on_https) {
    auto impl = std::make_unique<Impl>(std::move(settings), std::move(on_https));
    if (auto prepared = impl->prepare(std::move(handover)); !prepared) {
        return std::unexpected(prepared.error());
    }
    return std::unique_ptr<Relay>{new Relay(std::move(impl))};
}

void Relay::serve() { impl_->serve(); }

std::expected<void, StartError> Relay::reload(Settings settings) {
    return impl_->reload(std::move(settings));
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

std::expected<Handover, std::string> Relay::hand_over() { return impl_->hand_over(); }
void Relay::leave() { impl_->leave(); }
void Relay::stay() { impl_->stay(); }

std::vector<SocketAddress> Relay::listening() const { return impl_->listening; }

}  // namespace stile::relay
