// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/ice/consent.hpp>
#include <stile/ice/limits.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{Duration{1s}};

stun::TransactionId id(std::uint8_t number) { return {.octets = {std::byte{number}}}; }

TEST_CASE("ice consent: requests leave every 4 to 6 s and not always at the same interval") {
    crypto::RandomStream random{crypto::seed_from_number(1)};
    Consent consent{start, start, random};
    Instant now = start;
    Duration least = 100s;
    Duration most = 0s;
    for (std::uint8_t i = 0; i < 200; ++i) {
        consent.renew(now);
        const Instant next = consent.next_deadline();
        least = std::min(least, next - now);
        most = std::max(most, next - now);
        CHECK_FALSE(consent.is_due(next - 1ns));
        CHECK(consent.is_due(next));
        now = next;
        consent.sent(now, id(i), random);
    }
    CHECK(least >= 4s);
    CHECK(most <= 6s);
    CHECK(most - least > 1500ms);
}

TEST_CASE("ice consent: expires 30 s after the last answer, not after the last request") {
    crypto::RandomStream random{crypto::seed_from_number(2)};
    Consent consent{start, start, random};
    consent.sent(start + 5s, id(1), random);
    CHECK(consent.answered(start + 6s, id(1)) == 1s);
    consent.sent(start + 30s, id(2), random);
    CHECK_FALSE(consent.is_expired(start + 36s - 1ns));
    CHECK(consent.is_expired(start + 36s));
}

TEST_CASE("ice consent: counts from when it was given, not from when it is first used") {
    crypto::RandomStream random{crypto::seed_from_number(2)};
    const Consent consent{start + 20s, start, random};
    CHECK(consent.expires() == start + 30s);
    CHECK(consent.is_due(start + 20s));
}

TEST_CASE("ice consent: an answer to an earlier request counts, a second one to it does not") {
    crypto::RandomStream random{crypto::seed_from_number(3)};
    Consent consent{start, start, random};
    consent.sent(start + 5s, id(1), random);
    consent.sent(start + 10s, id(2), random);
    CHECK(consent.is_waiting_for(id(1)));
    (void)consent.answered(start + 11s, id(1));
    CHECK_FALSE(consent.is_waiting_for(id(1)));
    CHECK(consent.is_waiting_for(id(2)));
    consent.refused(id(2));
    CHECK_FALSE(consent.is_waiting_for(id(2)));
}

TEST_CASE("ice consent: remembers as many requests as the limit says, then forgets the oldest") {
    crypto::RandomStream random{crypto::seed_from_number(4)};
    Consent consent{start, start, random};
    for (std::uint8_t i = 0; i < limits::most_outstanding_consents; ++i) {
        consent.sent(start, id(i), random);
    }
    CHECK(consent.is_waiting_for(id(0)));
    consent.sent(start, id(100), random);
    CHECK_FALSE(consent.is_waiting_for(id(0)));
    CHECK(consent.is_waiting_for(id(1)));
    CHECK(consent.is_waiting_for(id(100)));
}

}  // namespace
}  // namespace stile::ice
