// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "ended_problem.hpp"

#include <fmt/format.h>

namespace stile::peer {
namespace {

using app::ExitCode;
using app::Problem;

std::string domain_of(const std::string& address) { return address.substr(address.find('@') + 1); }

Problem fault_problem(session::SessionFault fault, const std::string& peer) {
    const std::string cause{session::to_string(fault)};
    switch (fault) {
        case session::SessionFault::NoPath:
        case session::SessionFault::PathTimedOut:
            return {
                ExitCode::NoPath, fmt::format("No path to {}", peer), cause, "",
                fmt::format("let UDP out to your server's relay on both sides; what was tried, and "
                            "why it was in vain: stile why {}",
                            peer)};
        case session::SessionFault::PathLost:
            return {ExitCode::NoPath, fmt::format("The path to {} was lost", peer), cause, "",
                    "check the network of both sides, then try again"};
        case session::SessionFault::BadDescription:
        case session::SessionFault::NoCarrier:
        case session::SessionFault::BadPath:
        case session::SessionFault::NoFingerprint:
            break;
    }
    return {ExitCode::Other, fmt::format("{} answers, but not as it should", peer), cause, "",
            "check that both sides run current releases"};
}

}  // namespace

Problem to_problem(const session::Ended& ended, const std::string& peer) {
    using Reason = session::EndReason;
    Problem problem{ExitCode::Other, "", "", ended.evidence, ""};
    switch (ended.reason) {
        case Reason::Local:
            problem.what = fmt::format("The session with {} was ended here", peer);
            break;
        case Reason::PeerEnded:
            problem = {ExitCode::Declined, fmt::format("{} ended the session", peer), "",
                       ended.evidence, "try again later, or ask them"};
            break;
        case Reason::UnknownPeer:
            problem = {ExitCode::NotFound, fmt::format("There is no {}", peer),
                       fmt::format("{} knows no such user", domain_of(peer)), ended.evidence,
                       "check the spelling of the address"};
            break;
        case Reason::PeerOffline:
            problem = {ExitCode::NotFound, fmt::format("{} is not online", peer),
                       "no device that shares something is registered there", ended.evidence,
                       "ask them to start 'stile share', then try again"};
            break;
        case Reason::Declined:
            problem = {ExitCode::Declined, fmt::format("{} declines", peer), "", ended.evidence,
                       "ask them"};
            break;
        case Reason::NotAuthorised:
            problem = {ExitCode::NotAuthorised, "The server does not accept this account", "",
                       ended.evidence, "log in again with a new link"};
            break;
        case Reason::NotUnderstood:
            problem = {ExitCode::Other, fmt::format("{} cannot do what is asked", peer),
                       "the two programs have no way to carry HTTP in common", ended.evidence,
                       "check that both sides run current releases"};
            break;
        case Reason::ServerFailure:
            problem = {ExitCode::Other, fmt::format("The server could not reach {}", peer), "",
                       ended.evidence, "try again; if it stays so, ask the server's operator"};
            break;
        case Reason::NoAnswer:
            problem = {ExitCode::TimedOut, fmt::format("{} does not answer", peer), "",
                       ended.evidence, "try again later"};
            break;
        case Reason::Unreachable:
            problem = {ExitCode::NoPath, "The connection to the server was lost", "",
                       ended.evidence, "check the network and that stiled runs there"};
            break;
        case Reason::SessionFault:
            problem = fault_problem(ended.fault.value_or(session::SessionFault::NoPath), peer);
            if (!ended.evidence.empty()) problem.evidence = ended.evidence;
            break;
    }
    return problem;
}

Problem to_problem(session::FetchError error, const std::string& peer) {
    switch (error) {
        case session::FetchError::BadAddress:
            return {ExitCode::Usage, fmt::format("'{}' is no address", peer), "", "",
                    "addresses look like alice@example.org"};
        case session::FetchError::NoFlow:
            return {ExitCode::NoPath, "There is no connection to the server", "", "",
                    "check the network and that stiled runs there"};
        case session::FetchError::TooMany:
            return {ExitCode::Other, "Too many sessions at once", "",
                    fmt::format("at most {}", session::limits::most_sessions),
                    "wait until others have ended"};
    }
    return {};
}

Problem to_problem(const quic::event::Closed& closed, const std::string& peer) {
    const std::string reason{quic::to_text(closed.reason)};
    const Problem refused{ExitCode::NotAuthorised,
                          fmt::format("{} does not accept who we are", peer), reason, closed.text,
                          "somebody may be in between, or they keep an old pin of your key"};
    switch (closed.reason) {
        case quic::CloseReason::FingerprintMismatch:
        case quic::CloseReason::NoPeerCertificate:
            return {ExitCode::NotAuthorised,
                    fmt::format("What answers is not what {} said it would be", peer), reason,
                    "the certificate's fingerprint is not the one in the session description",
                    "somebody may be in between: do not trust this network, tell them"};
        case quic::CloseReason::RefusedByPeer:
            return refused;
        case quic::CloseReason::IdleTimeout:
        case quic::CloseReason::HandshakeTimeout:
            return {ExitCode::TimedOut, fmt::format("{} went silent", peer), reason, closed.text,
                    "try again; a download goes on where it was"};
        case quic::CloseReason::ClosedByPeer:
            if (closed.code == identity_refused.value) return refused;
            break;
        case quic::CloseReason::ClosedHere:
        case quic::CloseReason::PeerBrokeProtocol:
        case quic::CloseReason::PeerReportedError:
        case quic::CloseReason::PeerLostState:
        case quic::CloseReason::Internal:
            break;
    }
    return {ExitCode::Declined, fmt::format("The connection to {} ended", peer), reason,
            closed.text, "try again; a download goes on where it was"};
}

Problem to_problem(const session::RegistrationFailed& failed, const Account& account) {
    using Failure = sip::Registration::Failure;
    const std::string what = fmt::format("{} could not be registered", account.address);
    const std::string again =
        failed.retry_at ? "it is tried again by itself" : "log in again with a new link";
    switch (failed.failure) {
        case Failure::Unreachable:
            return {ExitCode::NoPath, what, "the server does not answer", failed.evidence, again};
        case Failure::Unauthorized:
            return {ExitCode::NotAuthorised, what, "the server does not accept the login",
                    failed.evidence, again};
        case Failure::Rejected:
        case Failure::BadAnswer:
            break;
    }
    return {ExitCode::Other, what, "the server refuses", failed.evidence, again};
}

Problem went_silent(const std::string& peer) {
    return {ExitCode::TimedOut, fmt::format("{} went silent", peer),
            "nothing comes by the path that was there", "",
            "try again; a download goes on where it was"};
}

Problem refused_identity(identity::Decision decision, const std::string& peer,
                         const std::optional<identity::Pin>& pin, const identity::Met& met) {
    if (decision == identity::Decision::FingerprintMismatch || !pin) {
        return {ExitCode::NotAuthorised,
                fmt::format("What answers is not what {} said it would be", peer),
                "the certificate's fingerprint is not the one in the session description", "",
                "somebody may be in between: do not trust this network, tell them"};
    }
    return {ExitCode::NotAuthorised, fmt::format("This is not the {} you met before", peer),
            "the key that it proved is another than the pinned one",
            fmt::format("pinned {}, met {}", pin->key.to_hex().substr(0, 16),
                        met.address_key.thumbprint().to_hex().substr(0, 16)),
            "somebody may be in between. Ask them by another way; if they did make a new key: "
            "stile contacts rm " +
                peer};
}

Problem unusable_certificate(const std::string& peer) {
    return {ExitCode::NotAuthorised, fmt::format("{} shows no usable certificate", peer), "", "",
            "check that both sides run current releases"};
}

Problem unreadable_pins(const drivers::StoreError& error) {
    return {ExitCode::Local, "The pins of earlier meetings cannot be used", error.text, "",
            "nothing is sent to a peer that cannot be recognised: mend the store first"};
}

}  // namespace stile::peer
