// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Creating and ending allocations. RFC 8656 Sections 7.2 and 8.
#include <stile/turn/server.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

namespace error = stun::error;

bool is_malformed(const auto& attribute) {
    return !attribute && attribute.error() == stun::AttributeError::Malformed;
}

// coturn's client still sends the number of a draft, which IANA has given to nothing else.
std::expected<stun::AdditionalAddressFamily, stun::AttributeError> additional_family(
    const stun::MessageView& request) {
    constexpr stun::AttributeType draft{0x8032};
    const auto assigned = request.get<stun::AdditionalAddressFamily>();
    if (assigned || assigned.error() != stun::AttributeError::Absent) return assigned;
    const auto value = request.find(draft);
    if (!value) return assigned;
    if (const auto family = stun::AdditionalAddressFamily::decode(*value, request.id())) {
        return *family;
    }
    return std::unexpected(stun::AttributeError::Malformed);
}

}  // namespace

struct Server::AllocateWish {
    std::array<bool, 2> families{};               // to open, by family
    std::array<std::uint16_t, 2> family_error{};  // why one of two is not opened
    RelayProtocol protocol = RelayProtocol::Udp;
    PortRule rule = PortRule::Any;
    std::optional<RelayId> reserved;  // opened already
    bool mobile = false;
    Duration lifetime{};

    std::size_t count() const {
        return std::size_t{families[0]} + std::size_t{families[1]} +
               (rule == PortRule::EvenAndNext ? 1U : 0U);
    }
};

// RFC 8656 Section 7.2, RFC 6062 Section 5.1 and RFC 8016 Section 3.1.2.
std::optional<stun::ErrorCode> Server::read_protocol(const Verified& verified,
                                                     AllocateWish& wish) const {
    const stun::MessageView& request = verified.request;
    const auto transport = request.get<stun::RequestedTransport>();
    if (!transport) return error::bad_request;
    if (transport->protocol == stun::RequestedTransport::tcp &&
        config_.tcp_relays == Offer::Offered) {
        if (!is_stream(verified.flow.transport) || request.has(stun::AttributeType::DontFragment) ||
            request.has(stun::AttributeType::EvenPort) ||
            request.has(stun::AttributeType::ReservationToken)) {
            return error::bad_request;
        }
        wish.protocol = RelayProtocol::Tcp;
    } else if (transport->protocol != stun::RequestedTransport::udp) {
        return error::unsupported_transport;
    }
    const auto ticket = request.get<stun::MobilityTicket>();
    if (!ticket) return std::nullopt;
    if (!ticket->octets.empty()) return error::bad_request;
    if (config_.mobility == Offer::NotOffered) return error::mobility_forbidden;
    wish.mobile = true;
    return std::nullopt;
}

// The order of checks is the order of RFC 8656 Section 7.2.
std::expected<Server::AllocateWish, stun::ErrorCode> Server::read_wish(Instant now,
                                                                       const Verified& verified) {
    const stun::MessageView& request = verified.request;
    AllocateWish wish;
    if (const auto refused = read_protocol(verified, wish)) return std::unexpected(*refused);
    const auto token = request.get<stun::ReservationToken>();
    const auto even = request.get<stun::EvenPort>();
    const auto family = request.get<stun::RequestedAddressFamily>();
    const auto additional = additional_family(request);
    const auto lifetime = request.get<stun::Lifetime>();
    if (is_malformed(token) || is_malformed(even) || is_malformed(additional) ||
        is_malformed(lifetime)) {
        return std::unexpected(error::bad_request);
    }
    const auto asked = [&](stun::AttributeType type) { return request.has(type); };
    wish.lifetime = lifetime_for(
        now, verified, lifetime ? std::optional<Duration>{lifetime->value} : std::nullopt);
    if (token) {
        if (even || asked(stun::AttributeType::RequestedAddressFamily) || additional) {
            return std::unexpected(error::bad_request);
        }
        Relay* reserved = table_.find_reserved(*token);
        if (reserved == nullptr || reserved->user->first != verified.owner) {
            return std::unexpected(error::insufficient_capacity);
        }
        wish.reserved = reserved->id;
        return wish;
    }
    if (asked(stun::AttributeType::RequestedAddressFamily) && additional) {
        return std::unexpected(error::bad_request);
    }
    // A family that is neither is one that is not supported.
    if (is_malformed(family)) return std::unexpected(error::address_family_not_supported);
    if (additional && additional->family == AddressFamily::V4) {
        return std::unexpected(error::bad_request);
    }
    if (even) {
        if (even->next == stun::EvenPort::Next::Reserve && additional) {
            return std::unexpected(error::bad_request);
        }
        if (config_.even_ports == Offer::NotOffered) {
            return std::unexpected(error::insufficient_capacity);
        }
        wish.rule =
            even->next == stun::EvenPort::Next::Reserve ? PortRule::EvenAndNext : PortRule::Even;
    }
    const std::array offered{config_.ipv4 == Offer::Offered, config_.ipv6 == Offer::Offered};
    for (const AddressFamily each : both_families) {
        const auto i = static_cast<std::size_t>(each);
        const bool wanted = additional || (family ? family->family : AddressFamily::V4) == each;
        wish.families[i] = wanted && offered[i];
        if (wanted && !offered[i]) wish.family_error[i] = error::address_family_not_supported.code;
    }
    if (!wish.families[0] && !wish.families[1]) {
        return std::unexpected(error::address_family_not_supported);
    }
    return wish;
}

std::optional<stun::ErrorCode> Server::check_capacity(Instant now, const Verified& verified,
                                                      const AllocateWish& wish) {
    if (table_.allocations() >= config_.allocations || events_.size() >= most_queued_events) {
        return error::insufficient_capacity;
    }
    const Users::iterator user = user_of(now, verified.owner);
    const bool fits = user->second.relays + wish.count() <= config_.relays_per_user;
    release_user(user);
    if (!fits) return error::allocation_quota_reached;
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
    if (const auto full = check_capacity(now, verified, *wish)) return refuse(verified, *full);

    const Users::iterator user = user_of(now, verified.owner);
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
    ++counters_.requests_refused;
    auto builder = reply(verified, stun::Class::ErrorResponse);
    builder.add(error::try_alternate).add(stun::AlternateServer{*same});
    if (other != nullptr) builder.add(stun::AlternateServer{*other});
    if (!redirect_->domain.empty()) builder.add(stun::AlternateDomain{redirect_->domain});
    answer(verified, std::move(builder));
}

void Server::open_relays(Instant now, Allocation& allocation, const AllocateWish& wish,
                         Users::iterator user) {
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
    if (!open_at(*next, address, Relay::State::Reserved)) return free_relay(*next, Driver::IsTold);
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
        if (Relay* next = table_.find(*relay.next)) free_relay(*next, driver);
    }
    free_relay(relay, driver);
    finish_allocate(now, allocation);
}

void Server::free_relay(Relay& relay, Driver driver) {
    const Users::iterator user = relay.user;
    if (driver == Driver::IsTold) events_.push_back(RelayClosed{relay.id});
    if (config_.directory != nullptr && relay.state != Relay::State::Opening) {
        config_.directory->remove(relay.address, relay.protocol);
    }
    table_.remove(relay);
    tell_withdrawn();
    --user->second.relays;
    release_user(user);
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
    if (!relay.allocation) return free_relay(relay, Driver::IsTold);
    Allocation& allocation = table_.at(*relay.allocation);
    const bool last =
        !allocation.relay_of(AddressFamily::V4) || !allocation.relay_of(AddressFamily::V6);
    close_connections(allocation, relay.id);
    if (!last) return free_relay(relay, Driver::IsTold);
    std::optional<Usage> usage;
    if (!allocation.pending) {
        usage = Usage{.session = session_of(now, allocation), .why = why, .ended = now};
    }
    free_relay(relay, Driver::IsTold);
    table_.remove(allocation);
    if (usage) events_.push_back(AllocationClosed{*std::move(usage)});
}

void Server::close_relays(Instant now, Allocation& allocation, EndReason why) {
    const auto relays = allocation.relays;
    for (const auto& index : relays) {
        if (!index) continue;
        Relay& relay = table_.relay_at(*index);
        if (relay.next) {
            if (Relay* next = table_.find(*relay.next)) free_relay(*next, Driver::IsTold);
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
                    free_relay(*relay, Driver::IsTold);
                }
                break;
            case Relay::State::Reserved:
                free_relay(*relay, Driver::IsTold);
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

Users::iterator Server::user_of(Instant now, const std::string& owner) {
    const auto known = users_.find(owner);
    if (known != users_.end()) return known;
    const auto full = [&](TokenRate rate) { return TokenBucket{now, rate}; };
    return users_
        .emplace(owner, User{.relays = 0,
                             .octets = full(config_.user_bandwidth.value_or(TokenRate{})),
                             .packets = full(config_.user_packets.value_or(TokenRate{})),
                             .new_peers = full(per_minute(config_.user_new_peers.value_or(0))),
                             .connects = full(per_minute(config_.user_connects.value_or(0)))})
        .first;
}

User& Server::user_of(const Allocation& allocation) {
    return table_.relay_at(allocation.relays[0] ? *allocation.relays[0] : *allocation.relays[1])
        .user->second;
}

void Server::release_user(Users::iterator user) {
    if (user->second.relays == 0) users_.erase(user);
}

}  // namespace stile::turn
