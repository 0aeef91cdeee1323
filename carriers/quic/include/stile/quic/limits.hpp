// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>
#include <cstdint>

namespace stile::quic {

// Requests that a peer may have open at a time. Browsers allow themselves 100 on one connection.
inline constexpr std::size_t most_parallel_requests = 200;

// One message's header fields, names and values with 32 octets each for the bookkeeping, as RFC
// 9114 Section 4.2.2 counts them, and their number. Web servers usually take 8 to 64 KB.
inline constexpr std::size_t most_field_section_octets = 32'768;
inline constexpr std::size_t most_fields = 128;

// Informational responses (1xx) that are passed on before the final one; a peer could send no end.
inline constexpr std::size_t most_informational_responses = 8;

// Body octets that a stream holds which have not been handed to the transport. Enough to fill every
// burst between two wake-ups at 10 Gbit/s; what was handed over is bounded by the congestion
// window.
inline constexpr std::size_t most_unsent_octets = 1'048'576;

// One pushed chunk. With the bound before it, what one stream may hold unsent.
inline constexpr std::size_t most_chunk_octets = 4'194'304;

// Body octets of all streams that are held until the peer acknowledges them: a window's worth at
// 1 Gbit/s and 300 ms, and room above. Borrowed chunks count too.
inline constexpr std::size_t most_unacknowledged_octets = 67'108'864;

// How far a peer may run ahead of a reader: what a stream and a connection may hold unread. The
// first is given at once, the second is grown to as the reader keeps up; 1 Gbit/s at 300 ms
// needs 37.5 MB.
inline constexpr std::uint64_t first_receive_window = 1'048'576;
inline constexpr std::uint64_t most_receive_window = 50'331'648;

// Segments of one batch: what Linux takes in one UDP_SEGMENT call (UDP_MAX_SEGMENTS of old
// kernels), and the octets that fit in one IP datagram's length field.
inline constexpr std::size_t most_batch_segments = 64;
inline constexpr std::size_t most_batch_octets = 65'000;

// Datagrams that are sent and taken. 1200 is what QUIC requires of a path (RFC 9000 Section 14);
// 1452 is Ethernet's 1500 without IPv6 and UDP headers.
inline constexpr std::size_t least_datagram_octets = 1'200;
inline constexpr std::size_t most_datagram_octets = 1'452;
// Anything longer was not made for a path that we know.
inline constexpr std::size_t most_received_octets = 65'527;

// Who has changed its way pings, so often, until the peer is heard, but no longer than that. With
// no round trip known half of the third of a second that QUIC assumes is taken for one.
inline constexpr int pings_a_round_trip = 4;
inline constexpr Duration least_ping_interval = std::chrono::milliseconds{2};
// A sender whose window is full probes instead: at once and one round trip later. No more until the
// window has had room again: each probe takes what was sent for sent again, and the library stops
// its timers when nothing is left of which that was not said.
inline constexpr std::uint32_t most_probes = 2;
inline constexpr Duration ping_patience = std::chrono::seconds{2};
inline constexpr Duration unknown_round_trip = std::chrono::milliseconds{160};

// Certificates that a peer may show: its device's and its address's.
inline constexpr std::size_t most_peer_certificates = 2;

// The reason text of a close, ours and the peer's.
inline constexpr std::size_t most_reason_octets = 256;

static_assert(most_chunk_octets + most_unsent_octets <= most_unacknowledged_octets);
static_assert(first_receive_window <= most_receive_window);
static_assert(least_datagram_octets <= most_datagram_octets);
static_assert(most_datagram_octets <= most_batch_octets);

}  // namespace stile::quic
