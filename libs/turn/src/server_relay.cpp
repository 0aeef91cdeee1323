// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Relaying. RFC 8656 Sections 11 and 12. Nothing here allocates for a packet.
#include <stile/turn/server.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

// Writes big-endian fields into the fixed prefix of a message.
class PrefixWriter {
public:
    explicit PrefixWriter(ToClient& message) : message_(message) {}

    void u16(std::size_t value) {
        octet(value >> 8U);
        octet(value);
    }
    void u32(std::uint32_t value) {
        u16(value >> 16U);
        u16(value & 0xFFFFU);
    }
    void bytes(BytesView view) {
        std::ranges::copy(view, message_.prefix_octets.begin() + message_.prefix_size);
        message_.prefix_size = static_cast<std::uint8_t>(message_.prefix_size + view.size());
    }

private:
    void octet(std::size_t value) {
        message_.prefix_octets[message_.prefix_size++] = static_cast<std::byte>(value & 0xFFU);
    }
    ToClient& message_;
};

std::size_t address_octets(const IpAddress& ip) { return 4 + ip.octets().size(); }

// RFC 8656 Section 11.3: header, XOR-PEER-ADDRESS, and DATA up to its value.
void write_data_indication(ToClient& message, const stun::TransactionId& id,
                           const SocketAddress& peer) {
    const std::size_t peer_octets = address_octets(peer.ip);
    const std::size_t data_octets = message.payload.size();
    message.padding = static_cast<std::uint8_t>(stream_padding(data_octets));
    PrefixWriter writer{message};
    writer.u16(
        stun::encode({.message_class = stun::Class::Indication, .method = stun::Method::Data}));
    writer.u16(2 * stun::attribute_header_octets + peer_octets + data_octets + message.padding);
    writer.u32(stun::magic_cookie);
    writer.bytes(id.octets);
    writer.u16(static_cast<std::size_t>(stun::AttributeType::XorPeerAddress));
    writer.u16(peer_octets);
    const SocketAddress hidden = stun::xor_address(peer, id);
    writer.u16(hidden.ip.is_v4() ? 1 : 2);
    writer.u16(hidden.port.value);
    writer.bytes(hidden.ip.octets());
    writer.u16(static_cast<std::size_t>(stun::AttributeType::Data));
    writer.u16(data_octets);
}

static_assert(most_prefix_octets == stun::header_octets + 2 * stun::attribute_header_octets + 20);

// What the 16-bit length of a Data indication leaves for its payload.
constexpr std::size_t most_indication_payload = 0xFFFC - 2 * stun::attribute_header_octets - 20;

// RFC 8656 Section 13: where a datagram becomes one of IPv6, or was one, the attribute "MUST be
// ignored"; not so for what came over a stream (Section 15).
bool obeys_dont_fragment(const ClientFlow& flow, const IpAddress& peer) {
    return is_stream(flow.transport) || (flow.remote.ip.is_v4() && peer.is_v4());
}

}  // namespace

std::optional<AllocationIndex> Server::arrived_from(Instant now, const ClientFlow& flow) {
    const auto found = table_.look_up(flow);
    if (!found) {
        drop(DropReason::NoAllocation);
        return std::nullopt;
    }
    if (found->standing == AllocationTable::Standing::Arriving) {
        settle_move(now, table_.at(found->index));
    }
    return found->index;
}

std::optional<Relayed> Server::relay_channel_data(Instant now, const ClientFlow& flow,
                                                  BytesView message) {
    const auto data = ChannelData::parse(message, config_.channel_range);
    if (!data) {
        drop(DropReason::Malformed);
        return std::nullopt;
    }
    const auto allocation = arrived_from(now, flow);
    if (!allocation) return std::nullopt;
    Channel* channel = table_.find_channel(*allocation, data->channel, now);
    if (channel == nullptr) {
        drop(DropReason::NoChannel);
        return std::nullopt;
    }
    if (!admit(now, channel->relay, data->payload.size())) return std::nullopt;
    ++channel->packets;
    channel->octets += data->payload.size();
    return to_peer(now, {.relay = channel->relay, .peer = channel->peer, .payload = data->payload});
}

std::optional<Relayed> Server::relay_send(Instant now, const ClientFlow& flow,
                                          const stun::MessageView& indication) {
    const auto index = arrived_from(now, flow);
    if (!index) return std::nullopt;
    Allocation& allocation = table_.at(*index);
    const auto peer = indication.get<stun::XorPeerAddress>();
    const auto data = indication.get<stun::Data>();
    const bool whole = indication.has(stun::AttributeType::DontFragment);
    const auto unknown =
        indication.unknown_required({stun::AttributeType::XorPeerAddress, stun::AttributeType::Data,
                                     stun::AttributeType::DontFragment});
    if (!peer || !data || !unknown.empty() || allocation.protocol == RelayProtocol::Tcp ||
        (whole && config_.dont_fragment == Offer::NotOffered)) {
        drop(DropReason::Malformed);
        return std::nullopt;
    }
    if (!table_.permits(*index, peer->address.ip, now)) {
        drop(DropReason::NoPermission);
        return std::nullopt;
    }
    // The permission was for the IP address; the port has to be allowed, too.
    if (judge_peer(peer->address) == Standing::Forbidden) {
        drop(DropReason::PeerRefused);
        return std::nullopt;
    }
    // A permission exists only in the family of a relay that is open.
    const RelayId relay = table_.relay_at(*allocation.relay_of(peer->address.ip.family())).id;
    if (!admit(now, relay, data->octets.size())) return std::nullopt;
    ++allocation.traffic.packets_to_peers;
    allocation.traffic.octets_to_peers += data->octets.size();
    return to_peer(now, {.relay = relay,
                         .peer = peer->address,
                         .payload = data->octets,
                         .fragmentation = whole && obeys_dont_fragment(flow, peer->address.ip)
                                              ? Fragmentation::Forbidden
                                              : Fragmentation::Allowed});
}

bool Server::admit(Instant now, RelayId relay, std::size_t octets) {
    if (octets > most_payload_octets) {
        drop(DropReason::TooLarge);
        return false;
    }
    if ((config_.user_bandwidth || config_.user_packets) &&
        !take_rates(now, table_.relay_at(relay.index).user->second, octets)) {
        return false;
    }
    ++counters_.packets_to_peers;
    counters_.octets_to_peers += octets;
    return true;
}

std::optional<Relayed> Server::to_peer(Instant now, const ToPeer& datagram) {
    if (!is_relay_address(datagram.peer.ip)) return datagram;
    // Both ends are here: no socket is passed, and no other port of this host is ever reached.
    Relay* other = table_.find_open(datagram.peer, RelayProtocol::Udp);
    if (other != nullptr) {
        auto message =
            to_client(now, *other, table_.relay_at(datagram.relay.index).address, datagram.payload);
        if (!message) return std::nullopt;
        return *std::move(message);
    }
    if (config_.directory == nullptr ||
        !config_.directory->contains(datagram.peer, RelayProtocol::Udp)) {
        drop(DropReason::UnknownRelay);
        return std::nullopt;
    }
    // Another shard's: through the host, which may know it by another name than peers do.
    ToPeer aside = datagram;
    aside.peer = config_.directory->local_of(datagram.peer);
    return aside;
}

std::optional<ToClient> Server::handle_peer(Instant now, RelayId id, const SocketAddress& peer,
                                            BytesView payload) {
    Relay* relay = table_.find(id);
    if (relay == nullptr) {
        drop(DropReason::UnknownRelay);
        return std::nullopt;
    }
    if (config_.directory != nullptr && config_.directory->translates()) {
        return to_client(now, *relay, config_.directory->external_of(peer, RelayProtocol::Udp),
                         payload);
    }
    return to_client(now, *relay, peer, payload);
}

std::optional<ToClient> Server::to_client(Instant now, Relay& relay, const SocketAddress& peer,
                                          BytesView payload) {
    if (relay.state != Relay::State::Allocated || relay.protocol == RelayProtocol::Tcp) {
        drop(DropReason::UnknownRelay);
        return std::nullopt;
    }
    const AllocationIndex allocation = *relay.allocation;
    if (!table_.permits(allocation, peer.ip, now)) {
        drop(DropReason::NoPermission);
        return std::nullopt;
    }
    PeerChannel* channel = table_.find_channel_of(allocation, peer, now);
    if (payload.size() > (channel != nullptr ? most_payload_octets : most_indication_payload)) {
        drop(DropReason::TooLarge);
        return std::nullopt;
    }
    if ((config_.user_bandwidth || config_.user_packets) &&
        !take_rates(now, relay.user->second, payload.size())) {
        return std::nullopt;
    }
    ++counters_.packets_to_clients;
    counters_.octets_to_clients += payload.size();
    std::optional<ToClient> message{std::in_place};
    message->flow = relay.flow;
    message->payload = payload;
    if (channel != nullptr) {
        ++channel->packets;
        channel->octets += payload.size();
        PrefixWriter{*message}.bytes(channel_header(channel->number, payload.size()));
        if (is_stream(relay.flow.transport)) {
            message->padding = static_cast<std::uint8_t>(stream_padding(payload.size()));
        }
    } else {
        Traffic& traffic = table_.at(allocation).traffic;
        ++traffic.packets_to_clients;
        traffic.octets_to_clients += payload.size();
        write_data_indication(*message, stun::TransactionId::random(random_), peer);
    }
    return message;
}

void Server::handle_icmp(Instant now, RelayId id, const SocketAddress& source, stun::Icmp icmp) {
    const Relay* relay = table_.find(id);
    if (relay == nullptr || relay->state != Relay::State::Allocated) {
        return drop(DropReason::UnknownRelay);
    }
    const SocketAddress peer = config_.directory == nullptr
                                   ? source
                                   : config_.directory->external_of(source, RelayProtocol::Udp);
    const bool relevant = peer.ip.is_v4() ? icmp.icmp_type == 3 || icmp.icmp_type == 11
                                          : icmp.icmp_type >= 1 && icmp.icmp_type <= 3;
    if (!relevant) return;
    if (!table_.permits(*relay->allocation, peer.ip, now)) return drop(DropReason::NoPermission);
    const bool has_mtu =
        peer.ip.is_v4() ? icmp.icmp_type == 3 && icmp.icmp_code == 4 : icmp.icmp_type == 2;
    if (!has_mtu) icmp.error_data = 0;
    stun::MessageBuilder builder{stun::Class::Indication, stun::Method::Data,
                                 stun::TransactionId::random(random_)};
    builder.add(stun::XorPeerAddress{peer}).add(icmp);
    queue(relay->flow, builder.finish(), Trust::Authenticated);
}

bool Server::take_rates(Instant now, User& user, std::size_t octets) {
    if (config_.user_packets && !user.packets.take(now, *config_.user_packets, 1)) {
        drop(DropReason::Bandwidth);
        return false;
    }
    if (config_.user_bandwidth && !user.octets.take(now, *config_.user_bandwidth, octets)) {
        drop(DropReason::Bandwidth);
        return false;
    }
    return true;
}

}  // namespace stile::turn
