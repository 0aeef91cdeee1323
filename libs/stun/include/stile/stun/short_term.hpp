// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/attributes/error.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

#include <expected>
#include <string_view>

namespace stile::stun {

// The checks of RFC 8489 Section 9.1.3, in two steps because only the caller knows the passwords:
//   1. short_term_username: who says he is there;
//   2. check_short_term with that user's key, or unauthenticated if there is no such user.
// A refusal is answered by error_response if the message is a request, without integrity, and
// dropped silently if it is an indication.

// The USERNAME, or bad_request if it or the integrity is missing.
[[nodiscard]] std::expected<std::string_view, ErrorCode> short_term_username(
    const MessageView& message);

// The kind that was checked, which any response must bear; unauthenticated if it does not match.
[[nodiscard]] std::expected<IntegrityKind, ErrorCode> check_short_term(const MessageView& message,
                                                                       const IntegrityKey& key);

// The client's side of one server (same address and port), RFC 8489 Sections 9.1.2, 9.1.4, 9.1.5.
enum class ShortTermKinds : std::uint8_t {
    Sha1,  // the usage says so, as ICE does; or learned from a response
    Sha256,
    Both,  // not known yet what the server understands
};

// Adds the integrity attributes; USERNAME and the others must be there already.
void add_short_term_integrity(MessageBuilder& builder, const IntegrityKey& key,
                              ShortTermKinds kinds);

// The integrity of a response to a request sent with `kinds`; if it passes, `kinds` becomes the one
// to use with this server from then on.
[[nodiscard]] Integrity check_short_term_response(const MessageView& response,
                                                  const IntegrityKey& key, ShortTermKinds& kinds);

}  // namespace stile::stun
