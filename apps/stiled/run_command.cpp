// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "addresses.hpp"
#include "authority.hpp"
#include "daemon.hpp"
#include "login_service.hpp"
#include "relay_service.hpp"
#include "sip_service.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/try.hpp>

#include <fmt/format.h>
#include <sys/resource.h>
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

std::vector<IpAddress> all_addresses(const Config& config) {
    std::vector<IpAddress> addresses = machine_addresses();
    addresses.insert(addresses.end(), config.public_address.begin(), config.public_address.end());
    return addresses;
}

// The services of one domain on one loop.
class Daemon {
public:
    Daemon(const Config& config, drivers::Loop& loop, drivers::ServerStore& store,
           const Authority& authority, const Secrets& secrets, const drivers::TlsContext& tls)
        : config_(config),
          loop_(loop),
          store_(store),
          authority_(authority),
          secrets_(secrets),
          tls_(tls),
          sip_(loop, store,
               {.domain = config.domain,
                .addresses = own_addresses(config),
                .flow_key = secrets.sip_flow,
                .nonce_key = secrets.sip_nonce,
                .plain_compatible = config.plain_compatible},
               tls),
          relay_(loop, relay_facts(config, secrets)) {}

    std::expected<void, app::Problem> start() {
        if (const auto loaded = sip_.load_bindings(); !loaded) {
            return std::unexpected(store_problem(loaded.error(), config_));
        }
        const Config::Listen& listen = config_.listen;
        turn_ = STILE_TRY(
            listen_all("TURN", listen.turn, [this](const auto& at) { return relay_.listen(at); }));
        sip_udp_ = STILE_TRY(listen_all("SIP over UDP", listen.sip,
                                        [this](const auto& at) { return sip_.listen_udp(at); }));
        STILE_TRY(listen_all("SIP over TCP", listen.sip,
                             [this](const auto& at) { return sip_.listen_tcp(at); }));
        sips_ = STILE_TRY(listen_all("SIP over TLS", listen.sips,
                                     [this](const auto& at) { return sip_.listen_tls(at); }));
        login_ = std::make_unique<LoginService>(loop_, store_, authority_, login_facts(), tls_);
        https_ = STILE_TRY(listen_all("HTTPS", listen.https,
                                      [this](const auto& at) { return login_->listen(at); }));
        return {};
    }

    void announce() {
        fmt::print("stiled 0.1.0 for {}\n\n", config_.domain);
        print_addresses("sip", sip_udp_);
        print_addresses("sips", sips_);
        print_addresses("turn", turn_);
        print_addresses("https", https_);
        fmt::print("  state    {}\n\n", state_directory(config_));
        const auto accounts = store_.accounts(config_.domain);
        if (accounts && accounts->empty()) {
            fmt::print("Nobody has an account yet. The next step:  stiled user add NAME\n");
        }
        fmt::print("Ready\n");
        std::fflush(stdout);
    }

private:
    static RelayService::Facts relay_facts(const Config& config, const Secrets& secrets) {
        RelayService::Facts facts{
            .realm = config.domain,
            .secret = to_hex(secrets.relay),
            .own_addresses = all_addresses(config),
            .relay_addresses = relay_addresses(config),
            .public_addresses = config.public_address,
            .ports = config.turn.relay_ports,
            .allocations_per_user = config.turn.allocations_per_user,
            .allow_peers = config.turn.allow_peers,
            .channels = config.turn.channels == Config::Turn::Channels::Rfc5766
                            ? turn::ChannelRange::Rfc5766
                            : turn::ChannelRange::Rfc8656};
        std::ranges::copy(secrets.relay_nonce, facts.nonce_key.begin());
        return facts;
    }

    LoginService::Facts login_facts() const {
        LoginService::Facts facts{.domain = config_.domain,
                                  .sips_port = sips_.empty() ? Port{} : sips_.front().port,
                                  .turn_servers = turn_,
                                  .relay_secret = to_hex(secrets_.relay)};
        if (!config_.public_address.empty())
            facts.turn_servers = {reachable_address(turn_, config_)};
        return facts;
    }

    const Config& config_;
    drivers::Loop& loop_;
    drivers::ServerStore& store_;
    const Authority& authority_;
    const Secrets& secrets_;
    const drivers::TlsContext& tls_;
    SipService sip_;
    RelayService relay_;
    std::unique_ptr<LoginService> login_;
    std::vector<SocketAddress> turn_;
    std::vector<SocketAddress> sip_udp_;
    std::vector<SocketAddress> sips_;
    std::vector<SocketAddress> https_;
};

// Each client costs a descriptor: the default of many systems, 1024, is soon used up.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what was granted before is what there is
}

}  // namespace

int run(const Config& config) {
    raise_descriptor_limit();
    auto store = open_store(config);
    if (!store) return app::fail(store.error());
    drivers::Loop loop;
    const WallTime now = loop.wall_now();
    const auto authority = Authority::open(*store, config.domain, now);
    if (!authority) return app::fail(store_problem(authority.error(), config));
    const auto secrets = load_secrets(*store);
    if (!secrets) return app::fail(store_problem(secrets.error(), config));
    const auto identity =
        authority->make_server_identity({host_name(), "localhost"}, all_addresses(config), now);
    const auto tls = drivers::TlsContext::server(
        {.certificate_pem = identity.certificate_pem,
         .key_pem = identity.key_pem,
         .client_certificate = drivers::TlsServerConfig::ClientCertificate::Optional,
         .client_ca_pem = authority->certificate().pem()});
    if (!tls) {
        return app::fail({app::ExitCode::Other, "TLS cannot be set up", tls.error().text, "", ""});
    }
    Daemon daemon{config, loop, *store, *authority, *secrets, *tls};
    if (const auto started = daemon.start(); !started) return app::fail(started.error());
    drivers::Signals signals{loop, {SIGINT, SIGTERM}, [&](int) { loop.stop(); }};
    daemon.announce();
    loop.run();
    return 0;
}

}  // namespace stile::stiled
