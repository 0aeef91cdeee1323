// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The client's requests: when they are due, and what they say. RFC 8656 Sections 7 to 12.
#include <stile/turn/client.hpp>

#include "client_operations.hpp"

#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>

#include <algorithm>
#include <utility>

namespace stile::turn {
namespace {

using DontFragment = ClientConfig::DontFragment;

Failure failure_without_answer(const stun::ClientTransaction::Event& event) {
    if (std::holds_alternative<stun::ClientTransaction::TimedOut>(event)) {
        return {.kind = FailureKind::TimedOut};
    }
    if (std::holds_alternative<stun::ClientTransaction::Unreachable>(event)) {
        return {.kind = FailureKind::Unreachable};
    }
    return {.kind = FailureKind::IntegrityViolated};
}

}  // namespace

stun::RetransmitSchedule Client::schedule_for(ClientTransport transport) const {
    return is_stream(transport) ? stun::RetransmitSchedule::reliable() : config_.retransmit;
}

void Client::start(Instant now, const Task& task) {
    transactions_.push_back(
        {.task = task,
         .machine = stun::ClientTransaction{now, build(task), schedule_for(config_.transport)}});
}

Bytes Client::build(const Task& task) {
    const auto& [operation, peer] = task;
    stun::MessageBuilder builder{stun::Class::Request, method_of(operation),
                                 stun::TransactionId::random(random_)};
    switch (operation) {
        case Operation::Allocate:
            add_allocate_attributes(builder);
            break;
        case Operation::Refresh:
            if (config_.lifetime) builder.add(stun::Lifetime{*config_.lifetime});
            break;
        case Operation::Release:
            builder.add(stun::Lifetime{std::chrono::seconds{0}});
            break;
        case Operation::Permit:
        case Operation::Connect:
            builder.add(stun::XorPeerAddress{peer});
            break;
        case Operation::Bind:
            builder.add(stun::ChannelNumberAttribute{number_of(*find_channel(peer)).value});
            builder.add(stun::XorPeerAddress{peer});
            break;
    }
    const bool names_itself = method_of(operation) == stun::Method::Allocate ||
                              method_of(operation) == stun::Method::Refresh;
    if (names_itself && !config_.software.empty()) builder.add(stun::Software{config_.software});
    authentication_.authenticate(builder);
    builder.add_fingerprint();
    return builder.finish();
}

void Client::add_allocate_attributes(stun::MessageBuilder& builder) const {
    const bool tcp = config_.protocol == RelayProtocol::Tcp;
    builder.add(stun::RequestedTransport{tcp ? stun::RequestedTransport::tcp
                                             : stun::RequestedTransport::udp});
    if (config_.lifetime) builder.add(stun::Lifetime{*config_.lifetime});
    switch (config_.family) {
        case FamilyWish::ServerDefault:
            break;
        case FamilyWish::V4:
            builder.add(stun::RequestedAddressFamily{AddressFamily::V4});
            break;
        case FamilyWish::V6:
            builder.add(stun::RequestedAddressFamily{AddressFamily::V6});
            break;
        case FamilyWish::Both:
            builder.add(stun::AdditionalAddressFamily{AddressFamily::V6});
            break;
    }
    if (config_.even_port) builder.add(*config_.even_port);
    if (config_.reservation) builder.add(*config_.reservation);
    if (config_.dont_fragment == DontFragment::Wanted) builder.add(stun::DontFragment{});
    // RFC 8016 Section 3.1.1: of zero length.
    if (config_.mobility == ClientConfig::Mobility::Wanted) builder.add(stun::MobilityTicket{});
}

void Client::pump(Instant now) {
    start_due(now);
    collect(now);
    // What ended made room.
    start_due(now);
    collect(now);
}

void Client::start_due(Instant now) {
    if (state_ != State::Allocated) return;
    const auto is_due = [&](const auto& entry) {
        return entry.flight == Flight::Idle && entry.due && *entry.due <= now;
    };
    if (refresh_due_ && *refresh_due_ <= now) {
        refresh_due_.reset();
        start(now, {Operation::Refresh, {}});
    }
    for (Channel& channel : channels_) {
        if (transactions_.size() >= most_client_transactions) return;
        if (!is_due(channel)) continue;
        channel.flight = Flight::UnderWay;
        // The same request refreshes the permission.
        Permission* permission = find_permission(channel.peer.ip);
        if (permission != nullptr && permission->due && permission->installed_until) {
            permission->due = std::max(*permission->due, now + permission_refresh);
        }
        start(now, {Operation::Bind, channel.peer});
    }
    for (Permission& permission : permissions_) {
        if (transactions_.size() >= most_client_transactions) return;
        if (!is_due(permission)) continue;
        permission.flight = Flight::UnderWay;
        start(now, {Operation::Permit, {.ip = permission.peer, .port = {}}});
    }
    for (Connect& connect : connects_) {
        if (transactions_.size() >= most_client_transactions) return;
        if (connect.flight == Flight::UnderWay || connect.wanted == Connect::Wanted::No) continue;
        if (now < connect.not_before) continue;
        connect.flight = Flight::UnderWay;
        start(now, {Operation::Connect, connect.peer});
    }
}

void Client::collect(Instant now) {
    collect_move(now);
    for (auto each = transactions_.begin(); each != transactions_.end();) {
        while (const auto request = each->machine.poll_transmit()) transmit(to_bytes(*request));
        auto event = each->machine.poll_event();
        if (!event) {
            ++each;
            continue;
        }
        // Out of the list first: what follows may clear it.
        const Task done = each->task;
        transactions_.erase(each);
        if (const auto* answered = std::get_if<stun::ClientTransaction::Answered>(&*event)) {
            if (const auto response = stun::MessageView::parse(answered->response)) {
                if (response->message_class() == stun::Class::SuccessResponse) {
                    succeed(now, done, *response);
                } else {
                    fail(now, done, failure_of(*response));
                }
            }
        } else {
            fail(now, done, failure_without_answer(*event));
        }
        each = transactions_.begin();
    }
}

}  // namespace stile::turn
