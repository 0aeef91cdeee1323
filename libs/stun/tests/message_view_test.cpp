// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/stun/integrity.hpp>

#include <vector>

namespace stile::stun {
namespace {

using namespace test;

TEST_CASE("stun message type: the values of RFC 8489 Section 5") {
    CHECK(encode({Class::Request, Method::Binding}) == 0x0001);
    CHECK(encode({Class::Indication, Method::Binding}) == 0x0011);
    CHECK(encode({Class::SuccessResponse, Method::Binding}) == 0x0101);
    CHECK(encode({Class::ErrorResponse, Method::Binding}) == 0x0111);
    CHECK(encode({Class::ErrorResponse, Method::Allocate}) == 0x0113);
    CHECK(encode({Class::Indication, Method::Data}) == 0x0017);
}

TEST_CASE("stun message type: every one of the 14 bits comes back") {
    for (std::uint16_t wire = 0; wire < 0x4000; ++wire) {
        CAPTURE(wire);
        REQUIRE(encode(decode_message_type(wire)) == wire);
    }
}

struct Malformed {
    const char* what;
    const char* wire;
    ParseError error;
};

TEST_CASE("stun message: malformed input is refused with its reason") {
    const Malformed table[] = {
        {"nothing", "", ParseError::TooShort},
        {"one octet less than a header", "00010000 2112a442 00000000 00000000 000000",
         ParseError::TooShort},
        {"an RTP packet", "80010000 2112a442 00000000 00000000 00000001", ParseError::NotStun},
        {"a TURN channel", "40010000 2112a442 00000000 00000000 00000001", ParseError::NotStun},
        {"another cookie", "00010000 2112a443 00000000 00000000 00000001",
         ParseError::NoMagicCookie},
        {"a length that is not a multiple of 4",
         "00010002 2112a442 00000000 00000000 00000001 0000", ParseError::LengthMisaligned},
        {"a length beyond the datagram", "00010004 2112a442 00000000 00000000 00000001",
         ParseError::LengthMismatch},
        {"octets after the message", "00010000 2112a442 00000000 00000000 00000001 00000000",
         ParseError::LengthMismatch},
        {"an attribute longer than the message",
         "00010004 2112a442 00000000 00000000 00000001 80220001", ParseError::AttributeOverrun},
        {"an attribute of 65535 octets",
         "00010008 2112a442 00000000 00000000 00000001 8022ffff 00000000",
         ParseError::AttributeOverrun},
        {"a second attribute that overruns",
         "00010008 2112a442 00000000 00000000 00000001 80220000 80220004",
         ParseError::AttributeOverrun},
        {"an attribute after FINGERPRINT",
         "0001000c 2112a442 00000000 00000000 00000001 80280004 00000000 80220000",
         ParseError::AfterFingerprint},
        {"two FINGERPRINTs",
         "00010010 2112a442 00000000 00000000 00000001 80280004 00000000 80280004 00000000",
         ParseError::AfterFingerprint},
    };
    for (const Malformed& row : table) {
        CAPTURE(row.what);
        const Bytes wire = hex(row.wire);
        const auto parsed = MessageView::parse(wire);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error() == row.error);
    }
}

Bytes with_attributes(std::size_t count) {
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    for (std::size_t i = 0; i < count; ++i) builder.add(UseCandidate{});
    return builder.finish();
}

TEST_CASE("stun message: most_attributes are read, one more is not") {
    const Bytes most = with_attributes(most_attributes);
    CHECK(MessageView::parse(most));
    const Bytes more = with_attributes(most_attributes + 1);
    CHECK(MessageView::parse(more).error() == ParseError::TooManyAttributes);
}

TEST_CASE("stun message: the largest message is built and read") {
    const Bytes data(most_message_octets - header_octets - attribute_header_octets);
    MessageBuilder builder{Class::Indication, Method::Send, id_of(1)};
    builder.add(Data{data});
    const Bytes wire = builder.finish();
    CHECK(wire.size() == most_message_octets);
    CHECK(view(wire).get<Data>()->octets.size() == data.size());
}

TEST_CASE("stun message: the first of several attributes of a type counts") {
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    builder.add(Username{"first"}).add(Username{"second"});
    const Bytes wire = builder.finish();
    CHECK(view(wire).get<Username>()->text == "first");
}

TEST_CASE("stun message: absent and malformed are told apart") {
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    builder.add_raw(AttributeType::Priority, as_bytes("12345"));
    const Bytes wire = builder.finish();
    CHECK(view(wire).get<Priority>().error() == AttributeError::Malformed);
    CHECK(view(wire).get<Username>().error() == AttributeError::Absent);
}

// Attributes given as letters: S software, U use-candidate, 1 SHA-1, 2 SHA-256, F fingerprint.
Bytes sequence(std::string_view letters) {
    Bytes wire = binding_request();
    ByteWriter writer{wire};
    const auto append = [&writer](AttributeType type, std::uint16_t octets) {
        writer.u16(static_cast<std::uint16_t>(type));
        writer.u16(octets);
        writer.zeros(octets);
    };
    for (const char letter : letters) {
        if (letter == 'S') append(AttributeType::Software, 4);
        if (letter == 'U') append(AttributeType::UseCandidate, 0);
        if (letter == '1') append(AttributeType::MessageIntegrity, 20);
        if (letter == '2') append(AttributeType::MessageIntegritySha256, 32);
        if (letter == 'F') append(AttributeType::Fingerprint, 4);
    }
    writer.overwrite_u16(2, static_cast<std::uint16_t>(wire.size() - header_octets));
    return wire;
}

std::string seen(const Bytes& wire) {
    std::string letters;
    const MessageView message = view(wire);
    for (const AttributeView attribute : message.attributes()) {
        if (attribute.type == AttributeType::Software) letters += 'S';
        if (attribute.type == AttributeType::UseCandidate) letters += 'U';
        if (attribute.type == AttributeType::MessageIntegrity) letters += '1';
        if (attribute.type == AttributeType::MessageIntegritySha256) letters += '2';
        if (attribute.type == AttributeType::Fingerprint) letters += 'F';
    }
    return letters;
}

TEST_CASE("stun message: what follows integrity is not seen, RFC 8489 Section 9") {
    const std::pair<const char*, const char*> table[] = {
        {"", ""},           {"S", "S"},      {"SUF", "SUF"}, {"S1", "S1"},    {"S1F", "S1F"},
        {"S12F", "S12F"},   {"S2F", "S2F"},  {"S1U", "S1"},  {"S1UF", "S1F"}, {"S1U2F", "S12F"},
        {"S1U2UF", "S12F"}, {"S2UF", "S2F"}, {"S2U", "S2"},  {"S21F", "S2F"}, {"S2U1U", "S2"},
        {"1", "1"},         {"1U", "1"},     {"2F", "2F"},   {"S11", "S1"},   {"S1122F", "S12F"},
        {"S22U", "S2"},     {"F", "F"},
    };
    for (const auto& [sent, expected] : table) {
        CAPTURE(sent);
        CHECK(seen(sequence(sent)) == expected);
    }
}

TEST_CASE("stun message: USE-CANDIDATE behind the integrity is not obeyed") {
    const auto key = IntegrityKey::short_term("secret");
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    builder.add(Username{"a:b"}).add_integrity(key, IntegrityKind::Sha1);
    Bytes wire = builder.finish();
    ByteWriter writer{wire};
    writer.u16(static_cast<std::uint16_t>(AttributeType::UseCandidate));
    writer.u16(0);
    writer.overwrite_u16(2, static_cast<std::uint16_t>(wire.size() - header_octets));
    const MessageView message = view(wire);
    CHECK(check_integrity(message, key, IntegrityKind::Sha1) == Integrity::Passed);
    CHECK_FALSE(message.has(AttributeType::UseCandidate));
}

TEST_CASE("stun message: unknown comprehension-required attributes are listed once each") {
    MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
    builder.add_raw(AttributeType{0x7777}, {}).add_raw(AttributeType{0x7777}, {});
    builder.add_raw(AttributeType{0x8888}, {}).add(Username{"u"}).add(Priority{1});
    const Bytes wire = builder.finish();
    const UnknownAttributes unknown = view(wire).unknown_required({AttributeType::Priority});
    REQUIRE(unknown.types().size() == 1);
    CHECK(unknown.types().front() == AttributeType{0x7777});
    const UnknownAttributes more = view(wire).unknown_required();
    CHECK(more.types().size() == 2);
}

TEST_CASE("stun message: at most most_unknown_attributes are listed") {
    for (const std::size_t extra : {std::size_t{0}, std::size_t{1}}) {
        MessageBuilder builder{Class::Request, Method::Binding, id_of(1)};
        for (std::size_t i = 0; i < most_unknown_attributes + extra; ++i) {
            builder.add_raw(static_cast<AttributeType>(0x7000 + i), {});
        }
        const Bytes wire = builder.finish();
        const UnknownAttributes unknown = view(wire).unknown_required();
        CHECK(unknown.types().size() == most_unknown_attributes);
    }
}

TEST_CASE("stun demultiplexing: other protocols do not look like STUN") {
    CHECK(looks_like_stun(binding_request()));
    for (unsigned first = 4; first < 256; ++first) {
        CAPTURE(first);
        Bytes wire = binding_request();
        wire[0] = static_cast<std::byte>(first);
        // 4 to 63 have the two bits, but then the method is one that nobody has registered.
        if (first >= 64) CHECK_FALSE(looks_like_stun(wire));
    }
    Bytes longer = binding_request();
    longer.push_back(std::byte{0});
    CHECK_FALSE(looks_like_stun(longer));
    CHECK_FALSE(looks_like_stun(Bytes(19)));
    CHECK_FALSE(looks_like_stun(Bytes(20)));
}

TEST_CASE("stun framing: the size of the message at the front of a stream") {
    Bytes stream = sequence("SU1F");
    const std::size_t size = stream.size();
    for (std::size_t i = 0; i < header_octets; ++i) {
        CHECK(framed_size(BytesView{stream}.first(i)).error() == ParseError::TooShort);
    }
    CHECK(*framed_size(BytesView{stream}.first(header_octets)) == size);
    stream.resize(size + 100);
    CHECK(*framed_size(stream) == size);
    stream[0] = std::byte{0x40};
    CHECK(framed_size(stream).error() == ParseError::NotStun);
    stream[0] = std::byte{0};
    stream[3] = std::byte{1};
    CHECK(framed_size(stream).error() == ParseError::LengthMisaligned);
    stream[4] = std::byte{0};
    CHECK(framed_size(stream).error() == ParseError::NoMagicCookie);
}

TEST_CASE("stun message: an RFC 3489 message is read only when asked for") {
    const Bytes wire = hex("00010000 11223344 55667788 99aabbcc ddeeff00");
    CHECK(MessageView::parse(wire).error() == ParseError::NoMagicCookie);
    const MessageView message = view(wire, MagicCookie::Optional);
    CHECK(message.dialect() == Dialect::Rfc3489);
    const Bytes modern = binding_request();
    CHECK(view(modern, MagicCookie::Optional).dialect() == Dialect::Rfc8489);
}

}  // namespace
}  // namespace stile::stun
