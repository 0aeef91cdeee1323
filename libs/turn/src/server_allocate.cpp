// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Creating and ending allocations. RFC 8656 Sections 7.2 and 8.
#include <stile/turn/server.hpp>

#include "allocate_wish.hpp"

#include <algorithm>

namespace stile::turn {
namespace {

namespace error = stun::error;

}  // namespace

std::optional<stun::ErrorCode> Server::check_capacity(const Verified& verified,
                                                      const AllocateWish& wish) const {
    // Reservations outlive what made them, so relays are counted besides.
    if (table_.allocations() >= config_.allocations ||
        table_.relays() + wish.count() > relays_an_allocation * config_.allocations ||
        events_.size() >= most_queued_events) {
        return error::insufficient_capacity;
    }
    if (users_.relays_of(verified.owner) + wish.count() > config_.relays_per_user) {
        return error::allocation_quota_reached;
    }
    return std::nullopt;
}

void Server::handle_allocate(Instant now, Verified& verified) {
    if (table_.find(verified.flow) != nullptr) return refuse(verified, error::allocation_mismatch);
    // RequestedTransport is checked before DONT-FRAGMENT, everything else after.
    const auto transport = verified.request.get<stun::RequestedTransport>();
    if (transport && transport->protocol == stun::RequestedTransport::udp &&
        config_.dont_fragment == Offer::NotOffered &&
        verified.request.has(stun::AttributeType::DontFragment)) {
        stun::UnknownAttributes unknown;
        unknown.add(stun::AttributeType::DontFragment);
        return refuse_unknown(verified, unknown);
    }
    const auto wish = read_wish(now, verified);
    if (!wish) return refuse(verified, wish.error());
    if (phase_ == Phase::Draining) return refuse_draining(verified);
    if (const auto full = check_capacity(verified, *wish)) return refuse(verified, *full);

    const UserTable::Place user = users_.find_or_add(now, verified.owner, config_);
    Allocation& allocation =
        table_.create(verified.flow, std::move(verified.username), verified.request.id());
    allocation.pending = std::make_unique<PendingAllocate>(
        PendingAllocate{.request = to_bytes(verified.request.wire()),
                        .key = std::move(verified.key),
                        .reply_kind = verified.reply_kind,
                        .lifetime = wish->lifetime,
                        .family_error = wish->family_error,
                        .token = {},
                        .mobility = wish->mobile ? PendingAllocate::Mobility::Asked
                                                 : PendingAllocate::Mobility::NotAsked});
    allocation.protocol = wish->protocol;
    allocation.started = now;
    if (verified.token) {
        allocation.token = std::make_unique<TokenSession>(*std::move(verified.token));
    }
    open_relays(now, allocation, *wish, user);
}

// 300 where the client's family can be served elsewhere. RFC 8489 Section 10.
void Server::refuse_draining(const Verified& verified) {
    if (!redirect_) return refuse(verified, error::insufficient_capacity);
    const AddressFamily family = verified.flow.remote.ip.family();
    const SocketAddress* same = &redirect_->address;
    const SocketAddress* other = redirect_->other_family ? &*redirect_->other_family : nullptr;
    if (same->ip.family() != family) std::swap(same, other);
    if (same == nullptr) return refuse(verified, error::insufficient_capacity);
    counters_.refused.count(error::try_alternate);
    auto builder = reply(verified, stun::Class::ErrorResponse);
    builder.add(error::try_alternate).add(stun::AlternateServer{*same});
    if (other != nullptr) builder.add(stun::AlternateServer{*other});
    if (!redirect_->domain.empty()) builder.add(stun::AlternateDomain{redirect_->domain});
    answer(verified, std::move(builder));
}

void Server::open_relays(Instant now, Allocation& allocation, const AllocateWish& wish,
                         UserTable::Place user) {
    if (wish.reserved) {
        table_.take_reserved(*table_.find(*wish.reserved), allocation);
        return finish_allocate(now, allocation);
    }
    const auto add = [&](AddressFamily family) -> Relay& {
        ++user->second.relays;
        return table_.add_relay(family, wish.protocol, user, now + relay_opening_time);
    };
    for (const AddressFamily family : both_families) {
        if (!wish.families[static_cast<std::size_t>(family)]) continue;
        Relay& relay = add(family);
        relay.allocation = allocation.index;
        allocation.relay_of(family) = relay.id.index;
        if (wish.rule == PortRule::EvenAndNext) relay.next = add(family).id;
        events_.push_back(RelayWanted{.relay = relay.id,
                                      .family = family,
                                      .protocol = wish.protocol,
                                      .rule = wish.rule,
                                      .next = relay.next});
    }
}

void Server::handle_relay_opened(Instant now, RelayId id, const SocketAddress& relayed) {
    Relay* relay = table_.find(id);
    // Where it is gone, a RelayClosed is on its way.
    if (relay == nullptr || relay->state != Relay::State::Opening || !relay->allocation) return;
    Allocation& allocation = table_.at(*relay->allocation);
    if (relayed.ip.family() != relay->family ||
        !open_at(*relay, relayed, Relay::State::Allocated)) {
        return fail_relay(now, *relay, Driver::IsTold);
    }
    table_.set_deadline(*relay, now + allocation.pending->lifetime);
    if (relay->next) reserve_next(now, allocation, *relay);
    finish_allocate(now, allocation);
}

bool Server::open_at(Relay& relay, const SocketAddress& relayed, Relay::State state) {
    if (!table_.set_open(relay, relayed, state)) return false;
    if (config_.directory != nullptr) config_.directory->add(relayed, relay.protocol);
    return true;
}

void Server::reserve_next(Instant now, Allocation& allocation, Relay& opened) {
    Relay* next = table_.find(*std::exchange(opened.next, std::nullopt));
    if (next == nullptr) return;
    SocketAddress address = opened.address;
    ++address.port.value;
    if (!open_at(*next, address, Relay::State::Reserved))
        return free_relay(now, *next, Driver::IsTold);
    stun::ReservationToken token{random_.array<8>()};
    token.octets[0] = std::byte{config_.shard};
    table_.set_token(*next, token);
    table_.set_deadline(*next, now + reservation_lifetime);
    allocation.pending->token = token;
}

void Server::handle_relay_failed(Instant now, RelayId id) {
    Relay* relay = table_.find(id);
    if (relay == nullptr || relay->state != Relay::State::Opening || !relay->allocation) return;
    fail_relay(now, *relay, Driver::Knows);
}

// The relay could not be opened. In a dual allocation the other one may do.
void Server::fail_relay(Instant now, Relay& relay, Driver driver) {
    Allocation& allocation = table_.at(*relay.allocation);
    allocation.pending->family_error[static_cast<std::size_t>(relay.family)] =
        error::insufficient_capacity.code;
    if (relay.next) {
        if (Relay* next = table_.find(*relay.next)) free_relay(now, *next, driver);
    }
    free_relay(now, relay, driver);
    finish_allocate(now, allocation);
}

void Server::free_relay(Instant now, Relay& relay, Driver driver) {
    const UserTable::Place user = relay.user;
    if (driver == Driver::IsTold) events_.push_back(RelayClosed{relay.id});
    if (config_.directory != nullptr && relay.state != Relay::State::Opening) {
        config_.directory->remove(relay.address, relay.protocol);
    }
    table_.remove(relay);
    tell_withdrawn();
    --user->second.relays;
    users_.release(now, user, config_);
}

// Answers once no relay is still opening.
void Server::finish_allocate(Instant now, Allocation& allocation) {
    std::vector<SocketAddress> relayed;
    for (const AddressFamily family : both_families) {
        const auto index = allocation.relay_of(family);
        if (!index) continue;
        const Relay& relay = table_.relay_at(*index);
        if (relay.state == Relay::State::Opening) return;
        relayed.push_back(relay.address);
    }
    const std::unique_ptr<PendingAllocate> pending = std::move(allocation.pending);
    const auto request = stun::MessageView::parse(pending->request);
    const Verified verified{.request = *request,
                            .flow = allocation.flow,
                            .username = {},
                            .owner = {},
                            .key = pending->key,
                            .reply_kind = pending->reply_kind,
                            .token = {}};
    if (relayed.empty()) {
        refuse(verified, error::insufficient_capacity);
        return table_.remove(allocation);
    }
    auto builder = reply(verified, stun::Class::SuccessResponse);
    for (const SocketAddress& address : relayed) builder.add(stun::XorRelayedAddress{address});
    builder.add(
        stun::Lifetime{std::chrono::duration_cast<std::chrono::seconds>(pending->lifetime)});
    if (pending->token) builder.add(*pending->token);
    if (pending->mobility == PendingAllocate::Mobility::Asked) {
        std::uint64_t id = random_.u64();
        while (table_.find_mobile(id) != nullptr) id = random_.u64();
        table_.set_mobility(allocation, {.id = id});
        const Bytes ticket = make_ticket(*allocation.mobility);
        builder.add(stun::MobilityTicket{ticket});
    }
    builder.add(stun::XorMappedAddress{allocation.flow.remote});
    for (const AddressFamily family : both_families) {
        const std::uint16_t code = pending->family_error[static_cast<std::size_t>(family)];
        if (code == 0) continue;
        const auto& why = code == error::insufficient_capacity.code
                              ? error::insufficient_capacity
                              : error::address_family_not_supported;
        builder.add(
            stun::AddressErrorCode{.family = family, .code = why.code, .reason = why.reason});
    }
    for (const AddressFamily family : both_families) {
        if (const auto index = allocation.relay_of(family)) {
            table_.set_deadline(table_.relay_at(*index), now + pending->lifetime);
        }
    }
    allocation.answer = seal(verified, std::move(builder));
    queue(allocation.flow, allocation.answer, Trust::Authenticated);
    ++counters_.allocations_made;
    events_.push_back(AllocationOpened{
        .flow = allocation.flow, .username = allocation.username, .relayed = std::move(relayed)});
}

void Server::close_relay(Instant now, Relay& relay, EndReason why) {
    if (!relay.allocation) return free_relay(now, relay, Driver::IsTold);
    Allocation& allocation = table_.at(*relay.allocation);
    const bool last =
        !allocation.relay_of(AddressFamily::V4) || !allocation.relay_of(AddressFamily::V6);
    close_connections(allocation, relay.id);
    if (!last) return free_relay(now, relay, Driver::IsTold);
    std::optional<Usage> usage;
    if (!allocation.pending) {
        usage = Usage{.session = session_of(now, allocation), .why = why, .ended = now};
    }
    free_relay(now, relay, Driver::IsTold);
    table_.remove(allocation);
    if (usage) events_.push_back(AllocationClosed{*std::move(usage)});
}

void Server::close_relays(Instant now, Allocation& allocation, EndReason why) {
    const auto relays = allocation.relays;
    for (const auto& index : relays) {
        if (!index) continue;
        Relay& relay = table_.relay_at(*index);
        if (relay.next) {
            if (Relay* next = table_.find(*relay.next)) free_relay(now, *next, Driver::IsTold);
        }
        close_relay(now, relay, why);
    }
}

void Server::handle_client_gone(Instant now, const ClientFlow& flow) {
    Allocation* allocation = table_.find(flow);
    if (allocation == nullptr) return;
    if (!allocation->mobility) return close_relays(now, *allocation, EndReason::ClientGone);
    // RFC 8016 Section 3.2.2: the old 5-tuple is given up at the latest now.
    if (allocation->mobility->moving_to == flow) return table_.cancel_move(*allocation);
    if (allocation->mobility->moving_to) return settle_move(now, *allocation);
    // The client may be on its way to another network.
    table_.detach(*allocation);
    for (const auto& index : allocation->relays) {
        if (!index) continue;
        Relay& relay = table_.relay_at(*index);
        table_.set_deadline(relay, std::min(*relay.deadline, now + mobile_grace));
    }
}

void Server::handle_timeout(Instant now) {
    expire_connections(now);
    while (Relay* relay = table_.first_expired(now)) {
        switch (relay->state) {
            case Relay::State::Opening:
                if (relay->allocation) {
                    fail_relay(now, *relay, Driver::IsTold);
                } else {
                    free_relay(now, *relay, Driver::IsTold);
                }
                break;
            case Relay::State::Reserved:
                free_relay(now, *relay, Driver::IsTold);
                break;
            case Relay::State::Allocated:
                close_relay(now, *relay, EndReason::Expired);
                break;
            case Relay::State::Free:
                return;  // has no deadline
        }
    }
}

Duration Server::lifetime_for(Instant now, const Verified& verified,
                              std::optional<Duration> requested) const {
    Duration lifetime = default_lifetime;
    if (requested) {
        lifetime = std::max<Duration>(std::min(*requested, config_.longest_lifetime), lifetime);
    }
    // RFC 7635 Section 9: not longer than the token.
    if (!verified.token) return lifetime;
    return std::min<Duration>(lifetime, verified.token->expires - wall_at(now));
}

User& Server::user_of(const Allocation& allocation) {
    return table_.relay_at(allocation.relays[0] ? *allocation.relays[0] : *allocation.relays[1])
        .user->second;
}

}  // namespace stile::turn
