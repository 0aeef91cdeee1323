// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/digest.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace stile::peer {

// https://HOST:PORT/login#USER.TOKEN.FINGERPRINT: where to log in, as whom, the secret that works
// once, and the SHA-256 of the certificate of the authority that the server must be certified by,
// in base 64 url. The part after # never travels in a request line.
struct LoginLink {
    std::string host;  // without brackets
    Port port;
    std::string user;
    std::string token;
    crypto::Digest ca_fingerprint;

    static std::optional<LoginLink> parse(std::string_view text);
};

}  // namespace stile::peer
