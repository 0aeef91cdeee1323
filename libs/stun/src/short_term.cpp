// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/stun/attributes/text.hpp>
#include <stile/stun/short_term.hpp>

namespace stile::stun {

std::expected<std::string_view, ErrorCode> short_term_username(const MessageView& message) {
    const auto username = message.get<Username>();
    if (!username || !strongest_integrity(message)) return std::unexpected(error::bad_request);
    return username->text;
}

std::expected<IntegrityKind, ErrorCode> check_short_term(const MessageView& message,
                                                         const IntegrityKey& key) {
    const auto kind = strongest_integrity(message);
    if (!kind) return std::unexpected(error::bad_request);
    if (check_integrity(message, key, *kind) == Integrity::Failed) {
        return std::unexpected(error::unauthenticated);
    }
    return *kind;
}

void add_short_term_integrity(MessageBuilder& builder, const IntegrityKey& key,
                              ShortTermKinds kinds) {
    switch (kinds) {
        case ShortTermKinds::Sha1:
            builder.add_integrity(key, IntegrityKind::Sha1);
            return;
        case ShortTermKinds::Sha256:
            builder.add_integrity(key, IntegrityKind::Sha256);
            return;
        case ShortTermKinds::Both:
            builder.add_integrity(key, IntegrityKind::Sha1);
            builder.add_integrity(key, IntegrityKind::Sha256);
            return;
    }
}

Integrity check_short_term_response(const MessageView& response, const IntegrityKey& key,
                                    ShortTermKinds& kinds) {
    const auto kind = strongest_integrity(response);
    if (!kind) return Integrity::Failed;
    const auto answered =
        *kind == IntegrityKind::Sha1 ? ShortTermKinds::Sha1 : ShortTermKinds::Sha256;
    // The algorithm has to match the one that was sent. RFC 8489 Section 9.1.4.
    if (kinds != ShortTermKinds::Both && kinds != answered) return Integrity::Failed;
    if (check_integrity(response, key, *kind) == Integrity::Failed) return Integrity::Failed;
    kinds = answered;
    return Integrity::Passed;
}

}  // namespace stile::stun
