// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Two lite agents, which find their pairs without a check. RFC 8445 Section 8.2.
#include <stile/ice/limits.hpp>
#include <stile/ice/lite_agent.hpp>

#include <algorithm>

namespace stile::ice {

// "the agent pairs local candidates with remote candidates that are of the same data stream and
// have the same component, transport protocol, and IP address family". Of several the one of
// highest priority: both sides find the same, and in the priorities are the precedences of RFC
// 6724, which the section recommends.
void LiteAgent::pair_lite() {
    if (peer_ != PeerKind::Lite || state_ != State::Running || !remote_ended_) return;
    for (std::uint16_t l = 0; l < local_.size(); ++l) {
        for (std::uint16_t r = 0; r < remote_.size(); ++r) {
            if (valid_.size() >= limits::most_pairs) break;
            if (local_[l].component != remote_[r].component) continue;
            if (!can_pair(local_[l].protocol(), remote_[r].protocol())) continue;
            if (!can_pair(local_[l].base, remote_[r].address)) continue;
            valid_.push_back(
                {.component = local_[l].component,
                 .path = {.local = local_[l].base, .remote = remote_[r].address},
                 .priority = pair_priority(role_, local_[l].priority, remote_[r].priority),
                 .heard = now_});
        }
    }
    settle();
    if (reconciliation() == Reconciliation::NotNeeded) complete();
}

LiteAgent::Reconciliation LiteAgent::reconciliation() const {
    if (peer_ != PeerKind::Lite || state_ != State::Running) return Reconciliation::NotNeeded;
    const auto has_choice = [&](const Component& its) {
        return std::count_if(valid_.begin(), valid_.end(),
                             [&](const Valid& pair) { return pair.component == its.id; }) != 1;
    };
    if (std::none_of(components_.begin(), components_.end(), has_choice)) {
        return Reconciliation::NotNeeded;
    }
    return role_ == Role::Controlling ? Reconciliation::WeTell : Reconciliation::PeerTells;
}

void LiteAgent::conclude(Instant now) {
    see(now);
    if (reconciliation() == Reconciliation::WeTell) complete();
}

bool LiteAgent::take_pairs(Instant now, std::span<const AgreedPair> pairs) {
    see(now);
    if (peer_ != PeerKind::Lite || state_ != State::Running) return false;
    for (const Component& its : components_) {
        const auto agreed = std::count_if(pairs.begin(), pairs.end(), [&](const AgreedPair& pair) {
            const Valid* known = valid_on(pair.path);
            return pair.component == its.id && known != nullptr && known->component == its.id;
        });
        if (agreed != 1) return false;
    }
    role_ = Role::Controlled;  // RFC 8839 Section 4.4.2.2
    for (const AgreedPair& pair : pairs) {
        if (pair.component.value < 1 || pair.component.value > config_.components) continue;
        component(pair.component).selected = pair.path;
    }
    complete();
    return true;
}

void LiteAgent::complete() {
    if (std::any_of(components_.begin(), components_.end(),
                    [](const Component& its) { return !its.selected; })) {
        return;
    }
    for (Component& its : components_) {
        its.selection = Selection::Nominated;
        its.previous.reset();
        queue_event(PairPicked{its.id, *its.selected, its.selection});
    }
    state_ = State::Completed;
    queue_event(StateChanged{state_});
}

}  // namespace stile::ice
