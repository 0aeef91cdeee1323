// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A connector among its inputs in any order: descriptions, candidates, datagrams, time, connections
// and what they bring, restarts, sockets that go. Answers that servers give are made to fit the
// requests, so that what is behind an allocation is reached.
//
// An input is a sequence of steps: one octet of what to do, one of how, one of length, and payload.
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/connect/connector.hpp>
#include <stile/connect/explanation.hpp>
#include <stile/connect/packet_framing.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>

#include <algorithm>
#include <map>

namespace {

using namespace stile;
using namespace stile::connect;

SocketAddress address(std::uint8_t host, std::uint16_t port) {
    return {IpAddress::v4({198, 51, 100, host}), Port{port}};
}

const SocketAddress own = address(1, 5000);
const SocketAddress server = address(2, 3478);
const Listener passive{address(1, 7000), ice::TcpType::Passive};
const Listener both_open{address(1, 7001), ice::TcpType::SimultaneousOpen};

ConnectorConfig config() {
    ConnectorConfig made;
    made.hosts = {own};
    made.listeners = {passive, both_open};
    made.stun_servers = {server};
    using turn::ClientTransport;
    for (const auto transport :
         {ClientTransport::Udp, ClientTransport::Tcp, ClientTransport::Tls}) {
        made.turn_servers.push_back({server, "user", "password", transport, "relay.example"});
    }
    return made;
}

ice::Protocol protocol(std::uint8_t how) {
    if ((how & 0x40U) == 0) return {};
    return {.transport = ice::Transport::Tcp, .tcp_type = static_cast<ice::TcpType>(how / 16 % 3)};
}

struct Request {
    stun::TransactionId id;
    stun::Method method;
    Path path;
    std::optional<StreamId> stream;
};

struct World {
    enum class Phase : std::uint8_t { Running, Released };
    Instant now{Duration{1'000'000'000}};
    Connector connector{now, config(), crypto::RandomStream{crypto::seed_from_number(1)}};
    ice::Credentials peer{"peer", "peerpasswordpeerpassword"};
    Phase phase = Phase::Running;
    std::map<StreamId, StreamWanted> wanted;  // asked for, and not answered
    std::vector<StreamId> open;
    std::vector<Request> requests;

    void note(BytesView octets, const Path& path, std::optional<StreamId> stream) {
        const auto message = stun::MessageView::parse(octets);
        if (!message || message->message_class() != stun::Class::Request) return;
        requests.push_back({message->id(), message->method(), path, stream});
    }
    void drain() {
        while (const auto out = connector.poll_transmit()) {
            STILE_ASSERT(out->path.local == own);
            note(out->payload, out->path, {});
        }
        while (const auto out = connector.poll_stream_transmit()) {
            STILE_ASSERT(!out->octets.empty());
            const auto framed = first_packet(out->octets);
            const bool is_frame =
                framed && framed->size() + frame_header_octets == out->octets.size();
            note(is_frame ? *framed : out->octets, {}, out->stream);
        }
        while (connector.poll_received()) {
        }
        while (const auto event = connector.poll_event()) {
            if (const auto* const want = std::get_if<StreamWanted>(&*event)) {
                STILE_ASSERT(wanted.emplace(want->stream, *want).second);
            } else if (const auto* const unwanted = std::get_if<StreamUnwanted>(&*event)) {
                // Each is closed once, and none that there is not.
                STILE_ASSERT(wanted.erase(unwanted->stream) + std::erase(open, unwanted->stream) ==
                             1);
            } else if (const auto* const changed = std::get_if<RouteChanged>(&*event)) {
                STILE_ASSERT(phase == Phase::Running || !changed->route.stream);
            }
        }
        // A route over a stream is over one that there is.
        const auto route = connector.route();
        STILE_ASSERT(!route || !route->stream || std::ranges::count(open, *route->stream) == 1);
        const auto next = connector.poll_timeout();
        STILE_ASSERT(!next || *next >= now || phase == Phase::Released);
        STILE_ASSERT(connector.local_description().candidates.size() <=
                     ice::limits::most_local_candidates);
        (void)explain(connector.report()).verdict();
    }

    // An answer of a server to the latest request, or to the one before, and so on.
    void answer(std::uint8_t how) {
        if (requests.empty()) return;
        const Request request = requests[requests.size() - 1 - how % requests.size()];
        const auto result =
            (how & 0x80U) == 0 ? stun::Class::SuccessResponse : stun::Class::ErrorResponse;
        stun::MessageBuilder builder{result, request.method, request.id};
        if ((how & 0x80U) != 0) {
            builder.add(stun::ErrorCode{.code = 508, .reason = "Full"});
        } else {
            builder.add(
                stun::XorMappedAddress{address(9, static_cast<std::uint16_t>(40'000 + how))});
            builder.add(stun::XorRelayedAddress{
                address(2, static_cast<std::uint16_t>(50'000 + requests.size()))});
            builder.add(stun::Lifetime{std::chrono::seconds{600}});
            builder.add(stun::ConnectionId{how});
            if ((how & 0x40U) != 0) builder.add(stun::MobilityTicket{as_bytes("ticket")});
        }
        deliver(request, builder.finish());
    }
    void deliver(const Request& request, const Bytes& octets) {
        if (request.stream) {
            write(*request.stream, octets, octets.size());
        } else {
            (void)connector.handle_datagram(now, {request.path.local, request.path.remote}, octets);
        }
    }
    // What a server says of a peer that has connected to a TCP allocation.
    void attempt(std::uint8_t how) {
        if (open.empty()) return;
        stun::MessageBuilder builder{stun::Class::Indication, stun::Method::ConnectionAttempt, {}};
        builder.add(stun::XorPeerAddress{remote(how)}).add(stun::ConnectionId{1000U + how});
        const Bytes message = builder.finish();
        write(open[how / 8U % open.size()], message, message.size());
    }
    // In pieces.
    void write(StreamId stream, BytesView octets, std::size_t piece) {
        while (!octets.empty()) {
            const std::size_t size = std::min(std::max<std::size_t>(piece, 1), octets.size());
            connector.handle_stream_bytes(now, stream, octets.first(size));
            octets = octets.subspan(size);
        }
    }
    // The peer's check, or its answer, by a datagram or as a frame.
    void speak_as_peer(std::uint8_t how) {
        const bool is_answer = (how & 1U) != 0 && !requests.empty();
        const auto& local = connector.local_description().credentials;
        stun::MessageBuilder builder{
            is_answer ? stun::Class::SuccessResponse : stun::Class::Request, stun::Method::Binding,
            is_answer ? requests[requests.size() - 1 - how / 2U % requests.size()].id
                      : stun::TransactionId{}};
        if (is_answer) {
            builder.add(stun::XorMappedAddress{own});
        } else {
            builder.add(stun::Username{local.fragment + ":" + peer.fragment});
            builder.add(stun::Priority{1000U + how});
            builder.add(stun::IceControlled{how});
        }
        builder
            .add_integrity(
                stun::IntegrityKey::short_term(is_answer ? peer.password : local.password),
                stun::IntegrityKind::Sha1)
            .add_fingerprint();
        const Bytes message = builder.finish();
        if ((how & 2U) != 0 && !open.empty()) {
            write(open[how / 4U % open.size()], framed(message), how);
        } else {
            (void)connector.handle_datagram(now, {own, remote(how)}, message);
        }
    }
    static SocketAddress remote(std::uint8_t how) {
        return address(static_cast<std::uint8_t>(100 + how % 8), 2000);
    }
    void stream(std::uint8_t how) {
        const std::size_t which = how / 4U;
        switch (how % 4) {
            case 0: {
                const Path path{how / 4 % 2 == 0 ? passive.address : both_open.address,
                                remote(how)};
                if (const auto id = connector.handle_stream_accepted(now, path))
                    open.push_back(*id);
                break;
            }
            case 1:
            case 2: {
                if (wanted.empty()) break;
                const auto chosen =
                    std::next(wanted.begin(), static_cast<std::ptrdiff_t>(which % wanted.size()));
                const StreamWanted want = chosen->second;
                wanted.erase(chosen);
                if (how % 4 == 2) {
                    connector.handle_stream_failed(now, want.stream,
                                                   static_cast<ice::ConnectFailure>(which % 4));
                    break;
                }
                Path path = want.path;
                if (path.local.port == ice::discard_port) path.local.port = Port{45'000};
                open.push_back(want.stream);
                connector.handle_stream_opened(now, want.stream, path);
                break;
            }
            case 3: {
                if (open.empty()) break;
                const StreamId id = open[which % open.size()];
                std::erase(open, id);
                connector.handle_stream_closed(now, id);
                break;
            }
        }
    }
    void describe(std::uint8_t how) {
        (void)connector.set_remote_description(
            now, {.credentials = peer,
                  .candidates = {candidate(how)},
                  .gathering = how % 2 == 0 ? Gathering::Ongoing : Gathering::Complete});
    }
    static ice::Candidate candidate(std::uint8_t how) {
        const ice::Protocol chosen = protocol(how);
        return {.type = static_cast<ice::CandidateType>(how % 4),
                .transport = chosen.transport,
                .address = remote(how),
                .base = remote(how),
                .priority = how * 1000U + 1,
                .foundation = std::string(how % 40, 'f'),
                .tcp_type = chosen.tcp_type};
    }
    void change(std::uint8_t how) {
        switch (how % 6) {
            case 0:
                connector.restart(
                    now, how % 12 == 0 ? ice::PreviousPair::Keep : ice::PreviousPair::Abandon);
                break;
            case 1:
                connector.end_of_remote_candidates(now);
                break;
            case 2:
                connector.remove_host(now, own);
                break;
            case 3:
                (void)connector.add_host(now, own);
                break;
            case 4:
                connector.remove_listener(now, how % 12 == 4 ? passive : both_open);
                break;
            case 5:
                (void)connector.add_listener(now, how % 12 == 5 ? passive : both_open);
                break;
        }
    }
};

void step(World& world, std::uint8_t what, std::uint8_t how, BytesView octets) {
    Connector& connector = world.connector;
    switch (what % 12) {
        case 0:
            (void)connector.handle_datagram(world.now, {own, World::remote(how)}, octets);
            break;
        case 1:
            (void)connector.handle_datagram(world.now, {own, server}, octets);
            break;
        case 2:
            world.answer(how);
            break;
        case 3:
            world.speak_as_peer(how);
            break;
        case 4:
            world.stream(how);
            break;
        case 5:
            if (!world.open.empty()) {
                world.write(world.open[how % world.open.size()], octets, how / 8U);
            }
            break;
        case 6:
            world.now += std::chrono::milliseconds{how * 100};
            connector.handle_timeout(world.now);
            break;
        case 7:
            world.describe(how);
            break;
        case 8:
            (void)connector.add_remote_candidate(world.now, World::candidate(how));
            break;
        case 9:
            if (world.phase == World::Phase::Running) world.change(how);
            break;
        case 10:
            connector.send(world.now, octets);
            break;
        case 11:
            // What does not exist is not listened to.
            connector.handle_stream_bytes(world.now, {how + 1'000'000U}, octets);
            if (how % 2 == 1) world.attempt(how);
            if (how < 250) break;
            world.phase = World::Phase::Released;
            connector.release(world.now);
            break;
    }
    world.drain();
    if (const auto next = connector.poll_timeout(); next && *next <= world.now) {
        connector.handle_timeout(world.now);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world;
    world.drain();
    ByteReader reader{std::as_bytes(std::span{data, size})};
    while (reader.remaining() >= 3) {
        const std::uint8_t what = reader.u8();
        const std::uint8_t how = reader.u8();
        const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
        step(world, what, how, reader.bytes(length));
        world.drain();
    }
    return 0;
}
