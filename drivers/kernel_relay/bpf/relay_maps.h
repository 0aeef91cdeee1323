// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What the process and the BPF programs share: C for both. Addresses are 16 octets, IPv4 in its
// mapped form (RFC 4291 Section 2.5.5.2), ports and channel numbers in network order, times in
// nanoseconds of CLOCK_MONOTONIC.
#pragma once

#include <linux/types.h>

// A flow as its packets arrive. `channel` is 0 for what a peer sends to a relayed address.
struct relay_key {
    __u8 local[16];
    __u8 remote[16];
    __u16 local_port;
    __u16 remote_port;
    __u16 channel;
    __u16 unused;
};

// How packets leave in one direction.
struct relay_way {
    __u8 from[16];
    __u8 to[16];
    __u16 from_port;
    __u16 to_port;
    __u16 sum_in;   // of the two addresses that packets arrive with; one's complement
    __u16 sum_out;  // of `from` and `to`
    __u32 hop;      // index in `hops`
    __u32 family;   // 4 or 6
};

struct relay_amount {
    __u64 packets;
    __u64 octets;
};

struct relay_channel {
    __u64 until;
    __s64 budget;  // octets that may still pass; counts only with RELAY_BUDGETED
    __u32 owner;   // index in `owners`; 0 is none
    __u16 number;
    __u16 flags;
    struct relay_way to_peer;
    struct relay_way to_client;
    struct relay_amount peer_amount;
    struct relay_amount client_amount;
};

enum {
    RELAY_BUDGETED = 1,
    RELAY_PAUSED = 2,
};

// The neighbour that packets are handed to. ifindex 0: none is known.
struct relay_hop {
    __u32 ifindex;
    __u32 mtu;
    __u8 to[6];
    __u8 from[6];
    __u32 flags;
    __u32 used;  // set by the programs, cleared by the process
    __u32 unused;
};

enum {
    RELAY_LOCAL = 1,      // this host itself, by way of lo
    RELAY_TAKES_XDP = 2,  // its interface transmits what XDP redirects to it
};

// A rate as a virtual clock: what it stands at, what one unit moves it on (in 2^-16 ns), and how
// far it may be ahead of the time. 0 for `cost` is no limit.
struct relay_rate {
    __u64 ahead;
    __u64 cost;
    __u64 burst;
};

struct relay_owner {
    struct relay_rate octets;
    struct relay_rate packets;
};

struct relay_settings {
    __u64 lease;                 // nothing is forwarded after it
    struct relay_rate bindings;  // answers to one prefix; its clock is not used
    struct relay_rate octets;    // of answers to all
};

// Key of a listener that Binding requests are answered at.
struct relay_server {
    __u8 address[16];
    __u16 port;
    __u16 unused[3];
};

enum relay_count {
    RELAY_TO_PEER,
    RELAY_TO_CLIENT,
    RELAY_BINDINGS,
    RELAY_EXPIRED,
    RELAY_OVER_RATE,
    RELAY_NO_WAY_OUT,
    RELAY_ODD,
    RELAY_COUNTS,
};
