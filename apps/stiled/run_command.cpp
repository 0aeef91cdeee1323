// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "addresses.hpp"
#include "authority.hpp"
#include "daemon.hpp"
#include "login_service.hpp"
#include "relay_setup.hpp"
#include "sip_service.hpp"
#include "stream_bridge.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/try.hpp>
#include <stile/relay/prepare.hpp>
#include <stile/relay/self_check.hpp>

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
            for (const IpAddress& machine : relay::machine_addresses()) {
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
    std::vector<IpAddress> addresses = relay::machine_addresses();
    addresses.insert(addresses.end(), config.public_address.begin(), config.public_address.end());
    return addresses;
}

// The services of one domain on one loop.
class Daemon {
public:
    Daemon(const Config& config, const std::string& config_file, drivers::Loop& loop,
           drivers::ServerStore& store, const Authority& authority, const Secrets& secrets,
           const Authority::ServerIdentity& identity, const drivers::TlsContext& tls)
        : config_(config),
          config_file_(config_file),
          loop_(loop),
          store_(store),
          authority_(authority),
          secrets_(secrets),
          identity_(identity),
          tls_(tls),
          sip_(loop, store,
               {.domain = config.domain,
                .addresses = own_addresses(config),
                .flow_key = secrets.sip_flow,
                .nonce_key = secrets.sip_nonce,
                .plain_compatible = config.plain_compatible},
               tls) {}
    // The bridges' streams live on the relay's threads.
    ~Daemon() { bridges_.close(); }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    void reload() {
        const auto done = relay_->reload();
        fmt::print(stderr, "{}\n",
                   done ? "Reloaded"
                        : "The new configuration is refused, the old one stays:\n" + done.error());
    }

    std::expected<void, app::Problem> start() {
        if (const auto loaded = sip_.load_bindings(); !loaded) {
            return std::unexpected(store_problem(loaded.error(), config_));
        }
        const Config::Listen& listen = config_.listen;
        if (const auto started = start_relay(); !started) return started;
        sip_udp_ = STILE_TRY(listen_all("SIP over UDP", listen.sip,
                                        [this](const auto& at) { return sip_.listen_udp(at); }));
        STILE_TRY(listen_all("SIP over TCP", listen.sip,
                             [this](const auto& at) { return sip_.listen_tcp(at); }));
        sips_ = STILE_TRY(listen_all("SIP over TLS", listen.sips,
                                     [this](const auto& at) { return sip_.listen_tls(at); }));
        // The relay's threads hand over HTTPS only through the loop, which does not run yet.
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
        if (!turns_.empty()) print_addresses("turns", turns_);
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
    RelayFacts relay_facts() const {
        RelayFacts facts{.secret = to_hex(secrets_.relay),
                         .nonce_key = {},
                         .certificate_pem = identity_.certificate_pem,
                         .key_pem = identity_.key_pem};
        std::ranges::copy(secrets_.relay_nonce, facts.nonce_key.begin());
        return facts;
    }

    std::expected<void, app::Problem> start_relay() {
        const auto state = STILE_TRY(relay::StateFolder::open(state_directory(config_)));
        auto prepared = STILE_TRY(prepare_relay(config_, store_, state, relay_facts()));
        // Several sockets share a port, so a second server would not notice the first.
        for (const relay::Finding& finding : relay::self_check(
                 prepared.file, prepared.settings, relay::Ports::Probe, loop_.wall_now())) {
            if (finding.weight != relay::Finding::Weight::Fatal) continue;
            app::Problem problem = finding.problem;
            problem.evidence = problem.what;
            problem.what = "TURN cannot listen";
            problem.fix += "; another server may be there already: choose other ports";
            return std::unexpected(problem);
        }
        const auto load = [this, state]() -> std::expected<relay::Prepared, std::string> {
            const auto config = load_config(config_file_);
            if (!config) return std::unexpected(config.error());
            if (const auto key = fixed_difference(config_, *config); !key.empty()) {
                return std::unexpected(fmt::format(
                    "cannot change {}: the server runs; stop and start it to change it", key));
            }
            auto fresh = prepare_relay(*config, store_, state, relay_facts());
            if (!fresh) return std::unexpected(app::to_text(fresh.error()));
            return *std::move(fresh);
        };
        const auto on_https = [this](drivers::Loop& loop, std::unique_ptr<drivers::Stream> stream,
                                     Bytes first) {
            auto end = std::make_shared<drivers::FileDescriptor>(
                bridges_.carry(loop, std::move(stream), std::move(first)));
            loop_.post([this, end] {
                if (end->valid()) login_->serve(std::move(*end));
            });
        };
        relay_ = STILE_TRY(relay::Operation::start(
            loop_, state,
            {.prepared = prepared,
             .version = "0.1.0",
             .on_https = on_https,
             .handover = {},
             .may_serve = {}},
            {.load = load,
             .on_drained = {},
             .on_command = {},
             .graceful_restart = {},
             .log = [](std::string_view line) { fmt::print(stderr, "{}\n", line); }}));
        const auto listening = relay_->relay().listening();
        for (std::size_t i = 0; i < listening.size(); ++i) {
            const auto kind = prepared.settings.listeners.at(i).kind;
            if (kind == relay::ListenerKind::Udp) turn_.push_back(listening.at(i));
            if (kind == relay::ListenerKind::Tcp) turn_tcp_.push_back(listening.at(i));
            if (kind == relay::ListenerKind::Tls) turns_.push_back(listening.at(i));
        }
        return {};
    }

    LoginService::Facts login_facts() const {
        LoginService::Facts facts{.domain = config_.domain,
                                  .sips_port = sips_.empty() ? Port{} : sips_.front().port,
                                  .relay = {},
                                  .relay_secret = to_hex(secrets_.relay)};
        using enum turn::ClientTransport;
        for (const auto& [transport, listening] :
             {std::pair{Udp, &turn_}, std::pair{Tcp, &turn_tcp_}, std::pair{Tls, &turns_}}) {
            if (listening->empty()) continue;
            if (!config_.public_address.empty()) {
                for (const SocketAddress& address : *listening) {
                    const SocketAddress outside = reachable_address({address}, config_);
                    if (!outside.ip.is_unspecified()) facts.relay.push_back({transport, outside});
                }
                continue;
            }
            for (const SocketAddress& address : *listening) {
                facts.relay.push_back({transport, address});
            }
        }
        return facts;
    }

    const Config& config_;
    const std::string& config_file_;
    drivers::Loop& loop_;
    drivers::ServerStore& store_;
    const Authority& authority_;
    const Secrets& secrets_;
    const Authority::ServerIdentity& identity_;
    const drivers::TlsContext& tls_;
    SipService sip_;
    std::unique_ptr<LoginService> login_;
    StreamBridges bridges_;
    std::unique_ptr<relay::Operation> relay_;
    std::vector<SocketAddress> turn_;  // UDP
    std::vector<SocketAddress> turn_tcp_;
    std::vector<SocketAddress> turns_;  // TLS
    std::vector<SocketAddress> sip_udp_;
    std::vector<SocketAddress> sips_;
    std::vector<SocketAddress> https_;
};

}  // namespace

int run(const Config& config, const std::string& config_file) {
    relay::raise_descriptor_limit();
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
    Daemon daemon{config, config_file, loop, *store, *authority, *secrets, identity, *tls};
    if (const auto started = daemon.start(); !started) return app::fail(started.error());
    drivers::Signals signals{loop, {SIGINT, SIGTERM, SIGHUP}, [&](int number) {
                                 if (number == SIGHUP) return daemon.reload();
                                 loop.stop();
                             }};
    daemon.announce();
    loop.run();
    return 0;
}

}  // namespace stile::stiled
