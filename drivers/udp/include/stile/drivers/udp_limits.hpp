// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace stile::drivers {

// Datagrams of one recvmmsg or sendmmsg: beyond 32 the cost of the call no longer shows.
inline constexpr std::size_t most_messages_a_call = 32;
// Messages that a set of sockets takes before it sends what was made of them: enough that a hundred
// clients of a busy server have more than one datagram each in it, which then leave as one.
inline constexpr std::size_t most_messages_a_round = 256;
// The kernel merges at most 64 KiB into one receive.
inline constexpr std::size_t most_octets_a_message = 65536;
// The kernel's UDP_MAX_SEGMENTS.
inline constexpr std::size_t most_segments_a_send = 64;
// What one segmented send may hold: an IPv4 datagram less its headers.
inline constexpr std::size_t most_octets_a_send = 65507;
// Receive calls of one wake-up, so that a flooded socket cannot starve timers and other sockets.
inline constexpr std::size_t most_receive_calls_a_wakeup = 4;
// Waiting for a full kernel buffer: about 10 ms at 1 Gbit/s. Older ones would only be late.
inline constexpr std::size_t most_queued_octets = 1'048'576;
inline constexpr std::size_t most_queued_datagrams = 1024;

}  // namespace stile::drivers
