// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/byte_reader.hpp>
#include <stile/stun/message_view.hpp>

#include <algorithm>
#include <array>

namespace stile::stun {
namespace {

constexpr std::size_t padded(std::size_t octets) { return (octets + 3) & ~std::size_t{3}; }

// The attribute at the offset. Requires: a whole one is there.
AttributeView attribute_at(BytesView wire, std::size_t offset) {
    ByteReader reader{wire.subspan(offset)};
    const auto type = static_cast<AttributeType>(reader.u16());
    const std::size_t length = reader.u16();
    return {.type = type, .value = reader.bytes(length)};
}

std::size_t after(std::size_t offset, const AttributeView& attribute) {
    return offset + attribute_header_octets + padded(attribute.value.size());
}

// RFC 8489's own comprehension-required attributes.
constexpr std::array basic_attributes{
    AttributeType::MappedAddress,
    AttributeType::Username,
    AttributeType::MessageIntegrity,
    AttributeType::ErrorCode,
    AttributeType::UnknownAttributes,
    AttributeType::Realm,
    AttributeType::Nonce,
    AttributeType::XorMappedAddress,
    AttributeType::MessageIntegritySha256,
    AttributeType::PasswordAlgorithm,
    AttributeType::UserHash,
};

}  // namespace

std::expected<MessageView, ParseError> MessageView::parse(BytesView wire, MagicCookie cookie) {
    if (wire.size() < header_octets) return std::unexpected(ParseError::TooShort);
    ByteReader reader{wire};
    const std::uint16_t type = reader.u16();
    const std::size_t length = reader.u16();
    const bool has_cookie = reader.u32() == magic_cookie;
    if ((type & 0xC000U) != 0) return std::unexpected(ParseError::NotStun);
    if (!has_cookie && cookie == MagicCookie::Required) {
        return std::unexpected(ParseError::NoMagicCookie);
    }
    if (length % 4 != 0) return std::unexpected(ParseError::LengthMisaligned);
    if (length != wire.size() - header_octets) return std::unexpected(ParseError::LengthMismatch);

    MessageView message;
    message.wire_ = wire;
    message.type_ = decode_message_type(type);
    message.dialect_ = has_cookie ? Dialect::Rfc8489 : Dialect::Rfc3489;
    std::size_t count = 0;
    std::size_t offset = header_octets;
    while (offset < wire.size()) {
        if (message.fingerprint_offset_ != 0) return std::unexpected(ParseError::AfterFingerprint);
        if (++count > most_attributes) return std::unexpected(ParseError::TooManyAttributes);
        ByteReader header{wire.subspan(offset)};
        const auto attribute = static_cast<AttributeType>(header.u16());
        const std::size_t octets = header.u16();
        // Everything is in fours, so that a header always fits but its value may not.
        if (padded(octets) > header.remaining()) {
            return std::unexpected(ParseError::AttributeOverrun);
        }
        const auto here = static_cast<std::uint32_t>(offset);
        // A MESSAGE-INTEGRITY after MESSAGE-INTEGRITY-SHA256 is out of order and not protected by
        // what is checked: unseen, as all that follows.
        if (attribute == AttributeType::MessageIntegrity) {
            if (message.sha1_offset_ == 0 && message.sha256_offset_ == 0) {
                message.sha1_offset_ = here;
            }
        } else if (attribute == AttributeType::MessageIntegritySha256) {
            if (message.sha256_offset_ == 0) message.sha256_offset_ = here;
        } else if (attribute == AttributeType::Fingerprint) {
            message.fingerprint_offset_ = here;
        }
        offset += attribute_header_octets + padded(octets);
    }
    return message;
}

TransactionId MessageView::id() const {
    TransactionId id;
    std::ranges::copy(wire_.subspan(8, id.octets.size()), id.octets.begin());
    return id;
}

std::optional<BytesView> MessageView::find(AttributeType wanted) const {
    for (const AttributeView attribute : attributes()) {
        if (attribute.type == wanted) return attribute.value;
    }
    return std::nullopt;
}

std::optional<std::size_t> MessageView::integrity_offset(IntegrityKind kind) const {
    const std::size_t offset = kind == IntegrityKind::Sha1 ? sha1_offset_ : sha256_offset_;
    if (offset == 0) return std::nullopt;
    return offset;
}

std::optional<std::size_t> MessageView::fingerprint_offset() const {
    if (fingerprint_offset_ == 0) return std::nullopt;
    return fingerprint_offset_;
}

UnknownAttributes MessageView::unknown_required(
    std::initializer_list<AttributeType> also_known) const {
    UnknownAttributes unknown;
    for (const AttributeView attribute : attributes()) {
        const bool known = !is_comprehension_required(attribute.type) ||
                           std::ranges::count(basic_attributes, attribute.type) != 0 ||
                           std::ranges::count(also_known, attribute.type) != 0;
        if (!known) unknown.add(attribute.type);
    }
    return unknown;
}

AttributeView MessageView::Iterator::operator*() const {
    return attribute_at(message_->wire_, offset_);
}

MessageView::Iterator& MessageView::Iterator::operator++() {
    const MessageView& message = *message_;
    offset_ = after(offset_, **this);
    // Past the first integrity attribute only the other two kinds are seen. RFC 8489 Section 9.
    const bool protected_part = (message.sha1_offset_ == 0 || offset_ <= message.sha1_offset_) &&
                                (message.sha256_offset_ == 0 || offset_ <= message.sha256_offset_);
    if (protected_part) return *this;
    if (offset_ <= message.sha256_offset_) {
        offset_ = message.sha256_offset_;
    } else if (offset_ <= message.fingerprint_offset_) {
        offset_ = message.fingerprint_offset_;
    } else {
        offset_ = message.wire_.size();
    }
    return *this;
}

bool looks_like_stun(BytesView datagram) {
    if (datagram.size() < header_octets || datagram.size() > most_message_octets) return false;
    ByteReader reader{datagram};
    const std::uint16_t type = reader.u16();
    const std::size_t length = reader.u16();
    return (type & 0xC000U) == 0 && length % 4 == 0 && length == datagram.size() - header_octets &&
           reader.u32() == magic_cookie;
}

std::expected<std::size_t, ParseError> framed_size(BytesView stream) {
    if (stream.size() < header_octets) return std::unexpected(ParseError::TooShort);
    ByteReader reader{stream};
    const std::uint16_t type = reader.u16();
    const std::size_t length = reader.u16();
    if ((type & 0xC000U) != 0) return std::unexpected(ParseError::NotStun);
    if (reader.u32() != magic_cookie) return std::unexpected(ParseError::NoMagicCookie);
    if (length % 4 != 0) return std::unexpected(ParseError::LengthMisaligned);
    return header_octets + length;
}

}  // namespace stile::stun
