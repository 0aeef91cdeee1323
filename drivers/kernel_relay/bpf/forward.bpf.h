// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// From a packet to a plan, and from the plan to the packet that leaves.
#pragma once

#include "rewrite.bpf.h"

// `lo` has this number in every network namespace.
#define LOOPBACK 1

enum action {
    LEAVE,    // to user space, untouched
    DELIVER,  // to user space, as rewritten: its destination is an address of this host
    SEND,     // out of plan->hop->ifindex
    BROKEN,   // half rewritten; cannot happen but for want of memory
};

INLINE struct relay_channel* find_channel(struct packet* p, __u16 number) {
    p->key.channel = number;
    __u32* index = bpf_map_lookup_elem(&flows, &p->key);
    p->key.channel = 0;
    if (!index) return 0;
    __u32 at = *index;
    return bpf_map_lookup_elem(&channels, &at);
}

// ChannelData of an installed channel. RFC 8656 Section 12.5: over UDP up to three octets of
// padding may follow, and a length beyond the datagram is an error. Much more than padding is a
// train of datagrams that the sender has not cut yet.
INLINE int plan_to_peer(const struct packet* p, struct plan* plan) {
    __u32 said = bpf_ntohs(p->second);
    if (p->payload < 4 || said > p->payload - 4) return 0;
    plan->skip = 4;
    plan->take = said;
    plan->padding = p->payload - 4 - said;
    plan->number = 0;
    return plan->padding <= 3;
}

INLINE void plan_to_client(const struct packet* p, const struct relay_channel* channel,
                           struct plan* plan) {
    plan->skip = 0;
    plan->take = p->payload;
    plan->padding = 0;
    plan->number = channel->number;
}

// Whether the packet can leave by this hop.
INLINE int fits(enum mode mode, const struct packet* p, const struct plan* plan) {
    const struct relay_hop* hop = plan->hop;
    if (hop->ifindex == 0 || plan->take > MOST_PAYLOAD) return 0;
    if (header_length(plan) + plan->take > hop->mtu + ETH_HLEN) return 0;
    if (hop->flags & RELAY_LOCAL) {
        // Only what is on lo already, and of the same family: it keeps the route it has.
        return mode != NATIVE && p->ifindex == LOOPBACK && plan->family == p->family;
    }
    if (p->ttl <= 1) return 0;
    return mode != NATIVE || hop->ifindex == p->ifindex || (hop->flags & RELAY_TAKES_XDP);
}

// Native XDP: the headers move, in front of a payload that stays.
INLINE enum action move_headers(struct xdp_md* context, const struct packet* p, struct plan* plan) {
    __u32 before = p->udp + 8 + plan->skip;
    __u32 after = header_length(plan);
    // What follows the datagram: its padding, and that of a short Ethernet frame.
    __u32 excess = p->frame - before - plan->take;
    if (bpf_xdp_adjust_head(context, (int)before - (int)after)) return LEAVE;
    if (excess && bpf_xdp_adjust_tail(context, -(int)excess)) return BROKEN;
    void* data = (void*)(long)context->data;
    void* end = (void*)(long)context->data_end;
    if (!write_packet_headers(data, end, p, plan)) return BROKEN;
    return SEND;
}

// In native XDP a packet has room in front of it rather than behind.
INLINE int grow_or_shrink(struct xdp_md* context, enum mode mode, int octets) {
    if (mode == NATIVE && bpf_xdp_adjust_head(context, -octets) == 0) return 1;
    return bpf_xdp_adjust_tail(context, octets) == 0;
}

// Puts a whole frame that lies in the scratch space in the place of the packet. The UDP header
// stays at its octet of the buffer, but in native XDP.
INLINE enum action replace_frame(void* context, enum mode mode, const struct packet* p, __u8 family,
                                 const __u8* frame, __u32 octets) {
    __u32 old = p->frame;
    if (family != p->family) {
        int grown = family == 6 ? 20 : -20;
        if (mode == TC) {
            __be16 protocol = family == 6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
            if (bpf_skb_change_proto(context, protocol, 0)) return LEAVE;
        } else if (bpf_xdp_adjust_head(context, -grown)) {
            return LEAVE;
        }
        old += grown;
    }
    enum action failed = family == p->family ? LEAVE : BROKEN;
    if (octets != old) {
        if (mode == TC) {
            if (bpf_skb_change_tail(context, octets, 0)) return failed;
        } else if (!grow_or_shrink(context, mode, (int)octets - (int)old)) {
            return failed;
        }
    }
    if (octets < 42 || octets > MOST_PAYLOAD + PAYLOAD_AT) return BROKEN;
    long stored = mode == TC ? bpf_skb_store_bytes(context, 0, frame, octets, BPF_F_RECOMPUTE_CSUM)
                             : bpf_xdp_store_bytes(context, 0, (void*)frame, octets);
    return stored ? BROKEN : SEND;
}

INLINE enum action move_payload(void* context, enum mode mode, struct scratch* s,
                                const struct packet* p, struct plan* plan) {
    __u8* at = write_scratch_headers(s, p, plan);
    return replace_frame(context, mode, p, (__u8)plan->family, at,
                         header_length(plan) + plan->take);
}

INLINE enum action rewrite(void* context, enum mode mode, const struct packet* p, struct plan* plan,
                           __u16 sum_in) {
    struct scratch* s = get_scratch();
    if (!s) return LEAVE;
    enum sum kind = judge_sum(context, mode, s, p, plan, sum_in);
    // Generic XDP cannot tell one datagram from a train of them that is not cut yet: both have
    // partial checksums. ChannelData says its length.
    int clear = mode != GENERIC || kind != SUM_PARTIAL || plan->skip != 0;
    if (!clear || !make_check(context, mode, s, p, plan, kind)) {
        count(RELAY_ODD);
        return LEAVE;
    }
    if (mode == NATIVE) return move_headers(context, p, plan);
    if (!load_payload(context, mode, s, p, plan)) return LEAVE;
    return move_payload(context, mode, s, p, plan);
}

INLINE void count_amount(struct relay_amount* amount, __u32 octets) {
    __sync_fetch_and_add(&amount->packets, 1);
    __sync_fetch_and_add(&amount->octets, octets);
}

// May the channel pass this many octets now? Charges them.
INLINE int admit(struct relay_channel* channel, __u32 octets) {
    struct relay_settings* now_valid = get_settings();
    __u64 now = bpf_ktime_get_coarse_ns();
    if (!now_valid || now >= channel->until || now >= now_valid->lease) {
        count(RELAY_EXPIRED);
        return 0;
    }
    if (!charge(channel, now, octets)) {
        count(RELAY_OVER_RATE);
        return 0;
    }
    return 1;
}

INLINE enum action forward(void* context, enum mode mode, struct packet* p, __u32* ifindex) {
    struct plan plan = {};
    struct relay_channel* channel = 0;
    // As wide as RFC 5766 has it; which numbers are in use the process knows.
    if ((p->first & bpf_htons(0xc000)) == bpf_htons(0x4000)) {
        channel = find_channel(p, p->first);
        if (channel && !plan_to_peer(p, &plan)) {
            count(RELAY_ODD);
            return LEAVE;
        }
    }
    int to_peer = channel != 0;
    if (!to_peer) {
        channel = find_channel(p, 0);
        if (!channel) return LEAVE;
        plan_to_client(p, channel, &plan);
    }
    plan.way = to_peer ? &channel->to_peer : &channel->to_client;
    plan.family = plan.way->family;
    plan.id = (__u16)(to_peer ? channel->peer_amount.packets : channel->client_amount.packets);
    __u32 index = plan.way->hop;
    plan.hop = bpf_map_lookup_elem(&hops, &index);
    if (!plan.hop || (channel->flags & RELAY_PAUSED) || !fits(mode, p, &plan)) {
        count(RELAY_NO_WAY_OUT);
        return LEAVE;
    }
    if (!admit(channel, plan.take)) return LEAVE;
    enum action action = rewrite(context, mode, p, &plan, plan.way->sum_in);
    if (action != SEND) return action;
    if (!plan.hop->used) plan.hop->used = 1;
    count_amount(to_peer ? &channel->peer_amount : &channel->client_amount, plan.take);
    count(to_peer ? RELAY_TO_PEER : RELAY_TO_CLIENT);
    *ifindex = plan.hop->ifindex;
    return plan.hop->flags & RELAY_LOCAL ? DELIVER : SEND;
}
