// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip_server/authenticator.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip_server {

using sip::AuthAlgorithm;

namespace {

// Strongest first. RFC 8760 Section 2.3.
std::vector<AuthAlgorithm> algorithms(AccountClass account_class) {
    switch (account_class) {
        case AccountClass::Modern:
            return {AuthAlgorithm::Sha512_256, AuthAlgorithm::Sha256};
        case AccountClass::Compatible:
            return {AuthAlgorithm::Md5};
    }
    return {};
}

}  // namespace

Authenticator::Authenticator(Config config, BytesView key)
    : config_(std::move(config)), nonces_(key, config_.nonce_lifetime) {}

// A nonce serves one flow: what is heard on the way cannot be used from elsewhere.
std::string Authenticator::binding_of(const Source& source) const {
    return std::to_string(source.flow.value);
}

bool Authenticator::may_use(AccountClass account_class, const Source& source) const {
    switch (account_class) {
        case AccountClass::Modern:
            return true;
        case AccountClass::Compatible:
            return config_.md5_transports == Md5Transports::Any || sip::is_secure(source.transport);
    }
    return false;
}

std::optional<std::string> Authenticator::claimed_user(const sip::Message& request,
                                                       sip::HeaderName name) const {
    auto given = sip::credentials_for(request, name, config_.realm);
    if (!given) return std::nullopt;
    return std::move(given->username);
}

AuthVerdict Authenticator::judge(const sip::Message& request, sip::HeaderName name,
                                 const std::optional<AccountRecord>& account, const Source& source,
                                 WallTime now) const {
    const AccountClass account_class = account ? account->account_class : config_.default_class;
    if (!may_use(account_class, source)) return AuthVerdict::Forbidden;
    const auto given = sip::credentials_for(request, name, config_.realm);
    if (!given) return AuthVerdict::Missing;
    const auto nonce = nonces_.check(given->nonce, now, config_.realm, binding_of(source));
    if (nonce == sip::NonceVerdict::Forged) return AuthVerdict::Failed;
    // Only what we challenged with: nobody talks a modern account down to MD5.
    const auto offered = algorithms(account_class);
    const AuthAlgorithm algorithm = sip::base_algorithm(given->algorithm);
    if (std::ranges::find(offered, algorithm) == offered.end()) return AuthVerdict::Failed;
    if (!account) return AuthVerdict::Failed;
    const auto secret = std::ranges::find(account->secrets, algorithm, &sip::AuthSecret::algorithm);
    if (secret == account->secrets.end()) return AuthVerdict::Failed;
    // "It is not necessarily a failure if the two fields are not equivalent": a proxy may have
    // forwarded, and clients name the server by address. RFC 3261 Section 22.4 item 6.
    if (given->uri != request.request_uri_text()) {
        const auto uri = sip::UriView::parse(given->uri);
        const auto target = request.request_uri();
        if (!uri || !target) return AuthVerdict::Failed;
        const bool both_here = config_.own.is_own(*uri) && config_.own.is_own(*target);
        if (*uri != *target && !both_here) return AuthVerdict::Failed;
    }
    const bool passed = sip::verify(
        *given, {.secret = *secret, .method = request.method_text(), .body = request.body()});
    if (!passed) return AuthVerdict::Failed;
    return nonce == sip::NonceVerdict::Stale ? AuthVerdict::Stale : AuthVerdict::Passed;
}

std::vector<std::string> Authenticator::challenges(const std::optional<AccountRecord>& account,
                                                   const Source& source, sip::Staleness staleness,
                                                   WallTime now,
                                                   crypto::RandomStream& random) const {
    const AccountClass account_class = account ? account->account_class : config_.default_class;
    std::vector<std::string> values;
    if (!may_use(account_class, source)) return values;
    const std::string nonce = nonces_.issue(now, config_.realm, binding_of(source), random);
    for (const AuthAlgorithm algorithm : algorithms(account_class)) {
        values.push_back(sip::Challenge{.realm = config_.realm,
                                        .nonce = nonce,
                                        .opaque = std::nullopt,
                                        .domain = std::nullopt,
                                        .algorithm = algorithm,
                                        .qops = {sip::Qop::Auth},
                                        .staleness = staleness}
                             .to_string());
    }
    return values;
}

}  // namespace stile::sip_server
