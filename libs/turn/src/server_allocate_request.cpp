// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// What an Allocate request asks for. RFC 8656 Section 7.2.
#include <stile/turn/server.hpp>

#include "allocate_wish.hpp"

#include <algorithm>

namespace stile::turn {
namespace {

namespace error = stun::error;

bool is_malformed(const auto& attribute) {
    return !attribute && attribute.error() == stun::AttributeError::Malformed;
}

// coturn's client still sends the number of a draft, which IANA has given to nothing else.
std::expected<stun::AdditionalAddressFamily, stun::AttributeError> additional_family(
    const stun::MessageView& request) {
    constexpr stun::AttributeType draft{0x8032};
    const auto assigned = request.get<stun::AdditionalAddressFamily>();
    if (assigned || assigned.error() != stun::AttributeError::Absent) return assigned;
    const auto value = request.find(draft);
    if (!value) return assigned;
    if (const auto family = stun::AdditionalAddressFamily::decode(*value, request.id())) {
        return *family;
    }
    return std::unexpected(stun::AttributeError::Malformed);
}

}  // namespace

// RFC 8656 Section 7.2, RFC 6062 Section 5.1 and RFC 8016 Section 3.1.2.
std::optional<stun::ErrorCode> Server::read_protocol(const Verified& verified,
                                                     AllocateWish& wish) const {
    const stun::MessageView& request = verified.request;
    const auto transport = request.get<stun::RequestedTransport>();
    if (!transport) return error::bad_request;
    if (transport->protocol == stun::RequestedTransport::tcp &&
        config_.tcp_relays == Offer::Offered) {
        if (!is_stream(verified.flow.transport) || request.has(stun::AttributeType::DontFragment) ||
            request.has(stun::AttributeType::EvenPort) ||
            request.has(stun::AttributeType::ReservationToken)) {
            return error::bad_request;
        }
        wish.protocol = RelayProtocol::Tcp;
    } else if (transport->protocol != stun::RequestedTransport::udp) {
        return error::unsupported_transport;
    }
    const auto ticket = request.get<stun::MobilityTicket>();
    if (!ticket) return std::nullopt;
    if (!ticket->octets.empty()) return error::bad_request;
    if (config_.mobility == Offer::NotOffered) return error::mobility_forbidden;
    wish.mobile = true;
    return std::nullopt;
}

// The order of checks is the order of RFC 8656 Section 7.2.
std::expected<Server::AllocateWish, stun::ErrorCode> Server::read_wish(Instant now,
                                                                       const Verified& verified) {
    const stun::MessageView& request = verified.request;
    AllocateWish wish;
    if (const auto refused = read_protocol(verified, wish)) return std::unexpected(*refused);
    const auto token = request.get<stun::ReservationToken>();
    const auto even = request.get<stun::EvenPort>();
    const auto family = request.get<stun::RequestedAddressFamily>();
    const auto additional = additional_family(request);
    const auto lifetime = request.get<stun::Lifetime>();
    if (is_malformed(token) || is_malformed(even) || is_malformed(additional) ||
        is_malformed(lifetime)) {
        return std::unexpected(error::bad_request);
    }
    const auto asked = [&](stun::AttributeType type) { return request.has(type); };
    wish.lifetime = lifetime_for(
        now, verified, lifetime ? std::optional<Duration>{lifetime->value} : std::nullopt);
    if (token) {
        if (even || asked(stun::AttributeType::RequestedAddressFamily) || additional) {
            return std::unexpected(error::bad_request);
        }
        Relay* reserved = table_.find_reserved(*token);
        if (reserved == nullptr || reserved->user->first != verified.owner) {
            return std::unexpected(error::insufficient_capacity);
        }
        wish.reserved = reserved->id;
        return wish;
    }
    if (asked(stun::AttributeType::RequestedAddressFamily) && additional) {
        return std::unexpected(error::bad_request);
    }
    // A family that is neither is one that is not supported.
    if (is_malformed(family)) return std::unexpected(error::address_family_not_supported);
    if (additional && additional->family == AddressFamily::V4) {
        return std::unexpected(error::bad_request);
    }
    if (even) {
        if (even->next == stun::EvenPort::Next::Reserve && additional) {
            return std::unexpected(error::bad_request);
        }
        if (config_.even_ports == Offer::NotOffered) {
            return std::unexpected(error::insufficient_capacity);
        }
        wish.rule =
            even->next == stun::EvenPort::Next::Reserve ? PortRule::EvenAndNext : PortRule::Even;
    }
    const std::array offered{config_.ipv4 == Offer::Offered, config_.ipv6 == Offer::Offered};
    for (const AddressFamily each : both_families) {
        const auto i = static_cast<std::size_t>(each);
        const bool wanted = additional || (family ? family->family : AddressFamily::V4) == each;
        wish.families[i] = wanted && offered[i];
        if (wanted && !offered[i]) wish.family_error[i] = error::address_family_not_supported.code;
    }
    if (!wish.families[0] && !wish.families[1]) {
        return std::unexpected(error::address_family_not_supported);
    }
    return wish;
}

}  // namespace stile::turn
