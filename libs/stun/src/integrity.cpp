// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/crypto/crc32.hpp>
#include <stile/stun/integrity.hpp>

#include <array>

namespace stile::stun {
namespace {

constexpr std::uint32_t fingerprint_mask = 0x5354554E;

std::string_view without_trailing_nuls(std::string_view text) {
    while (text.ends_with('\0')) text.remove_suffix(1);
    return text;
}

std::string_view without_quotes(std::string_view text) {
    text = without_trailing_nuls(text);
    if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) {
        text = text.substr(1, text.size() - 2);
    }
    return text;
}

crypto::DigestAlgorithm digest_of(PasswordAlgorithm algorithm) {
    return algorithm == PasswordAlgorithm::Sha256 ? crypto::DigestAlgorithm::Sha256
                                                  : crypto::DigestAlgorithm::Md5;
}

}  // namespace

IntegrityKey IntegrityKey::short_term(std::string_view password) {
    return IntegrityKey{to_bytes(password)};
}

IntegrityKey IntegrityKey::long_term(std::string_view username, std::string_view realm,
                                     std::string_view password, PasswordAlgorithm algorithm) {
    const auto key =
        crypto::digest(digest_of(algorithm), {as_bytes(without_quotes(username)), as_bytes(":"),
                                              as_bytes(without_quotes(realm)), as_bytes(":"),
                                              as_bytes(without_trailing_nuls(password))});
    return IntegrityKey{to_bytes(key.bytes())};
}

IntegrityKey IntegrityKey::from_octets(BytesView key) { return IntegrityKey{to_bytes(key)}; }

crypto::Digest IntegrityKey::tag(IntegrityKind kind, std::initializer_list<BytesView> parts) const {
    std::optional<crypto::Hmac>& hmac = kind == IntegrityKind::Sha1 ? sha1_ : sha256_;
    if (!hmac) {
        hmac.emplace(kind == IntegrityKind::Sha1 ? crypto::DigestAlgorithm::Sha1
                                                 : crypto::DigestAlgorithm::Sha256,
                     key_);
    }
    return hmac->tag(parts);
}

Integrity check_integrity(const MessageView& message, const IntegrityKey& key, IntegrityKind kind,
                          LeastTag least) {
    const auto offset = message.integrity_offset(kind);
    if (!offset) return Integrity::Failed;
    const BytesView wire = message.wire();
    ByteReader attribute{wire.subspan(*offset + 2)};
    const std::size_t octets = attribute.u16();
    const BytesView received = attribute.bytes(octets);
    if (kind == IntegrityKind::Sha1) {
        if (octets != sha1_tag_octets) return Integrity::Failed;
    } else if (octets % 4 != 0 || octets < least_sha256_tag_octets || octets < least.octets ||
               octets > full_sha256_tag_octets) {
        return Integrity::Failed;
    }
    // The length field as if the message ended with this attribute. RFC 8489 Section 14.5.
    const std::size_t length = *offset + attribute_header_octets + octets - header_octets;
    const std::array<std::byte, 4> head{wire[0], wire[1], static_cast<std::byte>(length >> 8U),
                                        static_cast<std::byte>(length & 0xFFU)};
    const crypto::Digest computed = key.tag(kind, {head, wire.subspan(4, *offset - 4)});
    return crypto::equal_in_constant_time(computed.bytes().first(octets), received)
               ? Integrity::Passed
               : Integrity::Failed;
}

std::optional<IntegrityKind> strongest_integrity(const MessageView& message) {
    if (message.has_integrity(IntegrityKind::Sha256)) return IntegrityKind::Sha256;
    if (message.has_integrity(IntegrityKind::Sha1)) return IntegrityKind::Sha1;
    return std::nullopt;
}

Fingerprint check_fingerprint(const MessageView& message) {
    const auto offset = message.fingerprint_offset();
    if (!offset) return Fingerprint::Absent;
    ByteReader attribute{message.wire().subspan(*offset + 2)};
    if (attribute.u16() != 4) return Fingerprint::Wrong;
    const std::uint32_t received = attribute.u32();
    // The attribute is last, so the length field is right as it is.
    const std::uint32_t computed = crypto::crc32(message.wire().first(*offset)) ^ fingerprint_mask;
    return received == computed ? Fingerprint::Correct : Fingerprint::Wrong;
}

}  // namespace stile::stun
