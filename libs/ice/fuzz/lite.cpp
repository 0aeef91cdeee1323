// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A lite agent among its inputs in any order: datagrams raw, and made authentic; full and lite
// peers; restarts; time; what two lite agents agree on.
//
// An input is a sequence of steps: one octet of what to do, one of how, one of length, and payload.
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/ice/lite_agent.hpp>
#include <stile/stun/message_builder.hpp>

namespace {

using namespace stile;
using namespace stile::ice;

SocketAddress address(std::uint8_t host, std::uint16_t port) {
    return {IpAddress::v4({192, 0, 2, host}), Port{port}};
}

Path path(std::uint8_t how) {
    return {.local = address(static_cast<std::uint8_t>(1 + (how & 1U)), 1000),
            .remote = address(static_cast<std::uint8_t>(100 + (how >> 1U) % 64U), 2000)};
}

struct World {
    Instant now{Duration{1'000'000'000}};
    LiteAgent agent{now, {.components = 2}, crypto::RandomStream{crypto::seed_from_number(1)}};
    Credentials peer{"peer", "peerpasswordpeerpassword"};

    void drain() {
        while (const auto transmit = agent.poll_transmit()) {
            const auto message = stun::MessageView::parse(transmit->payload);
            STILE_ASSERT(message.has_value());
            // It answers, and asks for nothing.
            STILE_ASSERT(message->message_class() == stun::Class::SuccessResponse ||
                         message->message_class() == stun::Class::ErrorResponse);
        }
        while (agent.poll_event()) {
        }
        STILE_ASSERT(agent.state() != State::Failed);
        STILE_ASSERT(agent.state() != State::Completed ||
                     (agent.selected({1}) && agent.selected({2})));
    }
    void authentic_request(std::uint8_t how, BytesView octets) {
        stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding, {}};
        builder.add(stun::Username{agent.local_credentials().fragment + ":" + peer.fragment});
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
        builder
            .add_integrity(stun::IntegrityKey::short_term(agent.local_credentials().password),
                           stun::IntegrityKind::Sha1)
            .add_fingerprint();
        agent.handle_datagram(now, path(how), builder.finish());
    }
};

void step(World& world, std::uint8_t what, std::uint8_t how, BytesView octets) {
    LiteAgent& agent = world.agent;
    const ComponentId component{static_cast<std::uint16_t>(how % 4)};
    switch (what % 9) {
        case 0:
            agent.handle_datagram(world.now, path(how), octets);
            break;
        case 1:
            world.authentic_request(how, octets);
            break;
        case 2:
            (void)agent.set_remote(world.now,
                                   {.credentials = world.peer,
                                    .kind = (how & 1U) != 0 ? PeerKind::Lite : PeerKind::Full,
                                    .ta = {},
                                    .renomination = (how & 2U) != 0 ? Renomination::Offered
                                                                    : Renomination::NotOffered});
            break;
        case 3:
            world.now += std::chrono::milliseconds{how * 500};
            agent.handle_timeout(world.now);
            break;
        case 4:
            (void)agent.add_remote_candidate(world.now, {.component = component,
                                                         .address = path(how).remote,
                                                         .priority = how * 1000U,
                                                         .foundation = std::string(how % 40, 'f')});
            break;
        case 5:
            agent.end_of_remote_candidates(world.now);
            break;
        case 6:
            if (how % 4 == 0) agent.restart(world.now);
            (void)agent.add_host(world.now,
                                 {path(how).local.ip, Port{static_cast<std::uint16_t>(1000)}},
                                 LiteAgent::Families::V4Alone, component);
            break;
        case 7:
            agent.conclude(world.now);
            break;
        case 8: {
            const std::array pairs{
                LiteAgent::AgreedPair{.component = {1}, .path = path(how)},
                LiteAgent::AgreedPair{.component = component,
                                      .path = path(static_cast<std::uint8_t>(how + 2))}};
            (void)agent.take_pairs(world.now, pairs);
            break;
        }
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
