// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Pairs, and the checks that leave for them. RFC 8445 Sections 6.1.2, 6.1.4 and 7.2.
#include <stile/base/assert.hpp>
#include <stile/ice/agent.hpp>

#include <algorithm>

namespace stile::ice {

void Agent::pair_local(std::uint16_t local) {
    for (std::uint16_t remote = 0; remote < remote_.size(); ++remote) pair(local, remote);
}

void Agent::pair_remote(std::uint16_t remote) {
    for (std::uint16_t local = 0; local < local_.size(); ++local) pair(local, remote);
}

void Agent::pair(std::uint16_t local, std::uint16_t remote) {
    const Candidate& ours = local_[local];
    const Candidate& theirs = remote_[remote];
    if (!session_.remote || ours.component != theirs.component) return;
    if (failure_ == FailureReason::ConsentLost) return;
    // A local peer reflexive candidate is not paired, nor is a remote one that was not signalled:
    // RFC 8445 Sections 7.2.5.3.1 and 7.3.1.3.
    if (ours.type == CandidateType::PeerReflexive || theirs.type == CandidateType::PeerReflexive) {
        return;
    }
    if (local_.is_retired(local)) return;
    if (!can_pair(ours.protocol(), theirs.protocol())) return;
    // Concluded, unless a better one may still take over. RFC 8445 Section 8.1.2.
    if (component(ours.component).nominated() &&
        (!renominates_ || ours.transport != Transport::Udp)) {
        return;
    }
    // RFC 6544 Section 6.2: pruned; the peer opens the connection.
    if (ours.tcp_type == TcpType::Passive) return;
    if (!can_pair(ours.base, theirs.address)) return;
    if (checklist_.add(make_pair(local, remote)) == Checklist::Added::New &&
        state_ == State::Failed && !component(ours.component).selected) {
        set_state(State::Running);
    }
}

CandidatePair Agent::make_pair(std::uint16_t local, std::uint16_t remote) const {
    return {
        .component = local_[local].component,
        .local = local,
        .remote = remote,
        .path = {.local = local_[local].base, .remote = remote_[remote].address},
        .transport = local_[local].transport,
        .foundation = {.local = local_.foundation(local), .remote = remote_.foundation(remote)},
        .priority = pair_priority(role_, local_[local].priority, remote_[remote].priority),
    };
}

// After a change of role or of a candidate. RFC 8445 Section 7.2.5.1.
void Agent::recompute_priorities() {
    for (CandidatePair& pair : checklist_.pairs()) {
        const std::uint32_t theirs = remote_[pair.remote].priority;
        pair.priority = pair_priority(role_, local_[pair.local].priority, theirs);
        pair.foundation = {.local = local_.foundation(pair.local),
                           .remote = remote_.foundation(pair.remote)};
        if (pair.valid) {
            pair.valid->priority = pair_priority(role_, local_[pair.valid->local].priority, theirs);
        }
    }
    checklist_.sort();
    if (!renominates_) return;
    // One that was discovered, and removed as the lesser, may be the better one as it was
    // signalled.
    for (CandidatePair& pair : checklist_.pairs()) {
        const Component& its = component(pair.component);
        if (pair.state != PairState::Removed || pair.transport != Transport::Udp) continue;
        if (its.nominated() && is_of_interest(its, pair)) pair.state = PairState::Waiting;
    }
}

// "RTO = MAX (500ms, Ta * N * (Num-Waiting + Num-In-Progress))", with N the number of checklists as
// in RFC 5245: docs/protocols/ice.md says why.
Duration Agent::rto() const {
    const auto pending =
        checklist_.count(PairState::Waiting) + checklist_.count(PairState::InProgress);
    return std::max<Duration>(std::chrono::milliseconds{500},
                              pacer_.interval() * static_cast<Duration::rep>(pending));
}

std::optional<Instant> Agent::next_check_time() const {
    if (!may_check()) return std::nullopt;
    const Instant slot = shared_slot_ ? *shared_slot_ : pacer_.next();
    if (checklist_.has_next()) return slot;
    std::optional<Instant> due;
    for (const OutstandingCheck& check : checks_) {
        if (!check.is_cancelled()) due = earlier(due, check.deadline());
    }
    if (due) due = std::max(*due, slot);
    return due;
}

bool Agent::has_due_check(Instant now) const {
    if (!may_check()) return false;
    if (checklist_.has_next()) return true;
    return std::any_of(checks_.begin(), checks_.end(), [&](const OutstandingCheck& check) {
        return !check.is_cancelled() && now >= check.deadline();
    });
}

// Whether a check may leave now: Ta has passed, and the shared pacer's turn is ours.
bool Agent::take_slot(Instant now, Pacer* shared) {
    if (!pacer_.ready(now)) return false;
    if (shared == nullptr) return true;
    // A slot that we slept through has passed to nobody, but its neighbours may be taken.
    if (shared_slot_ && now >= *shared_slot_ + shared->interval()) shared_slot_.reset();
    if (!shared_slot_) shared_slot_ = shared->reserve(now);
    if (now < *shared_slot_) return false;
    shared_slot_.reset();
    return true;
}

// Triggered checks first, they are the likeliest to succeed; then those never sent; then those sent
// before, as RFC 8445 Section 14.1 has it. A peer that triggers without end does not starve the
// others. False if nothing left.
bool Agent::send_one_check(Instant now) {
    CandidatePair* pair = nullptr;
    if (triggered_in_a_row_ < limits::most_triggered_in_a_row) pair = checklist_.take_triggered();
    if (pair != nullptr) {
        ++triggered_in_a_row_;
    } else {
        triggered_in_a_row_ = 0;
        pair = checklist_.take_ordinary();
        if (pair == nullptr && retransmit_one(now)) return true;
        if (pair == nullptr) pair = checklist_.take_triggered();
    }
    if (pair == nullptr) return false;
    start_check(now, *pair);
    return true;
}

bool Agent::retransmit_one(Instant now) {
    for (std::size_t i = 0; i < checks_.size(); ++i) {
        OutstandingCheck& check = checks_[i];
        if (check.is_cancelled() || now < check.deadline()) continue;
        CandidatePair* pair = checklist_.find(check.pair());
        if (check.handle_timeout(now) == OutstandingCheck::Due::SendAgain) {
            STILE_ASSERT(pair != nullptr);
            queue_transmit(flow_of(*pair), request_of(check));
            return true;
        }
        checks_.erase(checks_.begin() + static_cast<std::ptrdiff_t>(i));
        if (pair != nullptr) fail_pair(now, *pair, {.kind = PairError::Kind::TimedOut});
        return false;
    }
    return false;
}

void Agent::drop_cancelled(Instant now) {
    std::erase_if(checks_, [&](const OutstandingCheck& check) {
        return check.is_cancelled() && now >= check.deadline();
    });
}

// Of a TCP pair that has no connection yet the check leaves when it has one. RFC 6544 Section 7.1.
void Agent::start_check(Instant now, CandidatePair& pair) {
    if (const auto flow = connect(now, pair)) send_check(now, pair, *flow);
}

void Agent::send_check(Instant now, CandidatePair& pair, const Flow& flow) {
    const bool nominates =
        role_ == Role::Controlling && component(pair.component).nominating == pair.id;
    // A nomination repeats a check that succeeded; the pair goes on being valid.
    if (pair.state != PairState::Succeeded) pair.state = PairState::InProgress;
    CheckContent content{
        .priority = peer_reflexive_priority(local_[pair.local].priority, pair.transport),
        .role = role_,
        .tie_breaker = tie_breaker_,
        .nomination = nominates ? Nomination::Yes : Nomination::No,
        .nomination_number = {},
    };
    if (nominates && renominates_) {
        content.nomination_number = component(pair.component).nomination_number;
    }
    if (checks_.size() >= limits::most_outstanding_checks) {
        const auto oldest = std::find_if(checks_.begin(), checks_.end(),
                                         [](const auto& check) { return check.is_cancelled(); });
        STILE_ASSERT(oldest != checks_.end());  // at most one a pair is not cancelled
        checks_.erase(oldest);
    }
    // By few, not by doubling: there may be one for each pair.
    if (checks_.size() == checks_.capacity()) checks_.reserve(checks_.size() + 8);
    const auto schedule = flow.connection ? stun::RetransmitSchedule::reliable(config_.ti)
                                          : stun::RetransmitSchedule{.rto = rto()};
    const OutstandingCheck& check =
        checks_.emplace_back(now, pair.id, stun::TransactionId::random(random_), content, schedule);
    queue_transmit(flow, request_of(check));
}

Bytes Agent::request_of(const OutstandingCheck& check) const {
    return build_check(check.id(), session_.check_username, check.content(), *session_.remote_key);
}

void Agent::cancel_checks(PairId pair) {
    for (OutstandingCheck& check : checks_) {
        if (check.pair() == pair) check.cancel();
    }
}

void Agent::erase_checks(PairId pair) {
    std::erase_if(checks_, [&](const OutstandingCheck& check) { return check.pair() == pair; });
}

}  // namespace stile::ice
