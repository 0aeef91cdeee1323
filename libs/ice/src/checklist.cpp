// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/checklist.hpp>

#include <stile/base/assert.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

// The order in which a foundation's first pair is chosen: lowest component, then highest priority.
bool is_before(const CandidatePair& left, const CandidatePair& right) {
    if (left.component != right.component) return left.component < right.component;
    return left.priority > right.priority;
}

// The order of the list and of ordinary checks.
bool is_higher(const CandidatePair& left, const CandidatePair& right) {
    if (left.priority != right.priority) return left.priority > right.priority;
    return left.component < right.component;
}

}  // namespace

Checklist::Checklist(std::size_t most_pairs) : most_pairs_(most_pairs) {
    STILE_ASSERT(most_pairs_ >= 1);
    STILE_ASSERT(most_pairs_ <= limits::most_pairs);
}

Checklist::Added Checklist::add(CandidatePair pair) {
    if (CandidatePair* same = find(pair.path, pair.transport)) {
        const bool untried = same->state == PairState::Frozen || same->state == PairState::Waiting;
        if (untried && pair.priority > same->priority) {
            // RFC 8838 Section 10: the lower of two redundant pairs goes, if it was not yet tried.
            // It keeps its name and its place in the triggered queue.
            same->local = pair.local;
            same->remote = pair.remote;
            same->foundation = pair.foundation;
            same->priority = pair.priority;
            sort();
        }
        return Added::Redundant;
    }
    if (pairs_.size() >= most_pairs_ && !make_room(pair.priority)) return Added::NoRoom;
    pair.id = PairId{++last_id_};
    pair.state = initial_state(pair);
    // By few, not by doubling: this is most of an agent that checks.
    if (pairs_.size() == pairs_.capacity()) pairs_.reserve(pairs_.size() + 8);
    pairs_.insert(std::upper_bound(pairs_.begin(), pairs_.end(), pair, is_higher), pair);
    return Added::New;
}

// RFC 8838 Section 12, rules 1 to 3.
PairState Checklist::initial_state(const CandidatePair& pair) const {
    bool is_first = true;
    for (const CandidatePair& other : pairs_) {
        if (other.foundation != pair.foundation) continue;
        if (other.state == PairState::Succeeded) return PairState::Waiting;
        if (is_before(other, pair)) is_first = false;
    }
    return is_first ? PairState::Waiting : PairState::Frozen;
}

void Checklist::compute_initial_states() {
    for (CandidatePair& pair : pairs_) {
        const bool is_first =
            std::none_of(pairs_.begin(), pairs_.end(), [&](const CandidatePair& other) {
                return other.foundation == pair.foundation && is_before(other, pair);
            });
        pair.state = is_first ? PairState::Waiting : PairState::Frozen;
    }
}

// RFC 8838 Sections 10 and 11: first a failed pair goes, then one of lower priority. A pair that is
// being tried, that works or whose check the peer asked for is never given up.
bool Checklist::make_room(PairPriority priority) {
    const auto last_of = [&](auto matches) {
        const auto found = std::find_if(pairs_.rbegin(), pairs_.rend(), matches);
        if (found == pairs_.rend()) return false;
        remove_triggered(found->id);
        pairs_.erase(std::next(found).base());
        return true;
    };
    return last_of([](const CandidatePair& pair) {
               return pair.state == PairState::Failed || pair.state == PairState::Removed;
           }) ||
           last_of([&](const CandidatePair& pair) {
               const bool untried =
                   pair.state == PairState::Frozen || pair.state == PairState::Waiting;
               return untried && pair.priority < priority && !is_triggered(pair.id);
           });
}

CandidatePair* Checklist::take_next() {
    CandidatePair* pair = take_triggered();
    return pair != nullptr ? pair : take_ordinary();
}

CandidatePair* Checklist::take_triggered() {
    while (!triggered_.empty()) {
        const PairId id = triggered_.front();
        triggered_.erase(triggered_.begin());
        if (CandidatePair* pair = find(id)) return pair;
    }
    return nullptr;
}

CandidatePair* Checklist::take_ordinary() {
    if (CandidatePair* pair = highest_waiting()) return pair;
    // "For a given foundation, if there is no pair in the Waiting or In-Progress state": the
    // highest frozen pair of each such foundation, and of those the highest is what is checked.
    for (CandidatePair& pair : pairs_) {
        if (is_startable(pair)) pair.state = PairState::Waiting;
    }
    return highest_waiting();
}

bool Checklist::has_next() const {
    if (!triggered_.empty()) return true;
    return std::any_of(pairs_.begin(), pairs_.end(), [&](const CandidatePair& pair) {
        return (pair.state == PairState::Waiting && !pair.held) || is_startable(pair);
    });
}

bool Checklist::is_startable(const CandidatePair& frozen) const {
    return frozen.state == PairState::Frozen &&
           !has_foundation_in(frozen.foundation, PairState::Waiting) &&
           !has_foundation_in(frozen.foundation, PairState::InProgress);
}

CandidatePair* Checklist::highest_waiting() {
    const auto found = std::find_if(pairs_.begin(), pairs_.end(), [&](const CandidatePair& pair) {
        return pair.state == PairState::Waiting && !pair.held && !is_triggered(pair.id);
    });
    return found == pairs_.end() ? nullptr : &*found;
}

bool Checklist::is_triggered(PairId id) const {
    return std::find(triggered_.begin(), triggered_.end(), id) != triggered_.end();
}

void Checklist::enqueue_triggered(PairId id) {
    STILE_ASSERT(find(id) != nullptr);
    if (!is_triggered(id)) triggered_.push_back(id);
}

void Checklist::remove_triggered(PairId id) { std::erase(triggered_, id); }

void Checklist::unfreeze(PairFoundation foundation) {
    for (CandidatePair& pair : pairs_) {
        if (pair.state == PairState::Frozen && pair.foundation == foundation) {
            pair.state = PairState::Waiting;
        }
    }
}

void Checklist::erase(PairId id) {
    remove_triggered(id);
    std::erase_if(pairs_, [&](const CandidatePair& pair) { return pair.id == id; });
}

void Checklist::conclude(ComponentId component, PairId keep, Others others) {
    const CandidatePair* kept = find(keep);
    STILE_ASSERT(kept != nullptr);
    const PairPriority reached = kept->valid ? kept->valid->priority : kept->priority;
    for (CandidatePair& pair : pairs_) {
        if (pair.component != component || pair.id == keep) continue;
        // Nominated too, by an aggressive peer, and not answered yet: it may be the better one.
        if (pair.nominated_on_success || pair.spare) continue;
        const bool is_udp = pair.transport == Transport::Udp;
        if (others == Others::BetterGoOn && is_udp && pair.priority > reached) continue;
        // Its connection will be released: it works no longer.
        if (!is_udp) pair.valid.reset();
        remove_triggered(pair.id);
        if (pair.is_unfinished()) pair.state = PairState::Removed;
    }
    std::size_t removed = 0;
    std::erase_if(pairs_, [&](const CandidatePair& pair) {
        return pair.component == component && pair.state == PairState::Removed &&
               ++removed > limits::most_removed_pairs;
    });
    triggered_.shrink_to_fit();
    pairs_.shrink_to_fit();
}

void Checklist::revive(ComponentId component) {
    for (CandidatePair& pair : pairs_) {
        if (pair.component != component || pair.transport != Transport::Udp) continue;
        if (pair.state == PairState::Removed) pair.state = PairState::Waiting;
    }
}

CandidatePair* Checklist::find(PairId id) {
    const auto found = std::find_if(pairs_.begin(), pairs_.end(),
                                    [&](const CandidatePair& pair) { return pair.id == id; });
    return found == pairs_.end() ? nullptr : &*found;
}

const CandidatePair* Checklist::find(PairId id) const {
    const auto found = std::find_if(pairs_.begin(), pairs_.end(),
                                    [&](const CandidatePair& pair) { return pair.id == id; });
    return found == pairs_.end() ? nullptr : &*found;
}

CandidatePair* Checklist::find(const Path& path, Transport transport) {
    const auto found = std::find_if(pairs_.begin(), pairs_.end(), [&](const CandidatePair& pair) {
        return pair.path == path && pair.transport == transport;
    });
    return found == pairs_.end() ? nullptr : &*found;
}

void Checklist::release_held() {
    for (CandidatePair& pair : pairs_) pair.held = false;
}

void Checklist::sort() { std::stable_sort(pairs_.begin(), pairs_.end(), is_higher); }

std::size_t Checklist::count(PairState state) const {
    return static_cast<std::size_t>(
        std::count_if(pairs_.begin(), pairs_.end(),
                      [&](const CandidatePair& pair) { return pair.state == state; }));
}

bool Checklist::has_foundation_in(PairFoundation foundation, PairState state) const {
    return std::any_of(pairs_.begin(), pairs_.end(), [&](const CandidatePair& pair) {
        return pair.foundation == foundation && pair.state == state;
    });
}

}  // namespace stile::ice
