// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/time_limited.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/crypto/hmac.hpp>

namespace stile::turn {
namespace {

crypto::DigestAlgorithm algorithm(SecretDigest digest) {
    switch (digest) {
        case SecretDigest::Sha1:
            return crypto::DigestAlgorithm::Sha1;
        case SecretDigest::Sha256:
            return crypto::DigestAlgorithm::Sha256;
    }
    return crypto::DigestAlgorithm::Sha1;
}

}  // namespace

TimeLimitedCredential make_time_limited(const SharedSecret& secret, WallTime expires,
                                        std::string_view user) {
    std::string username = std::to_string(expires.time_since_epoch().count());
    if (!user.empty()) username.append(1, ':').append(user);
    std::string password = time_limited_password(secret, username);
    return {.username = std::move(username), .password = std::move(password)};
}

std::optional<TimeLimitedUsername> TimeLimitedUsername::parse(std::string_view username) {
    // Twelve digits reach the year 33658; a longer number is not a time.
    constexpr std::uint64_t most_seconds = 999'999'999'999;
    std::string_view rest = username;
    const auto seconds = parse_unsigned(take_until(rest, ':'), most_seconds);
    if (!seconds) return std::nullopt;
    return TimeLimitedUsername{
        .expires = WallTime{std::chrono::seconds{static_cast<std::int64_t>(*seconds)}},
        .user = rest,
    };
}

std::string time_limited_password(const SharedSecret& secret, std::string_view username) {
    const crypto::Hmac hmac{algorithm(secret.digest), as_bytes(secret.secret)};
    const crypto::Digest tag = hmac.tag(as_bytes(username));
    return to_base64(tag.bytes());
}

}  // namespace stile::turn
