// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Answers to our checks. RFC 8445 Section 7.2.5, RFC 7675 Section 5.
#include <stile/ice/agent.hpp>

#include <algorithm>
#include <utility>

namespace stile::ice {
namespace {

stun::Integrity integrity_of(const stun::MessageView& response, const stun::IntegrityKey& key) {
    // The fingerprint adds nothing to an integrity that holds; one that is wrong does not hold.
    if (stun::check_fingerprint(response) == stun::Fingerprint::Wrong) {
        return stun::Integrity::Failed;
    }
    return stun::check_integrity(response, key, stun::IntegrityKind::Sha1);
}

std::uint16_t error_code(const stun::MessageView& response) {
    const auto error = response.get<stun::ErrorCode>();
    return error ? error->code : 0;
}

}  // namespace

Verdict Agent::handle_response(Instant now, const Flow& flow, const stun::MessageView& response) {
    const auto found =
        std::find_if(checks_.begin(), checks_.end(),
                     [&](const OutstandingCheck& check) { return check.id() == response.id(); });
    if (found == checks_.end()) {
        return handle_consent_response(now, flow, response) ? Verdict::Consumed : Verdict::NotMine;
    }
    const auto integrity = integrity_of(response, *session_.remote_key);
    const bool is_success = response.message_class() == stun::Class::SuccessResponse;
    // Without its address a success says nothing: as if it had not come.
    if (integrity == stun::Integrity::Passed && is_success &&
        !response.get<stun::XorMappedAddress>()) {
        return Verdict::Consumed;
    }
    if (integrity == stun::Integrity::Failed) {
        // As if it had never been received: retransmission goes on. RFC 8489 Section 9.1.4.
        found->handle_forged(now);
    } else {
        prove(flow);
        finish_check(now, static_cast<std::size_t>(found - checks_.begin()), flow, response);
        consider_nominations(now);
        evaluate_failure();
    }
    return Verdict::Consumed;
}

void Agent::finish_check(Instant now, std::size_t index, const Flow& flow,
                         const stun::MessageView& response) {
    const OutstandingCheck check = checks_[index];
    checks_.erase(checks_.begin() + static_cast<std::ptrdiff_t>(index));
    CandidatePair* pair = checklist_.find(check.pair());
    if (pair == nullptr) return;
    if (flow_of(*pair) != flow) {
        // RFC 8445 Section 7.2.5.2.1.
        checklist_.remove_triggered(pair->id);
        erase_checks(pair->id);
        fail_pair(now, *pair, {.kind = PairError::Kind::NotSymmetric});
        return;
    }
    if (response.message_class() == stun::Class::ErrorResponse) {
        handle_error(now, check, error_code(response));
        return;
    }
    if (!unknown_attributes(response).empty()) {
        // RFC 8489 Section 6.3.3: the transaction has failed.
        handle_error(now, check, stun::error::unknown_attribute.code);
        return;
    }
    handle_success(now, check, response.get<stun::XorMappedAddress>()->address,
                   check.round_trip(now));
}

void Agent::handle_error(Instant now, const OutstandingCheck& check, std::uint16_t code) {
    if (code == stun::error::role_conflict.code) {
        handle_role_conflict(now, check);
        return;
    }
    // A cancelled check has a successor that will tell more.
    if (check.is_cancelled()) return;
    if (CandidatePair* pair = checklist_.find(check.pair())) {
        fail_pair(now, *pair, {.kind = PairError::Kind::ErrorResponse, .code = code});
    }
}

// RFC 8445 Section 7.2.5.1.
void Agent::handle_role_conflict(Instant now, const OutstandingCheck& check) {
    CandidatePair* pair = checklist_.find(check.pair());
    if (role_ == check.content().role) {
        if (role_changes_ >= limits::most_role_changes) {
            fail_pair(now, *pair, {.kind = PairError::Kind::ErrorResponse, .code = 487});
            return;
        }
        switch_role();
        tie_breaker_ = random_.u64();
        pair = checklist_.find(check.pair());  // priorities changed, and with them the order
    }
    if (pair->state == PairState::Succeeded || pair->state == PairState::Removed) return;
    pair->state = PairState::Waiting;
    checklist_.enqueue_triggered(pair->id);
}

// RFC 8445 Section 7.2.5.3.
void Agent::handle_success(Instant now, const OutstandingCheck& check, const SocketAddress& mapped,
                           std::optional<Duration> round_trip) {
    CandidatePair* pair = checklist_.find(check.pair());
    Component& its = component(pair->component);
    // A late answer for a pair that nobody needs any longer.
    if (pair->state == PairState::Removed) return;

    const std::uint16_t local = valid_local_candidate(*pair, mapped, check.content().priority);
    pair->valid = CandidatePair::Valid{
        .local = local,
        .priority = pair_priority(role_, local_[local].priority, remote_[pair->remote].priority),
        .since = now,
    };
    pair->state = PairState::Succeeded;
    pair->last_error.reset();
    if (round_trip) pair->round_trip = round_trip;
    if (!its.first_valid) its.first_valid = now;
    if (its.nominating != pair->id) {
        // Whatever else was under way for it would only say the same again.
        checklist_.remove_triggered(pair->id);
        erase_checks(pair->id);
    }
    checklist_.unfreeze(pair->foundation);
    if (its.selected && its.selected->pair == pair->id) its.selected->consent.renew(now);

    switch (role_) {
        case Role::Controlling:
            if (check.content().nomination == Nomination::Yes && its.nominating == pair->id) {
                nominate(now, *pair);
                return;
            }
            break;
        case Role::Controlled:
            if (std::exchange(pair->nominated_on_success, false)) {
                nominate(now, *pair);
                return;
            }
            break;
    }
    if (its.heard && its.heard->pair == pair->id) consider_following(now, its);
    choose_spares(its);
    select_best(now, its);
}

// The local candidate of the valid pair: what the peer sees, RFC 8445 Sections 7.2.5.3.1 and
// 7.2.5.3.2.
std::uint16_t Agent::valid_local_candidate(const CandidatePair& pair, const SocketAddress& mapped,
                                           std::uint32_t priority) {
    const Candidate& checked = local_[pair.local];
    if (const auto known = local_.find(mapped, checked.base, checked.protocol())) return *known;
    // What translates behind a relay makes it no direct way, and must not give it a direct one's
    // priority.
    if (local_[pair.local].type == CandidateType::Relayed) return pair.local;
    const auto added = local_.add_peer_reflexive(mapped, pair.local, priority);
    if (!added) return pair.local;
    queue_event(CandidateFound{.side = Side::Local, .candidate = local_[*added]});
    return *added;
}

// RFC 7675 Section 5.1. False if it answers none of our consent requests.
bool Agent::handle_consent_response(Instant now, const Flow& flow,
                                    const stun::MessageView& response) {
    const auto counts = [&](const Session& session, const Selected& selected) {
        return integrity_of(response, *session.remote_key) == stun::Integrity::Passed &&
               selected.flow == flow;
    };
    const bool is_success = response.message_class() == stun::Class::SuccessResponse;
    for (Component& its : components_) {
        if (!its.selected || !its.selected->consent.is_waiting_for(response.id())) continue;
        if (!counts(session_, *its.selected)) return true;
        if (is_success) {
            const Duration round_trip = its.selected->consent.answered(now, response.id());
            if (CandidatePair* pair = checklist_.find(its.selected->pair)) {
                pair->round_trip = round_trip;
            }
            return true;
        }
        its.selected->consent.refused(response.id());
        if (error_code(response) == stun::error::forbidden.code) {
            lose_selected(now, its, {.kind = PairError::Kind::ConsentRevoked});
            consider_nominations(now);
            evaluate_failure();
        }
        return true;
    }
    if (!previous_) return false;
    for (std::size_t i = 0; i < previous_->pairs.size(); ++i) {
        Selected& selected = previous_->pairs[i].selected;
        if (!selected.consent.is_waiting_for(response.id())) continue;
        if (!counts(previous_->session, selected)) return true;
        if (is_success) {
            (void)selected.consent.answered(now, response.id());
            return true;
        }
        selected.consent.refused(response.id());
        if (error_code(response) == stun::error::forbidden.code) {
            lose_previous(now, i, {.kind = PairError::Kind::ConsentRevoked});
        }
        return true;
    }
    return false;
}

}  // namespace stile::ice
