// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/checklist.hpp>
#include <stile/ice/connectivity_check.hpp>
#include <stile/stun/client_transaction.hpp>
#include <stile/stun/transaction_id.hpp>

#include <optional>

namespace stile::ice {

// A check that waits for its answer: a stun::ClientTransaction without the request, which is built
// again from the content when it has to be sent again. An agent may have a hundred of them.
class OutstandingCheck {
public:
    // It leaves now. Requires: as stun::ClientTransaction.
    OutstandingCheck(Instant now, PairId pair, const stun::TransactionId& id,
                     const CheckContent& content, const stun::RetransmitSchedule& schedule);

    PairId pair() const { return pair_; }
    const stun::TransactionId& id() const { return id_; }
    const CheckContent& content() const { return content_; }

    // When handle_timeout has something to do.
    Instant deadline() const { return deadline_; }
    enum class Due : std::uint8_t { Nothing, SendAgain, TimedOut };
    Due handle_timeout(Instant now);

    // Sent no more, but its answer is welcome as long as it would have been. RFC 8445 Section
    // 6.1.4.2.
    void cancel();
    bool is_cancelled() const { return rc_ == 0; }

    // An answer whose integrity failed: as if it had not come, unless nothing better can come.
    void handle_forged(Instant now);
    // Absent if it was sent again: there is no telling which one was answered.
    std::optional<Duration> round_trip(Instant now) const;

private:
    Duration wait_after(std::uint32_t send) const;

    stun::TransactionId id_;
    PairId pair_;
    CheckContent content_;
    Instant started_;
    Instant deadline_;
    Duration rto_;
    std::uint16_t rm_;
    std::uint8_t rc_;  // 0 once cancelled
    std::uint8_t sent_ = 1;
    stun::Reliability reliability_;
};

}  // namespace stile::ice
