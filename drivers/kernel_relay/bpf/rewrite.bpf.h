// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Writing packets. Two ways, because of checksums that are not there yet: between virtual
// interfaces the sender leaves the sum of the pseudo header in the checksum field and a note, which
// no program can read or clear, at which octet of the buffer the UDP header begins (Linux calls it
// CHECKSUM_PARTIAL). Native XDP loses the note: there the headers move and the checksum is made
// whole. At TC and in generic XDP the note stays: there the UDP header stays where it is and the
// payload moves.
#pragma once

#include "state.bpf.h"

// What is known of the checksum of an incoming packet.
enum sum {
    SUM_NONE,     // IPv4 without one
    SUM_WHOLE,    // as on the wire
    SUM_PARTIAL,  // of the pseudo header only
    SUM_UNCLEAR,  // it could be either: one packet in 65536
};

// A packet to be written.
struct plan {
    struct relay_way* way;
    struct relay_hop* hop;
    __u32 skip;     // octets of the payload that are left out: the ChannelData header
    __u32 take;     // octets that follow and are sent
    __u32 padding;  // octets that follow and are left out; with `take` at most `payload`
    __u32 family;   // that it leaves with; the map is read once
    __u16 number;   // of the ChannelData header that is put in front; 0: none
    __u16 id;       // IPv4 identification
    __u16 check;
};

INLINE long load(void* context, enum mode mode, __u32 from, void* to, __u32 octets) {
    if (mode == TC) return bpf_skb_load_bytes(context, from, to, octets);
    return bpf_xdp_load_bytes(context, from, to, octets);
}

// Copies payload (what is sent, and padding) to the scratch space.
INLINE int load_payload(void* context, enum mode mode, struct scratch* s, const struct packet* p,
                        const struct plan* plan) {
    __u32 octets = plan->take + plan->padding;
    if (octets == 0) return 1;
    if (octets > MOST_PAYLOAD) return 0;
    return load(context, mode, p->udp + 8 + plan->skip, s->octets + PAYLOAD_AT, octets) == 0;
}

// Sum of `octets` of payload in the scratch space. Ends them with zeros there.
INLINE __u32 sum_payload(struct scratch* s, __u32 octets) {
    __u8* at = s->octets + PAYLOAD_AT;
    __s64 sum = 0;
    if (octets > MOST_PAYLOAD) return 0;
    __builtin_memset(at + octets, 0, 4);
    __u32 rest = (octets + 3) & ~3u;
    for (int i = 0; i < MOST_PAYLOAD / 512 + 1; ++i) {
        if (rest <= 512) break;
        sum = bpf_csum_diff(0, 0, (__be32*)at, 512, (__u32)sum);
        at += 512;
        rest -= 512;
    }
    if (rest > 0 && rest <= 512) sum = bpf_csum_diff(0, 0, (__be32*)at, rest, (__u32)sum);
    return fold((__u32)sum);
}

INLINE __u32 udp_sum(__u16 from_port, __u16 to_port, __u32 udp_length) {
    return from_port + (__u32)to_port + bpf_htons((__u16)udp_length);
}

INLINE __u16 pseudo_sum(__u16 addresses, __u32 udp_length) {
    return fold(addresses + (__u32)bpf_htons(IPPROTO_UDP) + bpf_htons((__u16)udp_length));
}

// Loads the payload to tell; with SUM_WHOLE and SUM_NONE it may not have been.
INLINE enum sum judge_sum(void* context, enum mode mode, struct scratch* s, const struct packet* p,
                          const struct plan* plan, __u16 sum_in) {
    if (p->check == 0) return SUM_NONE;
    __u16 pseudo = pseudo_sum(sum_in, p->payload + 8);
    if (p->check != pseudo) return SUM_WHOLE;
    if (!load_payload(context, mode, s, p, plan)) return SUM_UNCLEAR;
    // In native XDP the checksum is made anew: nothing has to be told apart.
    if (mode == NATIVE) return SUM_PARTIAL;
    __u32 sum = (__u32)pseudo + p->check + sum_payload(s, plan->take + plan->padding);
    sum += udp_sum(p->key.remote_port, p->key.local_port, p->payload + 8);
    if (plan->skip != 0) sum += (__u32)p->first + p->second;
    return fold(sum) == 0xffff ? SUM_UNCLEAR : SUM_PARTIAL;
}

INLINE __u32 added_sum(const struct plan* plan) {
    return plan->number ? (__u32)plan->number + bpf_htons((__u16)plan->take) : 0;
}

INLINE __u32 udp_length(const struct plan* plan) { return 8 + (plan->number ? 4 : 0) + plan->take; }

// The padding lies in the scratch space behind what is sent, or in the packet.
INLINE __u32 padding_sum(void* context, enum mode mode, const struct packet* p,
                         const struct plan* plan) {
    __u32 sum = 0;
#pragma unroll
    for (__u32 i = 0; i < 3; ++i) {
        __u8 octet = 0;
        if (i >= plan->padding) break;
        __u32 at = plan->skip + plan->take + i;
        load(context, mode, p->udp + 8 + at, &octet, 1);
        sum += at & 1 ? bpf_htons(octet) : bpf_htons((__u16)(octet << 8));
    }
    return sum;
}

// The checksum of the packet that leaves; loads the payload where it needs it.
INLINE int make_check(void* context, enum mode mode, struct scratch* s, const struct packet* p,
                      struct plan* plan, enum sum kind) {
    const struct relay_way* way = plan->way;
    __u32 length = udp_length(plan);
    __u32 headers = udp_sum(way->from_port, way->to_port, length) + added_sum(plan);
    __u32 sum = 0;
    plan->check = 0;
    if (kind == SUM_UNCLEAR) return 0;
    if (kind == SUM_NONE && plan->family == 4) return 1;
    if (kind == SUM_PARTIAL && mode != NATIVE) {
        plan->check = pseudo_sum(way->sum_out, length);
        return 1;
    }
    if (kind == SUM_WHOLE) {
        __u16 in = p->check;
        sum = minus(in) + minus(way->sum_in) + way->sum_out + headers;
        sum += minus(fold(udp_sum(p->key.remote_port, p->key.local_port, p->payload + 8)));
        sum += minus(bpf_htons((__u16)(p->payload + 8))) + bpf_htons((__u16)length);
        if (plan->skip != 0) sum += minus(p->first) + minus(p->second);
        if (plan->padding != 0) sum += minus(fold(padding_sum(context, mode, p, plan)));
    } else {
        if (kind == SUM_NONE && !load_payload(context, mode, s, p, plan)) return 0;
        sum = pseudo_sum(way->sum_out, length) + headers + sum_payload(s, plan->take);
    }
    __u16 check = (__u16)~fold(sum);
    plan->check = check ? check : 0xffff;
    return 1;
}

INLINE void write_ipv4(struct iphdr* ip, const struct packet* p, const struct plan* plan) {
    __u32 length = sizeof(*ip) + udp_length(plan);
    *(__u16*)ip = bpf_htons((__u16)(0x4500 | p->tos));
    ip->tot_len = bpf_htons((__u16)length);
    // RFC 8656 Section 14 copies the bit; from IPv6 it comes by RFC 7915 Section 5.1.
    __u16 fragment = p->fragment;
    if (p->family == 6 && length > 1260) fragment = bpf_htons(DONT_FRAGMENT);
    ip->frag_off = fragment;
    // RFC 6864 Section 4.1: it means nothing where fragmentation is forbidden.
    ip->id = fragment ? 0 : plan->id;
    ip->ttl = p->ttl - 1;
    ip->protocol = IPPROTO_UDP;
    ip->check = 0;
    ip->saddr = *(__u32*)(plan->way->from + 12);
    ip->daddr = *(__u32*)(plan->way->to + 12);
    const __u16* word = (const __u16*)ip;
    __u32 sum = 0;
#pragma unroll
    for (int i = 0; i < 10; ++i) sum += word[i];
    ip->check = (__u16)~fold(sum);
}

INLINE void write_ipv6(struct ipv6hdr* ip, const struct packet* p, const struct plan* plan) {
    // The flow label is 0: RFC 8656 Section 13.2.
    *(__u32*)ip = bpf_htonl(0x60000000u | ((__u32)p->tos << 20));
    ip->payload_len = bpf_htons((__u16)udp_length(plan));
    ip->nexthdr = IPPROTO_UDP;
    ip->hop_limit = p->ttl - 1;
    __builtin_memcpy(&ip->saddr, plan->way->from, 16);
    __builtin_memcpy(&ip->daddr, plan->way->to, 16);
}

INLINE void write_udp(void* at, const struct plan* plan, int with_channel) {
    struct udphdr* udp = at;
    udp->source = plan->way->from_port;
    udp->dest = plan->way->to_port;
    udp->len = bpf_htons((__u16)udp_length(plan));
    udp->check = plan->check;
    if (with_channel) {
        __u16* channel_data = (__u16*)(udp + 1);
        channel_data[0] = plan->number;
        channel_data[1] = bpf_htons((__u16)plan->take);
    }
}

// Octets of all headers in front of the payload that is sent.
INLINE __u32 header_length(const struct plan* plan) {
    return ETH_HLEN + (plan->family == 4 ? 20 : 40) + 8 + (plan->number ? 4 : 0);
}

// Writes all headers from `at`, where there must be room for them. The last two say what the plan
// says, as constants: the verifier wants to know how much is written.
INLINE void write_headers(void* at, const struct packet* p, const struct plan* plan, int family,
                          int with_channel) {
    struct ethhdr* ethernet = at;
    void* network = at + ETH_HLEN;
    __builtin_memcpy(ethernet->h_dest, plan->hop->to, 6);
    __builtin_memcpy(ethernet->h_source, plan->hop->from, 6);
    if (family == 4) {
        ethernet->h_proto = bpf_htons(ETH_P_IP);
        write_ipv4(network, p, plan);
        write_udp(network + sizeof(struct iphdr), plan, with_channel);
    } else {
        ethernet->h_proto = bpf_htons(ETH_P_IPV6);
        write_ipv6(network, p, plan);
        write_udp(network + sizeof(struct ipv6hdr), plan, with_channel);
    }
}

#define WRITE_IF_ROOM(at, end, p, plan, family, with_channel)                             \
    do {                                                                                  \
        if (at + (ETH_HLEN + (family == 4 ? 28 : 48) + with_channel * 4) > end) return 0; \
        write_headers(at, p, plan, family, with_channel);                                 \
        return 1;                                                                         \
    } while (0)

// Writes the headers at the start of a packet. 0: there was no room.
INLINE int write_packet_headers(void* at, void* end, const struct packet* p,
                                const struct plan* plan) {
    if (plan->family == 4) {
        if (plan->number) WRITE_IF_ROOM(at, end, p, plan, 4, 1);
        WRITE_IF_ROOM(at, end, p, plan, 4, 0);
    }
    if (plan->number) WRITE_IF_ROOM(at, end, p, plan, 6, 1);
    WRITE_IF_ROOM(at, end, p, plan, 6, 0);
}

// Writes the headers in front of the payload in the scratch space; returns where they begin.
INLINE __u8* write_scratch_headers(struct scratch* s, const struct packet* p,
                                   const struct plan* plan) {
    __u8* payload = s->octets + PAYLOAD_AT;
    if (plan->family == 4) {
        if (plan->number) {
            write_headers(payload - 46, p, plan, 4, 1);
            return payload - 46;
        }
        write_headers(payload - 42, p, plan, 4, 0);
        return payload - 42;
    }
    if (plan->number) {
        write_headers(payload - 66, p, plan, 6, 1);
        return payload - 66;
    }
    write_headers(payload - 62, p, plan, 6, 0);
    return payload - 62;
}
