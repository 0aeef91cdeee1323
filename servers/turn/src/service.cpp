// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn_server/service.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/machine.hpp>
#include <stile/stun/binding_responder.hpp>

#include <utility>

namespace stile::turn_server {

static_assert(Machine<Service>);

namespace {

HashSeed make_seed(crypto::RandomStream& random) {
    const std::uint64_t k0 = random.u64();
    return {.k0 = k0, .k1 = random.u64()};
}

bool deny_all(turn::PeerPolicy& policy, const std::vector<IpAddress>& addresses) {
    for (const IpAddress& address : addresses) {
        if (!policy.deny_own(address)) return false;
    }
    return true;
}

turn::ServerConfig with_own_addresses(ServiceConfig& config) {
    STILE_ASSERT(config.own_addresses.size() <= most_own_addresses);
    const bool denied = deny_all(config.relay.peers, config.own_addresses);
    STILE_ASSERT(denied);
    return std::move(config.relay);
}

std::vector<stun::BehaviorServer> make_discovery(const std::vector<DiscoveryAddresses>& all) {
    STILE_ASSERT(all.size() <= most_discovery_addresses);
    std::vector<stun::BehaviorServer> servers;
    for (const DiscoveryAddresses& each : all) {
        stun::BehaviorServer server{.primary = each.primary.ip,
                                    .alternate = {},
                                    .primary_port = each.primary.port,
                                    .alternate_port = {},
                                    .software = {}};
        if (each.alternate) {
            STILE_ASSERT(each.alternate->ip.family() == each.primary.ip.family());
            STILE_ASSERT(each.alternate->ip != each.primary.ip);
            STILE_ASSERT(each.alternate->port != each.primary.port);
            server.alternate = each.alternate->ip;
            server.alternate_port = each.alternate->port;
        }
        servers.push_back(server);
    }
    return servers;
}

// Of the STUN messages only requests are answered at once; data passes without a second parse.
bool is_request(BytesView message) {
    constexpr std::byte class_bits_high{0x01};
    constexpr std::byte class_bits_low{0x10};
    return message.size() >= stun::header_octets && (message[0] >> 6U) == std::byte{0} &&
           (message[0] & class_bits_high) == std::byte{0} &&
           (message[1] & class_bits_low) == std::byte{0};
}

// A success response to Allocate.
bool is_allocated(BytesView message) {
    return message.size() >= stun::header_octets && message[0] == std::byte{0x01} &&
           message[1] == std::byte{0x03};
}

}  // namespace

Service::Service(Instant now, WallTime wall, ServiceConfig config, crypto::RandomStream random)
    : own_addresses_(config.own_addresses),
      binding_(config.binding),
      software_(config.relay.authentication.software),
      discovery_(make_discovery(config.discovery)),
      limiter_(now, config.replies, make_seed(random)),
      core_(now, wall, with_own_addresses(config), std::move(random)) {}

std::optional<turn::Relayed> Service::handle_client(Instant now, const turn::ClientFlow& flow,
                                                    BytesView message) {
    if (!is_request(message)) {
        auto relayed = core_.handle_client(now, flow, message);
        collect(now, Charged::NotYet);
        return relayed;
    }
    // Classic clients may ask for their address, RFC 8489 Section 11; TURN is younger than they.
    const auto request = stun::MessageView::parse(message, stun::MagicCookie::Optional);
    if (!request) return std::nullopt;
    if (request->method() == stun::Method::Binding) {
        answer_binding(now, flow, *request);
        return std::nullopt;
    }
    if (request->dialect() == stun::Dialect::Rfc3489) return std::nullopt;
    // Without integrity there can be only one answer: not even its computation is for free.
    Charged charged = Charged::NotYet;
    if (!stun::strongest_integrity(*request)) {
        if (!may_answer(now, flow)) return std::nullopt;
        charged = Charged::Already;
    }
    auto relayed = core_.handle_client(now, flow, message);
    collect(now, charged);
    return relayed;
}

std::optional<turn::ToClient> Service::handle_peer(Instant now, turn::RelayId relay,
                                                   const SocketAddress& peer, BytesView payload) {
    return core_.handle_peer(now, relay, peer, payload);
}

void Service::handle_icmp(Instant now, turn::RelayId relay, const SocketAddress& peer,
                          stun::Icmp icmp) {
    core_.handle_icmp(now, relay, peer, icmp);
    collect(now, Charged::NotYet);
}

void Service::handle_relay_opened(Instant now, turn::RelayId relay, const SocketAddress& relayed) {
    core_.handle_relay_opened(now, relay, relayed);
    collect(now, Charged::NotYet);
}

void Service::handle_relay_failed(Instant now, turn::RelayId relay) {
    core_.handle_relay_failed(now, relay);
    collect(now, Charged::NotYet);
}

void Service::handle_client_gone(Instant now, const turn::ClientFlow& flow) {
    core_.handle_client_gone(now, flow);
    collect(now, Charged::NotYet);
}

void Service::handle_connection_opened(Instant now, turn::ConnectionId connection) {
    core_.handle_connection_opened(now, connection);
    collect(now, Charged::NotYet);
}

void Service::handle_connection_failed(Instant now, turn::ConnectionId connection,
                                       turn::ConnectionFailure why) {
    core_.handle_connection_failed(now, connection, why);
    collect(now, Charged::NotYet);
}

std::optional<turn::ConnectionId> Service::handle_peer_accepted(Instant now, turn::RelayId relay,
                                                                const SocketAddress& peer) {
    const auto connection = core_.handle_peer_accepted(now, relay, peer);
    collect(now, Charged::NotYet);
    return connection;
}

void Service::handle_connection_gone(Instant now, turn::ConnectionId connection) {
    core_.handle_connection_gone(now, connection);
    collect(now, Charged::NotYet);
}

void Service::handle_timeout(Instant now) {
    core_.handle_timeout(now);
    collect(now, Charged::NotYet);
}

bool Service::set_peer_policy(turn::PeerPolicy policy) {
    if (!deny_all(policy, own_addresses_)) return false;
    core_.set_peer_policy(std::move(policy));
    return true;
}

void Service::answer_binding(Instant now, const turn::ClientFlow& flow,
                             const stun::MessageView& request) {
    if (binding_ == turn::Offer::NotOffered) return;
    if (stun::check_fingerprint(request) == stun::Fingerprint::Wrong) return;
    if (!may_answer(now, flow)) return;
    if (auto answer = binding_answer(flow, request)) {
        ++counters_.binding_answers;
        queue_to_stranger(now, answer->flow, std::move(answer->message));
    }
}

std::optional<Service::Answer> Service::binding_answer(const turn::ClientFlow& flow,
                                                       const stun::MessageView& request) const {
    const Path path{.local = flow.local, .remote = flow.remote};
    for (stun::BehaviorServer server : discovery_) {
        server.software = software_;
        if (flow.transport != turn::ClientTransport::Udp) {
            if (auto answer = server.respond_on_connection(request, path)) {
                return Answer{.flow = flow, .message = std::move(*answer)};
            }
        } else if (auto answer = server.respond(request, path)) {
            return Answer{.flow = {.local = answer->path.local,
                                   .remote = answer->path.remote,
                                   .transport = flow.transport},
                          .message = std::move(answer->response)};
        }
    }
    auto answer = stun::respond_to_binding(request, flow.remote, software_);
    if (!answer) return std::nullopt;
    return Answer{.flow = flow, .message = std::move(*answer)};
}

bool Service::may_answer(Instant now, const turn::ClientFlow& flow) {
    if (limiter_.judge(now, flow.remote.ip) == ReplyLimiter::Verdict::Answer) return true;
    ++counters_.strangers_silenced;
    return false;
}

void Service::collect(Instant now, Charged charged) {
    while (const auto transmit = core_.poll_transmit()) {
        if (transmit->trust == turn::Server::Trust::Unauthenticated) {
            if (charged == Charged::NotYet && !may_answer(now, transmit->flow)) continue;
            ++counters_.strangers_answered;
            queue_to_stranger(now, transmit->flow, to_bytes(transmit->message));
        } else {
            // Its challenge has reached who asked: many users behind one address are no strangers.
            if (is_allocated(transmit->message)) limiter_.put_back(now, transmit->flow.remote.ip);
            queue(transmit->flow, to_bytes(transmit->message));
        }
    }
}

void Service::queue_to_stranger(Instant now, const turn::ClientFlow& flow, Bytes message) {
    limiter_.charge(now, message.size());
    queue(flow, std::move(message));
}

void Service::reconfigure(Instant now, ServiceConfig config) {
    own_addresses_ = config.own_addresses;
    binding_ = config.binding;
    software_ = config.relay.authentication.software;
    discovery_ = make_discovery(config.discovery);
    limiter_.set_limits(now, config.replies);
    core_.reconfigure(with_own_addresses(config));
}

void Service::queue(const turn::ClientFlow& flow, Bytes message) {
    if (answers_.size() == most_queued_answers) {
        ++counters_.answers_dropped;
        return;
    }
    answers_.push_back({.flow = flow, .message = std::move(message)});
}

std::optional<Service::Transmit> Service::poll_transmit() {
    if (answers_.empty()) return std::nullopt;
    const turn::ClientFlow flow = answers_.front().flow;
    polled_ = std::move(answers_.front().message);
    answers_.pop_front();
    return Transmit{.flow = flow, .message = polled_};
}

}  // namespace stile::turn_server
