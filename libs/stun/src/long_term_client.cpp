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
    if (credentials_.grant) set_grant(*std::move(credentials_.grant));
}

void LongTermClient::set_grant(Grant grant) {
    STILE_ASSERT(grant.key_id.size() <= most_sent_text_octets);
    STILE_ASSERT(grant.token.size() <= most_access_token_octets);
    credentials_.grant = std::move(grant);
    if (challenge_) prepare_key(*challenge_);
}

void LongTermClient::authenticate(MessageBuilder& builder) const {
    if (!challenge_) return;
    // RFC 7635 Section 5: MESSAGE-INTEGRITY, whatever else is offered.
    if (challenge_->proof == Challenge::Proof::Grant) {
        builder.add(Username{credentials_.grant->key_id});
        if (!challenge_->realm.empty()) builder.add(Realm{challenge_->realm});
        builder.add(Nonce{challenge_->nonce});
        builder.add(AccessToken{credentials_.grant->token});
        builder.add_integrity(challenge_->key, IntegrityKind::Sha1);
        return;
    }
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

// What was tried before a grant came, or with an older one.
bool LongTermClient::is_outdated(const MessageView& request, const Challenge& offered) const {
    if (offered.proof != Challenge::Proof::Grant) return false;
    const auto tried = request.find(AttributeType::AccessToken);
    return !tried || !std::ranges::equal(*tried, credentials_.grant->token);
}

// RFC 8489 Section 9.2.5.
LongTermClient::Outcome LongTermClient::handle_challenge(std::uint16_t code,
                                                         const MessageView& request,
                                                         const MessageView& response) {
    std::optional<Challenge> offered = read_challenge(response);
    if (!offered) return Outcome::Refused;
    // Only a grant will do, and there is none.
    if (offered->proof == Challenge::Proof::Password && offered->realm.empty() &&
        !response.has(AttributeType::Realm)) {
        challenge_ = std::move(offered);
        return Outcome::Refused;
    }
    if (!strongest_integrity(request)) {
        // The first request, as it should be, or one that was under way when the first challenge
        // came.
        challenge_ = std::move(offered);
        return Outcome::Retry;
    }
    const auto tried_realm = request.get<Realm>();
    const auto tried_nonce = request.get<Nonce>();
    const bool same_realm =
        tried_realm ? tried_realm->text == offered->realm : request.has(AttributeType::AccessToken);
    const bool same_nonce = tried_nonce && tried_nonce->text == offered->nonce;
    // A newer token, or the first for what was tried with a password.
    if (code == unauthenticated && is_outdated(request, *offered)) {
        if (++challenges_in_a_row_ > most_challenges_in_a_row) return Outcome::Refused;
        challenge_ = std::move(offered);
        return Outcome::Retry;
    }
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
    const auto named = response.get<ThirdPartyAuthorization>();
    std::optional<std::string> third_party;
    if (named) {
        third_party = std::string{named->text};
    } else if (challenge_ && error_code_of(response) == stale_nonce) {
        third_party = challenge_->third_party;
    }
    // A 438 without REALM is a mistake that leaves no doubt about what is meant. RFC 7635 Section 4
    // asks for none.
    if (!realm && !challenge_ && !third_party) return std::nullopt;
    std::string realm_text;
    if (realm) {
        realm_text = std::string{realm->text};
    } else if (challenge_) {
        realm_text = challenge_->realm;
    }

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
    Challenge challenge{
        .realm = std::move(realm_text),
        .nonce = std::string{nonce->text},
        .third_party = std::move(third_party),
        .algorithms = std::move(echo),
        .algorithm = algorithm,
        .anonymous = features && features->has(SecurityFeatures::username_anonymity),
        .proof = Challenge::Proof::Password,
        .key = IntegrityKey::from_octets({}),
    };
    prepare_key(challenge);
    return challenge;
}

// RFC 7635 Section 6.1: third-party authorization before a password.
void LongTermClient::prepare_key(Challenge& challenge) const {
    if (challenge.third_party && credentials_.grant) {
        challenge.proof = Challenge::Proof::Grant;
        challenge.key = IntegrityKey::from_octets(credentials_.grant->mac_key);
        return;
    }
    challenge.proof = Challenge::Proof::Password;
    challenge.key = IntegrityKey::long_term(credentials_.username, challenge.realm,
                                            credentials_.password, challenge.algorithm);
}

}  // namespace stile::stun
