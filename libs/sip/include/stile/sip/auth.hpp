// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message.hpp>
#include <stile/sip/message_builder.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stile::sip {

// RFC 7616 Section 6.1, RFC 8760 Section 2.7.
enum class AuthAlgorithm : std::uint8_t {
    Md5,
    Md5Sess,
    Sha256,
    Sha256Sess,
    Sha512_256,
    Sha512_256Sess,
};

std::string_view auth_algorithm_text(AuthAlgorithm algorithm);
std::optional<AuthAlgorithm> auth_algorithm_of(std::string_view text);  // in any case

enum class Qop : std::uint8_t { Auth, AuthInt };

std::string_view qop_text(Qop qop);

// nc-value: "0000000a".
std::string nonce_count_text(std::uint32_t count);

// Whether the previous nonce was the only thing wrong.
enum class Staleness : std::uint8_t { Fresh, Stale };

// A Digest challenge: a value of WWW-Authenticate or Proxy-Authenticate. RFC 7616 Section 3.3.
struct Challenge {
    std::string realm;
    std::string nonce;
    std::optional<std::string> opaque;
    std::optional<std::string> domain;
    AuthAlgorithm algorithm = AuthAlgorithm::Md5;  // absent means MD5
    std::vector<Qop> qops;                         // in the server's order, unknown ones left out
    Staleness staleness = Staleness::Fresh;

    // ParseError::BadAuth as well for another scheme, an unknown algorithm, and a qop parameter
    // none of whose values is known: such a challenge is to be ignored. RFC 7616 Section 3.3.
    static std::expected<Challenge, ParseError> parse(std::string_view text);
    std::string to_string() const;
    friend bool operator==(const Challenge&, const Challenge&) = default;
};

// A value of Authorization or Proxy-Authorization. RFC 7616 Section 3.4.
struct Credentials {
    std::string username;
    std::string realm;
    std::string nonce;
    std::string uri;       // as written
    std::string response;  // hexadecimal digits; empty before a first challenge
    AuthAlgorithm algorithm = AuthAlgorithm::Md5;
    std::optional<std::string> opaque;
    std::optional<Qop> qop;
    std::string cnonce;             // with qop only
    std::uint32_t nonce_count = 0;  // with qop only, from 1

    static std::expected<Credentials, ParseError> parse(std::string_view text);
    std::string to_string() const;
    friend bool operator==(const Credentials&, const Credentials&) = default;
};

// What a server says to a client that it has believed. RFC 7616 Section 3.5.
struct AuthenticationInfo {
    std::optional<std::string> next_nonce;
    std::optional<std::string> response_auth;
    std::optional<Qop> qop;
    std::string cnonce;
    std::uint32_t nonce_count = 0;

    static std::expected<AuthenticationInfo, ParseError> parse(std::string_view text);
    std::string to_string() const;
};

// The understood challenges of a 401 (WWW-Authenticate) or 407 (Proxy-Authenticate), in their
// order; those that are not understood are left out. RFC 8760 Section 2.4. At most most_challenges.
std::vector<Challenge> challenges(const Message& response, HeaderName name);

// The credentials for a realm in Authorization or Proxy-Authorization; the first ones that parse.
std::optional<Credentials> credentials_for(const Message& request, HeaderName name,
                                           std::string_view realm);

}  // namespace stile::sip
