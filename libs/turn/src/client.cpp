// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/client.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/machine.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>

#include <algorithm>
#include <utility>

namespace stile::turn {

static_assert(Machine<Client>);

namespace {

using DontFragment = ClientConfig::DontFragment;

bool is_before(Instant now, const std::optional<Instant>& until) { return until && now < *until; }

}  // namespace

Client::Client(Instant now, ClientConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      authentication_({.username = config_.username,
                       .password = config_.password,
                       .grant = std::move(config_.grant)}),
      random_(std::move(random)) {
    STILE_ASSERT(!config_.reservation ||
                 (!config_.even_port && config_.family == FamilyWish::ServerDefault));
    STILE_ASSERT(config_.protocol == RelayProtocol::Udp ||
                 (is_stream(config_.transport) && !config_.even_port && !config_.reservation &&
                  config_.dont_fragment == DontFragment::NotNeeded &&
                  config_.mobility == ClientConfig::Mobility::NotWanted));
    start(now, {Operation::Allocate, {}});
    pump(now);
}

std::optional<Client::PeerData> Client::handle_message(Instant now, BytesView message) {
    if (looks_like_channel_data(message)) return handle_channel_data(now, message);
    const auto parsed = stun::MessageView::parse(message);
    if (!parsed || stun::check_fingerprint(*parsed) == stun::Fingerprint::Wrong) return {};
    if (parsed->message_class() == stun::Class::Indication &&
        parsed->method() == stun::Method::Data) {
        return handle_data(now, *parsed);
    }
    if (parsed->message_class() == stun::Class::Indication &&
        parsed->method() == stun::Method::ConnectionAttempt) {
        handle_attempt(now, *parsed);
        return std::nullopt;
    }
    if (stun::is_response(parsed->message_class())) {
        handle_response(now, *parsed);
        pump(now);
    }
    return std::nullopt;
}

std::optional<Client::PeerData> Client::handle_channel_data(Instant now, BytesView message) {
    const auto data = ChannelData::parse(message);
    if (!data || state_ != State::Allocated) return std::nullopt;
    const std::size_t position = data->channel.value - ChannelNumber::first;
    if (position >= channels_.size()) return std::nullopt;
    const Channel& channel = channels_[position];
    // Data may overtake the answer to the first ChannelBind. RFC 8656 Section 12.
    if (channel.flight == Flight::Idle && !is_before(now, channel.permitted_until)) {
        return std::nullopt;
    }
    return PeerData{.peer = channel.peer, .payload = data->payload};
}

std::optional<Client::PeerData> Client::handle_data(Instant now,
                                                    const stun::MessageView& indication) {
    const auto peer = indication.get<stun::XorPeerAddress>();
    const auto data = indication.get<stun::Data>();
    const auto icmp = indication.get<stun::Icmp>();
    const auto unknown = indication.unknown_required(
        {stun::AttributeType::XorPeerAddress, stun::AttributeType::Data});
    if (!peer || (!data && !icmp) || !unknown.empty()) return std::nullopt;
    if (state_ != State::Allocated || !is_permitted(now, peer->address.ip)) return std::nullopt;
    if (icmp) {
        notify(PeerUnreachable{.peer = peer->address, .icmp = *icmp});
        return std::nullopt;
    }
    return PeerData{.peer = peer->address, .payload = data->octets};
}

void Client::handle_timeout(Instant now) {
    if (expires_ && now >= *expires_) {
        end(Expired{last_refresh_failure_});
        return;
    }
    for (Transaction& transaction : transactions_) transaction.machine.handle_timeout(now);
    if (move_) move_->machine.handle_timeout(now);
    pump(now);
}

void Client::handle_unreachable(Instant now) {
    if (move_ && is_stream(config_.transport)) {
        move_->old_path = Move::OldPath::Gone;
        return;
    }
    for (Transaction& transaction : transactions_) transaction.machine.handle_unreachable(now);
    // A stream does not come back, and the server ends what was allocated through it.
    if (is_stream(config_.transport) && state_ != State::Allocating) {
        return end(Expired{{.kind = FailureKind::Unreachable}});
    }
    pump(now);
}

Client::Accepted Client::permit(Instant now, const IpAddress& peer) {
    if (state_ == State::Releasing || state_ == State::Ended) return Accepted::Ended;
    Permission* permission = find_permission(peer);
    if (permission == nullptr) {
        std::erase_if(permissions_, [&](const Permission& each) {
            return !each.due && each.flight == Flight::Idle &&
                   !is_before(now, each.installed_until);
        });
        if (permissions_.size() == most_client_permissions) return Accepted::LimitReached;
        permissions_.push_back({.peer = peer});
        permission = &permissions_.back();
    }
    if (!permission->due && permission->flight == Flight::Idle) permission->due = now;
    pump(now);
    return Accepted::Yes;
}

Client::Accepted Client::bind_channel(Instant now, const SocketAddress& peer) {
    if (state_ == State::Releasing || state_ == State::Ended) return Accepted::Ended;
    Channel* channel = find_channel(peer);
    if (channel == nullptr) channel = free_channel(now);
    if (channel == nullptr) return Accepted::LimitReached;
    if (channel->peer != peer) *channel = Channel{.peer = peer};
    if (!channel->due && channel->flight == Flight::Idle) channel->due = now;
    pump(now);
    return Accepted::Yes;
}

// Numbers are given in order; one is given again only after its quarantine. RFC 8656 Section 12.
Client::Channel* Client::free_channel(Instant now) {
    if (channels_.size() < most_client_channels) return &channels_.emplace_back();
    const auto free = std::ranges::find_if(channels_, [&](const Channel& channel) {
        return !channel.due && channel.flight == Flight::Idle &&
               (!channel.bound_until || now >= *channel.bound_until + channel_quarantine);
    });
    return free == channels_.end() ? nullptr : &*free;
}

void Client::forget(const IpAddress& peer) {
    if (Permission* permission = find_permission(peer)) permission->due.reset();
    for (Channel& channel : channels_) {
        if (channel.peer.ip == peer) channel.due.reset();
    }
}

Client::Sent Client::send(Instant now, const SocketAddress& peer, BytesView payload,
                          DontFragment fragment) {
    if (payload.size() > most_payload_octets) return Sent::TooLarge;
    if (queue_.size() >= most_client_queue) return Sent::QueueFull;
    const auto number = channel_of(now, peer);
    if (number && fragment == DontFragment::NotNeeded) {
        const auto header = channel_header(*number, payload.size());
        Bytes message;
        message.reserve(header.size() + payload.size() + 3);
        message.insert(message.end(), header.begin(), header.end());
        message.insert(message.end(), payload.begin(), payload.end());
        if (is_stream(config_.transport)) {
            message.resize(message.size() + stream_padding(payload.size()));
        }
        transmit(std::move(message));
        return Sent::Queued;
    }
    if (state_ != State::Allocated || !is_permitted(now, peer.ip)) return Sent::NotPermitted;
    // Header, peer address and two attribute headers around the payload.
    constexpr std::size_t overhead =
        stun::header_octets + 2 * stun::attribute_header_octets + 20 + 3;
    if (payload.size() + overhead > most_payload_octets) return Sent::TooLarge;
    stun::MessageBuilder builder{stun::Class::Indication, stun::Method::Send,
                                 stun::TransactionId::random(random_)};
    builder.add(stun::XorPeerAddress{peer});
    if (fragment == DontFragment::Wanted) builder.add(stun::DontFragment{});
    builder.add(stun::Data{payload});
    transmit(builder.finish());
    return Sent::Queued;
}

std::optional<ChannelNumber> Client::channel_of(Instant now, const SocketAddress& peer) const {
    const Channel* channel = find_channel(peer);
    if (state_ != State::Allocated || channel == nullptr || !is_before(now, channel->bound_until)) {
        return std::nullopt;
    }
    return number_of(*channel);
}

void Client::release(Instant now) {
    switch (state_) {
        case State::Allocating:
            // The server may have made it already: what it says is waited for, then released.
            state_ = State::Releasing;
            // Nobody will authorize what is not wanted any more.
            if (transactions_.empty()) end(Released{});
            return;
        case State::Allocated:
            state_ = State::Releasing;
            transactions_.clear();
            waiting_for_grant_.clear();
            move_.reset();
            refresh_due_.reset();
            start(now, {Operation::Release, {}});
            return pump(now);
        case State::Releasing:
        case State::Ended:
            return;
    }
}

std::optional<BytesView> Client::poll_transmit() {
    if (queue_.empty()) return std::nullopt;
    polled_ = std::move(queue_.front());
    queue_.pop_front();
    return BytesView{polled_};
}

std::optional<Client::Event> Client::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
}

std::optional<Instant> Client::poll_timeout() const {
    if (state_ == State::Ended) return std::nullopt;
    std::optional<Instant> next = expires_;
    for (const Transaction& each : transactions_) next = earlier(next, each.machine.poll_timeout());
    if (move_) next = earlier(next, move_->machine.poll_timeout());
    // What is due waits for a transaction to end when all are taken.
    if (state_ != State::Allocated || transactions_.size() >= most_client_transactions) return next;
    next = earlier(next, refresh_due_);
    for (const Permission& each : permissions_) {
        if (each.flight == Flight::Idle) next = earlier(next, each.due);
    }
    for (const Channel& each : channels_) {
        if (each.flight == Flight::Idle) next = earlier(next, each.due);
    }
    for (const Connect& each : connects_) {
        if (each.flight == Flight::Idle && each.wanted == Connect::Wanted::Yes) {
            next = earlier(next, each.not_before);
        }
    }
    return next;
}

ChannelNumber Client::number_of(const Channel& channel) const {
    return {static_cast<std::uint16_t>(ChannelNumber::first + (&channel - channels_.data()))};
}

const Client::Permission* Client::find_permission(const IpAddress& peer) const {
    const auto found = std::ranges::find(permissions_, peer, &Permission::peer);
    return found == permissions_.end() ? nullptr : &*found;
}

Client::Permission* Client::find_permission(const IpAddress& peer) {
    const auto found = std::ranges::find(permissions_, peer, &Permission::peer);
    return found == permissions_.end() ? nullptr : &*found;
}

const Client::Channel* Client::find_channel(const SocketAddress& peer) const {
    const auto found = std::ranges::find(channels_, peer, &Channel::peer);
    return found == channels_.end() ? nullptr : &*found;
}

Client::Channel* Client::find_channel(const SocketAddress& peer) {
    const auto found = std::ranges::find(channels_, peer, &Channel::peer);
    return found == channels_.end() ? nullptr : &*found;
}

bool Client::is_permitted(Instant now, const IpAddress& peer) const {
    const Permission* permission = find_permission(peer);
    if (permission != nullptr && is_before(now, permission->installed_until)) return true;
    return std::ranges::any_of(channels_, [&](const Channel& channel) {
        return channel.peer.ip == peer && is_before(now, channel.permitted_until);
    });
}

void Client::end(Event event) {
    state_ = State::Ended;
    transactions_.clear();
    waiting_for_grant_.clear();
    move_.reset();
    ticket_.reset();
    permissions_.clear();
    channels_.clear();
    connects_.clear();
    relayed_.clear();
    expires_.reset();
    refresh_due_.reset();
    notify(std::move(event));
}

void Client::notify(Event event) {
    // What ends the client is said in any case, and is the last that it says.
    if (events_.size() >= most_client_events && state_ != State::Ended) return;
    events_.push_back(std::move(event));
}

// Requests get more room than data, which send() refuses earlier. A lost request is sent again.
void Client::transmit(Bytes message) {
    if (queue_.size() >= most_client_queue + most_client_transactions) return;
    queue_.push_back(std::move(message));
}

}  // namespace stile::turn
