// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Binding requests without attributes, answered with XOR-MAPPED-ADDRESS. RFC 8489 Sections 6.3.1
// and 14.2. The answer is 12 or 24 octets larger than the request, as every answer is.
#pragma once

#include "forward.bpf.h"

#define STUN_HEADER 20
#define COOKIE 0x2112A442u

struct stun_answer {
    __u16 type;
    __u16 length;
    __u32 cookie;
    __u8 id[12];
    __u16 attribute;
    __u16 attribute_length;
    __u16 family;
    __u16 port;
    __u32 address[4];
};

INLINE int is_bare_binding(const struct packet* p) {
    return p->payload == STUN_HEADER && p->first == bpf_htons(0x0001) && p->second == 0;
}

INLINE int is_served(const struct packet* p) {
    struct relay_server server = {};
    __builtin_memcpy(server.address, p->key.local, 16);
    server.port = p->key.local_port;
    return bpf_map_lookup_elem(&servers, &server) != 0;
}

// An IPv4 /24 or an IPv6 /56.
INLINE __u64 prefix_of(const struct packet* p) {
    __u64 prefix = 0;
    if (p->family == 4) {
        __builtin_memcpy(&prefix, p->key.remote + 12, 3);
        return prefix;
    }
    __builtin_memcpy(&prefix, p->key.remote, 7);
    return prefix | ((__u64)6 << 56);
}

INLINE int may_answer_prefix(const struct packet* p, const struct relay_rate* rate, __u64 now) {
    if (rate->cost == 0) return 1;
    __u64 cost = rate->cost >> 16;
    __u64 prefix = prefix_of(p);
    __u64* clock = bpf_map_lookup_elem(&askers, &prefix);
    if (clock) return take(clock, now, cost, rate->burst);
    __u64 first = now + cost;
    bpf_map_update_elem(&askers, &prefix, &first, BPF_ANY);
    return 1;
}

INLINE int may_answer(const struct packet* p, __u32 octets) {
    struct relay_settings* set = get_settings();
    __u64 now = bpf_ktime_get_coarse_ns();
    if (!set || now >= set->lease) {
        count(RELAY_EXPIRED);
        return 0;
    }
    if (may_answer_prefix(p, &set->bindings, now) && take_rate(&set->octets, now, octets)) {
        return 1;
    }
    count(RELAY_OVER_RATE);
    return 0;
}

INLINE void write_answer(struct stun_answer* answer, const struct packet* p) {
    answer->type = bpf_htons(0x0101);
    answer->length = bpf_htons(p->family == 4 ? 12 : 24);
    answer->cookie = bpf_htonl(COOKIE);
    answer->attribute = bpf_htons(0x0020);
    answer->attribute_length = bpf_htons(p->family == 4 ? 8 : 20);
    answer->family = bpf_htons(p->family == 4 ? 1 : 2);
    answer->port = p->key.remote_port ^ bpf_htons(COOKIE >> 16);
    __u32 address[4];
    __builtin_memcpy(address, p->key.remote, 16);
    if (p->family == 4) {
        answer->address[0] = address[3] ^ bpf_htonl(COOKIE);
        return;
    }
    __u32 id[3];
    __builtin_memcpy(id, answer->id, 12);
    answer->address[0] = address[0] ^ bpf_htonl(COOKIE);
    answer->address[1] = address[1] ^ id[0];
    answer->address[2] = address[2] ^ id[1];
    answer->address[3] = address[3] ^ id[2];
}

// The answer goes back the way the request came: addresses, ports and neighbours change places.
INLINE void turn_round(const struct packet* p, struct relay_way* way, struct relay_hop* hop,
                       void* data) {
    __builtin_memcpy(way->from, p->key.local, 16);
    __builtin_memcpy(way->to, p->key.remote, 16);
    way->from_port = p->key.local_port;
    way->to_port = p->key.remote_port;
    way->family = p->family;
    __u32 sum = 0;
    const __u16* word = (const __u16*)&p->key;
#pragma unroll
    for (int i = 0; i < 16; ++i) sum += word[i];
    way->sum_in = fold(sum);
    way->sum_out = way->sum_in;
    __builtin_memcpy(hop->to, ((struct ethhdr*)data)->h_source, 6);
    __builtin_memcpy(hop->from, ((struct ethhdr*)data)->h_dest, 6);
}

INLINE enum action answer_binding(void* context, enum mode mode, struct packet* p, void* data,
                                  void* end) {
    struct relay_way way = {};
    struct relay_hop hop = {};
    struct plan plan = {.way = &way, .hop = &hop, .take = STUN_HEADER, .family = p->family};
    struct scratch* s = get_scratch();
    if (!s || data + ETH_HLEN > end || !is_served(p)) return LEAVE;
    turn_round(p, &way, &hop, data);
    if (!load_payload(context, mode, s, p, &plan)) return LEAVE;
    struct stun_answer* answer = (struct stun_answer*)(s->octets + PAYLOAD_AT);
    if (answer->cookie != bpf_htonl(COOKIE)) return LEAVE;
    enum sum kind = judge_sum(context, mode, s, p, &plan, way.sum_in);
    if (kind == SUM_UNCLEAR) {
        count(RELAY_ODD);
        return LEAVE;
    }
    if (kind == SUM_WHOLE) {
        // The answer has a checksum of its own; a damaged request must not get one.
        __u32 sum = pseudo_sum(way.sum_in, p->payload + 8) + (__u32)p->check;
        sum += udp_sum(p->key.remote_port, p->key.local_port, p->payload + 8);
        if (fold(sum + sum_payload(s, STUN_HEADER)) != 0xffff) return LEAVE;
    }
    plan.take = p->family == 4 ? 32 : 44;
    if (!may_answer(p, plan.take)) return LEAVE;
    write_answer(answer, p);
    if (kind == SUM_PARTIAL && mode != NATIVE) {
        plan.check = pseudo_sum(way.sum_out, udp_length(&plan));
    } else {
        __u32 sum = pseudo_sum(way.sum_out, udp_length(&plan)) + sum_payload(s, plan.take);
        sum += udp_sum(way.from_port, way.to_port, udp_length(&plan));
        plan.check = (__u16)~fold(sum);
        if (plan.check == 0) plan.check = 0xffff;
    }
    // A packet of this host, not a forwarded one: it starts with the usual hop limit.
    p->ttl = 65;
    p->tos = 0;
    p->fragment = bpf_htons(DONT_FRAGMENT);
    __u8* at = write_scratch_headers(s, p, &plan);
    enum action action =
        replace_frame(context, mode, p, p->family, at, header_length(&plan) + plan.take);
    if (action != SEND) return action;
    count(RELAY_BINDINGS);
    return p->ifindex == LOOPBACK ? DELIVER : SEND;
}
