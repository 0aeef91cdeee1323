// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/text.hpp>
#include <stile/crypto/hmac.hpp>
#include <stile/sip/digest.hpp>

namespace stile::sip {
namespace {

crypto::DigestAlgorithm hash_of(AuthAlgorithm algorithm) {
    switch (algorithm) {
        case AuthAlgorithm::Md5:
        case AuthAlgorithm::Md5Sess:
            return crypto::DigestAlgorithm::Md5;
        case AuthAlgorithm::Sha256:
        case AuthAlgorithm::Sha256Sess:
            return crypto::DigestAlgorithm::Sha256;
        case AuthAlgorithm::Sha512_256:
        case AuthAlgorithm::Sha512_256Sess:
            return crypto::DigestAlgorithm::Sha512_256;
    }
    return crypto::DigestAlgorithm::Md5;
}

bool is_session(AuthAlgorithm algorithm) { return algorithm != base_algorithm(algorithm); }

// H of the parts with colons between them, in hexadecimal.
std::string hash_text(AuthAlgorithm algorithm, std::initializer_list<std::string_view> parts) {
    std::string joined;
    for (const std::string_view part : parts) joined.append(part).append(":");
    joined.pop_back();
    return crypto::digest(hash_of(algorithm), as_bytes(joined)).to_hex();
}

}  // namespace

AuthAlgorithm base_algorithm(AuthAlgorithm algorithm) {
    switch (algorithm) {
        case AuthAlgorithm::Md5:
        case AuthAlgorithm::Md5Sess:
            return AuthAlgorithm::Md5;
        case AuthAlgorithm::Sha256:
        case AuthAlgorithm::Sha256Sess:
            return AuthAlgorithm::Sha256;
        case AuthAlgorithm::Sha512_256:
        case AuthAlgorithm::Sha512_256Sess:
            return AuthAlgorithm::Sha512_256;
    }
    return AuthAlgorithm::Md5;
}

AuthSecret AuthSecret::from_password(AuthAlgorithm algorithm, std::string_view username,
                                     std::string_view realm, std::string_view password) {
    const AuthAlgorithm base = base_algorithm(algorithm);
    return {.algorithm = base, .ha1 = hash_text(base, {username, realm, password})};
}

std::string digest_response(const DigestInput& input) {
    const AuthAlgorithm algorithm = input.algorithm;
    std::string ha1{input.ha1};
    if (is_session(algorithm)) ha1 = hash_text(algorithm, {ha1, input.nonce, input.cnonce});
    std::string ha2;
    if (input.qop == Qop::AuthInt) {
        const std::string body = crypto::digest(hash_of(algorithm), input.body).to_hex();
        ha2 = hash_text(algorithm, {input.method, input.uri, body});
    } else {
        ha2 = hash_text(algorithm, {input.method, input.uri});
    }
    if (!input.qop) return hash_text(algorithm, {ha1, input.nonce, ha2});
    return hash_text(algorithm, {ha1, input.nonce, nonce_count_text(input.nonce_count),
                                 input.cnonce, qop_text(*input.qop), ha2});
}

std::string digest_rspauth(DigestInput input) {
    input.method = {};
    return digest_response(input);
}

bool verify(const Credentials& credentials, const VerifyInput& input) {
    if (base_algorithm(credentials.algorithm) != input.secret.algorithm) return false;
    const std::string expected = digest_response({
        .algorithm = credentials.algorithm,
        .ha1 = input.secret.ha1,
        .method = input.method,
        .uri = credentials.uri,
        .nonce = credentials.nonce,
        .cnonce = credentials.cnonce,
        .nonce_count = credentials.nonce_count,
        .qop = credentials.qop,
        .body = input.body,
    });
    const std::string given = to_lower(credentials.response);
    return crypto::equal_in_constant_time(as_bytes(expected), as_bytes(given));
}

}  // namespace stile::sip
