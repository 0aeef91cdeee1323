// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/stun/attributes/error.hpp>

#include <algorithm>

namespace stile::stun {
namespace {

struct CodeAndReason {
    std::uint16_t code;
    std::string_view reason;
};

// What ERROR-CODE and ADDRESS-ERROR-CODE share after their first two octets.
std::optional<CodeAndReason> decode_code(ByteReader& reader) {
    const std::uint32_t hundreds = reader.u8() & 0x07U;
    const std::uint32_t number = reader.u8();
    if (!reader.ok() || hundreds < 3 || hundreds > 6 || number > 99) return std::nullopt;
    if (reader.remaining() > most_text_octets) return std::nullopt;
    return CodeAndReason{static_cast<std::uint16_t>(hundreds * 100 + number),
                         as_text(reader.rest())};
}

void encode_code(ByteWriter& writer, std::uint16_t code, std::string_view reason) {
    STILE_ASSERT(code >= 300 && code <= 699);
    STILE_ASSERT(reason.size() <= most_sent_text_octets);
    writer.u8(static_cast<std::uint8_t>(code / 100));
    writer.u8(static_cast<std::uint8_t>(code % 100));
    writer.bytes(as_bytes(reason));
}

}  // namespace

std::optional<ErrorCode> ErrorCode::decode(BytesView value, const TransactionId&) {
    ByteReader reader{value};
    reader.skip(2);
    const auto read = decode_code(reader);
    if (!read) return std::nullopt;
    return ErrorCode{read->code, read->reason};
}

void ErrorCode::encode(ByteWriter& writer, const TransactionId&) const {
    writer.zeros(2);
    encode_code(writer, code, reason);
}

std::optional<AddressErrorCode> AddressErrorCode::decode(BytesView value, const TransactionId&) {
    ByteReader reader{value};
    const std::uint8_t family = reader.u8();
    reader.skip(1);
    const auto read = decode_code(reader);
    if (!read || (family != 1 && family != 2)) return std::nullopt;
    return AddressErrorCode{family == 1 ? AddressFamily::V4 : AddressFamily::V6, read->code,
                            read->reason};
}

void AddressErrorCode::encode(ByteWriter& writer, const TransactionId&) const {
    writer.u8(family == AddressFamily::V4 ? 1 : 2);
    writer.zeros(1);
    encode_code(writer, code, reason);
}

void UnknownAttributes::add(AttributeType unknown) {
    if (count_ == types_.size() || std::ranges::count(types(), unknown) != 0) return;
    types_[count_++] = unknown;
}

std::optional<UnknownAttributes> UnknownAttributes::decode(BytesView value, const TransactionId&) {
    if (value.size() % 2 != 0) return std::nullopt;
    UnknownAttributes list;
    ByteReader reader{value};
    while (reader.remaining() != 0 && list.count_ < most_unknown_attributes) {
        list.add(static_cast<AttributeType>(reader.u16()));
    }
    return list;
}

void UnknownAttributes::encode(ByteWriter& writer, const TransactionId&) const {
    for (const AttributeType unknown : types()) writer.u16(static_cast<std::uint16_t>(unknown));
}

}  // namespace stile::stun
