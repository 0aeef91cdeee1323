// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// What follows from the answers to the client's requests. RFC 8656 Sections 7 to 12.
#include <stile/turn/client.hpp>

#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>

#include <algorithm>
#include <utility>

#include "client_operations.hpp"

namespace stile::turn {
namespace {

using DontFragment = ClientConfig::DontFragment;

// Half of any lifetime of the server's has room for several transactions of 39.5 s.
constexpr Duration refresh_after(Duration lifetime) { return lifetime / 2; }
constexpr Duration refresh_retry = std::chrono::seconds{10};
// A server that says less than this is not asked more often.
constexpr Duration least_lifetime = std::chrono::seconds{10};

// A required attribute that is not understood fails the transaction. RFC 8489 Sections 6.3.3
// and 6.3.4.
bool is_understood(const stun::MessageView& response) {
    return response
        .unknown_required({stun::AttributeType::XorRelayedAddress, stun::AttributeType::Lifetime,
                           stun::AttributeType::ReservationToken,
                           stun::AttributeType::ConnectionId})
        .empty();
}

bool refuses_dont_fragment(const stun::MessageView& response) {
    const auto unknown = response.get<stun::UnknownAttributes>();
    return unknown && std::ranges::count(unknown->types(), stun::AttributeType::DontFragment) != 0;
}

}  // namespace

void Client::handle_response(Instant now, const stun::MessageView& response) {
    if (move_ && move_->machine.id() == response.id()) return handle_move_response(now, response);
    const auto found = std::ranges::find_if(
        transactions_, [&](const Transaction& each) { return each.machine.id() == response.id(); });
    if (found == transactions_.end()) return;
    const Task task = found->task;
    if (response.method() != method_of(task.operation)) return;
    const auto request = stun::MessageView::parse(found->machine.request());
    if (!request) return;
    using Outcome = stun::LongTermClient::Outcome;
    switch (authentication_.handle_response(*request, response)) {
        case Outcome::Accepted:
            if (ask_for_less(now, task, response) == Detour::Taken) {
                transactions_.erase(found);
                return;
            }
            if (!is_understood(response)) {
                transactions_.erase(found);
                return fail(now, task, {.kind = FailureKind::ProtocolViolated});
            }
            found->machine.handle_message(now, response, stun::Integrity::Passed);
            return;
        case Outcome::Discarded:
            found->machine.handle_message(now, response, stun::Integrity::Failed);
            return;
        case Outcome::Retry:
            transactions_.erase(found);
            if (!authentication_.credentials().grant && await_grant(task) == Detour::Taken) return;
            return start(now, task);
        case Outcome::Refused:
            transactions_.erase(found);
            if (await_grant(task) == Detour::Taken) return;
            return fail(now, task, failure_of(response));
    }
}

// What was a wish is left out, and the request made again.
Client::Detour Client::ask_for_less(Instant now, const Task& task,
                                    const stun::MessageView& response) {
    if (task.operation != Operation::Allocate ||
        response.message_class() != stun::Class::ErrorResponse) {
        return Detour::None;
    }
    using Mobility = ClientConfig::Mobility;
    if (config_.dont_fragment == DontFragment::Wanted && refuses_dont_fragment(response)) {
        config_.dont_fragment = DontFragment::NotNeeded;
    } else if (config_.mobility == Mobility::Wanted &&
               failure_of(response).kind == FailureKind::MobilityForbidden) {
        config_.mobility = Mobility::NotWanted;
        mobility_forbidden_ = true;
    } else {
        return Detour::None;
    }
    start(now, task);
    return Detour::Taken;
}

void Client::succeed(Instant now, const Task& task, const stun::MessageView& response) {
    switch (task.operation) {
        case Operation::Allocate:
            return on_allocated(now, response);
        case Operation::Refresh: {
            const auto lifetime = response.get<stun::Lifetime>();
            return set_lifetime(now, lifetime ? Duration{lifetime->value} : default_lifetime);
        }
        case Operation::Release:
            return end(Released{});
        case Operation::Permit:
            return on_permitted(now, task.peer.ip);
        case Operation::Bind:
            return on_bound(now, task.peer);
        case Operation::Connect:
            return on_connected(now, task.peer, response);
    }
}

void Client::on_allocated(Instant now, const stun::MessageView& response) {
    Allocated allocated;
    for (const stun::AttributeView attribute : response.attributes()) {
        if (attribute.type != stun::AttributeType::XorRelayedAddress) continue;
        const auto relayed = stun::XorRelayedAddress::decode(attribute.value, response.id());
        if (relayed && allocated.relayed.size() < 2) allocated.relayed.push_back(relayed->address);
    }
    const auto mapped = response.get<stun::XorMappedAddress>();
    const auto lifetime = response.get<stun::Lifetime>();
    const auto family = config_.family == FamilyWish::V6 ? AddressFamily::V6 : AddressFamily::V4;
    const bool any_family = config_.family == FamilyWish::Both || config_.reservation.has_value();
    const bool as_wished =
        any_family || std::ranges::all_of(allocated.relayed, [&](const SocketAddress& relayed) {
            return relayed.ip.family() == family;
        });
    if (allocated.relayed.empty() || !mapped || !lifetime || !as_wished) {
        // What cannot be used is deleted, RFC 8656 Section 7.3; once, whether it arrives or not.
        transmit(build({Operation::Release, {}}));
        return end(Failed{{.kind = FailureKind::ProtocolViolated}});
    }
    if (state_ == State::Releasing) return start(now, {Operation::Release, {}});
    allocated.mapped = mapped->address;
    allocated.lifetime = lifetime->value;
    if (const auto token = response.get<stun::ReservationToken>()) allocated.reservation = *token;
    if (const auto missing = response.get<stun::AddressErrorCode>()) {
        allocated.missing_family = failure_kind_of(missing->code);
    }
    if (const auto ticket = response.get<stun::MobilityTicket>();
        ticket && config_.mobility == ClientConfig::Mobility::Wanted && !ticket->octets.empty()) {
        ticket_ = to_bytes(ticket->octets);
    }
    relayed_ = allocated.relayed;
    state_ = State::Allocated;
    set_lifetime(now, lifetime->value);
    notify(std::move(allocated));
}

void Client::set_lifetime(Instant now, Duration lifetime) {
    const Duration sane = std::max(lifetime, least_lifetime);
    expires_ = now + sane;
    last_refresh_failure_ = {.kind = FailureKind::TimedOut};
    refresh_due_ = now + refresh_after(sane);
}

void Client::on_permitted(Instant now, const IpAddress& peer) {
    Permission* permission = find_permission(peer);
    if (permission == nullptr) return;
    const bool first = !permission->installed_until || *permission->installed_until <= now;
    permission->flight = Flight::Idle;
    permission->installed_until = now + permission_lifetime;
    // Forgotten meanwhile: it runs out.
    if (permission->due) permission->due = now + permission_refresh;
    if (first) notify(PermissionInstalled{peer});
}

void Client::on_bound(Instant now, const SocketAddress& peer) {
    Channel* channel = find_channel(peer);
    if (channel == nullptr) return;
    const bool first = !channel->bound_until || *channel->bound_until <= now;
    channel->flight = Flight::Idle;
    channel->bound_until = now + channel_lifetime;
    channel->permitted_until = now + permission_lifetime;
    // As often as a permission, which the same request refreshes.
    if (channel->due) channel->due = now + permission_refresh;
    if (first) notify(ChannelBound{.peer = peer, .channel = number_of(*channel)});
}

void Client::fail(Instant now, const Task& task, Failure failure) {
    const bool lost = failure.kind == FailureKind::AllocationMismatch;
    switch (task.operation) {
        case Operation::Allocate:
            return end(Failed{std::move(failure)});
        // It is gone, or will be soon: nobody refreshes it any more. RFC 8656 Section 8.3.
        case Operation::Release:
            return end(Released{});
        case Operation::Refresh:
            if (lost) return end(Expired{std::move(failure)});
            refresh_due_ = now + refresh_retry;
            last_refresh_failure_ = failure;
            return notify(RefreshFailed{std::move(failure)});
        case Operation::Permit:
            if (lost) return end(Expired{std::move(failure)});
            return fail_permission(now, task.peer.ip, std::move(failure));
        case Operation::Bind:
            if (lost) return end(Expired{std::move(failure)});
            return fail_channel(now, task.peer, std::move(failure));
        case Operation::Connect:
            if (lost) return end(Expired{std::move(failure)});
            return fail_connect(now, task.peer, std::move(failure));
    }
}

void Client::fail_permission(Instant now, const IpAddress& peer, Failure failure) {
    Permission* permission = find_permission(peer);
    if (permission == nullptr) return;
    permission->flight = Flight::Idle;
    // While the old one lasts, a lost answer is tried again.
    if (failure.kind == FailureKind::TimedOut && permission->installed_until &&
        now < *permission->installed_until) {
        if (permission->due) permission->due = now;
        return;
    }
    permission->due.reset();
    notify(PermissionFailed{.peer = peer, .failure = std::move(failure)});
}

void Client::fail_channel(Instant now, const SocketAddress& peer, Failure failure) {
    Channel* channel = find_channel(peer);
    if (channel == nullptr) return;
    channel->flight = Flight::Idle;
    // It was to refresh the permission, too.
    Permission* permission = find_permission(peer.ip);
    if (permission != nullptr && permission->due) permission->due = now;
    if (failure.kind == FailureKind::TimedOut && channel->permitted_until &&
        now < *channel->permitted_until) {
        if (channel->due) channel->due = now;
        return;
    }
    channel->due.reset();
    notify(ChannelFailed{.peer = peer, .failure = std::move(failure)});
}

}  // namespace stile::turn
