// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/stun/attributes/credentials.hpp>

#include <algorithm>

namespace stile::stun {
namespace {

// One entry of the list; the padding after the parameters may be missing at the very end.
std::optional<PasswordAlgorithm> decode_entry(ByteReader& reader) {
    const auto algorithm = static_cast<PasswordAlgorithm>(reader.u16());
    const std::size_t parameters = reader.u16();
    reader.skip(parameters);
    if (!reader.ok()) return std::nullopt;
    const std::size_t padding = (4 - parameters % 4) % 4;
    reader.skip(std::min(padding, reader.remaining()));
    return algorithm;
}

void encode_entry(ByteWriter& writer, PasswordAlgorithm algorithm) {
    writer.u16(static_cast<std::uint16_t>(algorithm));
    writer.u16(0);
}

}  // namespace

UserHash UserHash::of(std::string_view username, std::string_view realm) {
    const auto digest = crypto::digest(crypto::DigestAlgorithm::Sha256,
                                       {as_bytes(username), as_bytes(":"), as_bytes(realm)});
    UserHash hash;
    std::ranges::copy(digest.bytes(), hash.octets.begin());
    return hash;
}

std::optional<UserHash> UserHash::decode(BytesView value, const TransactionId&) {
    UserHash hash;
    if (value.size() != hash.octets.size()) return std::nullopt;
    std::ranges::copy(value, hash.octets.begin());
    return hash;
}

std::optional<PasswordAlgorithmAttribute> PasswordAlgorithmAttribute::decode(BytesView value,
                                                                             const TransactionId&) {
    ByteReader reader{value};
    const auto algorithm = decode_entry(reader);
    if (!algorithm || reader.remaining() != 0) return std::nullopt;
    return PasswordAlgorithmAttribute{*algorithm};
}

void PasswordAlgorithmAttribute::encode(ByteWriter& writer, const TransactionId&) const {
    encode_entry(writer, algorithm);
}

bool PasswordAlgorithms::contains(PasswordAlgorithm algorithm) const {
    return std::ranges::count(list(), algorithm) != 0;
}

void PasswordAlgorithms::add(PasswordAlgorithm algorithm) {
    STILE_ASSERT(count_ < list_.size());
    list_[count_++] = algorithm;
}

std::optional<PasswordAlgorithms> PasswordAlgorithms::decode(BytesView value,
                                                             const TransactionId&) {
    PasswordAlgorithms algorithms;
    ByteReader reader{value};
    while (reader.remaining() != 0) {
        const auto algorithm = decode_entry(reader);
        if (!algorithm || algorithms.count_ == most_password_algorithms) return std::nullopt;
        algorithms.add(*algorithm);
    }
    if (algorithms.count_ == 0) return std::nullopt;
    return algorithms;
}

void PasswordAlgorithms::encode(ByteWriter& writer, const TransactionId&) const {
    for (const PasswordAlgorithm algorithm : list()) encode_entry(writer, algorithm);
}

}  // namespace stile::stun
