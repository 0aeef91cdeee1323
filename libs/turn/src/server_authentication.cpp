// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Who sent a request. RFC 8489 Section 9.2.4 and RFC 7635 Section 7.
#include <stile/turn/server.hpp>

#include <stile/base/encoding.hpp>
#include <stile/stun/binding_responder.hpp>

#include <utility>

namespace stile::turn {
namespace {

namespace error = stun::error;

// The keys that a token's session key can stand for. Appendix B of RFC 7635 derives the key for
// HMAC-SHA-1 from a longer one; other implementations take it as it is, and coturn's clients as
// much of it as an MD5 key has.
std::vector<stun::IntegrityKey> keys_of(BytesView mac_key, stun::IntegrityKind kind) {
    std::vector<stun::IntegrityKey> keys{stun::IntegrityKey::from_octets(mac_key)};
    if (kind != stun::IntegrityKind::Sha1) return keys;
    constexpr std::size_t md5_octets = crypto::digest_size(crypto::DigestAlgorithm::Md5);
    if (mac_key.size() > md5_octets) {
        keys.push_back(stun::IntegrityKey::from_octets(mac_key.first(md5_octets)));
    }
    if (mac_key.size() > stun::sha1_tag_octets) {
        const auto shortened = crypto::digest(crypto::DigestAlgorithm::Sha1, mac_key);
        keys.push_back(stun::IntegrityKey::from_octets(shortened.bytes()));
    }
    return keys;
}

std::string_view username_of(const stun::LongTermServer::Claim& claim) {
    const auto* name = std::get_if<stun::Username>(&claim.user);
    return name == nullptr ? std::string_view{} : name->text;
}

// Who may use a nonce. A data connection of RFC 6062 has another port than its control connection,
// and there are clients that give up where its nonce is stale; that the address is theirs, the TCP
// handshake has shown.
SocketAddress nonce_holder(const ClientFlow& flow) {
    if (is_stream(flow.transport)) return {flow.remote.ip, Port{0}};
    return flow.remote;
}

}  // namespace

std::optional<Server::Verified> Server::authenticate(Instant now, const ClientFlow& flow,
                                                     const stun::MessageView& request) {
    const WallTime wall = wall_at(now);
    const auto token = request.get<stun::AccessToken>();
    // RFC 7635 Section 7, last paragraph.
    if (token && config_.authentication.third_party.empty()) {
        counters_.refused.count(error::unknown_attribute);
        stun::UnknownAttributes unknown;
        unknown.add(stun::AttributeType::AccessToken);
        queue(flow, stun::unknown_attribute_response(request, unknown), Trust::Unauthenticated);
        return std::nullopt;
    }
    const auto check = [&]() -> Checked {
        const auto claim = authenticator_.examine(request);
        if (!claim) return std::unexpected(claim.error());
        // RFC 7635 Section 9: a token counts in these two, and else the key that it brought.
        const Allocation* holder = token_holder(flow, request);
        const bool may_renew =
            request.method() == stun::Method::Allocate || request.method() == stun::Method::Refresh;
        if (token && (may_renew || holder == nullptr)) {
            return check_token(now, flow, request, *claim, token->octets);
        }
        if (holder != nullptr) return check_token_session(now, flow, request, *claim, *holder);
        return check_account(now, flow, request, *claim);
    };
    Checked checked = check();
    if (checked) return std::move(*checked);
    counters_.refused.count(checked.error().error);
    queue(flow, authenticator_.refuse(request, checked.error(), nonce_holder(flow), wall),
          Trust::Unauthenticated);
    return std::nullopt;
}

// The last outcome, or the first that was said to the right key.
std::expected<stun::IntegrityKey, stun::LongTermServer::Refusal> Server::try_keys(
    Instant now, const ClientFlow& flow, const stun::MessageView& request,
    const stun::LongTermServer::Claim& claim, std::vector<stun::IntegrityKey> keys) const {
    std::expected<void, stun::LongTermServer::Refusal> outcome;
    for (stun::IntegrityKey& key : keys) {
        outcome = authenticator_.verify(request, claim, &key, nonce_holder(flow), wall_at(now));
        if (outcome) return std::move(key);
        if (outcome.error().error.code != error::unauthenticated.code) break;
    }
    return std::unexpected(outcome.error());
}

Server::Checked Server::check_account(Instant now, const ClientFlow& flow,
                                      const stun::MessageView& request,
                                      const stun::LongTermServer::Claim& claim) {
    auto candidates = credentials_.look_up(claim, wall_at(now));
    if (candidates.validity == CredentialTable::Validity::Expired) {
        const bool keeps = config_.expired_credential == ExpiredCredential::KeepsAllocations;
        const Allocation* owned = table_.find(flow);
        const bool owns = owned != nullptr && owned->username == candidates.username;
        if (!keeps || !owns) candidates.keys.clear();
    }
    // An unknown user costs what a wrong password costs.
    if (candidates.keys.empty()) candidates.keys.push_back(nobody_);
    auto key = try_keys(now, flow, request, claim, std::move(candidates.keys));
    if (!key) return std::unexpected(key.error());
    return Verified{.request = request,
                    .flow = flow,
                    .username = std::move(candidates.username),
                    .owner = std::move(candidates.owner),
                    .key = *std::move(key),
                    .reply_kind = claim.reply_kind,
                    .token = {}};
}

Server::Checked Server::check_token(Instant now, const ClientFlow& flow,
                                    const stun::MessageView& request,
                                    const stun::LongTermServer::Claim& claim, BytesView octets) {
    const std::unexpected refused{stun::LongTermServer::Refusal{error::unauthenticated}};
    const TokenKey* token_key = credentials_.find_token_key(username_of(claim));
    if (token_key == nullptr || !token_key->is_good_at(wall_at(now))) return refused;
    const auto token = AccessToken::open(octets, *token_key, config_.authentication.third_party);
    if (!token) return refused;
    const auto remaining = token->remaining(wall_at(now));
    if (!remaining) return refused;
    auto key = try_keys(now, flow, request, claim, keys_of(token->mac_key, claim.kind));
    if (!key) return std::unexpected(key.error());
    // One kid is of everybody whom the authorization server knows: a user is who has the token.
    const auto digest = crypto::digest(crypto::DigestAlgorithm::Sha256, token->mac_key);
    return Verified{
        .request = request,
        .flow = flow,
        .username = token_key->kid,
        .owner = token_key->kid + ':' + to_hex(digest.bytes().first(token_owner_octets)),
        .key = *std::move(key),
        .reply_kind = claim.kind,
        .token = TokenSession{.mac_key = token->mac_key, .expires = wall_at(now) + *remaining}};
}

Server::Checked Server::check_token_session(Instant now, const ClientFlow& flow,
                                            const stun::MessageView& request,
                                            const stun::LongTermServer::Claim& claim,
                                            const Allocation& allocation) {
    const TokenSession& session = *allocation.token;
    if (username_of(claim) != allocation.username || session.expires <= wall_at(now)) {
        return std::unexpected(stun::LongTermServer::Refusal{error::unauthenticated});
    }
    auto key = try_keys(now, flow, request, claim, keys_of(session.mac_key, claim.kind));
    if (!key) return std::unexpected(key.error());
    return Verified{.request = request,
                    .flow = flow,
                    .username = allocation.username,
                    .owner = owner_of(allocation),
                    .key = *std::move(key),
                    .reply_kind = claim.kind,
                    .token = session};
}

const Allocation* Server::token_holder(const ClientFlow& flow, const stun::MessageView& request) {
    const Allocation* allocation = table_.find(flow);
    if (request.method() == stun::Method::ConnectionBind) {
        const auto number = request.get<stun::ConnectionId>();
        const Connection* connection = number ? connections_.find({number->value}) : nullptr;
        allocation = connection == nullptr ? nullptr : &table_.at(connection->allocation);
    }
    return allocation != nullptr && allocation->token ? allocation : nullptr;
}

}  // namespace stile::turn
