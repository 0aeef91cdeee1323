// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/sip/digest.hpp>

#include <optional>
#include <vector>

namespace stile::sip {

// What a user agent may answer with, and where. A challenge for another realm is not answered,
// however it is spelled: a peer that copies a server's challenge gets nothing.
struct Account {
    std::string username;
    std::string realm;
    std::string password;
};

enum class Md5Policy : std::uint8_t { Allow, Refuse };

// Answers challenges of one server for one account, and counts what each nonce was used for. The
// owner hands in only responses that came from the server the account belongs to (never a peer's in
// a dialog): the flow they came by is not seen here.
class DigestClient {
public:
    enum class Outcome : std::uint8_t {
        Retry,        // credentials are there: send the request again with add_credentials()
        NoChallenge,  // none for our realm that is understood
        Refused,      // challenged again although the nonce was not stale: the password is wrong
    };

    DigestClient(Account account, crypto::RandomStream random, Md5Policy md5 = Md5Policy::Allow);

    // Takes the strongest understood challenge for our realm of a 401 or 407: SHA-512-256, SHA-256,
    // MD5; a local policy in the words of RFC 8760 Section 2.4, so that who alters the order of the
    // challenges cannot choose MD5.
    Outcome handle_challenge(const Message& response);

    // The header fields for a request, none before the first challenge. Each call uses up one
    // nonce count: call it once for each request sent, not for retransmissions.
    struct Answer {
        HeaderName name = HeaderName::Authorization;  // or ProxyAuthorization
        std::string value;
    };
    std::vector<Answer> authorize(std::string_view method, std::string_view request_uri,
                                  BytesView body);

    // Takes the next nonce of an Authentication-Info, if the server proves that it knows the
    // password where it claims to (rspauth).
    void handle_success(const Message& response);

    const Account& account() const { return account_; }

private:
    struct Session {
        HeaderName name = HeaderName::Authorization;
        Challenge challenge;
        std::string cnonce;
        std::string ha1;
        std::uint32_t nonce_count = 0;
        std::uint32_t challenges = 0;  // since the last success
        std::string uri;               // of the last answer
    };
    Session* session(HeaderName name);
    std::string fresh_cnonce();

    Account account_;
    crypto::RandomStream random_;
    Md5Policy md5_;
    std::vector<Session> sessions_;  // at most two: server and proxy
};

// How good an algorithm is, for choosing: higher is stronger.
int strength(AuthAlgorithm algorithm);

}  // namespace stile::sip
