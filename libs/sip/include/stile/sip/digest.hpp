// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/sip/auth.hpp>

#include <string>
#include <string_view>

namespace stile::sip {

// H(username ":" realm ":" password): all that a server needs to keep of a password, for one realm
// and one hash. RFC 7616 Section 3.4.2. As dangerous to lose as the password itself in that realm.
struct AuthSecret {
    AuthAlgorithm algorithm = AuthAlgorithm::Md5;  // never a session variant
    std::string ha1;                               // lower-case hexadecimal

    static AuthSecret from_password(AuthAlgorithm algorithm, std::string_view username,
                                    std::string_view realm, std::string_view password);
};

// The algorithm without -sess: which secret it needs.
AuthAlgorithm base_algorithm(AuthAlgorithm algorithm);

// What a digest is computed over. Views only for the call.
struct DigestInput {
    AuthAlgorithm algorithm = AuthAlgorithm::Md5;
    std::string_view ha1;  // hexadecimal, of the algorithm's base
    std::string_view method;
    std::string_view uri;
    std::string_view nonce;
    std::string_view cnonce;        // with qop or a session algorithm
    std::uint32_t nonce_count = 0;  // with qop
    std::optional<Qop> qop;         // absent: the form of RFC 2617 Section 3.2.2.1
    BytesView body;                 // with Qop::AuthInt
};

// The response parameter's hexadecimal digits. RFC 7616 Section 3.4.1.
std::string digest_response(const DigestInput& input);
// rspauth: as above with A2 = ":" uri. RFC 7616 Section 3.5.
std::string digest_rspauth(DigestInput input);

// What a server judges credentials against.
struct VerifyInput {
    const AuthSecret& secret;
    std::string_view method;
    BytesView body;
};

// Are these credentials made with the secret? Compares in constant time. Says nothing about the
// nonce: see NonceIssuer. False as well where the algorithms' bases differ.
bool verify(const Credentials& credentials, const VerifyInput& input);

}  // namespace stile::sip
