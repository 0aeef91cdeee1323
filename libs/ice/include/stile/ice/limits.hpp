// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>
#include <cstdint>

// Everything in an agent that a peer, a server or an application could make grow.
namespace stile::ice::limits {

// Candidates kept on each side, peer reflexive ones included. A host with eight addresses, each
// with a reflexive and a relayed candidate, has 24; the rest is room for what checks discover.
inline constexpr std::size_t most_local_candidates = 64;
inline constexpr std::size_t most_remote_candidates = 64;

// RFC 8445 Section 6.1.2.5: the default limit of candidate pairs in a checklist set. It bounds the
// traffic that a lying peer can aim at a third party (Section 19.5.1).
inline constexpr std::size_t most_pairs = 100;

// Pairs that were not needed, kept for a diagnosis once a pair is nominated. The others can be made
// again from the candidates; they would be most of what an idle agent is.
inline constexpr std::size_t most_removed_pairs = 8;

// RFC 8445 knows component IDs up to 256; nobody uses more than RTP and RTCP.
inline constexpr std::uint16_t most_components = 2;

// Requests answered before the peer's credentials are known, one a path. A peer sends at most one
// check a pair meanwhile, and few pairs reach us before the signalling does.
inline constexpr std::size_t most_early_checks = 32;

// Pairs that a lite agent keeps as nominated: a peer of RFC 5245's aggressive kind nominates each
// that works, and uses one. Of more the one that was silent longest goes.
inline constexpr std::size_t most_lite_pairs = 16;

// When a lite agent takes a nominated pair for given up, if the peer is heard on another: consent
// is asked for every 5 s, and lasts 30 s.
inline constexpr Duration lite_pair_silent = std::chrono::seconds{30};

// How long, where the nominated pair is lost and renomination was agreed on, another one may take
// to show that it works: three requests on each. After that a restart is due.
inline constexpr Duration takeover_patience = std::chrono::seconds{3};

// How long after a pair was chosen the peer's data on another one is what was on its way, or what
// it sends there until its own check of the new one is answered: three requests by RFC 8489
// Section 6.2.1 have left by then. Later it says that the peer has left.
inline constexpr Duration data_overtaken = std::chrono::seconds{2};
// And once the peer's data has come on the chosen one, where the other may be slower, and full.
inline constexpr int data_overtaken_round_trips = 2;

// How often a pair that stands by is checked: Tr of RFC 8445 Section 11. Two answers may be late by
// several retransmissions, and its consent, which lasts 30 s, still counts.
inline constexpr Duration spare_period = std::chrono::seconds{15};

// How long requests with the credentials of before a restart are answered once they are needed no
// longer: the life of a consent, RFC 7675 Section 5.1.
inline constexpr Duration previous_answered = std::chrono::seconds{30};

// Transactions that wait for an answer: one a pair, and as many again that were cancelled and may
// still be answered (RFC 8445 Section 7.3.1.4).
inline constexpr std::size_t most_outstanding_checks = 2 * most_pairs;

// Consent requests that wait for an answer: what fits in 30 s at one in 4 s, rounded up.
inline constexpr std::size_t most_outstanding_consents = 8;

// Datagrams not yet fetched by poll_transmit; later ones are lost, as on any full network queue.
inline constexpr std::size_t most_queued_transmits = 128;

// Events not yet fetched by poll_event; the oldest is lost. Agent::pairs() tells what is so now.
inline constexpr std::size_t most_queued_events = 128;

// TCP connections of one agent: open, being opened, waiting to be tried again, or released and not
// yet fetched by poll_event. Each is a descriptor of the process. Further pairs wait for room.
inline constexpr std::size_t most_connections = 64;

// RFC 6544 Section 12: "an ICE agent SHOULD NOT have more than 5 outstanding TCP connection
// attempts with the same peer to the same IP address".
inline constexpr std::size_t most_attempts_to_one_address = 5;

// Accepted connections that have not yet brought a check with our credentials, and how long each of
// them may take: a segment that is lost four times is sent again within 15 s. A port scanner can
// hold so many descriptors for so long, no more.
inline constexpr std::size_t most_unproven_connections = 16;
inline constexpr Duration unproven_lifetime = std::chrono::seconds{15};

// A connection that carried data stays open for so long after another pair took its place: what
// either side sent on it before it heard of the change still arrives.
inline constexpr Duration connection_linger = std::chrono::seconds{3};

// RFC 6544 Section 4.2: other-pref is 0 to 8191.
inline constexpr std::uint16_t most_other_preference = 8191;

// Role changes in one generation. A conflict needs one; a peer that asks for more is broken, and
// the pair it asks on fails.
inline constexpr std::uint8_t most_role_changes = 8;

// Triggered checks before another one has its turn. Two NATs that show a new address with each
// check, or a peer that never stops, would otherwise keep the agent from ever trying the relay.
inline constexpr std::uint8_t most_triggered_in_a_row = 3;

// RFC 8839 Section 5.4: ice-ufrag is 4 to 256 characters, ice-pwd 22 to 256.
inline constexpr std::size_t least_fragment_size = 4;
inline constexpr std::size_t least_password_size = 22;
inline constexpr std::size_t most_credential_size = 256;

// RFC 8445 Section 5.3: a foundation has up to 32 characters.
inline constexpr std::size_t most_foundation_size = 32;

// RFC 8445 Section 14.2: all transactions of an implementation together, never more often.
inline constexpr Duration least_ta = std::chrono::milliseconds{5};
// Not in an RFC: a peer's proposal beyond this would let it stall the checks (both sides use the
// higher value).
inline constexpr Duration most_ta = std::chrono::seconds{1};

// Agents on one port: what a process can have descriptors for on the other side.
inline constexpr std::size_t most_mux_members = 65536;
// Names of one of them: this generation's and the one's before; a third for a restart in a restart.
inline constexpr std::size_t most_mux_fragments = 3;
// Fragments that Credentials::generate makes have 8 characters; there is no need for longer ones.
inline constexpr std::size_t most_mux_fragment_size = 15;
// Paths on which an agent may be sent data: a socket to each remote candidate, and one more.
inline constexpr std::size_t most_mux_paths = 2 * most_remote_candidates;
// Agents that share one path: two programs that have several sessions with each other, both on one
// port. What arrives is offered to each of them.
inline constexpr std::size_t most_mux_sharers = 4;
// Requests that wait for an answer, of all agents together. The oldest are forgotten.
inline constexpr std::size_t most_mux_transactions = 262144;
// Longer than a transaction of seven requests lives (39.5 s).
inline constexpr Duration mux_transaction_lifetime = std::chrono::seconds{40};
// A path on which nothing was sent for so long is an agent's no more. Consent requests leave every
// 6 s, and a consent lasts 30 s.
inline constexpr Duration mux_path_lifetime = std::chrono::seconds{60};

static_assert(most_pairs <= most_local_candidates * most_remote_candidates);
static_assert(most_queued_transmits >= most_early_checks);
static_assert(most_unproven_connections < most_connections);

}  // namespace stile::ice::limits
