// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Who the peers of the node's sessions are.
#include "ended_problem.hpp"
#include "node.hpp"

#include <stile/identity/standing.hpp>

namespace stile::peer {
namespace {

std::optional<identity::Pin> to_identity(const std::optional<drivers::Pin>& stored) {
    if (!stored) return std::nullopt;
    auto address = identity::Address::parse(stored->address);
    if (!address) return std::nullopt;
    return identity::Pin{.address = *std::move(address),
                         .key = crypto::Digest{BytesView{stored->thumbprint}},
                         .first_met = stored->first_seen,
                         .last_met = stored->last_seen,
                         .proof = stored->verified == drivers::Pin::Verified::ByCode
                                      ? identity::Proof::CodeCompared
                                      : identity::Proof::NotVerified};
}

drivers::Pin to_stored(const identity::Pin& pin) {
    return {.address = pin.address.text(),
            .thumbprint = to_bytes(pin.key.bytes()),
            .first_seen = pin.first_met,
            .last_seen = pin.last_met,
            .verified = pin.proof == identity::Proof::CodeCompared ? drivers::Pin::Verified::ByCode
                                                                   : drivers::Pin::Verified::No};
}

}  // namespace

quic::Credentials Node::credentials(const session::HttpSession& session) const {
    return {.key = account_.key(),
            .chain = {account_.certificate()},
            .expected = session.expected_fingerprints()};
}

void Node::judge(Link& link) {
    Entry* const entry = find(link);
    if (entry == nullptr || entry->meeting) return;
    const session::HttpSession* const session = endpoint_.find(link.session());
    const auto met = identity::meet(link.connection()->peer_certificates(), loop_.wall_now());
    const auto address = identity::Address::parse(link.peer());
    if (session == nullptr || !met || !address) {
        return fail(*entry, unusable_certificate(link.peer()));
    }
    const auto stored = store_.find_pin(address->text());
    if (!stored) return fail(*entry, unreadable_pins(stored.error()));
    const auto pin = to_identity(*stored);
    const auto decision = identity::decide(pin, session->expected_fingerprints(), *met);
    const auto standing = identity::standing_of(decision, identity::Proof::NotVerified);
    if (standing == identity::Standing::Refused) {
        return fail(*entry, refused_identity(decision, link.peer(), pin, *met));
    }
    // A caller of another domain is whoever it says: only our own server vouches for its users.
    // What it claims is compared with a pin, and makes none.
    const bool vouched = session->part() == session::Part::Offerer ||
                         address->text().ends_with('@' + account_.domain);
    if (pin || vouched) {
        const auto kept = store_.put_pin(to_stored(identity::remember(
            pin, decision, *address, *met, identity::Proof::NotVerified, loop_.wall_now())));
        if (!kept) return fail(*entry, unreadable_pins(kept.error()));
    }
    entry->meeting = Meeting{standing, met->address_key.thumbprint().to_hex()};
    entry->report.met = loop_.now();
    log_met(*entry);
    if (session->part() == session::Part::Answerer) {
        if (handlers_.on_peer) handlers_.on_peer(link, *entry->meeting);
    }
    for (OnLink& waiting : std::exchange(entry->waiting, {})) waiting(&link);
}

const Meeting* Node::meeting(const Link& link) const {
    const auto found = entries_.find(link.session());
    return found == entries_.end() || !found->second.meeting ? nullptr : &*found->second.meeting;
}

void Node::fail(Entry& entry, const app::Problem& problem) {
    entry.problem = problem;
    entry.link->close(identity_refused, "the peer's identity was refused");
}

// Who answers our checks but never shows who it is would keep its place for ever.
void Node::end_unmet() {
    std::vector<session::SessionId> ending;
    std::optional<Instant> next;
    for (const auto& [id, entry] : entries_) {
        if (entry.meeting || !entry.meeting_deadline) continue;
        if (*entry.meeting_deadline <= loop_.now()) {
            ending.push_back(id);
        } else {
            next = earlier(next, entry.meeting_deadline);
        }
    }
    for (const session::SessionId session : ending) endpoint_.end(loop_.now(), session);
    meeting_timer_.arm(next);
    pump();
}

}  // namespace stile::peer
