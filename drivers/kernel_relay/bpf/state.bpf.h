// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The maps, and what is counted and charged in them.
#pragma once

#include "packet.bpf.h"

// Payload octets that a program copies; larger datagrams are for user space.
#define MOST_PAYLOAD 16000
// Headers are written in front of this offset of the scratch space, payload from it on, so that
// both make one piece. Room for Ethernet, IPv6, UDP and ChannelData headers.
#define PAYLOAD_AT 68

struct scratch {
    __u8 octets[PAYLOAD_AT + 16384 + 8];
};

// The process sets the sizes of those that say 1.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, struct relay_key);
    __type(value, __u32);
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct relay_channel);
} channels SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct relay_hop);
} hops SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct relay_owner);
} owners SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct relay_settings);
} settings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, struct relay_server);
    __type(value, __u32);
} servers SEC(".maps");

// Virtual clocks of Binding answers by prefix. The least recent is forgotten: its bucket is full
// again, which costs at most a burst.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);
    __type(value, __u64);
} askers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RELAY_COUNTS);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct scratch);
} scratch_space SEC(".maps");

INLINE void count(__u32 what) {
    __u64* counter = bpf_map_lookup_elem(&counts, &what);
    if (counter) ++*counter;
}

INLINE struct relay_settings* get_settings(void) {
    __u32 zero = 0;
    return bpf_map_lookup_elem(&settings, &zero);
}

INLINE struct scratch* get_scratch(void) {
    __u32 zero = 0;
    return bpf_map_lookup_elem(&scratch_space, &zero);
}

// Moves the clock on where it is not too far ahead already. Another CPU may do so at the same
// time: after a few tries it passes uncharged, which a rate can bear.
INLINE int take(__u64* clock, __u64 now, __u64 cost, __u64 burst) {
#pragma unroll
    for (int i = 0; i < 3; ++i) {
        __u64 seen = *clock;
        __u64 base = seen < now ? now : seen;
        if (base + cost - now > burst) return 0;
        if (__sync_val_compare_and_swap(clock, seen, base + cost) == seen) return 1;
    }
    return 1;
}

INLINE int take_rate(struct relay_rate* rate, __u64 now, __u32 units) {
    __u64 cost = rate->cost;
    if (cost == 0) return 1;
    return take(&rate->ahead, now, (cost * units) >> 16, rate->burst);
}

// 0: the channel or its owner has used up what it may.
INLINE int charge(struct relay_channel* channel, __u64 now, __u32 octets) {
    __u32 index = channel->owner;
    if (index != 0) {
        struct relay_owner* owner = bpf_map_lookup_elem(&owners, &index);
        if (!owner) return 0;
        if (!take_rate(&owner->packets, now, 1)) return 0;
        if (!take_rate(&owner->octets, now, octets)) return 0;
    }
    if (channel->flags & RELAY_BUDGETED) {
        if (channel->budget < (__s64)octets) return 0;
        __sync_fetch_and_add(&channel->budget, -(__s64)octets);
    }
    return 1;
}
