// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Pairs over relays that stand by while another one is nominated. Ours outlives the network that we
// are in (RFC 8016), and the peer's outlives the peer's: whoever loses a network sends on by the
// spare one without a check before, and who then gets data there has shown it to work, too.
#include <stile/ice/agent.hpp>

#include <algorithm>

namespace stile::ice {

bool Agent::is_relayed(const CandidatePair& pair, Side side) const {
    if (pair.transport != Transport::Udp || local_.is_retired(pair.local)) return false;
    const CandidateType type =
        side == Side::Local ? local_[pair.local].type : remote_[pair.remote].type;
    return type == CandidateType::Relayed;
}

// Of each side's relay the best that works; where none has shown it yet, all go on until one has.
// Only renomination lets another pair take over.
void Agent::choose_spares(Component& its) {
    if (!renominates_ || !its.nominated()) return;
    const CandidatePair* const current = checklist_.find(its.selected->pair);
    if (current == nullptr) return;
    std::vector<PairId> chosen;
    for (const Side side : {Side::Local, Side::Remote}) {
        if (is_relayed(*current, side)) continue;
        const auto is_of_side = [&](const CandidatePair& pair) {
            return pair.component == its.id && pair.id != current->id && is_relayed(pair, side);
        };
        const auto pairs = checklist_.pairs();
        const auto works = std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) {
            return is_of_side(pair) && pair.valid;
        });
        if (works != pairs.end()) {
            chosen.push_back(works->id);
            continue;
        }
        for (CandidatePair& pair : pairs) {
            if (!is_of_side(pair)) continue;
            if (pair.state == PairState::Removed) pair.state = PairState::Waiting;
            if (pair.is_unfinished()) chosen.push_back(pair.id);
        }
    }
    const PairPriority reached = current->valid ? current->valid->priority : current->priority;
    for (CandidatePair& pair : checklist_.pairs()) {
        if (pair.component != its.id) continue;
        const bool was_spare = pair.spare;
        pair.spare = std::find(chosen.begin(), chosen.end(), pair.id) != chosen.end();
        if (!was_spare || pair.spare || !pair.is_unfinished()) continue;
        if (pair.nominated_on_success || pair.priority > reached) continue;
        checklist_.remove_triggered(pair.id);
        erase_checks(pair.id);
        pair.state = PairState::Removed;
    }
}

bool Agent::is_being_checked(PairId pair) const {
    return checklist_.is_triggered(pair) ||
           std::any_of(checks_.begin(), checks_.end(), [&](const OutstandingCheck& check) {
               return check.pair() == pair && !check.is_cancelled();
           });
}

std::optional<Instant> Agent::spare_check_due(const CandidatePair& pair) const {
    if (!may_check() || !pair.spare || !pair.valid) return std::nullopt;
    if (!components_[pair.component.value - 1U].nominated() || is_being_checked(pair.id)) {
        return std::nullopt;
    }
    return pair.valid->since + limits::spare_period;
}

// The answer renews the consent; the request keeps the way open in NATs, and at the relay.
void Agent::check_spares(Instant now) {
    for (const CandidatePair& pair : checklist_.pairs()) {
        const auto due = spare_check_due(pair);
        if (due && now >= *due) checklist_.enqueue_triggered(pair.id);
    }
}

void Agent::handle_base_moved(Instant now, const SocketAddress& base) {
    see(now);
    for (CandidatePair& pair : checklist_.pairs()) {
        if (pair.path.local != base || pair.transport != Transport::Udp) continue;
        Component& its = component(pair.component);
        const bool is_selected = its.selected && its.selected->pair == pair.id;
        if (is_selected && its.nominating == pair.id) {
            // Consent and the word that the peer waits for in one; neither waits for Ta.
            checklist_.remove_triggered(pair.id);
            cancel_checks(pair.id);
            start_check(now_, pair);
            continue;
        }
        if (is_selected) send_consent_check(now_, session_, *its.selected);
        const bool is_tried = pair.state == PairState::InProgress || is_being_checked(pair.id);
        const bool stands_by = !is_selected && pair.valid && !is_stale(pair);
        if (!is_tried && !stands_by) continue;
        cancel_checks(pair.id);
        if (pair.state == PairState::InProgress) pair.state = PairState::Waiting;
        checklist_.enqueue_triggered(pair.id);
    }
    if (!previous_) return;
    for (Previous::Pair& pair : previous_->pairs) {
        if (pair.selected.base != base || pair.selected.flow.connection) continue;
        send_consent_check(now_, previous_->session, pair.selected);
    }
}

}  // namespace stile::ice
