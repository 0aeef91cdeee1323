// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/server.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/machine.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/message_builder.hpp>

#include <algorithm>
#include <utility>

namespace stile::turn {

static_assert(Machine<Server>);

namespace {

using stun::AttributeType;
namespace error = stun::error;

HashSeed make_seed(crypto::RandomStream& random) {
    const std::uint64_t k0 = random.u64();
    return {.k0 = k0, .k1 = random.u64()};
}

bool is_turn_request(stun::Method method) {
    return method == stun::Method::Allocate || method == stun::Method::Refresh ||
           method == stun::Method::CreatePermission || method == stun::Method::ChannelBind ||
           method == stun::Method::Connect || method == stun::Method::ConnectionBind;
}

crypto::AesGcm make_ticket_key(BytesView nonce_key) {
    const crypto::Hmac mac{crypto::DigestAlgorithm::Sha256, nonce_key};
    const crypto::Digest key = mac.tag(as_bytes("mobility ticket"));
    return crypto::AesGcm{key.bytes()};
}

void check_limits(const ServerConfig& config) {
    STILE_ASSERT(config.allocations <= most_allocations);
    STILE_ASSERT(config.permissions <= most_permissions);
    STILE_ASSERT(config.channels <= most_channels);
    STILE_ASSERT(config.connections <= most_connections);
    STILE_ASSERT(config.longest_lifetime >= default_lifetime);
    STILE_ASSERT(config.longest_lifetime <= most_lifetime);
}

}  // namespace

Server::Server(Instant now, WallTime wall, ServerConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      authenticator_(config_.authentication),
      credentials_(config_.authentication.realm),
      random_(std::move(random)),
      nobody_(stun::IntegrityKey::from_octets(random_.array<32>())),
      ticket_key_(make_ticket_key(config_.authentication.nonce_key)),
      table_(make_seed(random_)),
      connections_(config_.shard, random_.u32()),
      clock_instant_(now),
      clock_wall_(wall) {
    check_limits(config_);
}

std::optional<Relayed> Server::handle_client(Instant now, const ClientFlow& flow,
                                             BytesView message) {
    if (looks_like_channel_data(message, config_.channel_range)) {
        return relay_channel_data(now, flow, message);
    }
    return handle_stun(now, flow, message);
}

std::optional<Relayed> Server::handle_stun(Instant now, const ClientFlow& flow, BytesView message) {
    const auto parsed = stun::MessageView::parse(message);
    if (!parsed || stun::check_fingerprint(*parsed) == stun::Fingerprint::Wrong) {
        drop(DropReason::Malformed);
        return std::nullopt;
    }
    // Classes and methods that make no sense together are discarded. RFC 8489 Section 6.3.
    if (parsed->message_class() == stun::Class::Indication &&
        parsed->method() == stun::Method::Send) {
        return relay_send(now, flow, *parsed);
    }
    if (parsed->message_class() == stun::Class::Request && is_turn_request(parsed->method())) {
        handle_request(now, flow, *parsed);
    } else {
        drop(DropReason::Malformed);
    }
    return std::nullopt;
}

void Server::handle_request(Instant now, const ClientFlow& flow, const stun::MessageView& request) {
    if (request.method() == stun::Method::Allocate) {
        // A retransmission: nothing is checked again. RFC 8656 Section 7.2, last note.
        const Allocation* known = table_.find(flow);
        if (known != nullptr && known->created_by == request.id()) {
            if (known->pending) return;
            if (!known->answer.empty()) return queue(flow, known->answer, Trust::Authenticated);
        }
    }
    auto verified = authenticate(now, flow, request);
    if (!verified) return;
    if (PeerPolicy::is_tunnelled(flow.remote.ip)) return refuse(*verified, error::forbidden);
    const auto unknown = request.unknown_required(
        {AttributeType::ChannelNumber, AttributeType::Lifetime, AttributeType::XorPeerAddress,
         AttributeType::Data, AttributeType::RequestedAddressFamily, AttributeType::EvenPort,
         AttributeType::RequestedTransport, AttributeType::DontFragment,
         AttributeType::ReservationToken, AttributeType::ConnectionId, AttributeType::AccessToken});
    if (!unknown.empty()) return refuse_unknown(*verified, unknown);
    if (request.method() == stun::Method::Allocate) return handle_allocate(now, *verified);
    if (request.method() == stun::Method::ConnectionBind) {
        return handle_connection_bind(now, *verified);
    }
    const auto ticket = request.get<stun::MobilityTicket>();
    if (request.method() == stun::Method::Refresh && ticket) {
        return handle_moving_refresh(now, *verified, ticket->octets);
    }
    handle_allocation_request(now, *verified);
}

void Server::handle_allocation_request(Instant now, const Verified& verified) {
    Allocation* allocation = table_.find(verified.flow);
    if (allocation == nullptr || allocation->pending) {
        return refuse(verified, error::allocation_mismatch);
    }
    // Token keys are exchanged while allocations live: a token that renews one may be of another
    // key.
    const bool renews = verified.token && allocation->token != nullptr;
    if (allocation->username != verified.username && !renews) {
        return refuse(verified, error::wrong_credentials);
    }
    // The client goes on, so it has the answer.
    allocation->answer = Bytes{};
    const stun::Method method = verified.request.method();
    if (method == stun::Method::Refresh) {
        refresh(now, verified, *allocation, Client::Stays);
    } else if (method == stun::Method::CreatePermission) {
        handle_create_permission(now, verified, *allocation);
    } else if (method == stun::Method::ChannelBind) {
        handle_channel_bind(now, verified, *allocation);
    } else {
        handle_connect(now, verified, *allocation);
    }
}

void Server::refresh(Instant now, const Verified& verified, Allocation& allocation, Client client) {
    const auto family = verified.request.get<stun::RequestedAddressFamily>();
    const auto lifetime = verified.request.get<stun::Lifetime>();
    if ((!family && family.error() == stun::AttributeError::Malformed) ||
        (!lifetime && lifetime.error() == stun::AttributeError::Malformed)) {
        return refuse(verified, error::bad_request);
    }
    if (family && !allocation.relay_of(family->family)) {
        return refuse(verified, error::peer_family_mismatch);
    }
    const bool deletes = lifetime && lifetime->value == std::chrono::seconds{0};
    const Duration desired =
        deletes ? Duration::zero()
                : lifetime_for(now, verified,
                               lifetime ? std::optional<Duration>{lifetime->value} : std::nullopt);
    if (verified.token) {
        allocation.token = std::make_unique<TokenSession>(*verified.token);
        allocation.username = verified.username;
    }
    auto builder = reply(verified, stun::Class::SuccessResponse);
    builder.add(stun::Lifetime{std::chrono::duration_cast<std::chrono::seconds>(desired)});
    if (client == Client::Moves && !deletes) {
        table_.begin_move(allocation, verified.flow);
        Mobility& mobility = *allocation.mobility;
        ++mobility.serial;
        mobility.moved_by = verified.request.id();
        mobility.moved_at = now;
        const Bytes ticket = make_ticket(mobility);
        builder.add(stun::MobilityTicket{ticket});
        mobility.answer = seal(verified, std::move(builder));
        queue(verified.flow, mobility.answer, Trust::Authenticated);
    } else {
        answer(verified, std::move(builder));
    }
    for (const AddressFamily each : both_families) {
        const auto index = allocation.relay_of(each);
        if (!index || (family && family->family != each)) continue;
        Relay& relay = table_.relay_at(*index);
        // The allocation itself goes with its last relay, and is not touched after that.
        const bool last =
            !allocation.relay_of(AddressFamily::V4) || !allocation.relay_of(AddressFamily::V6);
        if (!deletes) {
            table_.set_deadline(relay, now + desired);
            continue;
        }
        close_relay(now, relay, EndReason::Released);
        if (last) return;
    }
}

void Server::handle_create_permission(Instant now, const Verified& verified,
                                      Allocation& allocation) {
    std::vector<IpAddress> peers;
    for (const stun::AttributeView attribute : verified.request.attributes()) {
        if (attribute.type != AttributeType::XorPeerAddress) continue;
        const auto peer = stun::XorPeerAddress::decode(attribute.value, verified.request.id());
        if (!peer) return refuse(verified, error::bad_request);
        peers.push_back(peer->address.ip);
    }
    if (peers.empty()) return refuse(verified, error::bad_request);
    std::ranges::sort(peers);
    peers.erase(std::ranges::unique(peers).begin(), peers.end());
    if (peers.size() > most_peers_in_request) return refuse(verified, error::insufficient_capacity);
    for (const IpAddress& peer : peers) {
        if (!allocation.relay_of(peer.family())) {
            return refuse(verified, error::peer_family_mismatch);
        }
    }
    for (const IpAddress& peer : peers) {
        if (judge_peer(peer) == Standing::Forbidden) return refuse(verified, error::forbidden);
    }
    // All or none: a request that is refused leaves nothing behind.
    if (!table_.has_room_for(allocation, peers, now, config_.permissions) ||
        !take_new_peers(now, allocation, peers)) {
        return refuse(verified, error::insufficient_capacity);
    }
    for (const IpAddress& peer : peers) {
        table_.install_permission(allocation, peer, now);
        offer_channels(now, allocation, peer);
    }
    answer(verified, reply(verified, stun::Class::SuccessResponse));
}

void Server::handle_channel_bind(Instant now, const Verified& verified, Allocation& allocation) {
    const auto number = verified.request.get<stun::ChannelNumberAttribute>();
    const auto peer = verified.request.get<stun::XorPeerAddress>();
    if (!number || !peer || !ChannelNumber{number->number}.is_valid(config_.channel_range) ||
        allocation.protocol == RelayProtocol::Tcp) {
        return refuse(verified, error::bad_request);
    }
    if (!allocation.relay_of(peer->address.ip.family())) {
        return refuse(verified, error::peer_family_mismatch);
    }
    if (judge_peer(peer->address) == Standing::Forbidden) {
        return refuse(verified, error::forbidden);
    }
    // As above.
    const std::span peers{&peer->address.ip, 1};
    const auto outcome =
        table_.prepare_channel(allocation, {number->number}, peer->address, now, config_.channels);
    tell_withdrawn();
    if (outcome == AllocationTable::Bound::Conflict) return refuse(verified, error::bad_request);
    if (outcome == AllocationTable::Bound::Full ||
        !table_.has_room_for(allocation, peers, now, config_.permissions) ||
        !take_new_peers(now, allocation, peers)) {
        return refuse(verified, error::insufficient_capacity);
    }
    table_.install_permission(allocation, peer->address.ip, now);
    table_.bind_channel(allocation, {number->number}, peer->address, now);
    answer(verified, reply(verified, stun::Class::SuccessResponse));
    offer_channels(now, allocation, peer->address.ip);
}

bool Server::is_relay_address(const IpAddress& ip) const {
    return table_.is_relay_address(ip) ||
           (config_.directory != nullptr && config_.directory->is_relay_address(ip));
}

// A relayed address of this host is a peer like any other, relayed in process or between shards;
// everything else goes by the policy.
Server::Standing Server::judge_peer(const IpAddress& peer) const {
    if (is_relay_address(peer)) return Standing::Allowed;
    return config_.peers.judge(peer) == PeerPolicy::Verdict::Allowed ? Standing::Allowed
                                                                     : Standing::Forbidden;
}

Server::Standing Server::judge_peer(const SocketAddress& peer, RelayProtocol protocol) {
    if (is_relay_address(peer.ip)) {
        const bool live =
            table_.find_open(peer, protocol) != nullptr ||
            (config_.directory != nullptr && config_.directory->contains(peer, protocol));
        return live ? Standing::Allowed : Standing::Forbidden;
    }
    return config_.peers.judge(peer) == PeerPolicy::Verdict::Allowed ? Standing::Allowed
                                                                     : Standing::Forbidden;
}

stun::MessageBuilder Server::reply(const Verified& verified, stun::Class message_class) const {
    return stun::MessageBuilder::reply(verified.request, message_class);
}

void Server::answer(const Verified& verified, stun::MessageBuilder builder) {
    queue(verified.flow, seal(verified, std::move(builder)), Trust::Authenticated);
}

Bytes Server::seal(const Verified& verified, stun::MessageBuilder builder) const {
    const stun::Method method = verified.request.method();
    const std::string& software = config_.authentication.software;
    // RFC 8656 Section 5 asks for SOFTWARE in these two.
    if (!software.empty() &&
        (method == stun::Method::Allocate || method == stun::Method::Refresh)) {
        builder.add(stun::Software{software});
    }
    builder.add_integrity(verified.key, verified.reply_kind);
    return builder.finish();
}

void Server::refuse(const Verified& verified, const stun::ErrorCode& error) {
    counters_.refused.count(error);
    auto builder = reply(verified, stun::Class::ErrorResponse);
    builder.add(error);
    answer(verified, std::move(builder));
}

void Server::refuse_unknown(const Verified& verified, const stun::UnknownAttributes& unknown) {
    counters_.refused.count(error::unknown_attribute);
    auto builder = reply(verified, stun::Class::ErrorResponse);
    builder.add(error::unknown_attribute).add(unknown);
    answer(verified, std::move(builder));
}

void Server::queue(const ClientFlow& flow, Bytes message, Trust trust) {
    if (answers_.size() == most_queued_answers) return drop(DropReason::QueueFull);
    answers_.push_back({.flow = flow, .message = std::move(message), .trust = trust});
}

std::optional<Server::Transmit> Server::poll_transmit() {
    if (answers_.empty()) return std::nullopt;
    Answer answer = std::move(answers_.front());
    answers_.pop_front();
    polled_ = std::move(answer.message);
    return Transmit{.flow = answer.flow, .message = polled_, .trust = answer.trust};
}

std::optional<Server::Event> Server::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
}

void Server::set_wall_time(Instant now, WallTime wall) {
    clock_instant_ = now;
    clock_wall_ = wall;
}

WallTime Server::wall_at(Instant now) const {
    return clock_wall_ + std::chrono::duration_cast<std::chrono::seconds>(now - clock_instant_);
}

std::optional<Instant> Server::poll_timeout() const {
    const auto relays = table_.next_deadline();
    const auto connections = connections_.next_deadline();
    if (!relays || !connections) return relays ? relays : connections;
    return std::min(*relays, *connections);
}

void Server::drain(std::optional<Redirect> redirect) {
    phase_ = Phase::Draining;
    redirect_ = std::move(redirect);
}

void Server::reconfigure(ServerConfig config) {
    check_limits(config);
    STILE_ASSERT(config.shard == config_.shard);
    if (config.authentication.realm != config_.authentication.realm) {
        credentials_ = CredentialTable{config.authentication.realm};
    }
    if (config.authentication.nonce_key != config_.authentication.nonce_key) {
        ticket_key_ = make_ticket_key(config.authentication.nonce_key);
    }
    if (config.directory != nullptr && config.directory != config_.directory) {
        table_.for_each_relay([&](const Relay& relay) {
            const bool open =
                relay.state == Relay::State::Allocated || relay.state == Relay::State::Reserved;
            if (open) config.directory->add(relay.address, relay.protocol);
        });
    }
    config_ = std::move(config);
    authenticator_ = stun::LongTermServer{config_.authentication};
}

}  // namespace stile::turn
