// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What data goes on after the way in use was left: the pair from before a restart, and the way on
// which the peer's data comes. RFC 8445 Section 12.1, docs/decisions/0018.
#include <stile/ice/agent.hpp>

#include <algorithm>
#include <utility>

namespace stile::ice {

void Agent::doubt_previous(Instant now) {
    see(now);
    if (!previous_) return;
    previous_->standing = Previous::Standing::Doubtful;
    for (Component& its : components_) select_best(now_, its);
}

bool Agent::has_previous(ComponentId id) const {
    return previous_ && std::any_of(previous_->pairs.begin(), previous_->pairs.end(),
                                    [&](const auto& pair) { return pair.component == id; });
}

void Agent::lose_previous(Instant now, std::size_t index, PairError error) {
    const ComponentId id = previous_->pairs[index].component;
    queue_event(ConsentExpired{
        .component = id, .path = previous_->pairs[index].selected.flow.path, .error = error});
    release_previous(now, id);
    recheck_stale(component(id));
    select_best(now, component(id));
}

void Agent::release_previous(Instant now, ComponentId id) {
    if (!previous_) return;
    std::erase_if(previous_->pairs, [&](const auto& pair) { return pair.component == id; });
    // The peer may still send on its pair until it has heard of ours.
    if (previous_->pairs.empty() && !previous_->answer_until) {
        previous_->answer_until = now + limits::previous_answered;
    }
}

// The peer has arrived on the pair: what still comes by another one is late, and not for long.
void Agent::expect_overtaken(Instant now, Selected& selected, std::optional<Duration> round_trip) {
    if (!round_trip) return;
    selected.overtakes_until =
        std::min(selected.overtakes_until, now + limits::data_overtaken_round_trips * *round_trip);
}

// The peer keeps to the old way, as we do, while that works. Data on another says that it does not.
void Agent::handle_data(Instant now, const Flow& flow) {
    see(now);
    const CandidatePair* pair = pair_on(flow);
    if (pair == nullptr) return;
    Component& its = component(pair->component);
    if (selected_flow(its.id) == flow) {
        if (its.selected) expect_overtaken(now_, *its.selected, pair->round_trip);
        return;
    }
    if (its.selected && now_ < its.selected->overtakes_until) return;
    its.heard = Heard{pair->id, now_};
    consider_following(now_, its);
}

// Who noticed first that the old way is no more need not tell the other, who would notice by its
// consent only, half a minute later.
void Agent::consider_following(Instant now, Component& its) {
    CandidatePair* pair = its.heard ? checklist_.find(its.heard->pair) : nullptr;
    if (pair == nullptr || !pair->valid || is_stale(*pair)) return;
    const Instant when = std::exchange(its.heard, {})->when;
    if (now > when + limits::takeover_patience) return;
    const PairId followed = pair->id;
    if (has_previous(its.id)) {
        release_previous(now, its.id);
        if (!its.selected) select(now, its, *pair, Selection::Provisional);
    } else if (renominates_ && role_ == Role::Controlling && its.nominated() &&
               its.selected->pair != followed) {
        nominate(now, *pair);
        begin_nomination(its, followed);
    } else if (renominates_ && role_ == Role::Controlling && its.selected && !its.nominated()) {
        select(now, its, *pair, Selection::Provisional);
    } else {
        return;  // of a controlled agent's peer a nomination comes, or has come
    }
    doubt_better(its, followed);
}

// What the peer may have left with the way that it sent by has to show that it works, before it
// takes over again.
void Agent::doubt_better(Component& its, PairId followed) {
    const PairPriority reached = checklist_.find(followed)->valid->priority;
    for (CandidatePair& pair : checklist_.pairs()) {
        if (pair.component != its.id || pair.transport != Transport::Udp || !pair.valid) continue;
        if (pair.id == followed || pair.valid->priority <= reached) continue;
        erase_checks(pair.id);
        pair.valid.reset();
        pair.state = PairState::Waiting;
        checklist_.enqueue_triggered(pair.id);
    }
}

}  // namespace stile::ice
