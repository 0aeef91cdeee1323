// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/encoding.hpp>
#include <stile/sip/digest_client.hpp>
#include <stile/sip/limits.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {
namespace {

constexpr std::size_t cnonce_octets = 12;

std::optional<Qop> choose_qop(const Challenge& challenge) {
    if (challenge.qops.empty()) {
        // RFC 8760 Section 2.6, item 8: without the parameter "the default value is auth". A server
        // of RFC 2069, which only ever says MD5, means no qop by it.
        if (base_algorithm(challenge.algorithm) != AuthAlgorithm::Md5) return Qop::Auth;
        return std::nullopt;
    }
    // auth-int only where nothing else is offered: middle boxes that rewrite bodies break it.
    const bool has_auth = std::ranges::find(challenge.qops, Qop::Auth) != challenge.qops.end();
    return has_auth ? Qop::Auth : Qop::AuthInt;
}

}  // namespace

int strength(AuthAlgorithm algorithm) {
    switch (base_algorithm(algorithm)) {
        case AuthAlgorithm::Sha512_256:
        case AuthAlgorithm::Sha512_256Sess:
            return 2;
        case AuthAlgorithm::Sha256:
        case AuthAlgorithm::Sha256Sess:
            return 1;
        case AuthAlgorithm::Md5:
        case AuthAlgorithm::Md5Sess:
            break;
    }
    return 0;
}

DigestClient::DigestClient(Account account, crypto::RandomStream random, Md5Policy md5)
    : account_(std::move(account)), random_(std::move(random)), md5_(md5) {}

DigestClient::Outcome DigestClient::handle_challenge(const Message& response) {
    const bool proxy = response.status() == status::ProxyAuthenticationRequired;
    if (!proxy && response.status() != status::Unauthorized) return Outcome::NoChallenge;
    const auto asked = proxy ? HeaderName::ProxyAuthenticate : HeaderName::WwwAuthenticate;
    std::optional<Challenge> best;
    for (Challenge& challenge : challenges(response, asked)) {
        if (challenge.realm != account_.realm) continue;
        if (md5_ == Md5Policy::Refuse && strength(challenge.algorithm) == 0) continue;
        if (!best || strength(challenge.algorithm) > strength(best->algorithm)) {
            best = std::move(challenge);
        }
    }
    if (!best) return Outcome::NoChallenge;
    const auto answer = proxy ? HeaderName::ProxyAuthorization : HeaderName::Authorization;
    Session* current = session(answer);
    if (current == nullptr) current = &sessions_.emplace_back(Session{.name = answer});
    ++current->challenges;
    // The first challenge after a success may only mean that the server forgot its nonce.
    const bool refused = current->challenges > 1 && best->staleness == Staleness::Fresh;
    if (refused || current->challenges > most_challenges_in_a_row) {
        std::erase_if(sessions_, [answer](const Session& old) { return old.name == answer; });
        return Outcome::Refused;
    }
    current->ha1 = AuthSecret::from_password(best->algorithm, account_.username, account_.realm,
                                             account_.password)
                       .ha1;
    current->challenge = *std::move(best);
    current->cnonce = fresh_cnonce();
    current->nonce_count = 0;
    return Outcome::Retry;
}

std::vector<DigestClient::Answer> DigestClient::authorize(std::string_view method,
                                                          std::string_view request_uri,
                                                          BytesView body) {
    std::vector<Answer> answers;
    for (Session& one : sessions_) {
        const Challenge& challenge = one.challenge;
        if (one.nonce_count == most_nonce_uses) continue;  // the next challenge starts again
        Credentials credentials{
            .username = account_.username,
            .realm = account_.realm,
            .nonce = challenge.nonce,
            .uri = std::string{request_uri},
            .algorithm = challenge.algorithm,
            .opaque = challenge.opaque,
            .qop = choose_qop(challenge),
        };
        const bool is_session = base_algorithm(challenge.algorithm) != challenge.algorithm;
        if (credentials.qop || is_session) credentials.cnonce = one.cnonce;
        if (credentials.qop) credentials.nonce_count = ++one.nonce_count;
        credentials.response = digest_response({
            .algorithm = credentials.algorithm,
            .ha1 = one.ha1,
            .method = method,
            .uri = request_uri,
            .nonce = credentials.nonce,
            .cnonce = credentials.cnonce,
            .nonce_count = credentials.nonce_count,
            .qop = credentials.qop,
            .body = body,
        });
        one.uri = request_uri;
        answers.push_back({.name = one.name, .value = credentials.to_string()});
    }
    return answers;
}

void DigestClient::handle_success(const Message& response) {
    for (Session& one : sessions_) {
        one.challenges = 0;
        const auto name = one.name == HeaderName::Authorization
                              ? HeaderName::AuthenticationInfo
                              : HeaderName::ProxyAuthenticationInfo;
        const auto text = response.find(name);
        if (!text) continue;
        const auto info = AuthenticationInfo::parse(*text);
        if (!info || !info->next_nonce || info->next_nonce->empty()) continue;
        if (info->response_auth && info->qop) {
            const std::string expected = digest_rspauth({
                .algorithm = one.challenge.algorithm,
                .ha1 = one.ha1,
                .method = {},
                .uri = one.uri,
                .nonce = one.challenge.nonce,
                .cnonce = one.cnonce,
                .nonce_count = info->nonce_count,
                .qop = info->qop,
                .body = response.body(),
            });
            if (expected != *info->response_auth || info->cnonce != one.cnonce) continue;
        }
        one.challenge.nonce = *info->next_nonce;
        one.cnonce = fresh_cnonce();
        one.nonce_count = 0;
    }
}

DigestClient::Session* DigestClient::session(HeaderName name) {
    const auto found = std::ranges::find(sessions_, name, &Session::name);
    return found == sessions_.end() ? nullptr : &*found;
}

std::string DigestClient::fresh_cnonce() { return to_base64url(random_.bytes(cnonce_octets)); }

}  // namespace stile::sip
