// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/crypto/random_stream.hpp>
#include <stile/stun/integrity.hpp>

namespace stile::stun {
namespace {

using namespace test;

TEST_CASE("stun property: what is built is parsed, attribute by attribute") {
    constexpr std::uint64_t seed = 8489;
    CAPTURE(seed);
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    const IntegrityKey key = IntegrityKey::short_term("key");
    for (int round = 0; round < 300; ++round) {
        CAPTURE(round);
        MessageBuilder builder{static_cast<Class>(random.below(4)),
                               static_cast<Method>(random.below(0x1000)),
                               TransactionId::random(random)};
        std::vector<std::pair<AttributeType, Bytes>> sent;
        const std::size_t count = random.below(12);
        for (std::size_t i = 0; i < count; ++i) {
            // Types that have no meaning for the parser itself.
            const auto type = static_cast<AttributeType>(0x7000 + random.below(0x800));
            sent.emplace_back(type, random.bytes(random.below(70)));
            builder.add_raw(type, sent.back().second);
        }
        const bool sha1 = random.below(2) != 0;
        const bool sha256 = random.below(2) != 0;
        const bool fingerprint = random.below(2) != 0;
        if (sha1) builder.add_integrity(key, IntegrityKind::Sha1);
        if (sha256) builder.add_integrity(key, IntegrityKind::Sha256);
        if (fingerprint) builder.add_fingerprint();
        const TransactionId id = builder.id();
        const Bytes wire = builder.finish();

        REQUIRE(looks_like_stun(wire));
        const MessageView message = view(wire);
        CHECK(message.id() == id);
        std::size_t index = 0;
        for (const AttributeView attribute : message.attributes()) {
            if (index < sent.size()) {
                CHECK(attribute.type == sent[index].first);
                CHECK(equal(attribute.value, sent[index].second));
            }
            ++index;
        }
        CHECK(index ==
              sent.size() + (sha1 ? 1U : 0U) + (sha256 ? 1U : 0U) + (fingerprint ? 1U : 0U));
        CHECK((check_integrity(message, key, IntegrityKind::Sha1) == Integrity::Passed) == sha1);
        CHECK((check_integrity(message, key, IntegrityKind::Sha256) == Integrity::Passed) ==
              sha256);
        CHECK((check_fingerprint(message) == Fingerprint::Correct) == fingerprint);
    }
}

TEST_CASE("stun property: XOR-ed addresses come back for any id") {
    constexpr std::uint64_t seed = 2112;
    CAPTURE(seed);
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    for (int round = 0; round < 200; ++round) {
        const bool v4 = random.below(2) != 0;
        const Bytes octets = random.bytes(v4 ? 4 : 16);
        const SocketAddress original{IpAddress::from_octets(octets),
                                     Port{static_cast<std::uint16_t>(random.below(0x10000))}};
        const TransactionId id = TransactionId::random(random);
        CHECK(xor_address(xor_address(original, id), id) == original);
        MessageBuilder builder{Class::SuccessResponse, Method::Binding, id};
        const Bytes wire = builder.add(XorMappedAddress{original}).finish();
        CHECK(view(wire).get<XorMappedAddress>()->address == original);
    }
}

TEST_CASE("stun property: a cut or damaged message is refused or read, never beyond its end") {
    constexpr std::uint64_t seed = 5769;
    CAPTURE(seed);
    crypto::RandomStream random{crypto::seed_from_number(seed)};
    MessageBuilder builder{Class::Request, Method::Allocate, id_of(1)};
    builder.add(Username{"someone"}).add(Realm{"somewhere"}).add(Lifetime{});
    builder.add_integrity(IntegrityKey::short_term("x"), IntegrityKind::Sha1).add_fingerprint();
    const Bytes original = builder.finish();
    for (std::size_t size = 0; size < original.size(); ++size) {
        CHECK_FALSE(MessageView::parse(BytesView{original}.first(size)));
    }
    for (int round = 0; round < 2000; ++round) {
        Bytes wire = original;
        for (int change = 0; change < 3; ++change) {
            wire[random.below(wire.size())] = static_cast<std::byte>(random.below(256));
        }
        const auto parsed = MessageView::parse(wire);
        if (!parsed) continue;
        std::size_t octets = 0;
        for (const AttributeView attribute : parsed->attributes()) octets += attribute.value.size();
        CHECK(octets < wire.size());
    }
}

}  // namespace
}  // namespace stile::stun
