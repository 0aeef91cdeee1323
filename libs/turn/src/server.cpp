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
           method == stun::Method::CreatePermission || method == stun::Method::ChannelBind;
}

}  // namespace

Server::Server(Instant now, WallTime wall, ServerConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      authenticator_(config_.authentication),
      credentials_(config_.authentication.realm),
      random_(std::move(random)),
      nobody_(stun::IntegrityKey::from_octets(random_.array<32>())),
      table_(make_seed(random_)),
      clock_instant_(now),
      clock_wall_(wall) {
    STILE_ASSERT(config_.allocations <= most_allocations);
    STILE_ASSERT(config_.permissions <= most_permissions);
    STILE_ASSERT(config_.channels <= most_channels);
    STILE_ASSERT(config_.longest_lifetime >= default_lifetime);
    STILE_ASSERT(config_.longest_lifetime <= most_lifetime);
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
         AttributeType::ReservationToken});
    if (!unknown.empty()) return refuse_unknown(*verified, unknown);
    if (request.method() == stun::Method::Allocate) return handle_allocate(now, *verified);

    Allocation* allocation = table_.find(flow);
    if (allocation == nullptr || allocation->pending) {
        return refuse(*verified, error::allocation_mismatch);
    }
    if (allocation->username != verified->username) {
        return refuse(*verified, error::wrong_credentials);
    }
    // The client goes on, so it has the answer.
    allocation->answer = Bytes{};
    if (request.method() == stun::Method::Refresh) {
        handle_refresh(now, *verified, *allocation);
    } else if (request.method() == stun::Method::CreatePermission) {
        handle_create_permission(now, *verified, *allocation);
    } else {
        handle_channel_bind(now, *verified, *allocation);
    }
}

std::optional<Server::Verified> Server::authenticate(Instant now, const ClientFlow& flow,
                                                     const stun::MessageView& request) {
    const WallTime wall = wall_at(now);
    const auto send_refusal = [&](const stun::LongTermServer::Refusal& refusal) {
        ++counters_.requests_refused;
        queue(flow, authenticator_.refuse(request, refusal, flow.remote, wall),
              Trust::Unauthenticated);
        return std::nullopt;
    };
    const auto claim = authenticator_.examine(request);
    if (!claim) return send_refusal(claim.error());

    auto candidates = credentials_.look_up(*claim, wall);
    if (candidates.validity == CredentialTable::Validity::Expired) {
        const bool keeps = config_.expired_credential == ExpiredCredential::KeepsAllocations;
        const Allocation* owned = table_.find(flow);
        const bool owns = owned != nullptr && owned->username == candidates.username;
        if (!keeps || !owns) candidates.keys.clear();
    }
    // An unknown user costs what a wrong password costs.
    if (candidates.keys.empty()) candidates.keys.push_back(nobody_);
    std::expected<void, stun::LongTermServer::Refusal> outcome;
    for (stun::IntegrityKey& key : candidates.keys) {
        outcome = authenticator_.verify(request, *claim, &key, flow.remote, wall);
        if (outcome) {
            return Verified{.request = request,
                            .flow = flow,
                            .username = std::move(candidates.username),
                            .owner = std::move(candidates.owner),
                            .key = std::move(key),
                            .reply_kind = claim->reply_kind};
        }
        // Anything but 401 was said to the right key.
        if (outcome.error().error.code != error::unauthenticated.code) break;
    }
    return send_refusal(outcome.error());
}

void Server::handle_refresh(Instant now, const Verified& verified, Allocation& allocation) {
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
                : lifetime_for(lifetime ? std::optional<Duration>{lifetime->value} : std::nullopt);
    auto builder = reply(verified, stun::Class::SuccessResponse);
    builder.add(stun::Lifetime{std::chrono::duration_cast<std::chrono::seconds>(desired)});
    answer(verified, std::move(builder));
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
        close_relay(relay);
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
    if (peers.size() > most_peers_in_request) return refuse(verified, error::insufficient_capacity);
    for (const IpAddress& peer : peers) {
        if (!allocation.relay_of(peer.family())) {
            return refuse(verified, error::peer_family_mismatch);
        }
    }
    for (const IpAddress& peer : peers) {
        if (judge_peer(peer) == Standing::Forbidden) return refuse(verified, error::forbidden);
    }
    for (const IpAddress& peer : peers) {
        if (table_.install_permission(allocation, peer, now, config_.permissions) ==
            AllocationTable::Installed::Full) {
            return refuse(verified, error::insufficient_capacity);
        }
    }
    answer(verified, reply(verified, stun::Class::SuccessResponse));
}

void Server::handle_channel_bind(Instant now, const Verified& verified, Allocation& allocation) {
    const auto number = verified.request.get<stun::ChannelNumberAttribute>();
    const auto peer = verified.request.get<stun::XorPeerAddress>();
    if (!number || !peer || !ChannelNumber{number->number}.is_valid(config_.channel_range)) {
        return refuse(verified, error::bad_request);
    }
    if (!allocation.relay_of(peer->address.ip.family())) {
        return refuse(verified, error::peer_family_mismatch);
    }
    if (judge_peer(peer->address) == Standing::Forbidden) {
        return refuse(verified, error::forbidden);
    }
    // The permission first: a channel without one would be of no use.
    if (table_.install_permission(allocation, peer->address.ip, now, config_.permissions) ==
        AllocationTable::Installed::Full) {
        return refuse(verified, error::insufficient_capacity);
    }
    switch (
        table_.bind_channel(allocation, {number->number}, peer->address, now, config_.channels)) {
        case AllocationTable::Bound::Done:
            return answer(verified, reply(verified, stun::Class::SuccessResponse));
        case AllocationTable::Bound::Conflict:
            return refuse(verified, error::bad_request);
        case AllocationTable::Bound::Full:
            return refuse(verified, error::insufficient_capacity);
    }
}

// A relayed address of this server is a peer like any other, relayed in process; everything else
// goes by the policy.
Server::Standing Server::judge_peer(const IpAddress& peer) const {
    if (table_.is_relay_address(peer)) return Standing::Allowed;
    return config_.peers.judge(peer) == PeerPolicy::Verdict::Allowed ? Standing::Allowed
                                                                     : Standing::Forbidden;
}

Server::Standing Server::judge_peer(const SocketAddress& peer) {
    if (table_.is_relay_address(peer.ip)) {
        return table_.find_open(peer) != nullptr ? Standing::Allowed : Standing::Forbidden;
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
    ++counters_.requests_refused;
    auto builder = reply(verified, stun::Class::ErrorResponse);
    builder.add(error);
    answer(verified, std::move(builder));
}

void Server::refuse_unknown(const Verified& verified, const stun::UnknownAttributes& unknown) {
    ++counters_.requests_refused;
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

void Server::drain(std::optional<Redirect> redirect) {
    phase_ = Phase::Draining;
    redirect_ = std::move(redirect);
}

}  // namespace stile::turn
