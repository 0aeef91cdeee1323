// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "explanation_words.hpp"

namespace stile::connect {
namespace {

std::string nats_exclude(const Explanation& explanation) {
    std::string words;
    switch (explanation.obstacle) {
        case Obstacle::None:
            words = explanation.ours.maps_per_destination()
                        ? "your NAT maps per destination, and theirs does too or filters by port"
                        : "their NAT maps per destination, and yours does too or filters by port";
            break;
        case Obstacle::OursMapsTheirsFilters:
            words = "your NAT maps per destination and theirs filters by port";
            break;
        case Obstacle::TheirsMapsOursFilters:
            words = "their NAT maps per destination and yours filters by port";
            break;
        case Obstacle::BothMapByPort:
            words = "both NATs map per destination and port";
            break;
        case Obstacle::BothMapBothFilter:
            words = "both NATs map per destination and let in only addresses they know";
            break;
    }
    return words + (explanation.certainty == Certainty::Proven
                        ? ": direct is impossible over IPv4"
                        : ", as far as can be seen from here: direct is impossible over IPv4");
}

std::string nats_unknown(const Explanation& explanation) {
    if (explanation.ours.mapping() == stun::MappingBehavior::EndpointIndependent) {
        return "no direct packet came through; your NAT maps the same for all, so theirs maps per "
               "destination, or a firewall is in the way";
    }
    return "no direct packet came through, and what is known of the two NATs does not say which "
           "of them drops it";
}

}  // namespace

std::string words_of(Reason reason, const Explanation& explanation) {
    switch (reason) {
        case Reason::SameNetwork:
            return "nothing is between the two hosts that had to be passed";
        case Reason::NatPassed:
            return "both sides sent, and what is between let it through";
        case Reason::NatsExclude:
            return nats_exclude(explanation);
        case Reason::NatsUnknown:
            return nats_unknown(explanation);
        case Reason::SomethingElse:
            return "the two NATs would allow a direct path: a firewall, or loss, is in the way";
        case Reason::SameNat:
            return "you are behind the same NAT, which does not turn your packets round, and "
                   "not on the same network";
        case Reason::NoUdp:
            return "UDP does not get out of this network";
        case Reason::UdpFails:
            return "no UDP came through directly, and a TCP connection did";
        case Reason::NoPublicAddress:
            return "no server told you your public address";
        case Reason::RelayRefused:
            return "the relay refused you";
        case Reason::RelaySilent:
            return turn::is_stream(explanation.transport) ? "the relay does not answer over UDP"
                                                          : "the relay does not answer";
        case Reason::NoRelay:
            return "your server named no relay";
        case Reason::PeerNoRelay:
            return "the peer offered no relay";
        case Reason::PeerTcpOnly:
            return "the peer offered TCP alone";
        case Reason::PeerNoPublic:
            return "the peer offered only addresses of its own network";
        case Reason::PeerNoIpv6:
            return "the peer offered no IPv6";
        case Reason::WeNoIpv6:
            return "the peer offered IPv6, and you have none";
        case Reason::NoCommonFamily:
            return "one of you has IPv4 alone, the other IPv6 alone";
        case Reason::PeerSilent:
            return "none of the checks was answered: nothing from the peer gets to you, or back";
    }
    return {};
}

std::string Explanation::verdict() const {
    std::string text{to_string(outcome)};
    switch (outcome) {
        case Outcome::Direct:
        case Outcome::Relayed:
            break;
        case Outcome::NoPath:
            text = "no path";
            break;
        case Outcome::Ongoing:
            text = "no path yet";
            break;
        case Outcome::NotMet:
            text = "the peer's side never came";
            break;
    }
    if (turn::is_stream(transport)) {
        text += transport == turn::ClientTransport::Tls ? " over TLS" : " over TCP";
    }
    if (!lines.empty()) text += ": " + lines.front().text;
    return text;
}

std::string describe(const SourceReport& source) {
    using Answer = SourceReport::Outcome;
    std::string text = source.kind == SourceReport::Kind::Stun ? "STUN " : "TURN ";
    if (source.transport == turn::ClientTransport::Tcp) text += "over TCP ";
    if (source.transport == turn::ClientTransport::Tls) text += "over TLS ";
    text += source.path.remote.to_string();
    const bool relays_tcp = source.relays == turn::RelayProtocol::Tcp;
    if (relays_tcp && source.outcome != Answer::Answered) text += ", asked to relay TCP,";
    switch (source.outcome) {
        case Answer::NotAsked:
            return text + " was not asked";
        case Answer::Pending:
            return text + " has not answered yet";
        case Answer::Silent:
            return text + " does not answer";
        case Answer::Refused:
            break;
        case Answer::Answered:
            if (source.mapped) text += " sees " + source.mapped->to_string();
            for (const SocketAddress& relayed : source.relayed) {
                text += relays_tcp ? ", relays TCP at " : ", relays at ";
                text += relayed.to_string();
            }
            return text;
    }
    if (!source.failure) return text + " refuses";
    if (source.failure->code == 0) {
        return text + ": " + std::string{turn::to_string(source.failure->kind)};
    }
    text += " says " + std::to_string(source.failure->code);
    if (!source.failure->reason.empty()) text += " " + source.failure->reason;
    return text;
}

std::string describe(const MappedPort& mapped) {
    const std::string over = mapped.transport == ice::Transport::Tcp ? " over TCP" : "";
    const std::string router = "router " + mapped.gateway.to_string();
    // A firewall without translation.
    if (mapped.external == mapped.host) {
        return router + " lets everybody reach " + mapped.host.to_string() + over;
    }
    return router + " opens " + mapped.external.to_string() + " for " + mapped.host.to_string() +
           over;
}

std::string describe(const ice::PairReport& pair) {
    using ice::PairState;
    const std::string over = pair.transport == ice::Transport::Tcp ? "over TCP: " : "";
    switch (pair.state) {
        case PairState::Frozen:
            return over + "not tried: its turn had not come";
        case PairState::Waiting:
            return over + "waits for its turn";
        case PairState::InProgress:
            return over + "requests sent, no answer so far";
        case PairState::Succeeded:
            if (pair.nominated) return over + "answered; chosen by both sides";
            return over + (pair.selected ? "answered; in use" : "answered");
        case PairState::Failed:
            return over + (pair.last_error ? std::string{to_string(*pair.last_error)} : "failed");
        case PairState::Removed:
            return over + "given up when another was chosen: no answer until then";
    }
    return {};
}

std::string describe_origin(const ice::Candidate& candidate, ice::Side side) {
    const bool ours = side == ice::Side::Local;
    if (candidate.tcp_type == ice::TcpType::Active &&
        candidate.type == ice::CandidateType::Relayed) {
        return ours ? "where your relay opens TCP connections from"
                    : "where the peer's relay opens TCP connections from, as it told";
    }
    if (candidate.tcp_type == ice::TcpType::Active) {
        return ours ? "where this host opens TCP connections from"
                    : "where the peer opens TCP connections from, as it told";
    }
    switch (candidate.type) {
        case ice::CandidateType::Host:
            return ours ? "an interface of this host" : "an interface of the peer, as it told";
        case ice::CandidateType::ServerReflexive:
            return ours ? "how a STUN server sees " + candidate.base.to_string()
                        : "how the peer's STUN server sees it, as it told";
        case ice::CandidateType::PeerReflexive:
            return ours ? "how the peer sees " + candidate.base.to_string()
                        : "seen as the source of the peer's packets";
        case ice::CandidateType::Relayed:
            return ours ? "an address of your relay" : "an address of the peer's relay, as it told";
    }
    return {};
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::Direct:
            return "direct";
        case Outcome::Relayed:
            return "relayed";
        case Outcome::NoPath:
            return "no-path";
        case Outcome::Ongoing:
            return "ongoing";
        case Outcome::NotMet:
            return "not-met";
    }
    return {};
}

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::SameNetwork:
            return "same-network";
        case Reason::NatPassed:
            return "nat-passed";
        case Reason::NatsExclude:
            return "nats-exclude";
        case Reason::NatsUnknown:
            return "nats-unknown";
        case Reason::SomethingElse:
            return "something-else";
        case Reason::SameNat:
            return "same-nat";
        case Reason::NoUdp:
            return "no-udp";
        case Reason::UdpFails:
            return "udp-fails";
        case Reason::NoPublicAddress:
            return "no-public-address";
        case Reason::RelayRefused:
            return "relay-refused";
        case Reason::RelaySilent:
            return "relay-silent";
        case Reason::NoRelay:
            return "no-relay";
        case Reason::PeerNoRelay:
            return "peer-no-relay";
        case Reason::PeerTcpOnly:
            return "peer-tcp-only";
        case Reason::PeerNoPublic:
            return "peer-no-public";
        case Reason::PeerNoIpv6:
            return "peer-no-ipv6";
        case Reason::WeNoIpv6:
            return "we-no-ipv6";
        case Reason::NoCommonFamily:
            return "no-common-family";
        case Reason::PeerSilent:
            return "peer-silent";
    }
    return {};
}

std::string_view to_string(Obstacle obstacle) {
    switch (obstacle) {
        case Obstacle::None:
            return "none";
        case Obstacle::OursMapsTheirsFilters:
            return "ours-maps-theirs-filters";
        case Obstacle::TheirsMapsOursFilters:
            return "theirs-maps-ours-filters";
        case Obstacle::BothMapByPort:
            return "both-map-by-port";
        case Obstacle::BothMapBothFilter:
            return "both-map-both-filter";
    }
    return {};
}

std::string_view to_string(Certainty certainty) {
    return certainty == Certainty::Proven ? "proven" : "likely";
}

std::string_view to_string(SourceReport::Kind kind) {
    return kind == SourceReport::Kind::Stun ? "stun" : "turn";
}

std::string_view to_string(turn::ClientTransport transport) {
    switch (transport) {
        case turn::ClientTransport::Udp:
            return "udp";
        case turn::ClientTransport::Dtls:
            return "dtls";
        case turn::ClientTransport::Tcp:
            return "tcp";
        case turn::ClientTransport::Tls:
            return "tls";
    }
    return {};
}

std::string_view to_string(SourceReport::Outcome outcome) {
    switch (outcome) {
        case SourceReport::Outcome::NotAsked:
            return "not-asked";
        case SourceReport::Outcome::Pending:
            return "pending";
        case SourceReport::Outcome::Answered:
            return "answered";
        case SourceReport::Outcome::Silent:
            return "silent";
        case SourceReport::Outcome::Refused:
            return "refused";
    }
    return {};
}

std::string_view to_string(ice::CandidateType type) {
    switch (type) {
        case ice::CandidateType::Host:
            return "host";
        case ice::CandidateType::ServerReflexive:
            return "srflx";
        case ice::CandidateType::PeerReflexive:
            return "prflx";
        case ice::CandidateType::Relayed:
            return "relay";
    }
    return {};
}

std::string_view to_string(ice::PairState state) {
    switch (state) {
        case ice::PairState::Frozen:
            return "frozen";
        case ice::PairState::Waiting:
            return "waiting";
        case ice::PairState::InProgress:
            return "in-progress";
        case ice::PairState::Succeeded:
            return "succeeded";
        case ice::PairState::Failed:
            return "failed";
        case ice::PairState::Removed:
            return "removed";
    }
    return {};
}

std::string_view to_string(const ice::PairError& error) {
    using Kind = ice::PairError::Kind;
    switch (error.kind) {
        case Kind::TimedOut:
            return "requests sent, none was answered";
        case Kind::NotSymmetric:
            return "answered from another address than was asked: a NAT changes it on the way";
        case Kind::ErrorResponse:
            return error.code == 487 ? "roles were not settled in time" : "answered with an error";
        case Kind::SendFailed:
            return "could not be sent: no route, or the network said unreachable";
        case Kind::BaseLost:
            return "the local address went away";
        case Kind::ConsentExpired:
            return "it worked, then the peer went silent";
        case Kind::ConsentRevoked:
            return "it worked, then the peer refused it";
        case Kind::ConnectionRefused:
            return "the connection was refused";
        case Kind::ConnectionFailed:
            return "the connection could not be opened";
        case Kind::ConnectionClosed:
            return "the connection was closed by the peer or the network";
        case Kind::NotIce:
            return "somebody else than the peer answered";
    }
    return {};
}

}  // namespace stile::connect
