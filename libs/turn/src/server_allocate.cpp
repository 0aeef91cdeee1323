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

}  // namespace

struct Server::AllocateWish {
    std::array<bool, 2> families{};               // to open, by family
    std::array<std::uint16_t, 2> family_error{};  // why one of two is not opened
    PortRule rule = PortRule::Any;
    std::optional<RelayId> reserved;  // opened already
    Duration lifetime;

    std::size_t count() const {
        return std::size_t{families[0]} + std::size_t{families[1]} +
               (rule == PortRule::EvenAndNext ? 1U : 0U);
    }
};

// The order of checks is the order of RFC 8656 Section 7.2.
std::expected<Server::AllocateWish, stun::ErrorCode> Server::read_wish(const Verified& verified) {
    const stun::MessageView& request = verified.request;
    const auto transport = request.get<stun::RequestedTransport>();
    if (!transport) return std::unexpected(error::bad_request);
    if (transport->protocol != stun::RequestedTransport::udp) {
        return std::unexpected(error::unsupported_transport);
    }
    const auto token = request.get<stun::ReservationToken>();
    const auto even = request.get<stun::EvenPort>();
    const auto family = request.get<stun::RequestedAddressFamily>();
    const auto additional = request.get<stun::AdditionalAddressFamily>();
    const auto lifetime = request.get<stun::Lifetime>();
    if (is_malformed(token) || is_malformed(even) || is_malformed(additional) ||
        is_malformed(lifetime)) {
        return std::unexpected(error::bad_request);
    }
    const auto asked = [&](stun::AttributeType type) { return request.has(type); };
    AllocateWish wish{.lifetime = lifetime_for(lifetime ? std::optional<Duration>{lifetime->value}
                                                        : std::nullopt)};
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
    if (phase_ == Phase::Draining || table_.allocations() >= config_.allocations ||
        events_.size() >= most_queued_events) {
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
    const auto wish = read_wish(verified);
    if (!wish) return refuse(verified, wish.error());
    if (const auto full = check_capacity(now, verified, *wish)) return refuse(verified, *full);

    const Users::iterator user = user_of(now, verified.owner);
    Allocation& allocation =
        table_.create(verified.flow, std::move(verified.username), verified.request.id());
    allocation.pending = std::make_unique<PendingAllocate>(
        PendingAllocate{.request = to_bytes(verified.request.wire()),
                        .key = std::move(verified.key),
                        .reply_kind = verified.reply_kind,
                        .lifetime = wish->lifetime,
                        .family_error = wish->family_error});
    open_relays(now, allocation, *wish, user);
}

void Server::open_relays(Instant now, Allocation& allocation, const AllocateWish& wish,
                         Users::iterator user) {
    if (wish.reserved) {
        table_.take_reserved(*table_.find(*wish.reserved), allocation);
        return finish_allocate(now, allocation);
    }
    const auto add = [&](AddressFamily family) -> Relay& {
        ++user->second.relays;
        return table_.add_relay(family, user, now + relay_opening_time);
    };
    for (const AddressFamily family : both_families) {
        if (!wish.families[static_cast<std::size_t>(family)]) continue;
        Relay& relay = add(family);
        relay.allocation = allocation.index;
        allocation.relay_of(family) = relay.id.index;
        if (wish.rule == PortRule::EvenAndNext) relay.next = add(family).id;
        events_.push_back(RelayWanted{
            .relay = relay.id, .family = family, .rule = wish.rule, .next = relay.next});
    }
}

void Server::handle_relay_opened(Instant now, RelayId id, const SocketAddress& relayed) {
    Relay* relay = table_.find(id);
    // Where it is gone, a RelayClosed is on its way.
    if (relay == nullptr || relay->state != Relay::State::Opening || !relay->allocation) return;
    Allocation& allocation = table_.at(*relay->allocation);
    if (relayed.ip.family() != relay->family ||
        !table_.set_open(*relay, relayed, Relay::State::Allocated)) {
        return fail_relay(now, *relay, Driver::IsTold);
    }
    table_.set_deadline(*relay, now + allocation.pending->lifetime);
    if (relay->next) reserve_next(now, allocation, *relay);
    finish_allocate(now, allocation);
}

void Server::reserve_next(Instant now, Allocation& allocation, Relay& opened) {
    Relay* next = table_.find(*std::exchange(opened.next, std::nullopt));
    if (next == nullptr) return;
    SocketAddress address = opened.address;
    ++address.port.value;
    if (!table_.set_open(*next, address, Relay::State::Reserved)) return close_relay(*next);
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
    table_.remove(relay);
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
                            .reply_kind = pending->reply_kind};
    if (relayed.empty()) {
        refuse(verified, error::insufficient_capacity);
        return table_.remove(allocation);
    }
    auto builder = reply(verified, stun::Class::SuccessResponse);
    for (const SocketAddress& address : relayed) builder.add(stun::XorRelayedAddress{address});
    builder.add(
        stun::Lifetime{std::chrono::duration_cast<std::chrono::seconds>(pending->lifetime)});
    if (pending->token) builder.add(*pending->token);
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

void Server::close_relay(Relay& relay) {
    const auto allocation = relay.allocation;
    free_relay(relay, Driver::IsTold);
    if (allocation && !table_.at(*allocation).has_relay()) end_allocation(table_.at(*allocation));
}

void Server::end_allocation(Allocation& allocation) {
    if (!allocation.pending) {
        events_.push_back(AllocationClosed{
            {.session = {.flow = allocation.flow, .username = std::move(allocation.username)}}});
    }
    table_.remove(allocation);
}

void Server::handle_client_gone(Instant now, const ClientFlow& flow) {
    (void)now;
    Allocation* allocation = table_.find(flow);
    if (allocation == nullptr) return;
    const auto relays = allocation->relays;
    for (const auto& index : relays) {
        if (!index) continue;
        Relay& relay = table_.relay_at(*index);
        if (relay.next) {
            if (Relay* next = table_.find(*relay.next)) close_relay(*next);
        }
        close_relay(relay);
    }
}

void Server::handle_timeout(Instant now) {
    while (Relay* relay = table_.first_expired(now)) {
        switch (relay->state) {
            case Relay::State::Opening:
                if (relay->allocation) {
                    fail_relay(now, *relay, Driver::IsTold);
                } else {
                    close_relay(*relay);
                }
                break;
            case Relay::State::Reserved:
            case Relay::State::Allocated:
                close_relay(*relay);
                break;
            case Relay::State::Free:
                return;  // has no deadline
        }
    }
}

Duration Server::lifetime_for(std::optional<Duration> requested) const {
    if (!requested) return default_lifetime;
    return std::max<Duration>(std::min(*requested, config_.longest_lifetime), default_lifetime);
}

Users::iterator Server::user_of(Instant now, const std::string& owner) {
    const auto known = users_.find(owner);
    if (known != users_.end()) return known;
    const TokenBucket full{now, config_.user_bandwidth.value_or(TokenRate{})};
    return users_.emplace(owner, User{.relays = 0, .bandwidth = full}).first;
}

void Server::release_user(Users::iterator user) {
    if (user->second.relays == 0) users_.erase(user);
}

}  // namespace stile::turn
