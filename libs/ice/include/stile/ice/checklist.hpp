// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/ice/candidate.hpp>
#include <stile/ice/limits.hpp>
#include <stile/ice/priority.hpp>

#include <span>
#include <vector>

namespace stile::ice {

// RFC 8445 Section 6.1.2.6, and Removed: the component's pair was nominated before this one had a
// result (Section 8.1.2). A removed pair is kept for diagnostics alone.
enum class PairState : std::uint8_t { Frozen, Waiting, InProgress, Succeeded, Failed, Removed };

// Why a pair is in the state Failed, or why its latest check failed.
struct PairError {
    enum class Kind : std::uint8_t {
        TimedOut,        // no answer to any of the requests, or no connection within Ti
        NotSymmetric,    // answered from or to another address; RFC 8445 Section 7.2.5.2.1
        ErrorResponse,   // `code` says which; 487 only when the roles were not settled in time
        SendFailed,      // the driver could not send, or its network says unreachable
        BaseLost,        // the local address went away
        ConsentExpired,  // it worked once; RFC 7675
        ConsentRevoked,  // the peer answered 403; RFC 7675 Section 5.2
        // Of TCP:
        ConnectionRefused,  // the other end, or somebody before it, answered with a reset
        ConnectionFailed,   // it could not be opened for another reason
        ConnectionClosed,   // it was open, and the peer or the network ended it
        NotIce,             // what came first was no STUN message: not a peer; RFC 6544 Section 7.1
    };
    Kind kind = Kind::TimedOut;
    std::uint16_t code = 0;  // of an ErrorResponse
    friend bool operator==(const PairError&, const PairError&) = default;
};

// Names a pair for as long as its generation lasts.
struct PairId {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(PairId, PairId) = default;
};

// The foundations of both candidates, each as its number in its CandidateTable.
struct PairFoundation {
    std::uint16_t local = 0;
    std::uint16_t remote = 0;
    friend constexpr auto operator<=>(PairFoundation, PairFoundation) = default;
};

struct CandidatePair {
    PairId id;
    ComponentId component;
    std::uint16_t local = 0;   // index in the table of local candidates
    std::uint16_t remote = 0;  // index in the table of remote candidates
    Path path;  // from the local candidate's base; of an active one any port stands for its own
    Transport transport = Transport::Udp;
    // A TCP pair whose turn came while there was no room for another connection. It is not chosen
    // until there is; see Checklist::release_held.
    bool held = false;
    PairFoundation foundation;
    PairPriority priority;
    PairState state = PairState::Frozen;
    // A check from here succeeded and this is the valid pair that it made: the candidate that the
    // peer saw us as, and the priority of that pair. RFC 8445 Section 7.2.5.3.2.
    struct Valid {
        std::uint16_t local = 0;
        PairPriority priority;
        Instant since;  // of the latest check that succeeded
    };
    std::optional<Valid> valid;
    bool nominated = false;               // the nominated flag of the valid pair
    bool nominated_on_success = false;    // USE-CANDIDATE came first; RFC 8445 Section 7.3.1.5
    bool spare = false;                   // it is tried, or kept, although another is nominated
    std::uint32_t nomination_number = 0;  // of the peer's latest nomination; 0 where it has none
    std::optional<PairError> last_error;
    std::optional<Duration> round_trip;

    bool is_unfinished() const {
        return state == PairState::Frozen || state == PairState::Waiting ||
               state == PairState::InProgress;
    }
};

// The checklist of one data stream with its triggered-check queue: which pairs there are and which
// is to be checked next. RFC 8445 Sections 6.1.2 and 6.1.4. Pairs are in the order of falling
// priority; a pointer or span is good until the next non-const call.
class Checklist {
public:
    // Requires: most_pairs is 1 to limits::most_pairs.
    explicit Checklist(std::size_t most_pairs = limits::most_pairs);

    enum class Added : std::uint8_t {
        New,        // it is in the list
        Redundant,  // the same base and remote address as one that is; RFC 8445 Section 6.1.2.4
        NoRoom,     // lower in priority than every pair that may make room; RFC 8838 Section 11
    };
    // Adds a pair; its id and state are set here, the state by RFC 8838 Section 12.
    Added add(CandidatePair pair);

    // The states of a list all of whose pairs were added before checks begin: all Frozen but one a
    // foundation. RFC 8445 Section 6.1.2.6.
    void compute_initial_states();

    // The pair to check now, no longer in the triggered queue, its state not yet changed; null when
    // there is none. Unfreezes by RFC 8445 Section 6.1.4.2.
    CandidatePair* take_next();
    // The same of the triggered-check queue alone, and of the other pairs alone.
    CandidatePair* take_triggered();
    CandidatePair* take_ordinary();
    // Whether take_next() would have one.
    bool has_next() const;

    // Puts the pair at the end of the triggered-check queue, once. RFC 8445 Section 7.3.1.4.
    void enqueue_triggered(PairId id);
    void remove_triggered(PairId id);
    bool is_triggered(PairId id) const;

    // All frozen pairs of the foundation become Waiting. RFC 8445 Section 7.2.5.3.3.
    void unfreeze(PairFoundation foundation);

    void erase(PairId id);

    enum class Others : std::uint8_t {
        End,
        BetterGoOn,  // over UDP those of higher priority, where a later nomination may follow
    };
    // Ends the checks of one component, but for spare pairs: what has no result becomes Removed,
    // and the lowest of that are forgotten. RFC 8445 Section 8.1.2.
    void conclude(ComponentId component, PairId keep, Others others = Others::End);

    // The opposite: the UDP pairs that were removed, and are still there, are to be checked.
    void revive(ComponentId component);

    CandidatePair* find(PairId id);
    const CandidatePair* find(PairId id) const;
    CandidatePair* find(const Path& path, Transport transport = Transport::Udp);

    // Held pairs may be chosen again.
    void release_held();

    std::span<CandidatePair> pairs() { return pairs_; }
    std::span<const CandidatePair> pairs() const { return pairs_; }
    // To be called after priorities were changed.
    void sort();

    std::size_t count(PairState state) const;
    std::size_t triggered_count() const { return triggered_.size(); }

private:
    bool has_foundation_in(PairFoundation foundation, PairState state) const;
    PairState initial_state(const CandidatePair& pair) const;
    bool make_room(PairPriority priority);
    CandidatePair* highest_waiting();
    bool is_startable(const CandidatePair& frozen) const;

    std::vector<CandidatePair> pairs_;
    std::vector<PairId> triggered_;  // first in, first out
    std::size_t most_pairs_;
    std::uint32_t last_id_ = 0;
};

}  // namespace stile::ice
