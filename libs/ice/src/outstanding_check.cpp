// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/outstanding_check.hpp>

#include <stile/base/assert.hpp>

namespace stile::ice {

OutstandingCheck::OutstandingCheck(Instant now, PairId pair, const stun::TransactionId& id,
                                   const CheckContent& content,
                                   const stun::RetransmitSchedule& schedule)
    : id_(id),
      pair_(pair),
      content_(content),
      started_(now),
      rto_(schedule.rto),
      rm_(static_cast<std::uint16_t>(schedule.rm)),
      rc_(static_cast<std::uint8_t>(schedule.rc)),
      reliability_(schedule.reliability) {
    STILE_ASSERT(schedule.rto > Duration::zero());
    STILE_ASSERT(schedule.rc >= 1 && schedule.rc <= 32);
    STILE_ASSERT(schedule.rm >= 1 && schedule.rm <= 0xFFFF);
    deadline_ = now + wait_after(1);
}

// RFC 8489 Section 6.2.1.
Duration OutstandingCheck::wait_after(std::uint32_t send) const {
    return send == rc_ ? rto_ * rm_ : rto_ * (std::int64_t{1} << (send - 1));
}

OutstandingCheck::Due OutstandingCheck::handle_timeout(Instant now) {
    if (now < deadline_) return Due::Nothing;
    if (is_cancelled() || sent_ == rc_) return Due::TimedOut;
    ++sent_;
    // From now, not from the old deadline: who wakes late sends once, not a burst.
    deadline_ = now + wait_after(sent_);
    return Due::SendAgain;
}

void OutstandingCheck::cancel() {
    if (is_cancelled()) return;
    // The waits that the sends still to come would have begun.
    for (std::uint32_t send = sent_ + 1U; send <= rc_; ++send) deadline_ += wait_after(send);
    rc_ = 0;
}

void OutstandingCheck::handle_forged(Instant now) {
    if (reliability_ == stun::Reliability::Unreliable) return;
    rc_ = sent_;
    deadline_ = now;
}

std::optional<Duration> OutstandingCheck::round_trip(Instant now) const {
    return sent_ == 1 ? std::optional{now - started_} : std::nullopt;
}

}  // namespace stile::ice
