// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sim/world.hpp>

namespace stile::sim {
namespace {

// FNV-1a: it need not be strong, only differ when something differs.
class Mix {
public:
    explicit Mix(std::uint64_t digest) : digest_(digest) {}
    void add(std::uint64_t number) {
        for (unsigned shift = 0; shift < 64; shift += 8) octet((number >> shift) & 0xFFU);
    }
    void add(BytesView octets) {
        for (const std::byte one : octets) octet(std::to_integer<std::uint64_t>(one));
    }
    void add(const SocketAddress& address) {
        add(address.ip.octets());
        add(address.port.value);
    }
    std::uint64_t digest() const { return digest_; }

private:
    void octet(std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3; }
    std::uint64_t digest_;
};

std::string_view name(DropReason reason) {
    switch (reason) {
        case DropReason::Lost:
            return "lost";
        case DropReason::TooLarge:
            return "too large";
        case DropReason::NoRoute:
            return "no route";
        case DropReason::NoMapping:
            return "no mapping";
        case DropReason::Filtered:
            return "filtered";
        case DropReason::NoHairpin:
            return "no hairpin";
        case DropReason::UdpBlocked:
            return "udp blocked";
        case DropReason::TcpBlocked:
            return "tcp blocked";
        case DropReason::NoPortsLeft:
            return "no ports left";
        case DropReason::InFlightLimit:
            return "in-flight limit";
        case DropReason::count:
            break;
    }
    return "";
}

std::string_view name(TraceEntry::What what) {
    switch (what) {
        case TraceEntry::What::Sent:
            return "sent";
        case TraceEntry::What::Dropped:
            return "dropped";
        case TraceEntry::What::Duplicated:
            return "duplicated";
        case TraceEntry::What::Translated:
            return "translated";
        case TraceEntry::What::Delivered:
            return "delivered";
    }
    return "";
}

}  // namespace

std::string TraceEntry::to_string() const {
    using std::chrono::duration_cast;
    const auto micros = duration_cast<std::chrono::microseconds>(when.time_since_epoch());
    std::string text = std::to_string(micros.count()) + "us " + source.to_string() + " > " +
                       destination.to_string() + " (" + std::to_string(octets) + ") ";
    if (!segment.empty()) {
        text += segment;
        text += ' ';
    }
    text += sim::name(what);
    if (what == What::Dropped) {
        text += ": ";
        text += sim::name(reason);
    }
    return text;
}

std::string_view World::name(Segment::Kind kind) {
    switch (kind) {
        case Segment::Kind::Syn:
            return "syn";
        case Segment::Kind::SynAck:
            return "syn-ack";
        case Segment::Kind::Ack:
            return "ack";
        case Segment::Kind::Data:
            return "data";
        case Segment::Kind::Fin:
            return "fin";
        case Segment::Kind::Reset:
            return "reset";
        case Segment::Kind::Unreachable:
            return "unreachable";
    }
    return "";
}

void World::note(TraceEntry::What what, const Packet& packet, DropReason reason) {
    Mix mix{digest_};
    mix.add(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
    mix.add(static_cast<std::uint64_t>(what) << 8U | static_cast<std::uint64_t>(reason));
    mix.add(packet.source);
    mix.add(packet.destination);
    mix.add(packet.payload);
    digest_ = mix.digest();
    if (trace_.size() == most_trace_entries) trace_.pop_front();
    trace_.push_back({now_, what, reason, packet.source, packet.destination, packet.payload.size(),
                      packet.segment ? name(packet.segment->kind) : ""});
}

}  // namespace stile::sim
