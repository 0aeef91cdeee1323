// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/content_digest.hpp>

#include <stile/base/encoding.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/http/structured_field.hpp>

#include <algorithm>

namespace stile::http {

namespace {

std::optional<DigestKind> kind_named(std::string_view name) {
    for (const DigestKind kind : {DigestKind::Sha256, DigestKind::Sha512}) {
        if (name == to_string(kind)) return kind;
    }
    return {};
}

std::size_t octets_of(DigestKind kind) { return kind == DigestKind::Sha256 ? 32 : 64; }

std::vector<DictionaryMember> dictionary(const Fields& fields, std::string_view name) {
    const auto value = fields.combined(name);
    if (!value) return {};
    return parse_dictionary(*value).value_or(std::vector<DictionaryMember>{});
}

}  // namespace

std::string_view field_name(DigestField field) {
    return field == DigestField::Content ? "content-digest" : "repr-digest";
}

std::string_view want_field_name(DigestField field) {
    return field == DigestField::Content ? "want-content-digest" : "want-repr-digest";
}

std::string_view to_string(DigestKind kind) {
    return kind == DigestKind::Sha256 ? "sha-256" : "sha-512";
}

std::vector<ContentDigest> read_digests(const Fields& fields, DigestField field) {
    std::vector<ContentDigest> digests;
    for (const DictionaryMember& member : dictionary(fields, field_name(field))) {
        const auto kind = kind_named(member.key);
        const auto* octets = std::get_if<Bytes>(&member.value);
        if (!kind || !octets || octets->size() != octets_of(*kind)) continue;
        digests.push_back({.kind = *kind, .digest = *octets});
    }
    return digests;
}

std::string format_digests(const std::vector<ContentDigest>& digests) {
    std::string text;
    for (const ContentDigest& each : digests) {
        if (!text.empty()) text += ", ";
        text += to_string(each.kind);
        text += "=:" + to_base64(each.digest) + ':';
    }
    return text;
}

ContentDigest sha256_digest(BytesView content) {
    const crypto::Digest digest = crypto::digest(crypto::DigestAlgorithm::Sha256, content);
    return {.kind = DigestKind::Sha256, .digest = to_bytes(digest.bytes())};
}

DigestCheck check_sha256(const Fields& fields, DigestField field, BytesView computed) {
    for (const ContentDigest& each : read_digests(fields, field)) {
        if (each.kind != DigestKind::Sha256) continue;
        return equal(each.digest, computed) ? DigestCheck::Matches : DigestCheck::Differs;
    }
    return DigestCheck::Absent;
}

std::vector<DigestKind> wanted_digests(const Fields& fields, DigestField field) {
    struct Wish {
        DigestKind kind;
        std::int64_t weight;
    };
    const auto stronger = [](const Wish& left, const Wish& right) {
        return left.weight > right.weight;
    };
    std::vector<Wish> wishes;
    for (const DictionaryMember& member : dictionary(fields, want_field_name(field))) {
        const auto kind = kind_named(member.key);
        const auto* weight = std::get_if<std::int64_t>(&member.value);
        if (!kind || !weight || *weight < 1 || *weight > 10) continue;
        // Equals keep the order in which they came.
        const Wish wish{.kind = *kind, .weight = *weight};
        wishes.insert(std::upper_bound(wishes.begin(), wishes.end(), wish, stronger), wish);
    }
    std::vector<DigestKind> kinds;
    for (const Wish& each : wishes) kinds.push_back(each.kind);
    return kinds;
}

}  // namespace stile::http
