// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The three programs. They differ in where they sit and in how they rewrite; see rewrite.bpf.h.
#include "binding.bpf.h"

INLINE enum action serve(void* context, enum mode mode, struct packet* p, void* data, void* end,
                         __u32* ifindex) {
    if (!read_packet(data, end, p)) return LEAVE;
    if (is_bare_binding(p)) {
        *ifindex = p->ifindex;
        // What is no listener may be a peer that probes a client.
        enum action action = answer_binding(context, mode, p, data, end);
        if (action != LEAVE) return action;
    }
    return forward(context, mode, p, ifindex);
}

enum back { TRANSMIT, REDIRECT };

INLINE int serve_xdp(struct xdp_md* context, enum mode mode, enum back back) {
    void* data = (void*)(long)context->data;
    void* end = (void*)(long)context->data_end;
    struct packet p = {.ifindex = context->ingress_ifindex, .frame = (__u32)(end - data)};
    __u32 ifindex = 0;
    switch (serve(context, mode, &p, data, end, &ifindex)) {
        case LEAVE:
        case DELIVER:
            return XDP_PASS;
        case SEND:
            if (ifindex == p.ifindex && back == TRANSMIT) return XDP_TX;
            return (int)bpf_redirect(ifindex, 0);
        case BROKEN:
            break;
    }
    return XDP_ABORTED;
}

SEC("xdp")
int stile_xdp_native(struct xdp_md* context) { return serve_xdp(context, NATIVE, TRANSMIT); }

// What XDP_TX sends out of a veth waits at an end without an XDP program until something else
// comes; what is redirected to it does not.
SEC("xdp")
int stile_xdp_veth(struct xdp_md* context) { return serve_xdp(context, NATIVE, REDIRECT); }

SEC("xdp")
int stile_xdp_generic(struct xdp_md* context) { return serve_xdp(context, GENERIC, TRANSMIT); }

// The headers of a packet from the network may lie in another page than the program can see.
#define HEADERS 96

SEC("tc")
int stile_tc(struct __sk_buff* skb) {
    // Frames of a VLAN are of another interface; merged ones are more than one datagram; others
    // are for other hosts.
    if (skb->vlan_present || skb->gso_size || skb->pkt_type != 0) return -1;
    void* data = (void*)(long)skb->data;
    void* end = (void*)(long)skb->data_end;
    if (data + HEADERS > end && skb->len > (__u32)(end - data)) {
        if (bpf_skb_pull_data(skb, skb->len < HEADERS ? skb->len : HEADERS)) return -1;
        data = (void*)(long)skb->data;
        end = (void*)(long)skb->data_end;
    }
    struct packet p = {.ifindex = skb->ifindex, .frame = skb->len};
    __u32 ifindex = 0;
    switch (serve(skb, TC, &p, data, end, &ifindex)) {
        case LEAVE:
            return -1;  // the next filter, as if this were not here
        case DELIVER:
            return 0;  // TC_ACT_OK
        case SEND:
            return (int)bpf_redirect(ifindex, 0);
        case BROKEN:
            break;
    }
    return 2;  // TC_ACT_SHOT
}

// Nothing that is used here needs a licence compatible with the kernel's.
char licence[] SEC("license") = "Apache-2.0";
