// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/long_term_client.hpp>
#include <stile/stun/nonce_cookie.hpp>

#include <algorithm>

namespace stile::stun {
namespace {

constexpr std::uint16_t unauthenticated = error::unauthenticated.code;
constexpr std::uint16_t stale_nonce = error::stale_nonce.code;

bool is_supported(PasswordAlgorithm algorithm) {
    return algorithm == PasswordAlgorithm::Md5 || algorithm == PasswordAlgorithm::Sha256;
}

// Somebody took PASSWORD-ALGORITHMS out: the nonce, which he cannot change, says that it was there.
// RFC 8489 Section 9.2.1.
bool is_bid_down(const MessageView& response) {
    const auto nonce = response.get<Nonce>();
    if (!nonce) return false;
    const auto features = parse_nonce_cookie(nonce->text);
    return features && features->has(SecurityFeatures::password_algorithms) &&
           !response.has(AttributeType::PasswordAlgorithms);
}

std::uint16_t error_code_of(const MessageView& response) {
    if (response.message_class() != Class::ErrorResponse) return 0;
    const auto error = response.get<ErrorCode>();
    return error ? error->code : std::uint16_t{0};
}

}  // namespace

LongTermClient::LongTermClient(Credentials credentials) : credentials_(std::move(credentials)) {
    STILE_ASSERT(credentials_.username.size() <= most_sent_text_octets);
    STILE_ASSERT(credentials_.password.size() <= most_sent_text_octets);
}

void LongTermClient::authenticate(MessageBuilder& builder) const {
    if (!challenge_) return;
    if (challenge_->anonymous) {
        builder.add(UserHash::of(credentials_.username, challenge_->realm));
    } else {
        builder.add(Username{credentials_.username});
    }
    builder.add(Realm{challenge_->realm}).add(Nonce{challenge_->nonce});
    if (challenge_->algorithms) {
        builder.add_raw(AttributeType::PasswordAlgorithms, *challenge_->algorithms);
        builder.add(PasswordAlgorithmAttribute{challenge_->algorithm});
    }
    builder.add_integrity(challenge_->key,
                          challenge_->algorithms ? IntegrityKind::Sha256 : IntegrityKind::Sha1);
}

LongTermClient::Outcome LongTermClient::handle_response(const MessageView& request,
                                                        const MessageView& response) {
    const std::uint16_t code = error_code_of(response);
    if (code == unauthenticated || code == stale_nonce) {
        return handle_challenge(code, request, response);
    }
    const Outcome outcome = judge_integrity(request, response);
    if (outcome == Outcome::Accepted) challenges_in_a_row_ = 0;
    return outcome;
}

// RFC 8489 Section 9.2.5.
LongTermClient::Outcome LongTermClient::handle_challenge(std::uint16_t code,
                                                         const MessageView& request,
                                                         const MessageView& response) {
    std::optional<Challenge> offered = read_challenge(response);
    if (!offered) return Outcome::Refused;
    if (!strongest_integrity(request)) {
        // The first request, as it should be, or one that was under way when the first challenge
        // came.
        challenge_ = std::move(offered);
        return Outcome::Retry;
    }
    const auto tried_realm = request.get<Realm>();
    const auto tried_nonce = request.get<Nonce>();
    const bool same_realm = tried_realm && tried_realm->text == offered->realm;
    const bool same_nonce = tried_nonce && tried_nonce->text == offered->nonce;
    // The same name and password once more would be no different.
    if (code == unauthenticated && same_realm) return Outcome::Refused;
    if (code == stale_nonce && same_nonce) return Outcome::Refused;
    // A request with an older nonce than the present one tells nothing new: others have been told.
    const bool is_news = !tried_nonce || !challenge_ || tried_nonce->text == challenge_->nonce;
    if (is_news) {
        if (++challenges_in_a_row_ > most_challenges_in_a_row) return Outcome::Refused;
        challenge_ = std::move(offered);
    }
    return Outcome::Retry;
}

LongTermClient::Outcome LongTermClient::judge_integrity(const MessageView& request,
                                                        const MessageView& response) const {
    if (is_bid_down(response)) return Outcome::Discarded;
    if (!challenge_ || !strongest_integrity(request)) return Outcome::Accepted;
    const auto kind = strongest_integrity(response);
    // This includes 400 without integrity, which RFC 8489 Section 9.2.5 names on its own.
    if (!kind) return Outcome::Discarded;
    return check_integrity(response, challenge_->key, *kind) == Integrity::Passed
               ? Outcome::Accepted
               : Outcome::Discarded;
}

std::optional<LongTermClient::Challenge> LongTermClient::read_challenge(
    const MessageView& response) const {
    const auto realm = response.get<Realm>();
    const auto nonce = response.get<Nonce>();
    if (!nonce || nonce->text.empty() || is_bid_down(response)) return std::nullopt;
    // A 438 without REALM is a mistake that leaves no doubt about what is meant.
    if (!realm && !challenge_) return std::nullopt;
    std::string realm_text = realm ? std::string{realm->text} : challenge_->realm;

    std::optional<Bytes> echo;
    PasswordAlgorithm algorithm = PasswordAlgorithm::Md5;
    if (const auto offered = response.find(AttributeType::PasswordAlgorithms)) {
        const auto algorithms = response.get<PasswordAlgorithms>();
        if (!algorithms) return std::nullopt;
        const auto first = std::ranges::find_if(algorithms->list(), is_supported);
        if (first == algorithms->list().end()) return std::nullopt;
        algorithm = *first;
        echo = to_bytes(*offered);
    }
    const auto features = parse_nonce_cookie(nonce->text);
    IntegrityKey key = IntegrityKey::long_term(credentials_.username, realm_text,
                                               credentials_.password, algorithm);
    return Challenge{
        .realm = std::move(realm_text),
        .nonce = std::string{nonce->text},
        .algorithms = std::move(echo),
        .algorithm = algorithm,
        .anonymous = features && features->has(SecurityFeatures::username_anonymity),
        .key = std::move(key),
    };
}

}  // namespace stile::stun
