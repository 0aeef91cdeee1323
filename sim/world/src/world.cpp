// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sim/world.hpp>

#include <algorithm>

namespace stile::sim {
namespace {

DropReason reason_of(NatRefusal refusal) {
    switch (refusal) {
        case NatRefusal::NoMapping:
            return DropReason::NoMapping;
        case NatRefusal::Filtered:
            return DropReason::Filtered;
        case NatRefusal::NoPortsLeft:
            return DropReason::NoPortsLeft;
    }
    return DropReason::NoMapping;
}

// What IP and UDP put before the payload.
std::size_t packet_octets(std::size_t payload, const SocketAddress& destination) {
    return payload + 8 + (destination.ip.is_v4() ? 20 : 40);
}

bool passes(Udp udp, Port outside) {
    switch (udp) {
        case Udp::Allowed:
            return true;
        case Udp::StunOnly:
            return outside == stun_port;
        case Udp::Blocked:
            return false;
    }
    return false;
}

bool passes(Tcp tcp, Port outside) {
    switch (tcp) {
        case Tcp::Allowed:
            return true;
        case Tcp::HttpsOnly:
            return outside == https_port;
        case Tcp::Blocked:
            return false;
    }
    return false;
}

// Until a lost segment is sent again.
constexpr Duration retransmission = std::chrono::milliseconds{250};

void rewrite(Bytes& payload, const IpAddress& from, const IpAddress& to) {
    for (auto rest = std::ranges::search(payload, from.octets()); !rest.empty();
         rest = std::ranges::search(rest.end(), payload.end(), from.octets().begin(),
                                    from.octets().end())) {
        std::ranges::copy(to.octets(), rest.begin());
    }
}

constexpr auto later = [](const auto& left, const auto& right) {
    return std::pair{left.when, left.sequence} > std::pair{right.when, right.sequence};
};

}  // namespace

World::World(Topology topology, std::uint64_t seed, Instant start)
    : topology_(std::move(topology)),
      random_(crypto::seed_from_number(seed)),
      now_(start),
      tcp_random_(crypto::seed_from_number(~seed)) {
    for (const Box& box : topology_.boxes()) {
        BoxState state;
        const NatBehavior firewall{
            .mapping = Mapping::EndpointIndependent,
            .filtering = box.firewall.value_or(Filtering::EndpointIndependent),
            .lifetime = box.firewall_lifetime,
        };
        if (box.nat) {
            state.v4.emplace(*box.nat, box.external, random_.fork());
        } else if (box.nat64) {
            state.v4.emplace(box.nat64->behavior, box.external, random_.fork());
        } else if (box.firewall) {
            state.v4.emplace(firewall, std::nullopt, random_.fork());
        }
        if (box.firewall) state.v6.emplace(firewall, std::nullopt, random_.fork());
        const auto for_tcp = [&](NatBehavior behavior) {
            behavior.lifetime = box.tcp_lifetime;
            return behavior;
        };
        if (box.translates(AddressFamily::V4)) {
            const NatBehavior& as_udp = box.nat ? *box.nat : box.nat64->behavior;
            state.tcp_v4.emplace(for_tcp(box.tcp_nat.value_or(as_udp)), box.external,
                                 tcp_random_.fork());
        } else if (box.firewall) {
            state.tcp_v4.emplace(for_tcp(firewall), std::nullopt, tcp_random_.fork());
        }
        if (box.firewall) {
            state.tcp_v6.emplace(for_tcp(firewall), std::nullopt, tcp_random_.fork());
        }
        boxes_.push_back(std::move(state));
    }
}

std::optional<Instant> World::next() const {
    if (queue_.empty()) return std::nullopt;
    return queue_.front().when;
}

std::optional<Happening> World::step(Instant deadline) {
    while (!queue_.empty() && queue_.front().when <= deadline) {
        std::ranges::pop_heap(queue_, later);
        Scheduled soonest = std::move(queue_.back());
        queue_.pop_back();
        now_ = std::max(now_, soonest.when);
        if (auto happening = carry_out(std::move(soonest.event))) return happening;
    }
    now_ = std::max(now_, deadline);
    return std::nullopt;
}

World::Sent World::send(HostId host, const Path& path, BytesView payload) {
    const Interface* const from = topology_.interface_of(host, path.local.ip);
    if (from == nullptr) return Sent::NoSuchAddress;
    Packet packet{
        .source = path.local, .destination = path.remote, .payload = to_bytes(payload), .hops = 0};
    put_out(*from, std::move(packet));
    return Sent::Yes;
}

void World::put_out(const Interface& from, Packet packet) {
    note(TraceEntry::What::Sent, packet);
    traverse(from.link, Towards::Outside, std::move(packet), [network = from.network](Packet copy) {
        return AtNetwork{network, Direction::Up, std::move(copy)};
    });
}

std::optional<Happening> World::carry_out(Event event) {
    if (auto* at = std::get_if<AtNetwork>(&event)) {
        forward(std::move(*at));
        return std::nullopt;
    }
    if (auto* at = std::get_if<AtBoxOutside>(&event)) {
        enter(std::move(*at));
        return std::nullopt;
    }
    if (const auto* due = std::get_if<SynDue>(&event)) {
        send_syn(*due);
        return std::nullopt;
    }
    if (auto* at = std::get_if<AtHost>(&event)) {
        Packet& packet = at->packet;
        // It may have moved away while the packet was on its way.
        if (topology_.interface_of(at->host, packet.destination.ip) == nullptr) {
            drop(packet, DropReason::NoRoute);
            return std::nullopt;
        }
        note(TraceEntry::What::Delivered, packet);
        if (packet.segment) {
            arrive(at->host, std::move(packet));
            return std::nullopt;
        }
        ++delivered_;
        return DatagramArrived{
            .host = at->host,
            .path = {.local = packet.destination, .remote = packet.source},
            .payload = std::move(packet.payload),
        };
    }
    return std::get<Happening>(std::move(event));
}

void World::forward(AtNetwork at) {
    Packet& packet = at.packet;
    if (++packet.hops > most_hops) return drop(packet, DropReason::NoRoute);
    const Topology::NextHop next = topology_.next_hop(at.network, packet.destination.ip);
    if (const auto* host = std::get_if<HostId>(&next)) {
        const Interface* const to = topology_.interface_of(*host, packet.destination.ip);
        traverse(to->link, Towards::Inside, std::move(packet),
                 [id = *host](Packet copy) { return AtHost{id, std::move(copy)}; });
        return;
    }
    if (const auto* box = std::get_if<BoxId>(&next)) {
        traverse(topology_.box(*box).uplink, Towards::Inside, std::move(packet),
                 [id = *box](Packet copy) { return AtBoxOutside{id, std::move(copy)}; });
        return;
    }
    const auto gateway = topology_.gateway_of(at.network);
    if (!gateway || at.direction == Direction::Down) return drop(packet, DropReason::NoRoute);
    leave(*gateway, std::move(packet));
}

void World::leave(BoxId id, Packet packet) {
    const Box& box = topology_.box(id);
    if (const auto reason = refusal(box, packet, packet.destination.port)) {
        return drop(packet, *reason);
    }
    if (const auto beyond = box.beyond_nat64(packet.destination.ip)) {
        return leave_by_nat64(id, *beyond, std::move(packet));
    }
    const AddressFamily family = packet.destination.ip.family();
    if (box.nat64 && family == AddressFamily::V4) return drop(packet, DropReason::NoRoute);
    if (box.translates(family) && packet.destination.ip == box.external) {
        return hairpin(id, std::move(packet));
    }
    if (Nat* const nat = table(id, packet, family)) {
        const auto outside = nat->outbound(now_, packet.source, packet.destination);
        if (!outside) return drop(packet, reason_of(outside.error()));
        if (box.alg == Alg::RewritesAddresses && box.translates(family)) {
            rewrite(packet.payload, packet.source.ip, box.external);
        }
        packet.source = *outside;
        note(TraceEntry::What::Translated, packet);
    }
    go_outside(id, std::move(packet));
}

// RFC 6146 Sections 3.5.1 and, to its own address, 3.8.
void World::leave_by_nat64(BoxId id, const IpAddress& beyond, Packet packet) {
    const Box& box = topology_.box(id);
    Nat* const nat = table(id, packet, AddressFamily::V4);
    STILE_ASSERT(nat != nullptr);
    packet.destination.ip = beyond;
    if (beyond == box.external) return hairpin(id, std::move(packet));
    const auto outside = nat->outbound(now_, packet.source, packet.destination);
    if (!outside) return drop(packet, reason_of(outside.error()));
    packet.source = *outside;
    note(TraceEntry::What::Translated, packet);
    go_outside(id, std::move(packet));
}

void World::go_outside(BoxId id, Packet packet) {
    const Box& box = topology_.box(id);
    traverse(box.uplink, Towards::Outside, std::move(packet), [network = box.outside](Packet copy) {
        return AtNetwork{network, Direction::Up, std::move(copy)};
    });
}

void World::hairpin(BoxId id, Packet packet) {
    const Box& box = topology_.box(id);
    Nat* const nat = table(id, packet, AddressFamily::V4);
    STILE_ASSERT(nat != nullptr);
    const Hairpin kind = nat->behavior().hairpin;
    if (kind == Hairpin::None) return drop(packet, DropReason::NoHairpin);
    const auto outside = nat->outbound(now_, packet.source, packet.destination);
    if (!outside) return drop(packet, reason_of(outside.error()));
    const auto inside = nat->inbound(now_, packet.destination, *outside);
    if (!inside) return drop(packet, reason_of(inside.error()));
    if (kind == Hairpin::ExternalSource) {
        packet.source = *outside;
        if (box.nat64) packet.source.ip = box.nat64->prefix.embed(outside->ip);
    }
    packet.destination = *inside;
    note(TraceEntry::What::Translated, packet);
    forward({box.inside, Direction::Down, std::move(packet)});
}

void World::enter(AtBoxOutside at) {
    const Box& box = topology_.box(at.box);
    Packet& packet = at.packet;
    if (const auto reason = refusal(box, packet, packet.source.port)) return drop(packet, *reason);
    const AddressFamily family = packet.destination.ip.family();
    if (Nat* const nat = table(at.box, packet, family)) {
        const auto inside = nat->inbound(now_, packet.destination, packet.source);
        if (!inside) {
            answer_refused(at.box, packet);
            return drop(packet, reason_of(inside.error()));
        }
        if (box.alg == Alg::RewritesAddresses && box.translates(family)) {
            rewrite(packet.payload, box.external, inside->ip);
        }
        packet.destination = *inside;
        // RFC 6146 Section 3.5.1: who is IPv4 outside is shown under the prefix.
        if (box.nat64 && family == AddressFamily::V4) {
            packet.source.ip = box.nat64->prefix.embed(packet.source.ip);
        }
        note(TraceEntry::What::Translated, packet);
    }
    forward({box.inside, Direction::Down, std::move(packet)});
}

template <class MakeEvent>
void World::traverse(const Link& link, Towards towards, Packet packet, MakeEvent&& make_event) {
    const bool is_tcp = packet.segment.has_value();
    crypto::RandomStream& random = is_tcp ? tcp_random_ : random_;
    // TCP finds out what fits, and repeats what is lost.
    if (!is_tcp && packet_octets(packet.payload.size(), packet.destination) > link.mtu) {
        return drop(packet, DropReason::TooLarge);
    }
    const Probability loss =
        towards == Towards::Inside ? link.loss_inwards.value_or(link.loss) : link.loss;
    const bool is_lost = happens(loss, random);
    const bool repeats_itself = is_tcp && packet.segment->kind != Segment::Kind::Syn &&
                                packet.segment->kind != Segment::Kind::SynAck;
    if (is_lost && !repeats_itself) return drop(packet, DropReason::Lost);
    const auto arrival = [&] {
        const auto jitter = static_cast<std::uint64_t>(link.jitter.count());
        const auto extra = jitter == 0 ? 0 : random.below(jitter + 1);
        return now_ + link.delay + (is_lost ? retransmission : Duration{0}) +
               Duration{static_cast<Duration::rep>(extra)};
    };
    if (!is_tcp && happens(link.duplication, random)) {
        note(TraceEntry::What::Duplicated, packet);
        schedule(arrival(), make_event(packet));
    }
    schedule(arrival(), make_event(std::move(packet)));
}

Nat* World::table(BoxId box, const Packet& packet, AddressFamily family) {
    BoxState& state = boxes_.at(box.value);
    const bool is_v4 = family == AddressFamily::V4;
    auto& of_tcp = is_v4 ? state.tcp_v4 : state.tcp_v6;
    auto& of_udp = is_v4 ? state.v4 : state.v6;
    auto& nat = packet.segment ? of_tcp : of_udp;
    return nat ? &*nat : nullptr;
}

std::optional<DropReason> World::refusal(const Box& box, const Packet& packet, Port outside) const {
    if (packet.segment) {
        if (!passes(box.tcp, outside)) return DropReason::TcpBlocked;
    } else if (!passes(box.udp, outside)) {
        return DropReason::UdpBlocked;
    }
    return std::nullopt;
}

void World::answer_refused(BoxId id, const Packet& packet) {
    if (!packet.segment || packet.segment->kind != Segment::Kind::Syn) return;
    Packet answer{.source = packet.destination,
                  .destination = packet.source,
                  .payload = {},
                  .hops = 0,
                  .segment = Segment{
                      .kind = Segment::Kind::Reset, .from = {}, .answers = packet.segment->from}};
    switch (topology_.box(id).unexpected_syn) {
        case UnexpectedSyn::Dropped:
            return;
        case UnexpectedSyn::Reset:
            break;
        case UnexpectedSyn::Unreachable:
            answer.segment->kind = Segment::Kind::Unreachable;
            break;
    }
    go_outside(id, std::move(answer));
}

void World::schedule(Instant when, Event event) {
    if (queue_.size() >= most_in_flight) {
        ++dropped_[static_cast<std::size_t>(DropReason::InFlightLimit)];
        return;
    }
    queue_.push_back({when, sequence_++, std::move(event)});
    std::ranges::push_heap(queue_, later);
}

bool World::happens(Probability probability, crypto::RandomStream& random) {
    // Certainty and impossibility draw nothing: a link without faults does not disturb the others.
    if (probability.per_million == 0) return false;
    return random.below(Probability::certain) < probability.per_million;
}

void World::drop(const Packet& packet, DropReason reason) {
    ++dropped_[static_cast<std::size_t>(reason)];
    note(TraceEntry::What::Dropped, packet, reason);
}

std::uint64_t World::dropped(DropReason reason) const {
    return dropped_.at(static_cast<std::size_t>(reason));
}

}  // namespace stile::sim
