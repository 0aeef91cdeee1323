// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/hmac.hpp>
#include <stile/drivers/dtls_limits.hpp>

#include <array>

namespace stile::drivers {

// What a client has to return before anything is kept of it: a code over its path and the time,
// under a secret of this server. RFC 6347 Section 4.2.1.
class CookieJar {
public:
    using Cookie = std::array<std::byte, dtls_cookie_octets>;

    explicit CookieJar(BytesView secret) : hmac_(crypto::DigestAlgorithm::Sha256, secret) {}

    Cookie bake(Instant now, const Path& path) const;
    enum class Taste : std::uint8_t { Good, Bad };
    Taste taste(Instant now, const Path& path, BytesView cookie) const;

private:
    static std::uint64_t period_of(Instant now) {
        return static_cast<std::uint64_t>(now.time_since_epoch() / dtls_cookie_period);
    }
    Cookie bake(std::uint64_t period, const Path& path) const;

    crypto::Hmac hmac_;
};

}  // namespace stile::drivers
