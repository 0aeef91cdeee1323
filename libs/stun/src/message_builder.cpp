// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/crypto/crc32.hpp>
#include <stile/stun/message_builder.hpp>

namespace stile::stun {
namespace {

constexpr std::uint32_t fingerprint_mask = 0x5354554E;
// Holds every message that RFC 8489 Section 6.1 lets out on an unknown path.
constexpr std::size_t usual_capacity = 548;

void begin(Bytes& wire, std::uint16_t type, std::uint32_t cookie, const TransactionId& id) {
    wire.clear();
    wire.reserve(usual_capacity);
    ByteWriter writer{wire};
    writer.u16(type);
    writer.u16(0);
    writer.u32(cookie);
    writer.bytes(id.octets);
}

}  // namespace

MessageBuilder::MessageBuilder(Class message_class, Method method, const TransactionId& id,
                               Bytes buffer)
    : id_(id), wire_(std::move(buffer)) {
    begin(wire_, encode({message_class, method}), magic_cookie, id_);
}

MessageBuilder MessageBuilder::reply(const MessageView& request, Class message_class,
                                     Bytes buffer) {
    MessageBuilder builder{message_class, request.method(), request.id(), std::move(buffer)};
    // RFC 5389 Section 12.2: the octets in the place of the cookie are part of the transaction id.
    const std::uint32_t cookie = ByteReader{request.wire().subspan(4)}.u32();
    begin(builder.wire_, encode({message_class, request.method()}), cookie, builder.id_);
    return builder;
}

MessageBuilder& MessageBuilder::add_raw(AttributeType type, BytesView value) {
    const std::size_t start = begin_attribute(type);
    ByteWriter{wire_}.bytes(value);
    end_attribute(start);
    return *this;
}

MessageBuilder& MessageBuilder::add_integrity(const IntegrityKey& key, IntegrityKind kind) {
    append_tag(key, kind, kind == IntegrityKind::Sha1 ? sha1_tag_octets : full_sha256_tag_octets);
    return *this;
}

MessageBuilder& MessageBuilder::add_integrity(const IntegrityKey& key, LeastTag truncated_sha256) {
    const std::size_t octets = truncated_sha256.octets;
    STILE_ASSERT(octets % 4 == 0 && octets >= least_sha256_tag_octets &&
                 octets <= full_sha256_tag_octets);
    append_tag(key, IntegrityKind::Sha256, octets);
    return *this;
}

MessageBuilder& MessageBuilder::add_fingerprint() {
    STILE_ASSERT(stage_ != Stage::AfterFingerprint);
    stage_ = Stage::AfterFingerprint;
    set_length(wire_.size() + attribute_header_octets + 4);
    const std::uint32_t value = crypto::crc32(wire_) ^ fingerprint_mask;
    ByteWriter writer{wire_};
    writer.u16(static_cast<std::uint16_t>(AttributeType::Fingerprint));
    writer.u16(4);
    writer.u32(value);
    return *this;
}

Bytes MessageBuilder::finish() {
    set_length(wire_.size());
    return std::move(wire_);
}

std::size_t MessageBuilder::begin_attribute(AttributeType type) {
    STILE_ASSERT(stage_ == Stage::Attributes);
    const std::size_t start = wire_.size();
    ByteWriter writer{wire_};
    writer.u16(static_cast<std::uint16_t>(type));
    writer.u16(0);
    return start;
}

void MessageBuilder::end_attribute(std::size_t begin) {
    const std::size_t octets = wire_.size() - begin - attribute_header_octets;
    STILE_ASSERT(octets <= 0xFFFF);
    ByteWriter writer{wire_};
    writer.overwrite_u16(begin + 2, static_cast<std::uint16_t>(octets));
    writer.zeros((4 - octets % 4) % 4);
    STILE_ASSERT(wire_.size() <= most_message_octets);
}

void MessageBuilder::append_tag(const IntegrityKey& key, IntegrityKind kind, std::size_t octets) {
    if (kind == IntegrityKind::Sha1) {
        STILE_ASSERT(stage_ == Stage::Attributes);
        stage_ = Stage::AfterSha1;
    } else {
        STILE_ASSERT(stage_ == Stage::Attributes || stage_ == Stage::AfterSha1);
        stage_ = Stage::AfterSha256;
    }
    set_length(wire_.size() + attribute_header_octets + octets);
    const crypto::Digest tag = key.tag(kind, {wire_});
    ByteWriter writer{wire_};
    writer.u16(static_cast<std::uint16_t>(kind == IntegrityKind::Sha1
                                              ? AttributeType::MessageIntegrity
                                              : AttributeType::MessageIntegritySha256));
    writer.u16(static_cast<std::uint16_t>(octets));
    writer.bytes(tag.bytes().first(octets));
}

void MessageBuilder::set_length(std::size_t total_octets) {
    STILE_ASSERT(total_octets <= most_message_octets);
    ByteWriter{wire_}.overwrite_u16(2, static_cast<std::uint16_t>(total_octets - header_octets));
}

}  // namespace stile::stun
