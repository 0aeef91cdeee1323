// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/failure.hpp>

#include <stile/stun/attributes.hpp>

namespace stile::turn {

FailureKind failure_kind_of(std::uint16_t code) {
    switch (code) {
        case 300:
            return FailureKind::TryAlternate;
        case 400:
            return FailureKind::BadRequest;
        case 401:
            return FailureKind::Unauthenticated;
        case 403:
            return FailureKind::Forbidden;
        case 405:
            return FailureKind::MobilityForbidden;
        case 420:
            return FailureKind::UnknownAttribute;
        case 437:
            return FailureKind::AllocationMismatch;
        case 438:
            return FailureKind::StaleNonce;
        case 440:
            return FailureKind::AddressFamilyNotSupported;
        case 441:
            return FailureKind::WrongCredentials;
        case 442:
            return FailureKind::UnsupportedTransportProtocol;
        case 443:
            return FailureKind::PeerFamilyMismatch;
        case 446:
            return FailureKind::ConnectionExists;
        case 447:
            return FailureKind::ConnectionFailed;
        case 486:
            return FailureKind::QuotaReached;
        case 487:
            return FailureKind::RoleConflict;
        case 500:
            return FailureKind::ServerError;
        case 508:
            return FailureKind::InsufficientCapacity;
        default:  // a code that is not known
            return FailureKind::OtherCode;
    }
}

std::string_view to_string(FailureKind kind) {
    switch (kind) {
        case FailureKind::TryAlternate:
            return "sent to another server";
        case FailureKind::BadRequest:
            return "bad request";
        case FailureKind::Unauthenticated:
            return "unauthenticated";
        case FailureKind::Forbidden:
            return "forbidden";
        case FailureKind::MobilityForbidden:
            return "mobility forbidden";
        case FailureKind::UnknownAttribute:
            return "unknown attribute";
        case FailureKind::AllocationMismatch:
            return "allocation mismatch";
        case FailureKind::StaleNonce:
            return "stale nonce";
        case FailureKind::AddressFamilyNotSupported:
            return "address family not supported";
        case FailureKind::WrongCredentials:
            return "wrong credentials";
        case FailureKind::UnsupportedTransportProtocol:
            return "unsupported transport protocol";
        case FailureKind::PeerFamilyMismatch:
            return "peer address family mismatch";
        case FailureKind::ConnectionExists:
            return "connection already exists";
        case FailureKind::ConnectionFailed:
            return "connection timeout or failure";
        case FailureKind::QuotaReached:
            return "allocation quota reached";
        case FailureKind::RoleConflict:
            return "role conflict";
        case FailureKind::ServerError:
            return "server error";
        case FailureKind::InsufficientCapacity:
            return "insufficient capacity";
        case FailureKind::OtherCode:
            return "unknown error";
        case FailureKind::TimedOut:
            return "no answer";
        case FailureKind::Unreachable:
            return "unreachable";
        case FailureKind::IntegrityViolated:
            return "answers are not authentic";
        case FailureKind::ProtocolViolated:
            return "an answer breaks the protocol";
        case FailureKind::count:
            break;
    }
    return "";
}

Failure failure_of(const stun::MessageView& response) {
    Failure failure;
    if (const auto error = response.get<stun::ErrorCode>()) {
        failure.kind = failure_kind_of(error->code);
        failure.code = error->code;
        failure.reason = std::string{error->reason};
    }
    if (const auto alternate = response.get<stun::AlternateServer>()) {
        failure.alternate = alternate->address;
    }
    if (const auto domain = response.get<stun::AlternateDomain>()) {
        failure.alternate_domain = std::string{domain->text};
    }
    return failure;
}

}  // namespace stile::turn
