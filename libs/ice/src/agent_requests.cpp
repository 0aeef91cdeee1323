// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The peer's checks. RFC 8445 Section 7.3.
#include <stile/ice/agent.hpp>

#include <algorithm>

namespace stile::ice {

Verdict Agent::handle_request(Instant now, const Flow& flow, const stun::MessageView& request) {
    const auto username = request.get<stun::Username>();
    const auto names = username ? split_username(username->text) : std::nullopt;
    if (!names) return Verdict::NotMine;
    const bool is_current = names->receiver == session_.local.fragment;
    const bool is_previous =
        !is_current && previous_ && names->receiver == previous_->session.local.fragment;
    if (!is_current && !is_previous) return Verdict::NotMine;

    const stun::IntegrityKey& key = is_current ? session_.local_key : previous_->session.local_key;
    auto content = admit_check(request, key);
    if (!content && !content.error().answer) return Verdict::Consumed;
    prove(flow);
    if (!content) {
        queue_transmit(flow, *std::move(content.error().answer));
        return Verdict::Consumed;
    }
    // What arrives for the generation before keeps the peer's consent alive, and no more.
    if (is_previous) {
        queue_transmit(flow, build_success(request, flow.path.remote, key));
        return Verdict::Consumed;
    }
    if (!local_of(flow)) return Verdict::Consumed;
    if (!settle_roles(*content)) {
        queue_transmit(flow, build_error(request, stun::error::role_conflict, key));
        return Verdict::Consumed;
    }
    queue_transmit(flow, build_success(request, flow.path.remote, key));
    if (!session_.remote) {
        remember_early(flow, names->sender, *content);
    } else if (names->sender == session_.remote->fragment) {
        process_check(now, flow, *content);
    }
    return Verdict::Consumed;
}

// RFC 8445 Section 7.3.1.1. False: the answer is 487.
bool Agent::settle_roles(const CheckContent& content) {
    if (!content.role || *content.role != role_) return true;
    const bool is_larger = tie_breaker_ >= content.tie_breaker;
    const bool keeps = role_ == Role::Controlling ? is_larger : !is_larger;
    if (keeps || role_changes_ >= limits::most_role_changes) return false;
    switch_role();
    return true;
}

void Agent::switch_role() {
    role_ = opposite(role_);
    ++role_changes_;
    // Whose task it is to nominate has changed too. RFC 8445 Section 7.3.1.1.
    for (Component& component : components_) component.nominating.reset();
    for (CandidatePair& pair : checklist_.pairs()) {
        pair.nominated_on_success = false;
        if (pair.state == PairState::Succeeded) checklist_.remove_triggered(pair.id);
    }
    recompute_priorities();
}

void Agent::remember_early(const Flow& flow, std::string_view sender, const CheckContent& content) {
    const auto known = std::find_if(
        early_checks_.begin(), early_checks_.end(),
        [&](const EarlyCheck& early) { return early.flow == flow && early.sender == sender; });
    if (known != early_checks_.end()) {
        if (content.nomination == Nomination::Yes || content.nomination_number) {
            known->content.nomination = content.nomination;
            known->content.nomination_number = content.nomination_number;
        }
        return;
    }
    if (early_checks_.size() >= limits::most_early_checks) return;
    if (sender.size() > limits::most_credential_size) return;
    early_checks_.push_back({.flow = flow, .sender = std::string{sender}, .content = content});
}

void Agent::process_early_checks(Instant now) {
    std::vector<EarlyCheck> early;
    early.swap(early_checks_);
    for (const EarlyCheck& check : early) {
        if (check.sender == session_.remote->fragment)
            process_check(now, check.flow, check.content);
    }
}

// RFC 8445 Section 7.3.1.3. Two NATs that map each destination anew and let everybody in show a new
// address with each check, without end: what was discovered and did not work makes room.
std::optional<std::uint16_t> Agent::learn_remote(const SocketAddress& source, ComponentId id,
                                                 const Protocol& protocol,
                                                 const CheckContent& content) {
    auto added = remote_.add_peer_reflexive(source, id, content.priority, protocol);
    if (!added && added.error() == CandidateError::TooMany) {
        const auto old = replaceable_remote(content.nomination);
        if (!old) return std::nullopt;
        std::vector<PairId> gone;
        for (const CandidatePair& pair : checklist_.pairs()) {
            if (pair.remote == *old) gone.push_back(pair.id);
        }
        for (const PairId pair : gone) {
            erase_checks(pair);
            checklist_.erase(pair);
        }
        added = remote_.replace_peer_reflexive(*old, source, id, content.priority, protocol);
    }
    if (!added) return std::nullopt;
    queue_event(CandidateFound{.side = Side::Remote, .candidate = remote_[*added]});
    return *added;
}

// A discovered candidate none of whose pairs works; for a nomination also one that is being tried.
std::optional<std::uint16_t> Agent::replaceable_remote(Nomination nomination) const {
    for (std::uint16_t i = 0; i < remote_.size(); ++i) {
        if (remote_[i].type != CandidateType::PeerReflexive) continue;
        const auto pairs = checklist_.pairs();
        const bool is_needed = std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
            return pair.remote == i && (pair.valid || pair.nominated_on_success ||
                                        (pair.is_unfinished() && nomination == Nomination::No));
        });
        if (!is_needed) return i;
    }
    return std::nullopt;
}

// The pair on which a check arrived; a new one where there was none. RFC 8445 Section 7.3.1.4.
CandidatePair* Agent::pair_for_check(const Flow& flow, std::uint16_t local,
                                     const CheckContent& content) {
    CandidatePair* pair = pair_on(flow);
    if (pair != nullptr) return pair;
    const Candidate& ours = local_[local];
    const ComponentId id = ours.component;
    auto remote = remote_.find(flow.path.remote, id, ours.transport);
    if (!remote) {
        Protocol theirs = ours.protocol();
        if (theirs.tcp_type == TcpType::Passive) theirs.tcp_type = TcpType::Active;
        remote = learn_remote(flow.path.remote, id, theirs, content);
    }
    if (!remote) return nullptr;
    if (checklist_.add(make_pair(local, *remote)) != Checklist::Added::New) return nullptr;
    pair = checklist_.find({.local = ours.base, .remote = flow.path.remote}, ours.transport);
    pair->state = PairState::Waiting;
    if (flow.connection) bind(*flow.connection, pair->id);
    return pair;
}

// Once a pair is nominated, the peer's checks on worse ones mean nothing.
bool Agent::is_of_interest(const Component& its, const CandidatePair& pair) const {
    if (!its.nominated()) return true;
    // The peer may be about to leave the nominated one, and cannot say so but by its checks.
    if (renominates_ && role_ == Role::Controlling && pair.transport == Transport::Udp) return true;
    const CandidatePair* current = checklist_.find(its.selected->pair);
    return current == nullptr || !current->valid || pair.priority > current->valid->priority;
}

// RFC 8445 Sections 7.3.1.3 to 7.3.1.5: the steps that need to know the peer.
void Agent::process_check(Instant now, const Flow& flow, const CheckContent& content) {
    const auto local = local_of(flow);
    if (!local || failure_ == FailureReason::ConsentLost) return;
    Component& its = component(local_[*local].component);
    const std::uint32_t number = renominates_ ? content.nomination_number.value_or(0) : 0;
    // What an older nomination asked for, a later one has replaced.
    const bool nominates = role_ == Role::Controlled && number >= its.nomination_number &&
                           (content.nomination == Nomination::Yes || number > 0);
    if (its.nominated() && its.selected->flow == flow) {
        if (nominates) its.nomination_number = number;
        return;
    }
    // Concluded: only a peer that nominates aggressively has more to say (RFC 8445 Section 8.1.1),
    // or one that may nominate anew.
    if (its.nominated() && !nominates && !renominates_) return;

    CandidatePair* pair = pair_for_check(flow, *local, content);
    if (pair == nullptr) return;
    if (nominates) {
        pair->nomination_number = number;
    } else if (!is_of_interest(its, *pair)) {
        return;
    }
    switch (pair->state) {
        case PairState::Succeeded:
            if (!is_stale(*pair) || (its.selected && its.selected->pair == pair->id)) {
                if (nominates) nominate(now, *pair);
                return;
            }
            if (!nominates && !renominates_) return;
            // Its consent is too old to start with: the triggered check obtains a new one.
            pair->valid.reset();
            break;
        case PairState::InProgress:
            cancel_checks(pair->id);
            break;
        case PairState::Failed:
            // RFC 7675 Section 5.1: consent once lost is not regained with the same credentials.
            if (pair->last_error && (pair->last_error->kind == PairError::Kind::ConsentExpired ||
                                     pair->last_error->kind == PairError::Kind::ConsentRevoked)) {
                return;
            }
            break;
        case PairState::Frozen:
        case PairState::Waiting:
        case PairState::Removed:
            break;
    }
    pair->state = PairState::Waiting;
    if (nominates) pair->nominated_on_success = true;
    checklist_.enqueue_triggered(pair->id);
    if (state_ == State::Failed) set_state(State::Running);
}

}  // namespace stile::ice
