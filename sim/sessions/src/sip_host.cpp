// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/sessions/sip_host.hpp>

namespace stile::sim {
namespace {

constexpr Port sips_port{5061};

sip::SentBy own_name() {
    return {.host = sip::Host::parse("sip.example.org").value(), .port = sips_port};
}

sip_server::ServerConfig server_config() {
    sip_server::ServerConfig config;
    config.own.domains = {"example.org"};
    config.own.addresses = {own_name()};
    config.realm = "example.org";
    config.flow_key = Bytes(20, std::byte{7});
    config.nonce_key = Bytes(20, std::byte{8});
    config.epoch = {1};
    return config;
}

}  // namespace

SipHost::SipHost(World& world, const Scene& scene, std::uint64_t seed)
    : world_(world), address_{scene.server_sockets.front().ip, sips_port} {
    world_.listen(scene.server, address_);
    server_.emplace(world_.now(), WallTime{std::chrono::seconds{1'800'000'000}}, server_config(),
                    crypto::RandomStream{crypto::seed_from_number(seed)});
}

void SipHost::handle(const StreamAccepted& accepted, HostId client) {
    if (!server_) {
        world_.close(accepted.stream, StreamEnd::Server);
        return;
    }
    const sip::FlowId flow = flow_of(accepted.stream);
    framers_.emplace(flow, sip::StreamFramer{sip::FlowSide::Accepted});
    server_->handle_flow_opened(world_.now(),
                                {.id = flow,
                                 .transport = sip::TransportKind::Tls,
                                 .remote = accepted.path.remote,
                                 .sent_by = own_name()},
                                owners_.at(client));
    flush();
}

void SipHost::handle(const StreamArrived& arrived) {
    const sip::FlowId flow = flow_of(arrived.stream);
    const auto framer = framers_.find(flow);
    if (!server_ || framer == framers_.end()) return;
    BytesView rest{arrived.octets};
    for (;;) {
        rest = rest.subspan(framer->second.feed(rest));
        auto event = framer->second.poll_event();
        if (!event) break;
        if (auto* const message = std::get_if<sip::Message>(&*event)) {
            server_->handle_message(world_.now(), flow, std::move(*message));
        } else if (std::holds_alternative<sip::PingReceived>(*event)) {
            server_->handle_ping(world_.now(), flow);
        } else if (const auto* const broken = std::get_if<sip::StreamBroken>(&*event)) {
            server_->handle_parse_failure(world_.now(), flow, broken->failure);
            world_.close(arrived.stream, StreamEnd::Server);
        }
    }
    flush();
}

void SipHost::handle(const StreamClosed& closed) {
    framers_.erase(flow_of(closed.stream));
    if (!server_) return;
    server_->handle_flow_closed(world_.now(), flow_of(closed.stream));
    flush();
}

void SipHost::handle_timeout() {
    if (!server_) return;
    server_->handle_timeout(world_.now());
    flush();
}

std::optional<Instant> SipHost::poll_timeout() const {
    return server_ ? server_->poll_timeout() : std::nullopt;
}

void SipHost::stop() {
    server_.reset();
    for (const auto& [flow, framer] : framers_) world_.close(stream_of(flow), StreamEnd::Server);
    framers_.clear();
}

void SipHost::flush() {
    for (;;) {
        if (const auto outgoing = server_->poll_transmit()) {
            world_.send(stream_of(outgoing->flow), StreamEnd::Server, outgoing->bytes);
        } else if (const auto event = server_->poll_event()) {
            answer(*event);
        } else {
            return;
        }
    }
}

void SipHost::answer(const sip_server::Server::Event& event) {
    using Server = sip_server::Server;
    const Instant now = world_.now();
    if (const auto* const account = std::get_if<Server::AccountWanted>(&event)) {
        std::optional<sip_server::AccountRecord> record;
        if (accounts_.contains(account->user)) record = {.user = account->user};
        server_->handle_account(now, account->query, std::move(record));
    } else if (const auto* const persist = std::get_if<Server::PersistBindings>(&event)) {
        server_->handle_persisted(now, persist->batch, sip_server::PersistResult::Written);
    } else if (const auto* const route = std::get_if<Server::RouteWanted>(&event)) {
        server_->handle_route(now, route->query, std::nullopt);
    }
}

}  // namespace stile::sim
