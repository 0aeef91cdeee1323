// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/data_connection.hpp>

#include <stile/base/machine.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/turn/stream_framing.hpp>

#include <algorithm>
#include <utility>

namespace stile::turn {

static_assert(Machine<DataConnection>);

DataConnection::DataConnection(Instant now, ConnectionId connection,
                               stun::LongTermClient authentication, crypto::RandomStream random)
    : connection_(connection),
      authentication_(std::move(authentication)),
      random_(std::move(random)) {
    start(now);
}

void DataConnection::start(Instant now) {
    stun::MessageBuilder builder{stun::Class::Request, stun::Method::ConnectionBind,
                                 stun::TransactionId::random(random_)};
    builder.add(stun::ConnectionId{connection_.value});
    authentication_.authenticate(builder);
    builder.add_fingerprint();
    transaction_.emplace(now, builder.finish(), stun::RetransmitSchedule::reliable());
    collect();
}

BytesView DataConnection::handle_octets(Instant now, BytesView octets) {
    while (phase_ == Phase::Binding && !octets.empty()) {
        // The answer ends somewhere in `octets`: no octet behind it is taken from them.
        const auto size = [&] { return framed_size(incoming_); };
        const auto take = [&](std::size_t wanted) {
            const std::size_t count = std::min(wanted - incoming_.size(), octets.size());
            incoming_.insert(incoming_.end(), octets.begin(),
                             octets.begin() + static_cast<std::ptrdiff_t>(count));
            octets = octets.subspan(count);
        };
        if (incoming_.size() < channel_header_octets) {
            take(channel_header_octets);
            if (incoming_.size() < channel_header_octets) break;
        }
        const auto whole = size();
        if (!whole || looks_like_channel_data(incoming_)) {
            fail({.kind = FailureKind::ProtocolViolated});
            break;
        }
        take(*whole);
        if (incoming_.size() < *whole) break;
        const Bytes message = std::exchange(incoming_, {});
        const auto response = stun::MessageView::parse(message);
        if (!response) {
            fail({.kind = FailureKind::ProtocolViolated});
            break;
        }
        handle_response(now, *response);
        collect();
    }
    return phase_ == Phase::Bound ? octets : BytesView{};
}

void DataConnection::handle_response(Instant now, const stun::MessageView& response) {
    if (!transaction_ || response.id() != transaction_->id() ||
        response.method() != stun::Method::ConnectionBind ||
        !stun::is_response(response.message_class()) ||
        stun::check_fingerprint(response) == stun::Fingerprint::Wrong) {
        return;
    }
    const auto request = stun::MessageView::parse(transaction_->request());
    if (!request) return;
    using Outcome = stun::LongTermClient::Outcome;
    switch (authentication_.handle_response(*request, response)) {
        case Outcome::Accepted:
            transaction_->handle_message(now, response, stun::Integrity::Passed);
            return;
        case Outcome::Discarded:
            transaction_->handle_message(now, response, stun::Integrity::Failed);
            return;
        case Outcome::Retry:
            return start(now);
        case Outcome::Refused:
            return fail(failure_of(response));
    }
}

void DataConnection::collect() {
    if (!transaction_) return;
    if (const auto request = transaction_->poll_transmit()) outgoing_ = to_bytes(*request);
    const auto event = transaction_->poll_event();
    if (!event) return;
    if (const auto* answered = std::get_if<stun::ClientTransaction::Answered>(&*event)) {
        const auto response = stun::MessageView::parse(answered->response);
        if (response && response->message_class() == stun::Class::SuccessResponse) {
            phase_ = Phase::Bound;
            event_ = Bound{};
            transaction_.reset();
        } else {
            fail(response ? failure_of(*response) : Failure{.kind = FailureKind::ProtocolViolated});
        }
    } else if (std::holds_alternative<stun::ClientTransaction::TimedOut>(*event)) {
        fail({.kind = FailureKind::TimedOut});
    } else if (std::holds_alternative<stun::ClientTransaction::Unreachable>(*event)) {
        fail({.kind = FailureKind::Unreachable});
    } else {
        fail({.kind = FailureKind::IntegrityViolated});
    }
}

void DataConnection::fail(Failure failure) {
    phase_ = Phase::Ended;
    event_ = Failed{std::move(failure)};
    transaction_.reset();
    outgoing_.reset();
}

void DataConnection::handle_timeout(Instant now) {
    if (!transaction_) return;
    transaction_->handle_timeout(now);
    collect();
}

void DataConnection::handle_unreachable(Instant now) {
    if (!transaction_) return;
    transaction_->handle_unreachable(now);
    collect();
}

std::optional<BytesView> DataConnection::poll_transmit() {
    if (!outgoing_) return std::nullopt;
    polled_ = *std::exchange(outgoing_, std::nullopt);
    return BytesView{polled_};
}

std::optional<DataConnection::Event> DataConnection::poll_event() {
    return std::exchange(event_, std::nullopt);
}

std::optional<Instant> DataConnection::poll_timeout() const {
    return transaction_ ? transaction_->poll_timeout() : std::nullopt;
}

}  // namespace stile::turn
