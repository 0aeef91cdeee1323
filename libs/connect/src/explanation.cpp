// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "explanation_words.hpp"

#include <algorithm>

namespace stile::connect {
namespace {

using ice::CandidateType;
using stun::FilteringBehavior;
using stun::MappingBehavior;

bool v4(const SocketAddress& address) { return address.ip.is_v4(); }

// What streams show says nothing of UDP: a NAT maps the two apart, and a firewall lets one out.
bool by_udp(const SourceReport& source) { return !turn::is_stream(source.transport); }
bool by_udp(const ice::Candidate& candidate) { return candidate.transport == ice::Transport::Udp; }

// An address that the whole internet can be told.
bool is_public(const IpAddress& ip) {
    return !ip.is_private() && !ip.is_loopback() && !ip.is_link_local();
}

template <class Range, class Predicate>
bool any(const Range& range, Predicate predicate) {
    return std::ranges::any_of(range, predicate);
}

bool is_direct(const ice::PairReport& pair) {
    return pair.local_type != CandidateType::Relayed && pair.remote_type != CandidateType::Relayed;
}

bool was_tried(const ice::PairReport& pair) {
    return pair.state != ice::PairState::Frozen && pair.state != ice::PairState::Waiting;
}

bool has_family(const std::vector<ice::Candidate>& candidates, AddressFamily family) {
    return any(candidates, [&](const auto& one) {
        return one.address.ip.family() == family && !one.address.ip.is_link_local();
    });
}

// ---- what the session shows of the NATs --------------------------------------------------------

// Two servers that see one socket at one or two addresses. RFC 5780 Section 4.3.
void compare(const SourceReport& one, const SourceReport& two, NatKnowledge& ours) {
    if (!by_udp(one) || !by_udp(two)) return;
    if (!one.mapped || !two.mapped || !v4(*one.mapped) || one.path.local != two.path.local) return;
    if (one.path.remote == two.path.remote) return;
    const bool same_host = one.path.remote.ip == two.path.remote.ip;
    if (one.mapped == two.mapped) {
        ours.mapping_is_not(MappingBehavior::AddressAndPortDependent);
        if (!same_host) ours.mapping_is(MappingBehavior::EndpointIndependent);
    } else {
        ours.mapping_is_not(MappingBehavior::EndpointIndependent);
        if (same_host) ours.mapping_is(MappingBehavior::AddressAndPortDependent);
    }
}

void learn_ours(const PathReport& report, NatKnowledge& ours) {
    for (std::size_t i = 0; i < report.sources.size(); ++i) {
        const SourceReport& source = report.sources[i];
        if (by_udp(source) && source.mapped && v4(*source.mapped) &&
            *source.mapped == source.path.local) {
            ours.mapping_is(MappingBehavior::EndpointIndependent);  // no NAT
        }
        for (std::size_t k = 0; k < i; ++k) compare(report.sources[k], source, ours);
    }
    // The peer saw one of our sockets where no server had seen it. RFC 8445 Section 7.2.5.3.1.
    for (const ice::Candidate& found : report.local) {
        if (found.type != CandidateType::PeerReflexive || !v4(found.address)) continue;
        if (!by_udp(found)) continue;
        const bool known = any(report.local, [&](const ice::Candidate& other) {
            return by_udp(other) && other.type == CandidateType::ServerReflexive &&
                   other.base == found.base && other.address.ip == found.address.ip &&
                   other.address.port != found.address.port;
        });
        if (known) ours.mapping_is_not(MappingBehavior::EndpointIndependent);
    }
}

void learn_theirs(const PathReport& report, NatKnowledge& theirs) {
    const auto signalled = [&](const SocketAddress& address, CandidateType type) {
        return any(report.remote, [&](const ice::Candidate& other) {
            return by_udp(other) && other.type == type && other.address == address;
        });
    };
    for (const ice::Candidate& found : report.remote) {
        if (found.type != CandidateType::PeerReflexive || !v4(found.address)) continue;
        if (!by_udp(found)) continue;
        // From the outside of their NAT, by a port that no server had seen.
        const bool known_nat = any(report.remote, [&](const ice::Candidate& other) {
            return by_udp(other) && other.type == CandidateType::ServerReflexive &&
                   other.address.ip == found.address.ip;
        });
        if (known_nat) theirs.mapping_is_not(MappingBehavior::EndpointIndependent);
    }
    for (const ice::PairReport& pair : report.pairs) {
        // Our relay was answered from the very port that their server had seen: that is at least
        // another port than the server's.
        if (pair.valid && pair.local_type == CandidateType::Relayed && v4(pair.path.remote) &&
            signalled(pair.path.remote, CandidateType::ServerReflexive)) {
            theirs.mapping_is_not(MappingBehavior::AddressAndPortDependent);
        }
    }
    const bool unmapped = any(report.remote, [&](const ice::Candidate& other) {
        return other.type == CandidateType::Host && v4(other.address) &&
               is_public(other.address.ip);
    });
    if (unmapped) theirs.mapping_is(MappingBehavior::EndpointIndependent);
}

// ---- why there is no direct path ---------------------------------------------------------------

struct Found {
    bool possible = false;  // some behaviours that are left would have allowed it
    bool excluded = false;  // some exclude it
    bool unanimous = true;  // all that exclude it do it in the same way
    Obstacle obstacle = Obstacle::None;
};

enum class Rare : std::uint8_t { Included, LeftOut };

Found look_for_obstacle(const NatKnowledge& ours, const NatKnowledge& theirs, Rare rare) {
    Found found;
    const auto left_out = [&](MappingBehavior mapping, const NatKnowledge& of) {
        return rare == Rare::LeftOut && mapping == MappingBehavior::AddressDependent &&
               of.mapping() != mapping;
    };
    for (unsigned i = 0; i < 81; ++i) {
        const NatBehavior one{mapping_behaviors[i / 27], filtering_behaviors[i / 9 % 3]};
        const NatBehavior two{mapping_behaviors[i / 3 % 3], filtering_behaviors[i % 3]};
        if (!ours.may_be(one) || !theirs.may_be(two)) continue;
        if (left_out(one.mapping, ours) || left_out(two.mapping, theirs)) continue;
        const Obstacle obstacle = obstacle_between(one, two);
        if (obstacle == Obstacle::None) {
            found.possible = true;
            continue;
        }
        if (found.excluded && obstacle != found.obstacle) found.unanimous = false;
        found.excluded = true;
        found.obstacle = obstacle;
    }
    return found;
}

// No direct path came about: what is left must exclude one, or something else did.
Reason blame_nats(Explanation& explanation) {
    const NatKnowledge& ours = explanation.ours;
    const NatKnowledge& theirs = explanation.theirs;
    const Found all = look_for_obstacle(ours, theirs, Rare::Included);
    if (!all.excluded) return Reason::SomethingElse;
    // Only a mapping that is known to change makes a claim.
    const bool evident = ours.maps_per_destination() || theirs.maps_per_destination();
    if (all.possible && !evident) return Reason::NatsUnknown;
    if (all.unanimous) {
        explanation.obstacle = all.obstacle;
        explanation.certainty = all.possible ? Certainty::Likely : Certainty::Proven;
        return Reason::NatsExclude;
    }
    const Found usual = look_for_obstacle(ours, theirs, Rare::LeftOut);
    if (!usual.excluded) return Reason::NatsUnknown;
    // Without one obstacle the words name what the possible ones have in common.
    if (usual.unanimous) explanation.obstacle = usual.obstacle;
    explanation.certainty = Certainty::Likely;
    return Reason::NatsExclude;
}

// The one address family in which NATs matter.
bool tried_direct_v4(const PathReport& report) {
    return any(report.pairs, [](const ice::PairReport& pair) {
        return pair.transport == ice::Transport::Udp && is_direct(pair) && was_tried(pair) &&
               v4(pair.path.remote) && is_public(pair.path.remote.ip);
    });
}

bool share_public_address(const PathReport& report) {
    return any(report.local, [&](const ice::Candidate& ours) {
        return ours.type == CandidateType::ServerReflexive && v4(ours.address) &&
               any(report.remote, [&](const ice::Candidate& theirs) {
                   return theirs.type == CandidateType::ServerReflexive &&
                          theirs.address.ip == ours.address.ip;
               });
    });
}

// ---- the reasons -------------------------------------------------------------------------------

class Explainer {
public:
    Explainer(const PathReport& report, Explanation& explanation)
        : report_(report), explanation_(explanation) {}

    void run() {
        learn_ours(report_, explanation_.ours);
        learn_theirs(report_, explanation_.theirs);
        explanation_.outcome = outcome();
        if (report_.route) explanation_.transport = report_.route->transport;
        no_udp_ = udp_is_blocked();
        switch (explanation_.outcome) {
            case Outcome::Direct:
                add_direct_route();
                return;
            case Outcome::Relayed:
            case Outcome::NoPath:
            case Outcome::Ongoing:
            case Outcome::NotMet:
                break;
        }
        const bool has_udp = !tcp_alone();
        if (!has_udp) add(Reason::PeerTcpOnly);
        add_sources();
        if (explanation_.outcome == Outcome::NotMet) return;
        if (!no_udp_ && has_udp) add_direct();
        if (explanation_.outcome != Outcome::Relayed) add_missing_relays();
        add_families();
    }

private:
    Outcome outcome() const {
        if (report_.route) {
            return report_.route->kind == RouteKind::Direct ? Outcome::Direct : Outcome::Relayed;
        }
        if (report_.remote.empty()) return Outcome::NotMet;
        return report_.state == ice::State::Failed ? Outcome::NoPath : Outcome::Ongoing;
    }
    void add_direct_route() {
        if (report_.route->stream) {
            add(no_udp_ ? Reason::NoUdp : tcp_alone() ? Reason::PeerTcpOnly : Reason::UdpFails);
        } else {
            add(is_local_route() ? Reason::SameNetwork : Reason::NatPassed);
        }
    }
    bool tcp_alone() const {
        return !report_.remote.empty() &&
               !any(report_.remote, [](const ice::Candidate& theirs) { return by_udp(theirs); });
    }
    bool is_local_route() const {
        return report_.route->local_type == CandidateType::Host &&
               report_.route->remote_type == CandidateType::Host;
    }
    void add(Reason reason, std::string text = {}) {
        explanation_.lines.push_back({reason, AddressFamily::V4, std::move(text)});
    }

    // Whether a datagram of a server or of the peer came to one of our sockets.
    bool heard_by_udp() const {
        const auto answered = [](const SourceReport& source) {
            return by_udp(source) && (source.outcome == SourceReport::Outcome::Answered ||
                                      (source.outcome == SourceReport::Outcome::Refused &&
                                       source.failure && source.failure->code != 0));
        };
        const auto is_by_stream = [&](const SocketAddress& relayed) {
            return any(report_.sources, [&](const SourceReport& source) {
                return !by_udp(source) &&
                       std::ranges::find(source.relayed, relayed) != source.relayed.end();
            });
        };
        return any(report_.sources, answered) || any(report_.pairs, [&](const auto& pair) {
                   return pair.valid && pair.transport == ice::Transport::Udp &&
                          !is_by_stream(pair.path.local);
               });
    }
    bool udp_is_blocked() const {
        const auto has = [&](SourceReport::Outcome outcome) {
            return any(report_.sources, [&](const SourceReport& source) {
                return by_udp(source) && source.outcome == outcome;
            });
        };
        const bool asked =
            has(SourceReport::Outcome::Silent) || has(SourceReport::Outcome::Refused);
        return asked && !has(SourceReport::Outcome::Pending) && !heard_by_udp();
    }

    void add_sources() {
        using Kind = SourceReport::Kind;
        using SourceOutcome = SourceReport::Outcome;
        const auto count = [&](Kind kind, SourceOutcome outcome) {
            return std::ranges::count_if(report_.sources, [&](const SourceReport& source) {
                return source.kind == kind && source.outcome == outcome;
            });
        };
        if (no_udp_) add(Reason::NoUdp);
        const auto has_relay = [&](turn::RelayProtocol relays) {
            return any(report_.sources, [&](const SourceReport& source) {
                return source.relays == relays && !source.relayed.empty();
            });
        };
        for (const SourceReport& source : report_.sources) {
            if (source.kind != Kind::Turn) continue;
            // One of several ways to a relay, of which another worked.
            if (!by_udp(source) && has_relay(source.relays)) continue;
            // Asked for as the last resort: to who takes UDP it is not what was missing.
            if (source.relays == turn::RelayProtocol::Tcp && !tcp_alone()) continue;
            const bool refused = source.outcome == SourceOutcome::Refused;
            if (refused) add(Reason::RelayRefused, describe(source));
            if (source.outcome == SourceOutcome::Silent && !(no_udp_ && by_udp(source))) {
                add(Reason::RelaySilent, describe(source));
            }
        }
        const bool mapped =
            any(report_.sources, [](const auto& source) { return source.mapped.has_value(); });
        if (!mapped && !no_udp_ && count(Kind::Stun, SourceOutcome::Pending) == 0) {
            add(Reason::NoPublicAddress);
        }
        const bool relay_named =
            any(report_.sources, [](const auto& source) { return source.kind == Kind::Turn; });
        if (!relay_named) add(Reason::NoRelay);
    }

    void add_direct() {
        const bool their_public = any(report_.remote, [](const ice::Candidate& candidate) {
            return candidate.type != CandidateType::Relayed && is_public(candidate.address.ip);
        });
        if (share_public_address(report_)) return add(Reason::SameNat);
        if (!their_public) return add(Reason::PeerNoPublic);
        if (!tried_direct_v4(report_)) return;
        add(blame_nats(explanation_));
    }

    void add_missing_relays() {
        const bool theirs = any(report_.remote, [](const ice::Candidate& candidate) {
            return candidate.type == CandidateType::Relayed;
        });
        const bool ours = any(report_.local, [](const ice::Candidate& candidate) {
            return candidate.type == CandidateType::Relayed;
        });
        if (!theirs) add(Reason::PeerNoRelay);
        if (explanation_.outcome == Outcome::NoPath && (ours || theirs) && !no_udp_ &&
            !any(report_.pairs, [](const auto& pair) { return pair.valid; })) {
            add(Reason::PeerSilent);
        }
    }

    void add_families() {
        const bool our_four = has_family(report_.local, AddressFamily::V4);
        const bool our_six = has_family(report_.local, AddressFamily::V6);
        const bool their_four = has_family(report_.remote, AddressFamily::V4);
        const bool their_six = has_family(report_.remote, AddressFamily::V6);
        const bool common = (our_four && their_four) || (our_six && their_six);
        if (!common) {
            add(Reason::NoCommonFamily);
        } else if (our_six && !their_six) {
            add(Reason::PeerNoIpv6);
        } else if (their_six && !our_six) {
            add(Reason::WeNoIpv6);
        }
    }

    const PathReport& report_;
    Explanation& explanation_;
    bool no_udp_ = false;
};

}  // namespace

bool Explanation::has(Reason reason) const {
    return any(lines, [&](const Line& line) { return line.reason == reason; });
}

Explanation explain(const PathReport& report, NatKnowledge ours) {
    Explanation explanation;
    explanation.ours = ours;
    Explainer{report, explanation}.run();
    for (Explanation::Line& line : explanation.lines) {
        const std::string words = words_of(line.reason, explanation);
        line.text = line.text.empty() ? words : words + ": " + line.text;
    }
    return explanation;
}

}  // namespace stile::connect
