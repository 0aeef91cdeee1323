// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Reading packets, and the one's complement arithmetic of their checksums (RFC 1071). Sums are of
// 16-bit words as they lie in memory, whatever the byte order of the machine (RFC 1071 Section 2).
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
// After linux/: the helpers need its types.
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "relay_maps.h"

#define INLINE static __always_inline

#define DONT_FRAGMENT 0x4000

// Where a program sits; known at compile time wherever it is asked.
enum mode {
    NATIVE,
    GENERIC,
    TC,
};

struct packet {
    struct relay_key key;  // channel is left 0
    __u32 udp;             // offset of the UDP header
    __u32 payload;         // octets after it
    __u32 ifindex;         // where it arrived
    __u32 frame;           // its octets with the Ethernet header and what may follow the datagram
    __u16 check;
    __u16 first;  // the first two 16-bit words of the payload; 0 where it is shorter
    __u16 second;
    __u16 fragment;
    __u8 family;
    __u8 tos;
    __u8 ttl;
};

INLINE __u16 fold(__u32 sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)sum;
}

INLINE __u32 minus(__u16 value) { return (__u16)~value; }

INLINE int is_good_ipv4_header(const struct iphdr* ip) {
    const __u16* word = (const __u16*)ip;
    __u32 sum = 0;
#pragma unroll
    for (int i = 0; i < 10; ++i) sum += word[i];
    return fold(sum) == 0xffff;
}

INLINE void map_ipv4(__u8* to, __be32 address) {
    __u32* word = (__u32*)to;
    word[0] = 0;
    word[1] = 0;
    word[2] = bpf_htonl(0xffff);
    word[3] = address;
}

INLINE int read_ipv4(void* data, void* end, struct packet* p, __u32* length) {
    struct iphdr* ip = data + sizeof(struct ethhdr);
    if ((void*)(ip + 1) > end) return 0;
    // Options and fragments are for user space, which the kernel reassembles them for.
    if (*(__u8*)ip != 0x45 || ip->protocol != IPPROTO_UDP) return 0;
    if (ip->frag_off & ~bpf_htons(DONT_FRAGMENT)) return 0;
    if (!is_good_ipv4_header(ip)) return 0;
    p->family = 4;
    p->tos = ip->tos;
    p->ttl = ip->ttl;
    p->fragment = ip->frag_off;
    map_ipv4(p->key.remote, ip->saddr);
    map_ipv4(p->key.local, ip->daddr);
    p->udp = sizeof(struct ethhdr) + sizeof(struct iphdr);
    *length = bpf_ntohs(ip->tot_len) - sizeof(struct iphdr);
    return 1;
}

INLINE int read_ipv6(void* data, void* end, struct packet* p, __u32* length) {
    struct ipv6hdr* ip = data + sizeof(struct ethhdr);
    if ((void*)(ip + 1) > end) return 0;
    if (ip->version != 6 || ip->nexthdr != IPPROTO_UDP) return 0;
    p->family = 6;
    p->tos = (__u8)((ip->priority << 4) | (ip->flow_lbl[0] >> 4));
    p->ttl = ip->hop_limit;
    p->fragment = 0;
    __builtin_memcpy(p->key.remote, &ip->saddr, 16);
    __builtin_memcpy(p->key.local, &ip->daddr, 16);
    p->udp = sizeof(struct ethhdr) + sizeof(struct ipv6hdr);
    *length = bpf_ntohs(ip->payload_len);
    return 1;
}

INLINE int read_udp(void* data, void* end, struct packet* p, __u32 length) {
    struct udphdr* udp = data + p->udp;
    if ((void*)(udp + 1) > end) return 0;
    // Less in UDP than in IP is allowed, but nobody sends it: RFC 9868's options and attacks.
    if (bpf_ntohs(udp->len) != length || length < sizeof(*udp)) return 0;
    if (p->frame < p->udp + length) return 0;
    p->payload = length - sizeof(*udp);
    p->check = udp->check;
    if (p->family == 6 && p->check == 0) return 0;
    p->key.remote_port = udp->source;
    p->key.local_port = udp->dest;
    p->key.channel = 0;
    p->key.unused = 0;
    p->first = 0;
    p->second = 0;
    const __u16* word = (const __u16*)(udp + 1);
    if (p->payload >= 4 && (void*)(word + 2) <= end) {
        p->first = word[0];
        p->second = word[1];
    }
    return 1;
}

// 0: not a whole, plain UDP datagram.
INLINE int read_packet(void* data, void* end, struct packet* p) {
    struct ethhdr* ethernet = data;
    __u32 length = 0;
    if ((void*)(ethernet + 1) > end) return 0;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
        if (!read_ipv4(data, end, p, &length)) return 0;
        return read_udp(data, end, p, length);
    }
    if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
        if (!read_ipv6(data, end, p, &length)) return 0;
        return read_udp(data, end, p, length);
    }
    return 0;
}
