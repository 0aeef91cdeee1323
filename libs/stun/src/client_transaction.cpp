// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/stun/client_transaction.hpp>

#include <utility>

namespace stile::stun {

ClientTransaction::ClientTransaction(Instant now, Bytes request, RetransmitSchedule schedule)
    : request_(std::move(request)),
      schedule_(schedule),
      started_(now),
      interval_(schedule.rto),
      deadline_(now + schedule.rto) {
    const auto parsed = MessageView::parse(request_);
    STILE_ASSERT(parsed && parsed->message_class() == Class::Request);
    STILE_ASSERT(schedule_.rto > Duration::zero());
    STILE_ASSERT(schedule_.rc >= 1);
    STILE_ASSERT(schedule_.rm >= 1);
    id_ = parsed->id();
    if (schedule_.rc == 1) deadline_ = now + wait_after_last();
}

Verdict ClientTransaction::handle_message(Instant now, const MessageView& message,
                                          Integrity integrity) {
    if (!is_response(message.message_class()) || message.id() != id_) return Verdict::NotMine;
    if (!deadline_) return Verdict::Dropped;  // a duplicate answer
    if (integrity == Integrity::Failed) {
        // As if it had never been received: retransmission goes on. RFC 8489 Section 9.1.4. Over
        // a reliable transport nothing better can come.
        saw_failed_integrity_ = true;
        if (schedule_.reliability == Reliability::Reliable) finish(IntegrityViolated{});
        return Verdict::Dropped;
    }
    finish(Answered{
        .response = to_bytes(message.wire()),
        .round_trip = sent_ == 1 ? std::optional{now - started_} : std::nullopt,
    });
    return Verdict::Accepted;
}

void ClientTransaction::handle_timeout(Instant now) {
    if (!deadline_ || now < *deadline_) return;
    if (sent_ == schedule_.rc) {
        if (saw_failed_integrity_) {
            finish(IntegrityViolated{});
        } else {
            finish(TimedOut{});
        }
        return;
    }
    ++sent_;
    transmit_due_ = true;
    interval_ *= 2;
    // From now, not from the old deadline: a driver that wakes late sends once, not a burst.
    deadline_ = now + (sent_ == schedule_.rc ? wait_after_last() : interval_);
}

void ClientTransaction::handle_unreachable(Instant) {
    if (deadline_) finish(Unreachable{});
}

void ClientTransaction::stop_retransmitting(Instant) {
    if (!deadline_) return;
    // The waits that the sends still to come would have begun.
    for (std::uint32_t send = sent_ + 1; send <= schedule_.rc; ++send) {
        interval_ *= 2;
        *deadline_ += send == schedule_.rc ? wait_after_last() : interval_;
    }
    schedule_.rc = sent_;
    transmit_due_ = false;
}

std::optional<BytesView> ClientTransaction::poll_transmit() {
    if (!std::exchange(transmit_due_, false)) return std::nullopt;
    return BytesView{request_};
}

std::optional<ClientTransaction::Event> ClientTransaction::poll_event() {
    return std::exchange(event_, std::nullopt);
}

std::optional<Instant> ClientTransaction::poll_timeout() const { return deadline_; }

void ClientTransaction::finish(Event event) {
    deadline_.reset();
    transmit_due_ = false;
    event_ = std::move(event);
}

}  // namespace stile::stun
