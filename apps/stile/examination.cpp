// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "examination.hpp"

#include "home.hpp"

#include <stile/drivers/interfaces.hpp>
#include <stile/drivers/random.hpp>
#include <stile/nat_probe/unused_socket.hpp>

#include <algorithm>

namespace stile::peer {
namespace {

// Requests at 0, 0.3, 0.9 and 2.1 s; given up at 3.3 s.
constexpr stun::RetransmitSchedule relay_schedule{
    .rto = std::chrono::milliseconds{300}, .rc = 4, .rm = 4};
// For tests whose finding may be that no answer comes: given up at 1.2 s, six of them at most.
constexpr stun::RetransmitSchedule behavior_schedule{
    .rto = std::chrono::milliseconds{200}, .rc = 3, .rm = 3};
constexpr Duration stream_patience = std::chrono::seconds{4};
// A router that opens ports does so at once; UPnP has to be found first.
constexpr Duration mapping_patience = std::chrono::seconds{4};
constexpr Duration more_mappings_patience = std::chrono::milliseconds{1500};

constexpr Duration guess_delay = std::chrono::seconds{2};
constexpr Port stun_port{3478};  // RFC 8489 Section 8.1

const char* name_of(drivers::MappedBy by) {
    switch (by) {
        case drivers::MappedBy::Pcp:
            return "PCP";
        case drivers::MappedBy::NatPmp:
            return "NAT-PMP";
        case drivers::MappedBy::Upnp:
            return "UPnP";
    }
    return "";
}

}  // namespace

// One TLS handshake with the server, and no more.
struct Examination::TlsProbe {
    std::unique_ptr<drivers::TlsStream> stream;
    nat_probe::Reach reach;

    // On what dial() gave.
    void begin(drivers::Loop& loop,
               std::expected<std::unique_ptr<drivers::Stream>, app::Problem> dialled,
               const drivers::TlsClientConfig& config) {
        if (!dialled) {
            reach.failure =
                drivers::Closed{drivers::CloseReason::Failed, app::to_text(dialled.error())};
            return;
        }
        const auto context = drivers::TlsContext::client(config);
        if (!context) {
            reach.failure = drivers::Closed{drivers::CloseReason::Local, context.error().text};
            return;
        }
        stream = std::make_unique<drivers::TlsStream>(loop, *std::move(dialled), *context);
        stream->set_handlers({.on_open =
                                  [this, &loop, begun = loop.now()] {
                                      reach.took = loop.now() - begun;
                                      stream->close();
                                  },
                              .on_bytes = [](BytesView) {},
                              .on_end = {},
                              .on_writable = {},
                              .on_closed =
                                  [this](const drivers::Closed& closed) {
                                      if (!reach.took) reach.failure = closed;
                                  }});
    }
    bool done() const { return reach.took || reach.failure; }
};

Examination::Examination(drivers::Loop& loop, ExaminationConfig config)
    : loop_(loop),
      config_(std::move(config)),
      random_(drivers::random_seed()),
      resolver_(loop),
      nat64_(loop, resolver_),
      api_(loop),
      dialer_(loop),
      deadline_(loop, [this] { over_ = true; }),
      mapping_deadline_(loop,
                        [this] {
                            if (found_.gateway == nat_probe::NetworkFindings::Gateway::NotAsked) {
                                found_.gateway = nat_probe::NetworkFindings::Gateway::Silent;
                            }
                        }),
      guess_timer_(loop, [this] { guess_stun(); }) {
    deadline_.arm_after(patience);
    found_.wall_clock = loop_.wall_now();
    find_addresses();
    look_for_nat64();
    if (config_.account) find_server();
    for (const SocketAddress& server : config_.stun_servers) ask_stun(server);
    if (config_.scope == ExaminationConfig::Scope::Everything && port_mapping_wanted()) {
        ask_gateways();
    }
}

Examination::~Examination() = default;

bool Examination::done() const {
    const auto pending = [](const auto& probe) { return probe && !probe->done(); };
    const auto searching = [](const auto& probe) { return probe && !probe->findings(); };
    if (over_) return true;
    return asked_ == 0 && !pending(https_) && !pending(sips_) && !pending(relay_) &&
           !searching(tcp_) && !std::ranges::any_of(stream_relays_, pending) &&
           !std::ranges::any_of(udp_, searching) && !mapping_deadline_.deadline() &&
           !guess_timer_.deadline();
}

void Examination::stop(drivers::Task then) {
    over_ = true;
    if (!mappings_) return loop_.post(std::move(then));
    mappings_->stop(std::move(then));
}

void Examination::find_addresses() {
    const auto local = drivers::local_addresses();
    if (!local) return;
    for (const drivers::LocalAddress& address : *local) {
        const bool usable = !address.link_local && !address.deprecated &&
                            (!address.ip.is_loopback() || loopback_admitted()) &&
                            address.kind != drivers::InterfaceKind::Container;
        if (usable) found_.addresses.push_back(address.ip);
    }
}

void Examination::look_for_nat64() {
    if (found_.addresses.empty() || std::ranges::any_of(found_.addresses, &IpAddress::is_v4))
        return;
    ++asked_;
    nat64_.look([this] {
        --asked_;
        if (nat64_.prefix()) found_.nat64 = nat64_.prefix()->prefix();
    });
}

void Examination::find_server() {
    const Account& account = *config_.account;
    found_.server.emplace().name = account.server_host;
    found_.certificate_until = account.certificate().validity().not_after;
    // By a proxy it is reached even if its name is not known here.
    if (dialer_.is_proxied(account.server_host)) return reach_server();
    ++asked_;
    resolver_.addresses(account.server_host, [this](auto addresses) {
        --asked_;
        if (addresses && !addresses->empty()) {
            server_ip_ = addresses->front();
            guess_timer_.arm_after(guess_delay);
            return reach_server();
        }
        found_.server->not_found = app::Problem{
            app::ExitCode::NotFound, "The server " + found_.server->name + " is not found",
            addresses ? "the name has no address" : addresses.error().text, "",
            "check the name, and the network's DNS"};
    });
}

void Examination::reach_server() {
    const Account& account = *config_.account;
    if (config_.scope == ExaminationConfig::Scope::Everything) {
        // As the peer itself connects to them: server_api.cpp and signalling.cpp.
        shake_hands(https_, account.https_port,
                    {.host = account.server_host,
                     .ca_pem = account.ca_pem,
                     .certificate_pem = account.certificate_pem,
                     .key_pem = account.key_pem,
                     .handshake_timeout = stream_patience});
        shake_hands(sips_, account.sips_port,
                    {.host = account.domain,
                     .names = drivers::NameRules::Sip,
                     .ca_pem = account.ca_pem,
                     .certificate_pem = account.certificate_pem,
                     .key_pem = account.key_pem,
                     .handshake_timeout = stream_patience});
    }
    ask_access();
}

void Examination::shake_hands(std::unique_ptr<TlsProbe>& probe, Port port,
                              drivers::TlsClientConfig config) {
    probe = std::make_unique<TlsProbe>();
    dialer_.dial(config_.account->server_host, port, {.connect_timeout = stream_patience},
                 [this, &at = *probe, config = std::move(config)](auto stream) {
                     at.begin(loop_, std::move(stream), config);
                 });
}

void Examination::ask_access() {
    ++asked_;
    api_.relay_access(*config_.account, [this](auto access) {
        --asked_;
        if (!access) {
            found_.server->no_credentials = access.error();
            if (guess_timer_.deadline()) guess_stun();
            return;
        }
        guess_timer_.disarm();
        if (access->server_time) found_.clock_ahead = loop_.wall_now() - *access->server_time;
        for (const SocketAddress& server : access->stun_servers) ask_stun(server);
        for (const connect::TurnServer& server : access->turn_servers) {
            if (turn::is_stream(server.transport)) {
                ask_stream_relay(server);
            } else if (!relay_) {
                ask_relay(server);
            }
        }
    });
}

// A server that does not tell has its STUN where all have it, most likely: UDP is a question apart
// from whether HTTPS works.
void Examination::guess_stun() {
    guess_timer_.disarm();
    ask_stun({*server_ip_, stun_port});
}

std::optional<IpAddress> Examination::source_for(const SocketAddress& server) const {
    const auto source = drivers::source_address_for(server);
    return source ? std::optional{*source} : std::nullopt;
}

void Examination::ask_stun(const SocketAddress& server) {
    const auto local = source_for(server);
    const bool asked = std::ranges::find(udp_servers_, server) != udp_servers_.end();
    if (!local || asked || udp_.size() == connect::limits::most_servers) return;
    if (auto socket = nat_probe::open_unused_socket(loop_, random_, *local)) {
        udp_.push_back(std::make_unique<nat_probe::BehaviorProbe>(
            loop_, *std::move(socket), server, behavior_schedule, random_.fork()));
        udp_servers_.push_back(server);
    }
    if (tcp_ || config_.scope == ExaminationConfig::Scope::NatAlone) return;
    tcp_server_ = server;
    tcp_ = std::make_unique<nat_probe::ConnectionProbe>(
        loop_,
        nat_probe::ConnectionProbe::Config{
            .local = *local, .server = server, .patience = std::chrono::milliseconds{2500}},
        random_.fork());
}

void Examination::ask_relay(const connect::TurnServer& server) {
    const auto local = source_for(server.address);
    if (!local) return;
    auto socket = nat_probe::open_unused_socket(loop_, random_, *local);
    if (!socket) return;
    relay_ = std::make_unique<nat_probe::RelayProbe>(
        loop_, resolver_,
        nat_probe::RelayProbe::Config{.local = *local,
                                      .server = server.address,
                                      .username = server.username,
                                      .password = server.password,
                                      .schedule = relay_schedule},
        *std::move(socket), random_.fork());
}

void Examination::ask_stream_relay(const connect::TurnServer& server) {
    if (config_.scope == ExaminationConfig::Scope::NatAlone) return;
    if (dialer_.is_proxied(server.address.ip.to_string())) {
        if (found_.server->stream_relay) return;
        found_.server->stream_relay = {
            .server = server.address,
            .transport = server.transport,
            .way = nat_probe::NetworkFindings::StreamRelay::Way::ByProxy};
        return;
    }
    if (stream_relays_.size() == connect::limits::most_turn_servers) return;
    stream_relays_.push_back(std::make_unique<nat_probe::StreamRelayProbe>(
        loop_, resolver_, server, config_.account->ca_pem));
}

// A port of each kind that a session would want to be reached at. Nobody connects to them.
void Examination::ask_gateways() {
    mappings_ = std::make_unique<drivers::PortMappings>(
        loop_, drivers::PortMappingsOptions{},
        drivers::PortMappings::Handlers{
            .on_mapped = [this](const drivers::MappedPort& mapped) { note_mapped(mapped); },
            .on_lost = {}});
    for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
        const auto local = std::ranges::find_if(found_.addresses, [&](const IpAddress& ip) {
            return ip.family() == family && !ip.is_loopback();
        });
        if (local == found_.addresses.end()) continue;
        auto socket = nat_probe::open_unused_socket(loop_, random_, *local);
        if (!socket) continue;
        mapped_sockets_.push_back(*std::move(socket));
        mappings_->map(mapped_sockets_.back()->local_address());
        if (family == AddressFamily::V6) continue;
        auto listener = drivers::TcpListener::open(loop_, {*local, Port{0}}, [](auto) {});
        if (!listener) continue;
        mapped_listener_ = *std::move(listener);
        mappings_->map(mapped_listener_->local_address(), portmap::Protocol::Tcp);
    }
    if (!mapped_sockets_.empty()) mapping_deadline_.arm_after(mapping_patience);
}

void Examination::note_mapped(const drivers::MappedPort& mapped) {
    using Mapping = nat_probe::NetworkFindings::PortMapping;
    found_.gateway = nat_probe::NetworkFindings::Gateway::Maps;
    const auto protocol =
        mapped.protocol == portmap::Protocol::Udp ? Mapping::Protocol::Udp : Mapping::Protocol::Tcp;
    auto& known = found_.port_mappings;
    std::erase_if(known, [&](const Mapping& other) {
        return other.protocol == protocol &&
               other.external.ip.family() == mapped.external.ip.family();
    });
    known.push_back({.by = name_of(mapped.by),
                     .external = mapped.external,
                     .protocol = protocol,
                     .effect = mapped.external == mapped.socket ? Mapping::Effect::LetsThrough
                                                                : Mapping::Effect::Forwards});
    // The others come at once, or by the slower UPnP; a router that knows one of them only is not
    // waited for to the end.
    const std::size_t wanted = mapped_sockets_.size() + (mapped_listener_ ? 1 : 0);
    if (known.size() == wanted) return mapping_deadline_.disarm();
    const Instant soon = loop_.now() + more_mappings_patience;
    if (mapping_deadline_.deadline() && *mapping_deadline_.deadline() > soon) {
        mapping_deadline_.arm(soon);
    }
}

nat_probe::NetworkFindings Examination::findings() const {
    nat_probe::NetworkFindings found = found_;
    for (std::size_t i = 0; i < udp_.size(); ++i) {
        auto& udp = found.udp.emplace_back();
        udp.server = udp_servers_[i];
        udp.local = udp_[i]->local();
        const auto& findings = udp_[i]->findings();
        if (!findings) continue;
        udp.mapped = findings->mapped;
        udp.round_trip = findings->round_trip;
        if (!udp.mapped || !udp.mapped->ip.is_v4()) continue;
        if (findings->mapping) found.nat.mapping_is(*findings->mapping);
        if (findings->filtering) found.nat.filtering_is(*findings->filtering);
        if (*udp.mapped == udp.local) {
            found.nat.mapping_is(stun::MappingBehavior::EndpointIndependent);
        }
    }
    if (tcp_) {
        auto& tcp = found.tcp.emplace();
        tcp.server = tcp_server_;
        tcp.local = tcp_->local();
        if (const auto& findings = tcp_->findings()) {
            tcp.mapped = findings->mapped;
            tcp.mapping = findings->mapping;
        }
        tcp.failure = tcp_->closed();
    }
    // The first that works, else what is wrong with the last.
    for (const auto& probe : stream_relays_) {
        auto& told = found.server->stream_relay;
        if (!told || !told->took) told = probe->findings();
    }
    if (found.server) {
        if (https_) found.server->https = https_->reach;
        if (sips_) found.server->sips = sips_->reach;
        if (relay_) {
            found.server->relay = relay_->findings();
            learn(relay_->findings(), found.nat);
        }
    }
    return found;
}

}  // namespace stile::peer
