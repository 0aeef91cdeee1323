// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/crypto/digest.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace stile::turn {

// Time-limited credentials from a secret that a server shares with whoever hands them out
// (draft-uberti-behave-turn-rest-00): the username is "expiry" or "expiry:user" with the expiry in
// seconds since 1970, the password base64(HMAC(secret, username)). No account is stored anywhere.
enum class SecretDigest : std::uint8_t {
    Sha1,  // what the draft and other servers use
    Sha256,
};

struct SharedSecret {
    std::string secret;
    SecretDigest digest = SecretDigest::Sha1;
};

struct TimeLimitedCredential {
    std::string username;
    std::string password;
};

// Requires: expires is not before 1970; user has no colon trouble: it is everything after the
// first. An empty user gives a username without colon.
TimeLimitedCredential make_time_limited(const SharedSecret& secret, WallTime expires,
                                        std::string_view user = {});

// What a username of the form above says. It proves nothing by itself.
struct TimeLimitedUsername {
    WallTime expires;
    std::string_view user;  // views into the username; empty where it has none

    static std::optional<TimeLimitedUsername> parse(std::string_view username);
};

std::string time_limited_password(const SharedSecret& secret, std::string_view username);

}  // namespace stile::turn
