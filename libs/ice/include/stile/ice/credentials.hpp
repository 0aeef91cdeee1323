// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace stile::ice {

// The short-term credentials of one side for one generation of ICE. RFC 8445 Section 5.3.
struct Credentials {
    std::string fragment;  // ice-ufrag
    std::string password;  // ice-pwd

    // 48 and 144 random bits: RFC 8445 asks for at least 24 and 128.
    static Credentials generate(crypto::RandomStream& random);

    friend bool operator==(const Credentials&, const Credentials&) = default;
};

enum class CredentialsError : std::uint8_t {
    BadFragment,  // not 4 to 256 ice-chars; RFC 8839 Section 5.4
    BadPassword,  // not 22 to 256 ice-chars
    AlreadySet,   // other ones are in use: that needs a restart; RFC 8445 Section 9
};

std::optional<CredentialsError> check_credentials(const Credentials& credentials);

}  // namespace stile::ice
