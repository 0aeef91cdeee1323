// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/portmap/client.hpp>

#include <algorithm>

namespace stile::portmap {
namespace {

// RFC 6887 Section 8.1.1.
constexpr Duration pcp_first_interval = std::chrono::seconds{3};
constexpr Duration pcp_most_interval = std::chrono::seconds{1024};
// RFC 6886 Section 3.1.
constexpr Duration nat_pmp_first_interval = std::chrono::milliseconds{250};
Duration nat_pmp_interval(unsigned requests_sent) {
    return nat_pmp_first_interval * (1U << (requests_sent - 1));
}

IpAddress unspecified(AddressFamily family) {
    return family == AddressFamily::V4 ? IpAddress{} : IpAddress::v6({});
}

}  // namespace

void Client::begin_asking(Instant now, Mapping& mapping) {
    mapping.phase = Phase::Asking;
    mapping.exchange = Exchange::Idle;
    mapping.requests = 0;
    mapping.next_request = now;
    mapping.patience = now + limits::answer_patience;
}

void Client::lose(Instant now, Mapping& mapping) {
    begin_asking(now, mapping);
    queue_event(Lost{mapping.id});
}

bool Client::has_turn(const Mapping& mapping) const {
    if (dialect_ != Dialect::NatPmp) return true;
    if (!address_ || (question_ && question_->requests > 0)) return false;
    return std::ranges::none_of(mappings_, [&](const Mapping& other) {
        return &other != &mapping && other.exchange == Exchange::AwaitsAnswer;
    });
}

void Client::handle_timeout(Instant now) { attend(now); }

// One that gives up its turn may be behind the one whose turn it then is: hence until all is done.
void Client::attend(Instant now) {
    for (auto next = poll_timeout(); next && *next <= now; next = poll_timeout()) {
        if (question_ && now >= question_->next_request) ask_address(now);
        for (Mapping& mapping : mappings_) attend(now, mapping);
        // A removal that was sent often enough, and waited for, is over.
        std::erase_if(mappings_, [&](const Mapping& mapping) {
            return mapping.phase == Phase::Removing && now >= mapping.next_request &&
                   mapping.requests >= most_requests(mapping);
        });
    }
}

void Client::attend(Instant now, Mapping& mapping) {
    if (mapping.phase == Phase::Mapped && now >= mapping.expires) lose(now, mapping);
    if (mapping.phase == Phase::Asking && !mapping.said && now >= mapping.patience) {
        mapping.said = Refusal::NoAnswer;
        queue_event(Refused{mapping.id, Refusal::NoAnswer});
    }
    if (now < mapping.next_request || !has_turn(mapping)) return;
    if (mapping.requests < most_requests(mapping)) return send_request(now, mapping);
    if (mapping.phase == Phase::Asking) {
        refuse(now, mapping, Refusal::NoAnswer, limits::most_error_hold);
    } else if (mapping.phase == Phase::Mapped) {
        mapping.exchange = Exchange::Idle;
        mapping.next_request = mapping.expires;
    }
}

unsigned Client::most_requests(const Mapping& mapping) const {
    if (mapping.phase == Phase::Removing) {
        return dialect_ == Dialect::Unknown ? 1 : limits::most_removal_requests;
    }
    return dialect_ == Dialect::NatPmp ? limits::most_nat_pmp_requests : ~0U;
}

void Client::send_request(Instant now, Mapping& mapping) {
    const bool fresh = mapping.phase == Phase::Asking && mapping.requests == 0;
    if (dialect_ == Dialect::Unknown && fresh && !question_ && config_.gateway.is_v4()) {
        question_ = {.requests = 0, .next_request = now + limits::nat_pmp_head_start};
    }
    // A caller who does not fetch them has no network; the next one says the same.
    if (transmits_.size() < 2 * limits::most_mappings) transmits_.push_back(request_of(mapping));
    ++mapping.requests;
    mapping.exchange = Exchange::AwaitsAnswer;
    schedule_next(now, mapping);
}

void Client::ask_address(Instant now) {
    if (question_->requests == limits::most_nat_pmp_requests) {
        question_.reset();
        if (dialect_ != Dialect::NatPmp) return;
        question_ = {.requests = 0, .next_request = now + limits::most_error_hold};
        return refuse_all(now, Refusal::NoAnswer, limits::most_error_hold);
    }
    if (transmits_.size() < 2 * limits::most_mappings) {
        transmits_.push_back(nat_pmp::address_request());
    }
    ++question_->requests;
    question_->next_request = now + nat_pmp_interval(question_->requests);
}

void Client::schedule_next(Instant now, Mapping& mapping) {
    if (dialect_ == Dialect::NatPmp) {
        mapping.next_request = now + nat_pmp_interval(mapping.requests);
        return;
    }
    if (mapping.phase == Phase::Mapped) return schedule_renewal(now, mapping);
    // RFC 6887 Section 8.1.1: (1 + RAND) times what it would be, RAND from -0.1 to 0.1.
    const Duration planned = mapping.requests == 1
                                 ? pcp_first_interval
                                 : std::min(2 * mapping.interval, pcp_most_interval);
    mapping.interval = part_of(planned - planned / 10, planned / 5);
    mapping.next_request = now + mapping.interval;
}

// RFC 6887 Section 11.2.1: within 1/2 and 5/8 of the lifetime, then 3/4 and 3/4 + 1/16, and so on.
void Client::schedule_renewal(Instant now, Mapping& mapping) {
    const Duration lifetime = mapping.expires - mapping.granted;
    const unsigned step = std::min(mapping.requests, 20U);
    const Duration remaining = lifetime / (std::int64_t{2} << step);
    const Instant wanted = mapping.granted + part_of(lifetime - remaining, remaining / 4);
    mapping.next_request = std::max(wanted, now + limits::least_renewal_interval);
}

Bytes Client::request_of(const Mapping& mapping) const {
    const bool removes = mapping.phase == Phase::Removing;
    const std::chrono::seconds lifetime = removes ? std::chrono::seconds{0} : config_.lifetime;
    const SocketAddress none{unspecified(config_.local.family()), Port{0}};
    const SocketAddress suggested = removes ? none : mapping.external.value_or(none);
    if (dialect_ == Dialect::NatPmp) {
        return nat_pmp::MapRequest{mapping.protocol, mapping.internal, suggested.port, lifetime}
            .to_bytes();
    }
    return pcp::MapRequest{.client = config_.local,
                           .lifetime = lifetime,
                           .nonce = mapping.nonce,
                           .protocol = mapping.protocol,
                           .internal = mapping.internal,
                           .suggested = suggested}
        .to_bytes();
}

// From `whole` to `most_more` more, each with the same likelihood.
Duration Client::part_of(Duration whole, Duration most_more) {
    const auto range =
        static_cast<std::uint64_t>(std::max<Duration::rep>(most_more.count(), 0)) + 1;
    return whole + Duration{static_cast<Duration::rep>(random_.below(range))};
}

}  // namespace stile::portmap
