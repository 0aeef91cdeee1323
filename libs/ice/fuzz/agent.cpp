// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// An agent among its inputs in any order: datagrams raw, and made authentic, so that what is behind
// the integrity check is reached; time; late candidates; the end of a base; restarts; connections
// that open, fail, come in, bring frames and end.
//
// An input is a sequence of steps: one octet of what to do, one of how, one of length, and payload.
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/ice/agent.hpp>
#include <stile/stun/message_builder.hpp>

namespace {

using namespace stile;
using namespace stile::ice;

SocketAddress address(std::uint8_t host, std::uint16_t port) {
    return {IpAddress::v4({192, 0, 2, host}), Port{port}};
}

struct World {
    Instant now{Duration{1'000'000'000}};
    Agent agent{now, {.components = 2}, crypto::RandomStream{crypto::seed_from_number(1)}};
    Credentials peer{"peer", "peerpasswordpeerpassword"};
    stun::IntegrityKey peer_key = stun::IntegrityKey::short_term(peer.password);
    std::vector<stun::TransactionId> requests;
    std::vector<ConnectionWanted> wanted;  // asked for, and not answered
    std::vector<ConnectionId> open;

    Path path(std::uint8_t how) const {
        return {.local = address(static_cast<std::uint8_t>(1 + (how & 1U)), 1000),
                .remote = address(static_cast<std::uint8_t>(100 + (how >> 1U) % 8U), 2000)};
    }

    void drain() {
        while (const auto transmit = agent.poll_transmit()) {
            const auto message = stun::MessageView::parse(transmit->payload);
            STILE_ASSERT(message.has_value());  // whatever comes in, what goes out is well formed
            if (message->message_class() == stun::Class::Request) requests.push_back(message->id());
        }
        while (const auto event = agent.poll_event()) {
            if (const auto* one = std::get_if<ConnectionWanted>(&*event)) wanted.push_back(*one);
            if (const auto* one = std::get_if<ConnectionReleased>(&*event)) {
                const auto is_it = [&](const ConnectionWanted& each) { return each.id == one->id; };
                STILE_ASSERT(std::erase_if(wanted, is_it) + std::erase(open, one->id) == 1);
            }
        }
        STILE_ASSERT(wanted.size() + open.size() <= limits::most_connections);
        const auto next = agent.poll_timeout();
        STILE_ASSERT(!next || *next >= now);
        STILE_ASSERT(agent.pairs().size() <= limits::most_pairs);
        STILE_ASSERT(agent.remote_candidates().size() <= limits::most_remote_candidates);
    }

    // A request whose attributes are the fuzzer's, with the integrity that they need.
    void authentic_request(std::uint8_t how, BytesView octets) {
        stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding, {}};
        builder.add(stun::Username{agent.local_credentials().fragment + ":" + peer.fragment});
        add_attributes(builder, octets);
        finish(how, builder, stun::IntegrityKey::short_term(agent.local_credentials().password));
    }
    // An answer to the latest request, or to the one before, and so on.
    void authentic_answer(std::uint8_t how, BytesView octets) {
        if (requests.empty()) return;
        const auto id = requests[requests.size() - 1 - how % requests.size()];
        const auto result =
            (how & 1U) != 0 ? stun::Class::SuccessResponse : stun::Class::ErrorResponse;
        stun::MessageBuilder builder{result, stun::Method::Binding, id};
        add_attributes(builder, octets);
        finish(how, builder, peer_key);
    }
    static void add_attributes(stun::MessageBuilder& builder, BytesView octets) {
        ByteReader reader{octets};
        while (reader.remaining() >= 3) {
            const auto type = stun::AttributeType{reader.u16()};
            const std::size_t size = std::min<std::size_t>(reader.u8(), reader.remaining());
            const BytesView value = reader.bytes(size);
            if (type == stun::AttributeType::MessageIntegrity ||
                type == stun::AttributeType::MessageIntegritySha256 ||
                type == stun::AttributeType::Fingerprint) {
                continue;  // these the builder writes
            }
            builder.add_raw(type, value);
        }
    }
    void finish(std::uint8_t how, stun::MessageBuilder& builder, const stun::IntegrityKey& key) {
        builder.add_integrity(key, stun::IntegrityKind::Sha1).add_fingerprint();
        deliver(how, builder.finish());
    }
    // As a datagram, or as a frame on one of the connections.
    void deliver(std::uint8_t how, BytesView octets) {
        if ((how & 0x80U) == 0 || open.empty()) {
            agent.handle_datagram(now, path(how), octets);
        } else {
            agent.handle_frame(now, open[how % open.size()], octets);
        }
    }
    void connection(std::uint8_t how) {
        switch (how % 4) {
            case 0:
                if (const auto id = agent.handle_accepted(now, path(how))) open.push_back(*id);
                break;
            case 1:
                if (wanted.empty()) break;
                agent.handle_connected(now, wanted.front().id, wanted.front().path);
                open.push_back(wanted.front().id);
                wanted.erase(wanted.begin());
                break;
            case 2: {
                if (wanted.empty()) break;
                const ConnectionId id = wanted.front().id;
                wanted.erase(wanted.begin());
                agent.handle_connect_failed(now, id, static_cast<ConnectFailure>((how >> 2U) % 4U));
                break;
            }
            case 3: {
                if (open.empty()) break;
                const std::size_t which = (how >> 2U) % open.size();
                const ConnectionId id = open[which];
                open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
                agent.handle_connection_closed(now, id);
                break;
            }
        }
    }
    static Protocol protocol(std::uint8_t how) {
        if ((how & 0x40U) == 0) return {};
        return {.transport = Transport::Tcp, .tcp_type = static_cast<TcpType>((how >> 4U) % 3U)};
    }
};

void step(World& world, std::uint8_t what, std::uint8_t how, BytesView octets) {
    Agent& agent = world.agent;
    switch (what % 11) {
        case 0:
            world.deliver(how, octets);
            break;
        case 1:
            world.authentic_request(how, octets);
            break;
        case 2:
            world.authentic_answer(how, octets);
            break;
        case 3:
            world.now += std::chrono::milliseconds{how * 100};
            agent.handle_timeout(world.now);
            break;
        case 4:
            (void)agent.set_remote(world.now,
                                   {.credentials = world.peer,
                                    .kind = (how & 2U) != 0 ? PeerKind::Lite : PeerKind::Full,
                                    .ta = {},
                                    .renomination = (how & 1U) != 0 ? Renomination::Offered
                                                                    : Renomination::NotOffered});
            break;
        case 5:
            (void)agent.add_remote_candidate(world.now,
                                             {.type = static_cast<CandidateType>(how % 4),
                                              .component = {static_cast<std::uint16_t>(how % 4)},
                                              .transport = World::protocol(how).transport,
                                              .address = world.path(how).remote,
                                              .priority = how * 1000U,
                                              .foundation = std::string(how % 40, 'f'),
                                              .tcp_type = World::protocol(how).tcp_type});
            break;
        case 6: {
            auto gathered =
                host_candidate(world.path(how).local, {static_cast<std::uint16_t>(1 + how % 2)});
            gathered.protocol = World::protocol(how);
            (void)agent.add_local_candidate(world.now, gathered);
            break;
        }
        case 7:
            agent.remove_base(world.now, world.path(how).local, World::protocol(how).transport);
            break;
        case 8:
            agent.handle_send_failed(world.now, world.path(how));
            break;
        case 9:
            if (how % 8 == 0) {
                agent.restart(world.now,
                              how % 16 == 0 ? PreviousPair::Keep : PreviousPair::Abandon);
            } else {
                agent.end_of_local_candidates(world.now);
                agent.end_of_remote_candidates(world.now);
            }
            break;
        case 10:
            world.connection(how);
            break;
    }
    if (const auto next = agent.poll_timeout(); next && *next <= world.now) {
        agent.handle_timeout(world.now);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world;
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
