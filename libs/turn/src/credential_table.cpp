// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/credential_table.hpp>

#include <algorithm>

namespace stile::turn {

CredentialTable::CredentialTable(std::string realm) : realm_(std::move(realm)) {}

bool CredentialTable::set_account(std::string_view username, std::string_view password) {
    if (password.empty() || password.size() > stun::most_sent_text_octets) return false;
    const auto key = [&](stun::PasswordAlgorithm algorithm) {
        const auto made = stun::IntegrityKey::long_term(username, realm_, password, algorithm);
        return to_bytes(made.octets());
    };
    return set_account(username, Keys{.md5 = key(stun::PasswordAlgorithm::Md5),
                                      .sha256 = key(stun::PasswordAlgorithm::Sha256)});
}

bool CredentialTable::set_account(std::string_view username, Keys keys) {
    if (username.empty() || username.size() > stun::most_sent_text_octets) return false;
    const auto known = accounts_.find(username);
    if (known != accounts_.end()) {
        known->second = std::move(keys);
        return true;
    }
    if (accounts_.size() == most_accounts) return false;
    accounts_.emplace(username, std::move(keys));
    names_.emplace(stun::UserHash::of(username, realm_), username);
    return true;
}

void CredentialTable::remove_account(std::string_view username) {
    const auto known = accounts_.find(username);
    if (known == accounts_.end()) return;
    names_.erase(stun::UserHash::of(username, realm_));
    accounts_.erase(known);
}

bool CredentialTable::set_shared_secrets(std::vector<SharedSecret> secrets) {
    if (secrets.size() > most_shared_secrets) return false;
    secrets_ = std::move(secrets);
    return true;
}

bool CredentialTable::set_token_keys(std::vector<TokenKey> keys) {
    if (keys.size() > most_token_keys) return false;
    std::ranges::sort(keys, {}, &TokenKey::kid);
    const bool usable = std::ranges::all_of(keys, [](const TokenKey& each) {
        return !each.kid.empty() && each.kid.size() <= stun::most_sent_text_octets &&
               crypto::AesGcm::is_key_size(each.key.size());
    });
    if (!usable || std::ranges::adjacent_find(keys, {}, &TokenKey::kid) != keys.end()) return false;
    token_keys_ = std::move(keys);
    return true;
}

const TokenKey* CredentialTable::find_token_key(std::string_view kid) const {
    const auto found = std::ranges::find(token_keys_, kid, &TokenKey::kid);
    return found == token_keys_.end() ? nullptr : &*found;
}

CredentialTable::Candidates CredentialTable::look_up(const stun::LongTermServer::Claim& claim,
                                                     WallTime now) const {
    if (const auto* name = std::get_if<stun::Username>(&claim.user)) {
        return look_up_name(name->text, claim.algorithm, now);
    }
    const auto known = names_.find(std::get<stun::UserHash>(claim.user));
    if (known == names_.end()) return {};
    return look_up_name(known->second, claim.algorithm, now);
}

CredentialTable::Candidates CredentialTable::look_up_name(std::string_view username,
                                                          stun::PasswordAlgorithm algorithm,
                                                          WallTime now) const {
    Candidates found{.username = std::string{username}, .owner = std::string{username}};
    const auto known = accounts_.find(username);
    if (known != accounts_.end()) {
        const Keys& keys = known->second;
        const Bytes& key = algorithm == stun::PasswordAlgorithm::Sha256 ? keys.sha256 : keys.md5;
        // A key that a store does not have is no key, and not the empty one that anybody knows.
        if (!key.empty()) found.keys.push_back(stun::IntegrityKey::from_octets(key));
        return found;
    }
    const auto limited = TimeLimitedUsername::parse(username);
    if (!limited) return found;
    // Without a user part every credential is a user of its own.
    if (!limited->user.empty()) found.owner = std::string{limited->user};
    if (limited->expires <= now) found.validity = Validity::Expired;
    for (const SharedSecret& secret : secrets_) {
        found.keys.push_back(stun::IntegrityKey::long_term(
            username, realm_, time_limited_password(secret, username), algorithm));
    }
    return found;
}

}  // namespace stile::turn
