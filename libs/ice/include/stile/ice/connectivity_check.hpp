// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/ice/candidate.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_view.hpp>

#include <expected>
#include <optional>
#include <string_view>

namespace stile::ice {

enum class Nomination : std::uint8_t { No, Yes };  // whether USE-CANDIDATE is there

// What a Binding request says beside its credentials. RFC 8445 Section 7.1.
struct CheckContent {
    std::uint32_t priority = 0;
    std::optional<Role> role;  // the sender's; absent from peers older than RFC 5245
    std::uint64_t tie_breaker = 0;
    Nomination nomination = Nomination::No;
    // The NOMINATION attribute of draft-thatcher-ice-renomination, which means something only
    // where both sides offered the option: the highest one holds.
    std::optional<std::uint32_t> nomination_number;
};

// Its number; comprehension-optional. IANA has given it to another draft's ENF-FLOW-DESCRIPTION,
// hence it is looked at only where renomination was agreed on.
inline constexpr stun::AttributeType nomination_attribute{0xC001};

// The attributes of an authenticated request, or the error to answer with.
std::expected<CheckContent, stun::ErrorCode> read_check(const stun::MessageView& request);

// Why a request is not acted on.
struct Refusal {
    std::optional<Bytes> answer;  // empty: say nothing, who sent it has not proved to be the peer
};
// The content of a request for `key`'s owner, once its fingerprint, integrity and attributes have
// been found good. RFC 8445 Section 7.3.
std::expected<CheckContent, Refusal> admit_check(const stun::MessageView& request,
                                                 const stun::IntegrityKey& key);

// A Binding request with USERNAME, PRIORITY, the role and its tie-breaker, MESSAGE-INTEGRITY and
// FINGERPRINT. RFC 8445 Section 7.2. Requires: content.role.
Bytes build_check(const stun::TransactionId& id, std::string_view username,
                  const CheckContent& content, const stun::IntegrityKey& key);

// Answers to it, with the integrity that it had. RFC 8445 Section 7.3.
Bytes build_success(const stun::MessageView& request, const SocketAddress& source,
                    const stun::IntegrityKey& key);
Bytes build_error(const stun::MessageView& request, const stun::ErrorCode& error,
                  const stun::IntegrityKey& key);
Bytes build_unknown_attributes(const stun::MessageView& request,
                               const stun::UnknownAttributes& unknown,
                               const stun::IntegrityKey& key);

// What ICE knows in addition to RFC 8489 and does not find.
stun::UnknownAttributes unknown_attributes(const stun::MessageView& message);

// RFC 8445 Section 7.2.2: "RFRAG:LFRAG", seen from who sends the request.
struct CheckUsername {
    std::string_view receiver;
    std::string_view sender;
};
std::optional<CheckUsername> split_username(std::string_view username);

}  // namespace stile::ice
