// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "ended_by.hpp"

namespace stile::session {
namespace {

EndReason reason_of(sip::Status status) {
    switch (status.code) {
        case 404:
        case 604:
            return EndReason::UnknownPeer;
        case 408:
        case 410:
        case 430:
        case 480:
            return EndReason::PeerOffline;
        case 401:
        case 407:
            return EndReason::NotAuthorised;
        case 406:
        case 415:
        case 420:
        case 488:
        case 606:
            return EndReason::NotUnderstood;
        case 403:
        case 433:
        case 486:
        case 487:
        case 600:
        case 603:
            return EndReason::Declined;
    }
    return EndReason::ServerFailure;
}

std::string status_line(const sip::Message& response) {
    return std::to_string(response.status().code) + ' ' + std::string{response.reason()};
}

}  // namespace

Ended ended_by(SessionId session, const sip::Call::Ended& ended) {
    using Reason = sip::Call::EndReason;
    Ended result{session, EndReason::ServerFailure, {}, {}};
    if (ended.message && ended.message->is_response()) {
        result.evidence = status_line(*ended.message);
    }
    switch (ended.reason) {
        case Reason::LocalBye:
        case Reason::LocalCancel:
        case Reason::LocalReject:
            result.reason = EndReason::Local;
            break;
        case Reason::RemoteBye:
        case Reason::RemoteCancel:
        case Reason::PeerGone:
            result.reason = EndReason::PeerEnded;
            break;
        case Reason::Rejected:
            if (ended.message) result.reason = reason_of(ended.message->status());
            break;
        case Reason::Unauthorized:
            result.reason = EndReason::NotAuthorised;
            break;
        case Reason::TimedOut:
            result.reason = EndReason::NoAnswer;
            break;
        case Reason::TransportFailed:
            result.reason = EndReason::Unreachable;
            break;
        case Reason::NotAcknowledged:
            result.reason = EndReason::NoAnswer;
            break;
        case Reason::BadAnswer:
            result.reason = EndReason::NotUnderstood;
            break;
    }
    return result;
}

}  // namespace stile::session
