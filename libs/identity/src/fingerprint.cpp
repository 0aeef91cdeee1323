// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/identity/fingerprint.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/crypto/hmac.hpp>
#include <stile/identity/limits.hpp>

#include <algorithm>

namespace stile::identity {
namespace {

constexpr std::string_view sha256_name = "sha-256";

// Pairs of digits with a colon between each; empty when it is anything else.
std::optional<Bytes> parse_pairs(std::string_view text) {
    if (text.size() % 3 != 2) return std::nullopt;
    std::string digits;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i % 3 != 2) {
            digits += text[i];
        } else if (text[i] != ':') {
            return std::nullopt;
        }
    }
    return from_hex(digits);
}

}  // namespace

Fingerprint Fingerprint::of(const crypto::Certificate& certificate) {
    return {.hash = HashFunction::Sha256, .octets = certificate.fingerprint()};
}

std::expected<Fingerprint, FingerprintError> Fingerprint::parse(std::string_view text) {
    if (text.size() > most_fingerprint_text) return std::unexpected(FingerprintError::TooLong);
    const std::string_view name = take_until(text, ' ');
    const auto octets = parse_pairs(text);
    if (name.empty() || !octets) return std::unexpected(FingerprintError::Malformed);
    if (!iequals(name, sha256_name)) return std::unexpected(FingerprintError::UnknownHash);
    if (octets->size() != crypto::digest_size(crypto::DigestAlgorithm::Sha256)) {
        return std::unexpected(FingerprintError::WrongLength);
    }
    return Fingerprint{.hash = HashFunction::Sha256, .octets = crypto::Digest{*octets}};
}

std::string Fingerprint::to_string() const {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text{sha256_name};
    char before = ' ';
    for (const std::byte octet : octets.bytes()) {
        text += before;
        text += digits[std::to_integer<std::size_t>(octet >> 4U)];
        text += digits[std::to_integer<std::size_t>(octet & std::byte{0x0F})];
        before = ':';
    }
    return text;
}

FingerprintCheck check_fingerprint(std::span<const Fingerprint> said,
                                   const crypto::Certificate& met) {
    const Fingerprint seen = Fingerprint::of(met);
    const auto looked_at = said.first(std::min(said.size(), most_fingerprints));
    const bool found = std::ranges::any_of(looked_at, [&](const Fingerprint& one) {
        return one.hash == seen.hash &&
               crypto::equal_in_constant_time(one.octets.bytes(), seen.octets.bytes());
    });
    return found ? FingerprintCheck::Match : FingerprintCheck::Mismatch;
}

}  // namespace stile::identity
