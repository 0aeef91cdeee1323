// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/fingerprint.hpp>

#include <stile/base/encoding.hpp>

#include "lexer.hpp"

#include <array>

namespace stile::sdp {

namespace {

struct HashEntry {
    HashFunction hash;
    std::string_view name;
    std::size_t octets;
};

constexpr std::array<HashEntry, 7> hashes{{
    {HashFunction::Sha1, "sha-1", 20},
    {HashFunction::Sha224, "sha-224", 28},
    {HashFunction::Sha256, "sha-256", 32},
    {HashFunction::Sha384, "sha-384", 48},
    {HashFunction::Sha512, "sha-512", 64},
    {HashFunction::Md5, "md5", 16},
    {HashFunction::Md2, "md2", 16},
}};

const HashEntry& entry(HashFunction hash) {
    return *std::find_if(hashes.begin(), hashes.end(),
                         [&](const HashEntry& each) { return each.hash == hash; });
}

bool may_be_used(HashFunction hash) {
    return hash != HashFunction::Md5 && hash != HashFunction::Md2;
}

}  // namespace

std::size_t digest_octets(HashFunction hash) { return entry(hash).octets; }
std::string_view to_string(HashFunction hash) { return entry(hash).name; }

std::expected<Fingerprint, AttributeError> Fingerprint::parse(std::string_view value) {
    std::string_view rest = trim(value);
    const std::string_view hash_name = lexer::next_word(rest);
    if (!lexer::is_token(hash_name)) return std::unexpected(AttributeError::Malformed);
    Bytes digest;
    rest = trim(rest);
    if (rest.empty() || rest.back() == ':') return std::unexpected(AttributeError::Malformed);
    while (!rest.empty()) {
        const std::string_view pair = take_until(rest, ':');
        const auto octet = pair.size() == 2 ? from_hex(pair) : std::nullopt;
        if (!octet) return std::unexpected(AttributeError::Malformed);
        digest.push_back(octet->front());
    }
    for (const HashEntry& each : hashes) {
        if (!iequals(each.name, hash_name)) continue;
        if (digest.size() != each.octets) return std::unexpected(AttributeError::OutOfRange);
        return Fingerprint{.hash = each.hash, .digest = std::move(digest)};
    }
    return std::unexpected(AttributeError::Unsupported);
}

std::optional<std::string> Fingerprint::value() const {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text{to_string(hash)};
    char separator = ' ';
    for (const std::byte octet : digest) {
        text += separator;
        text += digits[std::to_integer<std::size_t>(octet >> 4U)];
        text += digits[std::to_integer<std::size_t>(octet & std::byte{0x0F})];
        separator = ':';
    }
    return text;
}

std::vector<Fingerprint> select_fingerprints(const std::vector<Fingerprint>& offered,
                                             const std::vector<HashFunction>& preference) {
    for (const HashFunction hash : preference) {
        if (!may_be_used(hash)) continue;
        std::vector<Fingerprint> selected;
        for (const Fingerprint& each : offered) {
            if (each.hash == hash) selected.push_back(each);
        }
        if (!selected.empty()) return selected;
    }
    return {};
}

bool same_fingerprints(const std::vector<Fingerprint>& left,
                       const std::vector<Fingerprint>& right) {
    const auto contains_all = [](const auto& outer, const auto& inner) {
        return std::all_of(inner.begin(), inner.end(), [&](const Fingerprint& each) {
            return std::find(outer.begin(), outer.end(), each) != outer.end();
        });
    };
    return contains_all(left, right) && contains_all(right, left);
}

}  // namespace stile::sdp
