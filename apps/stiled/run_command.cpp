// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "addresses.hpp"
#include "authority.hpp"
#include "daemon.hpp"
#include "login_service.hpp"
#include "relay_service.hpp"
#include "sip_service.hpp"

#include <stile/base/encoding.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <csignal>

namespace stile::stiled {
namespace {

app::Problem store_problem(const drivers::StoreError& error, const Config& config) {
    return {app::ExitCode::Local, "The server's store cannot be used", error.text,
            state_directory(config), "make the folder writable, or restore a backup of it"};
}

// Listens at each address; those of a family that this machine has not are passed over where they
// are the default.
template <class Listen>
std::expected<std::vector<SocketAddress>, app::Problem> listen_all(
    std::string_view what, const std::vector<SocketAddress>& addresses, Listen listen) {
    std::vector<SocketAddress> listening;
    drivers::OsError last;
    for (const SocketAddress& address : addresses) {
        if (auto bound = listen(address)) {
            listening.push_back(*bound);
        } else {
            last = bound.error();
            const bool optional = address.ip.is_v6() && address.ip.is_unspecified();
            if (!optional) listening.clear();
            if (!optional) break;
        }
    }
    if (!listening.empty() || addresses.empty()) return listening;
    return std::unexpected(app::Problem{
        app::ExitCode::BadConfiguration, fmt::format("{} cannot listen", what), last.text, "",
        "another server may be there already; choose other ports under [listen]"});
}

// Where relays are opened: one address a family, the best of this machine.
std::vector<IpAddress> relay_addresses(const Config& config) {
    if (!config.turn.relay_addresses.empty()) return config.turn.relay_addresses;
    std::vector<IpAddress> chosen;
    // A server that listens on some addresses only relays from one of them.
    std::vector<IpAddress> candidates;
    for (const SocketAddress& address : config.listen.turn) {
        if (!address.ip.is_unspecified()) candidates.push_back(address.ip);
    }
    if (candidates.empty()) candidates = machine_addresses();
    for (const IpAddress& address : candidates) {
        if (std::ranges::find(chosen, address.family(), &IpAddress::family) == chosen.end()) {
            chosen.push_back(address);
        }
    }
    return chosen;
}

struct Secrets {
    Bytes relay;
    Bytes relay_nonce;
    Bytes sip_flow;
    Bytes sip_nonce;
};

std::expected<Secrets, drivers::StoreError> load_secrets(drivers::ServerStore& store) {
    constexpr std::size_t octets = 32;
    Secrets secrets;
    for (const auto& [name, target] : {std::pair{"relay-secret", &secrets.relay},
                                       std::pair{"relay-nonce-key", &secrets.relay_nonce},
                                       std::pair{"sip-flow-key", &secrets.sip_flow},
                                       std::pair{"sip-nonce-key", &secrets.sip_nonce}}) {
        auto secret = lasting_secret(store, name, octets);
        if (!secret) return std::unexpected(secret.error());
        *target = *std::move(secret);
    }
    return secrets;
}

std::vector<sip::SentBy> own_addresses(const Config& config) {
    std::vector<sip::SentBy> own;
    const auto add = [&](const std::vector<SocketAddress>& listen) {
        for (const SocketAddress& address : listen) {
            if (!address.ip.is_unspecified()) {
                own.push_back({.host = sip::Host{address.ip}, .port = address.port});
                continue;
            }
            for (const IpAddress& machine : machine_addresses()) {
                if (machine.family() != address.ip.family()) continue;
                own.push_back({.host = sip::Host{machine}, .port = address.port});
            }
            for (const IpAddress& outside : config.public_address) {
                own.push_back({.host = sip::Host{outside}, .port = address.port});
            }
        }
    };
    add(config.listen.sip);
    add(config.listen.sips);
    return own;
}

void print_addresses(std::string_view what, const std::vector<SocketAddress>& addresses) {
    fmt::print("  {:<8}", what);
    for (const SocketAddress& address : addresses) fmt::print(" {}", address.to_string());
    fmt::print("\n");
}

}  // namespace

int run(const Config& config) {
    auto store = open_store(config);
    if (!store) return app::fail(store.error());
    drivers::Loop loop;
    const WallTime now = loop.wall_now();
    const auto authority = Authority::open(*store, config.domain, now);
    if (!authority) return app::fail(store_problem(authority.error(), config));
    const auto secrets = load_secrets(*store);
    if (!secrets) return app::fail(store_problem(secrets.error(), config));

    std::vector<IpAddress> addresses = machine_addresses();
    addresses.insert(addresses.end(), config.public_address.begin(), config.public_address.end());
    const auto identity =
        authority->make_server_identity({host_name(), "localhost"}, addresses, now);
    const auto tls = drivers::TlsContext::server(
        {.certificate_pem = identity.certificate_pem,
         .key_pem = identity.key_pem,
         .client_certificate = drivers::TlsServerConfig::ClientCertificate::Optional,
         .client_ca_pem = authority->certificate().pem()});
    if (!tls) {
        return app::fail({app::ExitCode::Other, "TLS cannot be set up", tls.error().text, "", ""});
    }

    SipService sip{loop,
                   *store,
                   {.domain = config.domain,
                    .addresses = own_addresses(config),
                    .flow_key = secrets->sip_flow,
                    .nonce_key = secrets->sip_nonce,
                    .plain_compatible = config.plain_compatible},
                   *tls};
    if (const auto loaded = sip.load_bindings(); !loaded) {
        return app::fail(store_problem(loaded.error(), config));
    }
    RelayService::Facts relay_facts{.realm = config.domain,
                                    .secret = to_hex(secrets->relay),
                                    .own_addresses = addresses,
                                    .relay_addresses = relay_addresses(config),
                                    .public_addresses = config.public_address,
                                    .ports = config.turn.relay_ports,
                                    .allocations_per_user = config.turn.allocations_per_user,
                                    .allow_peers = config.turn.allow_peers};
    std::ranges::copy(secrets->relay_nonce, relay_facts.nonce_key.begin());
    RelayService relay{loop, std::move(relay_facts)};

    const auto turn_at = listen_all("TURN", config.listen.turn,
                                    [&](const auto& address) { return relay.listen(address); });
    if (!turn_at) return app::fail(turn_at.error());
    const auto udp_at = listen_all("SIP over UDP", config.listen.sip,
                                   [&](const auto& address) { return sip.listen_udp(address); });
    if (!udp_at) return app::fail(udp_at.error());
    const auto tcp_at = listen_all("SIP over TCP", config.listen.sip,
                                   [&](const auto& address) { return sip.listen_tcp(address); });
    if (!tcp_at) return app::fail(tcp_at.error());
    const auto tls_at = listen_all("SIP over TLS", config.listen.sips,
                                   [&](const auto& address) { return sip.listen_tls(address); });
    if (!tls_at) return app::fail(tls_at.error());

    std::vector<SocketAddress> turn_servers = *turn_at;
    if (!config.public_address.empty()) {
        turn_servers = {reachable_address(*turn_at, config)};
    }
    LoginService login{loop,
                       *store,
                       *authority,
                       {.domain = config.domain,
                        .sips_port = tls_at->empty() ? Port{} : tls_at->front().port,
                        .turn_servers = turn_servers,
                        .relay_secret = to_hex(secrets->relay)},
                       *tls};
    const auto https_at = listen_all("HTTPS", config.listen.https,
                                     [&](const auto& address) { return login.listen(address); });
    if (!https_at) return app::fail(https_at.error());

    drivers::Signals signals{loop, {SIGINT, SIGTERM}, [&](int) { loop.stop(); }};
    fmt::print("stiled 0.1.0 for {}\n\n", config.domain);
    print_addresses("sip", *udp_at);
    print_addresses("sips", *tls_at);
    print_addresses("turn", *turn_at);
    print_addresses("https", *https_at);
    fmt::print("  state    {}\n\n", state_directory(config));
    const auto accounts = store->accounts(config.domain);
    if (accounts && accounts->empty()) {
        fmt::print("Nobody has an account yet. The next step:  stiled user add NAME\n");
    }
    fmt::print("Ready\n");
    std::fflush(stdout);
    loop.run();
    return 0;
}

}  // namespace stile::stiled
