// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/portmap/client.hpp>

#include <algorithm>

namespace stile::portmap {
namespace {

// RFC 6887 Section 14.1.3: clients of a restarted gateway come back within this, not at once.
constexpr Duration most_recreation_delay = std::chrono::seconds{5};
// RFC 6887 Section 7.4, for an error whose holding time the protocol does not say.
constexpr Duration short_hold = std::chrono::seconds{30};

Refusal to_refusal(pcp::ResultCode code) {
    switch (code) {
        case pcp::ResultCode::NotAuthorized:
            return Refusal::NotAuthorized;
        case pcp::ResultCode::NetworkFailure:
            return Refusal::NoExternal;
        case pcp::ResultCode::NoResources:
        case pcp::ResultCode::UserExceededQuota:
            return Refusal::NoResources;
        case pcp::ResultCode::AddressMismatch:
            return Refusal::AnotherNat;
        case pcp::ResultCode::UnsupportedVersion:
        case pcp::ResultCode::UnsupportedOpcode:
        case pcp::ResultCode::UnsupportedOption:
        case pcp::ResultCode::UnsupportedProtocol:
            return Refusal::NotSupported;
        case pcp::ResultCode::Success:
        case pcp::ResultCode::MalformedRequest:
        case pcp::ResultCode::MalformedOption:
        case pcp::ResultCode::CannotProvideExternal:
        case pcp::ResultCode::ExcessiveRemotePeers:
            break;
    }
    return Refusal::Other;
}

Refusal to_refusal(nat_pmp::ResultCode code) {
    switch (code) {
        case nat_pmp::ResultCode::NotAuthorized:
            return Refusal::NotAuthorized;
        case nat_pmp::ResultCode::NetworkFailure:
            return Refusal::NoExternal;
        case nat_pmp::ResultCode::OutOfResources:
            return Refusal::NoResources;
        case nat_pmp::ResultCode::UnsupportedVersion:
        case nat_pmp::ResultCode::UnsupportedOpcode:
            return Refusal::NotSupported;
        case nat_pmp::ResultCode::Success:
            break;
    }
    return Refusal::Other;
}

// Whether a refused renewal says that the mapping is gone, and not only that it was not prolonged.
bool ends_mapping(Refusal why) {
    return why == Refusal::NotAuthorized || why == Refusal::AnotherNat;
}

// NAT-PMP's answer to a version that it does not know, which is PCP's. RFC 6887 Section 9.
bool is_nat_pmp(BytesView datagram) {
    const bool refuses_version =
        datagram.size() >= 4 && datagram[2] == std::byte{0} && datagram[3] == std::byte{1};
    return datagram[0] == std::byte{0} && !refuses_version;
}

}  // namespace

void Client::handle_datagram(Instant now, const SocketAddress& source, BytesView datagram) {
    if (source.ip != config_.gateway || source.port != server_port || datagram.empty()) return;
    if (is_nat_pmp(datagram)) {
        take_nat_pmp(now, datagram);
    } else {
        take_pcp(now, datagram);
    }
    attend(now);
}

void Client::take_pcp(Instant now, BytesView datagram) {
    const auto response = pcp::parse_response(datagram);
    if (!response || dialect_ == Dialect::NatPmp) return;
    if (const auto* mapped = std::get_if<pcp::MapResponse>(&*response)) return take(now, *mapped);
    if (const auto* announced = std::get_if<pcp::Announcement>(&*response)) {
        if (dialect_ == Dialect::Pcp) note_epoch(now, announced->epoch);
        return;
    }
    const bool asked = std::ranges::any_of(mappings_, [](const Mapping& mapping) {
        return mapping.exchange == Exchange::AwaitsAnswer;
    });
    if (dialect_ != Dialect::Unknown || !asked) return;
    if (std::get<pcp::VersionRefused>(*response).supported == 0 && config_.gateway.is_v4()) {
        settle(now, Dialect::NatPmp);
    } else {
        refuse_all(now, Refusal::NotSupported, limits::most_error_hold);
    }
}

void Client::take(Instant now, const pcp::MapResponse& response) {
    Mapping* const mapping = find(response.protocol, response.internal);
    // RFC 6887 Section 11.4: one for another's request, or a forged one.
    if (mapping == nullptr || mapping->nonce != response.nonce) return;
    settle(now, Dialect::Pcp);
    note_epoch(now, response.epoch);
    if (mapping->phase == Phase::Removing) {
        std::erase_if(mappings_, [&](const Mapping& entry) { return &entry == mapping; });
        return;
    }
    if (response.result != pcp::ResultCode::Success) {
        return refuse(now, *mapping, to_refusal(response.result),
                      std::clamp<Duration>(response.lifetime, limits::least_error_hold,
                                           limits::most_error_hold));
    }
    grant(now, *mapping, response.external, response.lifetime);
}

void Client::take_nat_pmp(Instant now, BytesView datagram) {
    const auto response = nat_pmp::parse_response(datagram);
    if (!response || dialect_ == Dialect::Pcp) return;
    std::visit([&](const auto& said) { take(now, said); }, *response);
}

void Client::take(Instant now, const nat_pmp::AddressResponse& response) {
    const bool asked = question_ && question_->requests > 0;
    if (dialect_ == Dialect::Unknown && !asked) return;
    settle(now, Dialect::NatPmp);
    note_epoch(now, response.epoch);
    if (response.result != nat_pmp::ResultCode::Success) {
        question_ = {.requests = 0, .next_request = now + short_hold};
        return refuse_all(now, to_refusal(response.result), short_hold);
    }
    question_.reset();
    address_ = response.external;
    for (Mapping& mapping : mappings_) {
        if (mapping.phase != Phase::Mapped || mapping.external->ip == *address_) continue;
        mapping.external->ip = *address_;
        queue_event(Mapped{mapping.id, *mapping.external, dialect_});
    }
}

void Client::take(Instant now, const nat_pmp::MapResponse& response) {
    Mapping* const mapping = find(response.protocol, response.internal);
    if (dialect_ != Dialect::NatPmp || mapping == nullptr || !address_) return;
    note_epoch(now, response.epoch);
    if (mapping->phase == Phase::Removing) {
        std::erase_if(mappings_, [&](const Mapping& entry) { return &entry == mapping; });
        return;
    }
    if (response.result != nat_pmp::ResultCode::Success) {
        return refuse(now, *mapping, to_refusal(response.result), short_hold);
    }
    // Answers to renewals do not say it when the address has changed meanwhile.
    if (mapping->phase == Phase::Mapped && !question_)
        question_ = {.requests = 0, .next_request = now};
    grant(now, *mapping, {*address_, response.external}, response.lifetime);
}

// The first answer decides how the gateway is spoken to.
void Client::settle(Instant now, Dialect dialect) {
    if (dialect_ != Dialect::Unknown) return;
    dialect_ = dialect;
    if (dialect == Dialect::Pcp) {
        question_.reset();
        return;
    }
    question_ = {.requests = 0, .next_request = now};
    for (Mapping& mapping : mappings_) {
        mapping.exchange = Exchange::Idle;
        mapping.requests = 0;
        mapping.next_request = now;
    }
}

void Client::note_epoch(Instant now, std::chrono::seconds count) {
    const auto rule = dialect_ == Dialect::Pcp ? Epoch::Rule::Pcp : Epoch::Rule::NatPmp;
    if (epoch_.see(now, count, rule) == Epoch::Finding::Plausible) return;
    for (Mapping& mapping : mappings_) {
        if (mapping.phase != Phase::Mapped) continue;
        mapping.requests = 0;
        mapping.exchange = Exchange::Idle;
        mapping.next_request = now + part_of(Duration{0}, most_recreation_delay);
    }
}

void Client::grant(Instant now, Mapping& mapping, const SocketAddress& external,
                   std::chrono::seconds lifetime) {
    if (external.port.value == 0 || external.ip.is_unspecified() ||
        lifetime == std::chrono::seconds{0}) {
        return refuse(now, mapping, Refusal::Other, limits::most_error_hold);
    }
    const bool news = mapping.phase != Phase::Mapped || mapping.external != external;
    mapping.phase = Phase::Mapped;
    mapping.exchange = Exchange::Idle;
    mapping.requests = 0;
    mapping.external = external;
    mapping.granted = now;
    mapping.expires = now + std::min(lifetime, limits::most_lifetime);
    mapping.said.reset();
    schedule_renewal(now, mapping);
    if (news) queue_event(Mapped{mapping.id, external, dialect_});
}

void Client::refuse(Instant now, Mapping& mapping, Refusal why, Duration hold) {
    if (mapping.phase == Phase::Removing) return;
    if (mapping.phase == Phase::Mapped) {
        // It lasts as long as it was granted; a renewal is tried again meanwhile.
        if (!ends_mapping(why)) return;
        lose(now, mapping);
    }
    mapping.exchange = Exchange::Idle;
    mapping.requests = 0;
    mapping.next_request = now + hold;
    if (mapping.said != why) queue_event(Refused{mapping.id, why});
    mapping.said = why;
}

void Client::refuse_all(Instant now, Refusal why, Duration hold) {
    for (Mapping& mapping : mappings_) refuse(now, mapping, why, hold);
}

void Client::handle_unreachable(Instant now) {
    if (dialect_ != Dialect::Unknown) return;
    question_.reset();
    std::erase_if(mappings_, [](const Mapping& entry) { return entry.phase == Phase::Removing; });
    refuse_all(now, Refusal::PortUnreachable, limits::most_error_hold);
}

}  // namespace stile::portmap
