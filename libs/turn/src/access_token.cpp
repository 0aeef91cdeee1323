// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/access_token.hpp>

#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/turn/limits.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

using crypto::AesGcm;

// The first 48 bits are seconds, the rest 1/64000ths of one.
constexpr unsigned fraction_bits = 16;

}  // namespace

// |nonce length| nonce | { key length | mac_key | timestamp | lifetime } encrypted, with its tag |
std::optional<AccessToken> AccessToken::open(BytesView token, const TokenKey& key,
                                             std::string_view server_name) {
    ByteReader reader{token};
    const BytesView nonce = reader.bytes(reader.u16());
    if (!reader.ok() || nonce.size() != AesGcm::nonce_octets) return std::nullopt;
    AesGcm::Nonce fixed{};
    std::ranges::copy(nonce, fixed.begin());
    const auto plain = AesGcm{key.key}.open(fixed, as_bytes(server_name), reader.rest());
    if (!plain) return std::nullopt;

    ByteReader block{*plain};
    const BytesView mac_key = block.bytes(block.u16());
    const std::uint64_t timestamp = block.u64();
    const std::uint32_t lifetime = block.u32();
    if (!block.ok() || block.remaining() != 0 || mac_key.empty() ||
        mac_key.size() > most_mac_key_octets) {
        return std::nullopt;
    }
    const auto seconds = static_cast<std::int64_t>(timestamp >> fraction_bits);
    return AccessToken{.mac_key = to_bytes(mac_key),
                       .issued = WallTime{std::chrono::seconds{seconds}},
                       .lifetime = std::chrono::seconds{lifetime}};
}

Bytes AccessToken::seal(const AesGcm::Nonce& nonce, const TokenKey& key,
                        std::string_view server_name) const {
    Bytes block;
    ByteWriter plain{block};
    plain.u16(static_cast<std::uint16_t>(mac_key.size()));
    plain.bytes(mac_key);
    plain.u64(static_cast<std::uint64_t>(issued.time_since_epoch().count()) << fraction_bits);
    plain.u32(static_cast<std::uint32_t>(lifetime.count()));
    Bytes token;
    ByteWriter writer{token};
    writer.u16(AesGcm::nonce_octets);
    writer.bytes(nonce);
    writer.bytes(AesGcm{key.key}.seal(nonce, as_bytes(server_name), block));
    return token;
}

std::optional<std::chrono::seconds> AccessToken::remaining(WallTime now) const {
    const std::chrono::seconds off = now > issued ? now - issued : issued - now;
    const std::chrono::seconds left = lifetime + token_clock_skew - off;
    if (left <= std::chrono::seconds{0}) return std::nullopt;
    return left;
}

}  // namespace stile::turn
