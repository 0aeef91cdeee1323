// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/base/encoding.hpp>
#include <stile/stun/long_term_server.hpp>

namespace stile::stun {
namespace {

constexpr std::size_t made_octets = 8;
constexpr std::size_t nonce_tag_octets = 16;
// Base64 of both without padding characters.
constexpr std::size_t nonce_body_octets = (made_octets + nonce_tag_octets) / 3 * 4;
static_assert((made_octets + nonce_tag_octets) % 3 == 0);
static_assert(nonce_cookie_octets + nonce_body_octets < 128);  // RFC 8489 Section 14.10

SecurityFeatures features_of(const LongTermServer::Config& config) {
    SecurityFeatures features;
    if (!config.algorithms.list().empty()) features.bits |= SecurityFeatures::password_algorithms;
    if (config.anonymity == LongTermServer::Anonymity::Offered) {
        features.bits |= SecurityFeatures::username_anonymity;
    }
    return features;
}

std::unexpected<LongTermServer::Refusal> refused(const ErrorCode& error) {
    return std::unexpected(LongTermServer::Refusal{error});
}

}  // namespace

LongTermServer::LongTermServer(Config config)
    : config_(std::move(config)),
      cookie_(nonce_cookie(features_of(config_))),
      nonce_mac_(crypto::DigestAlgorithm::Sha256, config_.nonce_key) {
    STILE_ASSERT(!config_.realm.empty() && config_.realm.size() <= most_sent_text_octets);
    STILE_ASSERT(config_.software.size() <= most_sent_text_octets);
    STILE_ASSERT(config_.third_party.size() <= most_sent_text_octets);
    STILE_ASSERT(config_.nonce_lifetime.count() > 0);
}

std::expected<LongTermServer::Claim, LongTermServer::Refusal> LongTermServer::examine(
    const MessageView& request) const {
    const auto kind = strongest_integrity(request);
    if (!kind) return refused(error::unauthenticated);

    const auto username = request.get<Username>();
    const auto hash = request.get<UserHash>();
    const auto realm = request.get<Realm>();
    const auto nonce = request.get<Nonce>();
    if ((!username && !hash) || !realm || !nonce) return refused(error::bad_request);

    Claim claim{.user = Username{}, .kind = *kind, .nonce = nonce->text};
    if (username) {
        claim.user = *username;
    } else {
        claim.user = *hash;
    }
    const auto chosen = choose_algorithm(request, claim);
    // The user is one of another realm, hence not valid here.
    if (chosen && realm->text != config_.realm) return refused(error::unauthenticated);
    return chosen;
}

std::expected<LongTermServer::Claim, LongTermServer::Refusal> LongTermServer::choose_algorithm(
    const MessageView& request, Claim claim) const {
    const auto features = parse_nonce_cookie(claim.nonce);
    if (!features || !features->has(SecurityFeatures::password_algorithms)) return claim;
    const bool has_list = request.has(AttributeType::PasswordAlgorithms);
    const bool has_choice = request.has(AttributeType::PasswordAlgorithm);
    if (!has_list && !has_choice) return claim;  // as though it were MD5, answered with SHA-1
    const auto list = request.get<PasswordAlgorithms>();
    const auto choice = request.get<PasswordAlgorithmAttribute>();
    if (!list || !choice || *list != config_.algorithms || !list->contains(choice->algorithm)) {
        return refused(error::bad_request);
    }
    claim.algorithm = choice->algorithm;
    claim.reply_kind = IntegrityKind::Sha256;
    return claim;
}

std::expected<void, LongTermServer::Refusal> LongTermServer::verify(const MessageView& request,
                                                                    const Claim& claim,
                                                                    const IntegrityKey* key,
                                                                    const SocketAddress& client,
                                                                    WallTime now) const {
    if (key == nullptr || check_integrity(request, *key, claim.kind) == Integrity::Failed) {
        return refused(error::unauthenticated);
    }
    if (check_nonce(claim.nonce, client, now) == NonceState::Stale) {
        return refused(error::stale_nonce);
    }
    return {};
}

Bytes LongTermServer::refuse(const MessageView& request, const Refusal& refusal,
                             const SocketAddress& client, WallTime now) const {
    MessageBuilder builder = MessageBuilder::reply(request, Class::ErrorResponse);
    builder.add(refusal.error);
    if (refusal.error.code != error::bad_request.code) {
        const std::string nonce = make_nonce(client, now);
        builder.add(Realm{config_.realm}).add(Nonce{nonce});
        if (!config_.algorithms.list().empty()) builder.add(config_.algorithms);
    }
    if (refusal.error.code == error::unauthenticated.code && !config_.third_party.empty()) {
        builder.add(ThirdPartyAuthorization{config_.third_party});
    }
    if (!config_.software.empty()) builder.add(Software{config_.software});
    return builder.finish();
}

std::string LongTermServer::make_nonce(const SocketAddress& client, WallTime now) const {
    const auto made = static_cast<std::uint64_t>(now.time_since_epoch().count());
    const crypto::Digest tag = sign(made, client);
    Bytes body;
    ByteWriter writer{body};
    writer.u64(made);
    writer.bytes(tag.bytes().first(nonce_tag_octets));
    return cookie_ + to_base64(body);
}

LongTermServer::NonceState LongTermServer::check_nonce(std::string_view nonce,
                                                       const SocketAddress& client,
                                                       WallTime now) const {
    if (nonce.size() != nonce_cookie_octets + nonce_body_octets || !nonce.starts_with(cookie_)) {
        return NonceState::Stale;
    }
    const auto body = from_base64(nonce.substr(nonce_cookie_octets));
    if (!body || body->size() != made_octets + nonce_tag_octets) return NonceState::Stale;
    const std::uint64_t made = ByteReader{*body}.u64();
    const crypto::Digest tag = sign(made, client);
    const bool genuine = crypto::equal_in_constant_time(tag.bytes().first(nonce_tag_octets),
                                                        BytesView{*body}.subspan(made_octets));
    const auto today = static_cast<std::uint64_t>(now.time_since_epoch().count());
    const auto lifetime = static_cast<std::uint64_t>(config_.nonce_lifetime.count());
    if (!genuine || made > today || today - made >= lifetime) return NonceState::Stale;
    return NonceState::Valid;
}

crypto::Digest LongTermServer::sign(std::uint64_t made, const SocketAddress& client) const {
    Bytes text;
    ByteWriter writer{text};
    writer.u64(made);
    writer.u16(client.port.value);
    writer.bytes(client.ip.octets());  // 4 or 16: the families cannot be confused
    writer.bytes(as_bytes(cookie_));
    return nonce_mac_.tag(text);
}

}  // namespace stile::stun
