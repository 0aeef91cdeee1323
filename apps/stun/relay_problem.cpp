// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "relay_problem.hpp"

#include <stile/turn/time_limited.hpp>

#include <fmt/format.h>

namespace stile::probe {
namespace {

using app::ExitCode;
using turn::FailureKind;

struct Meaning {
    ExitCode code;
    std::string cause;
    std::string fix;
};

Meaning meaning_of(FailureKind kind) {
    switch (kind) {
        case FailureKind::TryAlternate:
            return {ExitCode::Declined, "the server is being emptied or shares its load",
                    "use the server that it names"};
        case FailureKind::BadRequest:
            return {ExitCode::Other, "the server does not take the request as it is",
                    "report it with the server's name and version"};
        case FailureKind::Unauthenticated:
            return {
                ExitCode::NotAuthorised, "user name or password is wrong",
                "compare both with the server's configuration; MD5 keys hold for one realm only"};
        case FailureKind::Forbidden:
            return {ExitCode::Declined, "the server's policy denies this peer or this user",
                    "if the server is yours, open the peer's range there (allow_peers)"};
        case FailureKind::MobilityForbidden:
            return {ExitCode::Declined, "the server's policy denies mobility",
                    "enable mobility there, or do without --mobility"};
        case FailureKind::UnknownAttribute:
            return {ExitCode::Declined, "the server does not know what was asked for",
                    "do without --dont-fragment, --tcp or --family"};
        case FailureKind::AllocationMismatch:
            return {ExitCode::Other, "the server knows no such allocation, or one too many",
                    "try again: the next attempt uses another local port"};
        case FailureKind::StaleNonce:
            return {ExitCode::Other, "the server takes none of its own nonces",
                    "see whether several servers answer at this address with keys of their own"};
        case FailureKind::AddressFamilyNotSupported:
            return {ExitCode::Declined, "the server relays no addresses of this family",
                    "choose another with --family, or give the server such an address"};
        case FailureKind::WrongCredentials:
            return {ExitCode::NotAuthorised, "the allocation belongs to another user",
                    "try again with the user who made it"};
        case FailureKind::UnsupportedTransportProtocol:
            return {ExitCode::Declined, "the server has no relays of this protocol",
                    "do without --tcp, or enable TCP relays (RFC 6062) at the server"};
        case FailureKind::PeerFamilyMismatch:
            return {ExitCode::Declined, "the allocation has no address of the peer's family",
                    "choose the peer's family with --family"};
        case FailureKind::ConnectionExists:
            return {ExitCode::Declined, "there is a connection to this peer already",
                    "wait until it is closed"};
        case FailureKind::ConnectionFailed:
            return {ExitCode::NoPath, "the relay cannot connect to the peer",
                    "see whether the peer listens and lets the relay in"};
        case FailureKind::QuotaReached:
            return {ExitCode::Declined, "this user has as many allocations as allowed",
                    "wait ten minutes for old ones to end, or raise the user's quota"};
        case FailureKind::RoleConflict:
            return {ExitCode::Other, "the server speaks ICE where TURN was asked for",
                    "see what listens at this address"};
        case FailureKind::ServerError:
            return {ExitCode::Other, "the server has a problem of its own",
                    "try again in a while; see its log"};
        case FailureKind::InsufficientCapacity:
            return {ExitCode::Declined, "the server has no free relay address, or is stopping",
                    "try again in a minute; give the server more relay ports"};
        case FailureKind::OtherCode:
            return {ExitCode::Other, "an error that TURN does not know",
                    "see what listens at this address"};
        case FailureKind::TimedOut:
            return {ExitCode::TimedOut, "no answer: nothing listens there, or a firewall drops it",
                    "try ?transport=tcp, or turns: on port 443"};
        case FailureKind::Unreachable:
            return {ExitCode::NoPath, "nothing listens at this address and port",
                    "compare them with the server's configuration"};
        case FailureKind::IntegrityViolated:
            return {ExitCode::NotAuthorised, "the answers are not signed with this user's password",
                    "compare the password; something on the way may change packets"};
        case FailureKind::ProtocolViolated:
            return {ExitCode::Other, "an answer breaks the protocol",
                    "report it with the server's name and version"};
        case FailureKind::count:
            break;
    }
    return {ExitCode::Other, "", ""};
}

// What a name that says when it ends (turn::TimeLimitedUsername) adds.
Meaning meaning_of(FailureKind kind, const Asker& asker) {
    const auto limited = turn::TimeLimitedUsername::parse(asker.username);
    if (kind != FailureKind::Unauthenticated || !limited) return meaning_of(kind);
    const auto left =
        std::chrono::duration_cast<std::chrono::seconds>(limited->expires - asker.now);
    if (left.count() <= 0) {
        return {ExitCode::NotAuthorised,
                fmt::format("the time-limited name has expired: {} s ago by this machine's clock",
                            -left.count()),
                "get a new name and password; if they are new, set the clock right that made them"};
    }
    return {
        ExitCode::NotAuthorised,
        fmt::format("the password was made with another secret, or the server's clock is wrong: "
                    "by this machine's the name is good for {} s",
                    left.count()),
        "compare the shared secret, and the clocks of both machines"};
}

std::string evidence_of(const turn::Failure& failure) {
    if (failure.code == 0) return std::string{turn::to_string(failure.kind)};
    std::string evidence = fmt::format("TURN error {} {}", failure.code, failure.reason);
    if (failure.alternate) evidence += ", at " + failure.alternate->to_string();
    return evidence;
}

Meaning meaning_of(drivers::CloseReason reason) {
    switch (reason) {
        case drivers::CloseReason::Untrusted:
            return {ExitCode::NotAuthorised, "no trusted authority vouches for the certificate",
                    "name the authority's certificate with --ca"};
        case drivers::CloseReason::Expired:
            return {ExitCode::NotAuthorised, "the server's certificate is not valid now",
                    "renew it; compare the clocks of both machines"};
        case drivers::CloseReason::WrongName:
            return {ExitCode::NotAuthorised, "the server's certificate is for another name",
                    "use that name in the URI, or say it with --name"};
        case drivers::CloseReason::RejectedByPeer:
        case drivers::CloseReason::Protocol:
            return {ExitCode::NoPath, "what listens there does not speak TLS as we do",
                    "see whether the port is the one for turns:"};
        case drivers::CloseReason::Refused:
            return {ExitCode::NoPath, "nothing listens at this address and port",
                    "compare them with the server's configuration"};
        case drivers::CloseReason::TimedOut:
            return {ExitCode::TimedOut, "no answer: nothing listens there, or a firewall drops it",
                    "try another transport or port"};
        case drivers::CloseReason::Unreachable:
            return {ExitCode::NoPath, "there is no route to this address",
                    "try the other address family"};
        case drivers::CloseReason::Local:
        case drivers::CloseReason::PeerClosed:
        case drivers::CloseReason::Truncated:
        case drivers::CloseReason::Reset:
        case drivers::CloseReason::Proxy:
        case drivers::CloseReason::Failed:
            return {ExitCode::NoPath, "the connection broke", "see the server's log"};
    }
    return {ExitCode::Other, "", ""};
}

}  // namespace

app::Problem problem_of(std::string_view step, const turn::Failure& failure) {
    const Meaning meaning = meaning_of(failure.kind);
    return {meaning.code, fmt::format("The server refuses {}", step), meaning.cause,
            evidence_of(failure), meaning.fix};
}

app::Problem problem_of(const turn_link::LinkFailure& failure, std::string_view uri,
                        const Asker& asker) {
    using Stage = turn_link::LinkFailure::Stage;
    const std::string at = failure.server ? failure.server->address.to_string() : std::string{uri};
    switch (failure.stage) {
        case Stage::Options:
            return {ExitCode::Usage, fmt::format("{} cannot be used so", uri), failure.text, "",
                    "see 'stile-stun relay --help'"};
        case Stage::Resolving:
            return {ExitCode::NotFound, fmt::format("No server was found for {}", uri),
                    "no NAPTR, SRV or address record, or no transport that fits", failure.text,
                    "check the name; name the port to ask for addresses alone"};
        case Stage::Connecting: {
            const Meaning meaning =
                meaning_of(failure.closed ? failure.closed->reason : drivers::CloseReason::Failed);
            return {meaning.code, fmt::format("No connection to {}", at), meaning.cause,
                    failure.text, meaning.fix};
        }
        case Stage::Allocating:
        case Stage::Using:
            break;
    }
    const turn::Failure why = failure.failure.value_or(turn::Failure{});
    const Meaning meaning = meaning_of(why.kind, asker);
    std::string evidence = evidence_of(why);
    if (failure.closed) evidence += "; " + failure.closed->text;
    return {meaning.code,
            failure.stage == Stage::Using ? fmt::format("The allocation at {} is lost", at)
                                          : fmt::format("{} gives no allocation", at),
            meaning.cause, evidence, meaning.fix};
}

}  // namespace stile::probe
