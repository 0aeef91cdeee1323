// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/transaction_id.hpp>

#include <optional>
#include <vector>

namespace stile::ice {

// When to ask one peer on one path for its consent, and when it has lapsed. RFC 7675 Section 5.1.
// The requests also are the keepalives of RFC 8445 Section 11: they leave three times as often.
class Consent {
public:
    static constexpr Duration period = std::chrono::seconds{5};  // randomised by 0.8 to 1.2
    static constexpr Duration lifetime = std::chrono::seconds{30};

    // Consent was given at `given`, by an answered check; if that is long ago it is asked for at
    // once. Requires: given <= now.
    Consent(Instant now, Instant given, crypto::RandomStream& random);

    bool is_due(Instant now) const { return now >= next_; }
    bool is_expired(Instant now) const { return now >= expires_; }
    Instant next_deadline() const { return next_ < expires_ ? next_ : expires_; }
    Instant expires() const { return expires_; }

    // A request left; each has an id of its own and is sent once.
    void sent(Instant now, stun::TransactionId id, crypto::RandomStream& random);
    bool is_waiting_for(const stun::TransactionId& id) const;
    // An authenticated answer arrived. Requires: is_waiting_for(id). The round trip.
    Duration answered(Instant now, const stun::TransactionId& id);
    // An authenticated error arrived: nothing is renewed.
    void refused(const stun::TransactionId& id);
    // A check of another kind was answered on this path.
    void renew(Instant now) { expires_ = now + lifetime; }

private:
    struct Request {
        stun::TransactionId id;
        Instant sent;
    };

    std::vector<Request> requests_;  // oldest first
    Instant next_;
    Instant expires_;
};

}  // namespace stile::ice
