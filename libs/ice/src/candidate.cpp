// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/candidate.hpp>

namespace stile::ice {

GatheredCandidate host_candidate(SocketAddress socket, ComponentId component) {
    return {.type = CandidateType::Host, .address = socket, .base = socket, .component = component};
}

GatheredCandidate tcp_host_candidate(SocketAddress socket, TcpType type, ComponentId component) {
    if (type == TcpType::Active) socket.port = discard_port;
    return {.type = CandidateType::Host,
            .address = socket,
            .base = socket,
            .component = component,
            .protocol = {.transport = Transport::Tcp, .tcp_type = type}};
}

GatheredCandidate tcp_relayed_candidate(SocketAddress relayed, TcpType type,
                                        ComponentId component) {
    SocketAddress address = relayed;
    if (type == TcpType::Active) address.port = discard_port;
    return {.type = CandidateType::Relayed,
            .address = address,
            .base = relayed,
            .component = component,
            .protocol = {.transport = Transport::Tcp, .tcp_type = type}};
}

bool can_pair(const Protocol& local, const Protocol& remote) {
    if (local.transport != remote.transport) return false;
    if (local.transport == Transport::Udp) return true;
    if (!local.tcp_type || !remote.tcp_type) return false;
    switch (*local.tcp_type) {
        case TcpType::Active:
            return remote.tcp_type == TcpType::Passive;
        case TcpType::Passive:
            return remote.tcp_type == TcpType::Active;
        case TcpType::SimultaneousOpen:
            return remote.tcp_type == TcpType::SimultaneousOpen;
    }
    return false;
}

bool can_pair(const SocketAddress& local_base, const SocketAddress& remote) {
    const IpAddress& ours = local_base.ip;
    const IpAddress& theirs = remote.ip;
    if (ours.family() != theirs.family()) return false;
    if (ours.is_loopback() != theirs.is_loopback()) return false;
    if (ours.is_v6() && ours.is_link_local() != theirs.is_link_local()) return false;
    return true;
}

bool is_usable(const SocketAddress& address) {
    static constexpr IpAddress broadcast = IpAddress::v4(0xFFFF'FFFFU);
    return address.port.value != 0 && !address.ip.is_unspecified() && !address.ip.is_multicast() &&
           address.ip != broadcast;
}

}  // namespace stile::ice
