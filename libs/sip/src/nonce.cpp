// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/base/encoding.hpp>
#include <stile/sip/nonce.hpp>

namespace stile::sip {
namespace {

constexpr std::size_t random_octets = 8;
constexpr std::size_t head_octets = 8 + random_octets;  // seconds since 1970, random
constexpr std::size_t tag_octets = 16;

}  // namespace

NonceIssuer::NonceIssuer(BytesView key, Duration lifetime)
    : mac_(crypto::DigestAlgorithm::Sha256, key),
      lifetime_(std::chrono::floor<std::chrono::seconds>(lifetime)) {
    STILE_ASSERT(key.size() >= 16);
    STILE_ASSERT(lifetime_.count() > 0);
}

std::string NonceIssuer::issue(WallTime now, std::string_view realm, std::string_view binding,
                               crypto::RandomStream& random) const {
    Bytes nonce;
    ByteWriter writer{nonce};
    writer.u64(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    writer.u64(random.u64());
    const crypto::Digest code = tag(nonce, realm, binding);
    writer.bytes(code.bytes().first(tag_octets));
    return to_base64url(nonce);
}

NonceVerdict NonceIssuer::check(std::string_view nonce, WallTime now, std::string_view realm,
                                std::string_view binding) const {
    const auto octets = from_base64url(nonce);
    if (!octets || octets->size() != head_octets + tag_octets) return NonceVerdict::Forged;
    const BytesView head = BytesView{*octets}.first(head_octets);
    const crypto::Digest expected = tag(head, realm, binding);
    if (!crypto::equal_in_constant_time(BytesView{*octets}.subspan(head_octets),
                                        expected.bytes().first(tag_octets))) {
        return NonceVerdict::Forged;
    }
    ByteReader reader{head};
    const WallTime issued{std::chrono::seconds{static_cast<std::int64_t>(reader.u64())}};
    const bool fresh = issued + lifetime_ > now && issued < now + lifetime_;
    return fresh ? NonceVerdict::Fresh : NonceVerdict::Stale;
}

crypto::Digest NonceIssuer::tag(BytesView head, std::string_view realm,
                                std::string_view binding) const {
    // The realm's length keeps realm and binding apart.
    const std::string length = std::to_string(realm.size()) + ":";
    return mac_.tag({head, as_bytes(length), as_bytes(realm), as_bytes(binding)});
}

}  // namespace stile::sip
