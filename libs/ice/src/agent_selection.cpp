// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What valid pairs are used for: data, nomination, consent, and the state of it all. RFC 8445
// Sections 8 and 12, RFC 7675, RFC 8863.
#include <stile/base/assert.hpp>
#include <stile/ice/agent.hpp>

#include <algorithm>
#include <utility>

namespace stile::ice {
Agent::Component& Agent::component(ComponentId id) {
    STILE_ASSERT(id.value >= 1);
    STILE_ASSERT(id.value <= components_.size());
    return components_[id.value - 1U];
}

std::optional<Flow> Agent::selected_flow(ComponentId id) const {
    for (const Component& component : components_) {
        if (component.id == id && component.selected) return component.selected->flow;
    }
    if (!previous_) return std::nullopt;
    for (const Previous::Pair& pair : previous_->pairs) {
        if (pair.component == id) return pair.selected.flow;
    }
    return std::nullopt;
}

std::optional<Path> Agent::selected(ComponentId id) const {
    if (const auto flow = selected_flow(id)) return flow->path;
    return std::nullopt;
}

std::vector<PairReport> Agent::pairs() const {
    std::vector<PairReport> reports;
    reports.reserve(checklist_.pairs().size());
    for (const CandidatePair& pair : checklist_.pairs()) {
        const auto& chosen = components_[pair.component.value - 1U].selected;
        const std::uint16_t local = pair.valid ? pair.valid->local : pair.local;
        const Connection* connection = connections_.of_pair(pair.id);
        reports.push_back({
            .component = pair.component,
            .local = local_[local].address,
            .path = connection != nullptr ? connection->path : pair.path,
            .local_type = local_[local].type,
            .remote_type = remote_[pair.remote].type,
            .priority = pair.valid ? pair.valid->priority : pair.priority,
            .state = pair.state,
            .valid = pair.valid.has_value(),
            .nominated = pair.nominated,
            .selected = chosen && chosen->pair == pair.id,
            .last_error = pair.last_error,
            .round_trip = pair.round_trip,
            .transport = pair.transport,
            .connection = connection != nullptr ? std::optional{connection->id} : std::nullopt,
        });
    }
    return reports;
}

// Whether the consent that a valid pair's check gave is over, or too nearly so to be renewed.
bool Agent::is_stale(const CandidatePair& pair) const {
    return pair.valid && now_ >= pair.valid->since + (Consent::lifetime - Consent::period);
}

// The valid pair of highest priority; for data, of those whose check still counts as consent.
const CandidatePair* Agent::best_valid(ComponentId id, Purpose purpose) const {
    const auto& chosen = components_[id.value - 1U].selected;
    const CandidatePair* best = nullptr;
    for (const CandidatePair& pair : checklist_.pairs()) {
        if (pair.component != id || !pair.valid) continue;
        const bool is_selected = chosen && chosen->pair == pair.id;
        if (purpose == Purpose::Data && !is_selected && is_stale(pair)) continue;
        if (best == nullptr || pair.valid->priority > best->valid->priority) best = &pair;
    }
    return best;
}

// RFC 8445 Section 12.1: data may go on any valid pair, so it goes on the best there is.
void Agent::select_best(Instant now, Component& its) {
    if (its.nominated()) return;
    const bool keeps = has_previous(its.id);
    if (keeps && previous_->standing == Previous::Standing::Trusted) return;
    const CandidatePair* best = best_valid(its.id, Purpose::Data);
    if (best == nullptr || (its.selected && its.selected->pair == best->id)) return;
    if (keeps) release_previous(now, its.id);
    select(now, its, *checklist_.find(best->id), Selection::Provisional);
}

void Agent::select(Instant now, Component& its, CandidatePair& pair, Selection selection) {
    STILE_ASSERT(pair.valid);
    if (its.selected && its.selected->pair == pair.id) {
        its.selected->selection = selection;
    } else {
        its.selected = Selected{
            .pair = pair.id,
            .flow = flow_of(pair),
            .base = pair.path.local,
            .selection = selection,
            .check_priority = peer_reflexive_priority(local_[pair.local].priority, pair.transport),
            .consent = Consent{now, pair.valid->since, random_},
        };
    }
    its.selected->overtakes_until = now + limits::data_overtaken;
    its.takeover_until.reset();
    its.heard.reset();
    const Flow& flow = its.selected->flow;
    if (flow.connection) {
        if (Connection* connection = connections_.find(*flow.connection)) {
            connection->carried_data = true;
        }
    }
    queue_event(PairSelected{.component = its.id,
                             .path = flow.path,
                             .local_type = local_[pair.valid->local].type,
                             .remote_type = remote_[pair.remote].type,
                             .selection = selection,
                             .round_trip = pair.round_trip,
                             .connection = flow.connection});
}

// The nominated flag of a valid pair becomes true. RFC 8445 Sections 7.2.5.3.4, 7.3.1.5 and 8.1.2.
// The pair must not be used after: the checklist moves its pairs.
void Agent::nominate(Instant now, CandidatePair& pair) {
    Component& its = component(pair.component);
    const PairId id = pair.id;
    its.nominating.reset();
    if (its.nominated() && !is_superseded(its, pair)) {
        pair.nominated = true;
        return;
    }
    if (renominates_) {
        for (CandidatePair& other : checklist_.pairs()) {
            if (other.component == its.id) other.nominated = false;
        }
    }
    pair.nominated = true;
    if (role_ == Role::Controlled) its.nomination_number = pair.nomination_number;
    select(now, its, pair, Selection::Nominated);
    release_previous(now, its.id);
    choose_spares(its);
    checklist_.conclude(its.id, id,
                        renominates_ ? Checklist::Others::BetterGoOn : Checklist::Others::End);
    std::erase_if(checks_, [&](const OutstandingCheck& check) {
        const CandidatePair* checked = checklist_.find(check.pair());
        return checked == nullptr || (checked->component == its.id && !checked->is_unfinished());
    });
    const bool complete =
        std::all_of(components_.begin(), components_.end(),
                    [](const Component& component) { return component.nominated(); });
    if (!complete) return;
    checks_.shrink_to_fit();
    local_.shrink();
    remote_.shrink();
    set_state(State::Completed);
}

// Whether the selected pair gives way to another that is nominated.
bool Agent::is_superseded(const Component& its, const CandidatePair& by) const {
    if (its.selected->pair == by.id) return false;
    if (renominates_ && role_ == Role::Controlling) return true;
    if (by.nomination_number != its.nomination_number) {
        return by.nomination_number > its.nomination_number;
    }
    // A second nomination is one of RFC 5245's aggressive kind: the highest is used (Section
    // 8.1.1).
    const CandidatePair* current = checklist_.find(its.selected->pair);
    return current == nullptr || !current->valid || current->valid->priority < by.valid->priority;
}

bool Agent::may_find_better(const Component& its, const CandidatePair& best) const {
    if (!local_ended_ || !remote_ended_) return true;
    const auto pairs = checklist_.pairs();
    return std::any_of(pairs.begin(), pairs.end(), [&](const CandidatePair& pair) {
        return pair.component == its.id && pair.is_unfinished() &&
               pair.priority > best.valid->priority;
    });
}

// Until when better pairs may still be tried; empty where there is nothing to nominate.
std::optional<Instant> Agent::nomination_deadline(const Component& its) const {
    if (role_ != Role::Controlling || state_ != State::Running) return std::nullopt;
    if (its.nominated() || its.nominating || !its.first_valid) return std::nullopt;
    const CandidatePair* best = best_valid(its.id, Purpose::Nomination);
    if (best == nullptr) return std::nullopt;
    if (its.nominates_at_once) return *its.first_valid;
    const bool is_relayed = local_[best->valid->local].type == CandidateType::Relayed ||
                            remote_[best->remote].type == CandidateType::Relayed;
    return *its.first_valid +
           (is_relayed ? config_.relayed_nomination_patience : config_.nomination_patience);
}

// RFC 8445 Section 8.1.1, regular nomination.
void Agent::consider_nomination(Instant now, Component& its) {
    const auto deadline = nomination_deadline(its);
    if (!deadline) return;
    const CandidatePair* best = best_valid(its.id, Purpose::Nomination);
    if (now < *deadline && may_find_better(its, *best)) return;
    begin_nomination(its, best->id);
}

// A pair better than the nominated one works, and the peer knows what that means.
void Agent::consider_renomination(Component& its) {
    if (!renominates_ || role_ != Role::Controlling || !its.nominated() || its.nominating) return;
    const CandidatePair* best = best_valid(its.id, Purpose::Data);
    const CandidatePair* current = checklist_.find(its.selected->pair);
    if (best == nullptr || current == nullptr || best == current || !current->valid) return;
    if (best->valid->priority > current->valid->priority) begin_nomination(its, best->id);
}

void Agent::begin_nomination(Component& its, PairId pair) {
    its.nominating = pair;
    if (renominates_) ++its.nomination_number;
    checklist_.enqueue_triggered(pair);
}

void Agent::consider_nominations(Instant now) {
    for (Component& its : components_) {
        consider_nomination(now, its);
        consider_renomination(its);
    }
}

void Agent::fail_pair(Instant now, CandidatePair& pair, PairError error) {
    pair.state = PairState::Failed;
    pair.last_error = error;
    pair.valid.reset();
    pair.nominated_on_success = false;
    checklist_.remove_triggered(pair.id);
    Component& its = component(pair.component);
    if (its.nominating == pair.id) its.nominating.reset();
    if (std::exchange(pair.spare, false)) choose_spares(its);
    if (its.selected && its.selected->pair == pair.id) lose_selected(now, its, error);
}

void Agent::lose_selected(Instant now, Component& its, PairError error) {
    const Selected lost = *std::move(its.selected);
    its.selected.reset();
    if (its.nominating == lost.pair) its.nominating.reset();
    if (CandidatePair* pair = checklist_.find(lost.pair)) {
        pair->state = PairState::Failed;
        pair->last_error = error;
        pair->valid.reset();
        checklist_.remove_triggered(lost.pair);
        erase_checks(lost.pair);
    }
    queue_event(ConsentExpired{.component = its.id, .path = lost.flow.path, .error = error});
    its.nominates_at_once = renominates_;  // a better one is nominated anew
    if (lost.selection == Selection::Nominated) {
        if (renominates_) revive_pairs(its.id);
        if (!renominates_ || !has_chance(its)) {
            fail(FailureReason::ConsentLost);
            return;
        }
        its.takeover_until = now + limits::takeover_patience;
        set_state(State::Running);
    }
    recheck_stale(its);
    its.first_valid =
        best_valid(its.id, Purpose::Nomination) != nullptr ? its.first_valid : std::nullopt;
    select_best(now, its);
}

// All that might take over, those that were forgotten too.
void Agent::revive_pairs(ComponentId id) {
    checklist_.revive(id);
    for (std::uint16_t local = 0; local < local_.size(); ++local) {
        if (local_[local].component == id) pair_local(local);
    }
}

// Another pair takes over. What was valid long ago has to show that it still is.
void Agent::recheck_stale(Component& its) {
    for (CandidatePair& pair : checklist_.pairs()) {
        if (pair.component != its.id || !is_stale(pair)) continue;
        if (its.selected && its.selected->pair == pair.id) continue;
        if (its.nominating == pair.id) its.nominating.reset();
        erase_checks(pair.id);
        pair.valid.reset();
        pair.state = PairState::Waiting;
        checklist_.enqueue_triggered(pair.id);
    }
}

void Agent::update_consents(Instant now) {
    for (Component& its : components_) {
        if (!its.selected) continue;
        if (its.selected->consent.is_expired(now)) {
            lose_selected(now, its, {.kind = PairError::Kind::ConsentExpired});
        } else if (its.selected->consent.is_due(now)) {
            send_consent_check(now, session_, *its.selected);
        }
    }
    if (!previous_) return;
    for (std::size_t i = previous_->pairs.size(); i-- > 0;) {
        Selected& selected = previous_->pairs[i].selected;
        if (selected.consent.is_expired(now)) {
            lose_previous(now, i, {.kind = PairError::Kind::ConsentExpired});
        } else if (selected.consent.is_due(now)) {
            send_consent_check(now, previous_->session, selected);
        }
    }
    if (previous_->answer_until && now >= *previous_->answer_until) previous_.reset();
}

void Agent::send_consent_check(Instant now, const Session& session, Selected& selected) {
    const auto id = stun::TransactionId::random(random_);
    const CheckContent content{
        .priority = selected.check_priority, .role = role_, .tie_breaker = tie_breaker_};
    queue_transmit(selected.flow,
                   build_check(id, session.check_username, content, *session.remote_key));
    selected.consent.sent(now, id, random_);
}

// RFC 8445 Sections 6.1.2.1 and 7.2.5.4; not while the PAC timer runs, RFC 8863 Section 4.
void Agent::evaluate_failure() {
    if (state_ != State::Running) return;
    for (const Component& its : components_) {
        if (its.takeover_until && (now_ >= *its.takeover_until || !has_chance(its))) {
            fail(FailureReason::ConsentLost);
            return;
        }
    }
    if (pac_deadline_) return;
    for (const Component& its : components_) {
        if (has_chance(its)) continue;
        fail(FailureReason::NoValidPair);
        return;
    }
}

bool Agent::has_chance(const Component& its) const {
    const auto pairs = checklist_.pairs();
    return its.nominated() || std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
               return pair.component == its.id && (pair.is_unfinished() || pair.valid);
           });
}

void Agent::fail(FailureReason reason) {
    failure_ = reason;
    // RFC 8445 Section 12.1: without a pair for each component, no data for any.
    for (Component& its : components_) {
        its.selected.reset();
        its.nominating.reset();
        its.first_valid.reset();
        its.takeover_until.reset();
    }
    checks_.clear();
    set_state(State::Failed);
    queue_event(Failed{.reason = reason});
}

void Agent::set_state(State state) {
    if (state_ == state) return;
    state_ = state;
    if (state != State::Failed) failure_.reset();
    queue_event(StateChanged{.state = state});
}

}  // namespace stile::ice
