// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/ice/credentials.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/ice/limits.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

// ice-char of RFC 8839 Section 5.1: the alphabet of base 64.
bool is_ice_text(std::string_view text, std::size_t least) {
    return text.size() >= least && text.size() <= limits::most_credential_size &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return is_alnum(c) || c == '+' || c == '/'; });
}

}  // namespace

Credentials Credentials::generate(crypto::RandomStream& random) {
    // Multiples of three octets, so that there is no padding.
    return {.fragment = to_base64(random.bytes(6)), .password = to_base64(random.bytes(18))};
}

std::optional<CredentialsError> check_credentials(const Credentials& credentials) {
    if (!is_ice_text(credentials.fragment, limits::least_fragment_size)) {
        return CredentialsError::BadFragment;
    }
    if (!is_ice_text(credentials.password, limits::least_password_size)) {
        return CredentialsError::BadPassword;
    }
    return std::nullopt;
}

}  // namespace stile::ice
