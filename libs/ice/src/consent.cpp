// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/consent.hpp>

#include <stile/base/assert.hpp>
#include <stile/ice/limits.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

// RFC 7675 Section 5.1: each interval anew from 0.8 to 1.2 times the period.
Duration next_interval(crypto::RandomStream& random) {
    constexpr auto spread = static_cast<std::uint64_t>((Consent::period * 2 / 5).count());
    return Consent::period * 4 / 5 + Duration{static_cast<Duration::rep>(random.below(spread + 1))};
}

}  // namespace

Consent::Consent(Instant now, Instant given, crypto::RandomStream& random)
    : next_(now - given < period ? now + next_interval(random) : now), expires_(given + lifetime) {}

void Consent::sent(Instant now, stun::TransactionId id, crypto::RandomStream& random) {
    if (requests_.size() == limits::most_outstanding_consents) requests_.erase(requests_.begin());
    requests_.push_back({.id = id, .sent = now});
    // From now, not from the old deadline: a late wake-up asks once.
    next_ = now + next_interval(random);
}

bool Consent::is_waiting_for(const stun::TransactionId& id) const {
    return std::any_of(requests_.begin(), requests_.end(),
                       [&](const Request& request) { return request.id == id; });
}

Duration Consent::answered(Instant now, const stun::TransactionId& id) {
    const auto found = std::find_if(requests_.begin(), requests_.end(),
                                    [&](const Request& request) { return request.id == id; });
    STILE_ASSERT(found != requests_.end());
    const Duration round_trip = now - found->sent;
    // Answers to older requests prove no more than this one did.
    requests_.erase(requests_.begin(), found + 1);
    renew(now);
    return round_trip;
}

void Consent::refused(const stun::TransactionId& id) {
    std::erase_if(requests_, [&](const Request& request) { return request.id == id; });
}

}  // namespace stile::ice
