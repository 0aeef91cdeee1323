// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Third-party authorization, RFC 7635.
#include "world.hpp"

#include <stile/base/encoding.hpp>

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

const std::string server_name = "blackdow.carleon.gov";

TokenKey sample_key(std::size_t octets = 32) {
    return {
        .kid = "2783466234",
        .key = to_bytes(std::string_view{"HGkj32KJGiuy098sdfaqbNjOiaz71923"}.substr(0, octets))};
}

const char* const sample_256 =
    "000c68346a336b326c326e346235"
    "617ef134a3d5e44e9a19cc7dc104b0c03d03b2a551d8fdf5cd3b6dca6f10cfb77e5b2ddec84d293a5c50499359f0"
    "c2e26f76";
const char* const sample_128 =
    "000c68346a336b326c326e346235"
    "7fb9e99f0827be3df1e1bd651493d3031d36df5707978 "
    "4aee5eacb65fad4f27fab1a3f97974b69f851b24bf5af09ed"
    "a357e0";

Bytes octets_of(std::string text) {
    std::erase(text, ' ');
    return from_hex(text).value();
}

TEST_CASE("access token: the samples of RFC 7635 Appendix A") {
    for (const auto& [text, key] :
         {std::pair{sample_256, sample_key()}, std::pair{sample_128, sample_key(16)}}) {
        const Bytes token = octets_of(text);
        CHECK(token.size() == 64);
        const auto opened = AccessToken::open(token, key, server_name);
        REQUIRE(opened);
        CHECK(opened->mac_key == to_bytes("ZksjpweoixXmvn67534m"));
        CHECK(opened->issued.time_since_epoch().count() == 92470300704768 >> 16);
        CHECK(opened->lifetime == 3600s);
        CHECK_FALSE(AccessToken::open(token, key, "another.example"));
    }
    CHECK_FALSE(AccessToken::open(octets_of(sample_256), sample_key(16), server_name));
}

AccessToken some_token(std::size_t key_octets = 20) {
    return {.mac_key = Bytes(key_octets, std::byte{0x5A}), .issued = wall_start, .lifetime = 600s};
}

Bytes sealed(const AccessToken& token, const TokenKey& key = sample_key(),
             std::string_view name = server_name) {
    static std::uint8_t used = 0;
    return token.seal({{std::byte{++used}}}, key, name);
}

TEST_CASE("access token: whatever is cut or changed does not open") {
    const Bytes token = sealed(some_token());
    REQUIRE(AccessToken::open(token, sample_key(), server_name));
    for (std::size_t i = 0; i < token.size(); ++i) {
        CAPTURE(i);
        CHECK_FALSE(AccessToken::open(BytesView{token}.first(i), sample_key(), server_name));
        Bytes changed = token;
        changed[i] ^= std::byte{0x81};
        CHECK_FALSE(AccessToken::open(changed, sample_key(), server_name));
    }
}

TEST_CASE("access token: well sealed, and still bounded inside") {
    const TokenKey key = sample_key();
    CHECK(AccessToken::open(sealed(some_token(most_mac_key_octets)), key, server_name));
    CHECK_FALSE(AccessToken::open(sealed(some_token(most_mac_key_octets + 1)), key, server_name));
    CHECK_FALSE(AccessToken::open(sealed(some_token(0)), key, server_name));
    const auto seal_raw = [&](BytesView block) {
        const crypto::AesGcm cipher{key.key};
        const crypto::AesGcm::Nonce nonce{};
        Bytes token{std::byte{0}, std::byte{12}};
        token.insert(token.end(), nonce.begin(), nonce.end());
        const Bytes body = cipher.seal(nonce, as_bytes(server_name), block);
        token.insert(token.end(), body.begin(), body.end());
        return token;
    };
    // A key length that reaches past the block, a block that is short, one that is long.
    Bytes block(2 + 20 + 8 + 4);
    block[1] = std::byte{20};
    CHECK(AccessToken::open(seal_raw(block), key, server_name));
    block[0] = std::byte{0xFF};
    CHECK_FALSE(AccessToken::open(seal_raw(block), key, server_name));
    block[0] = std::byte{0};
    CHECK_FALSE(AccessToken::open(seal_raw(BytesView{block}.first(33)), key, server_name));
    block.push_back(std::byte{0});
    CHECK_FALSE(AccessToken::open(seal_raw(block), key, server_name));
    CHECK_FALSE(AccessToken::open(seal_raw({}), key, server_name));
}

TEST_CASE("access token: good while its lifetime lasts, with five seconds of skew") {
    const AccessToken token = some_token();
    CHECK(token.remaining(wall_start) == 605s);
    CHECK(token.remaining(wall_start + 604s) == 1s);
    CHECK_FALSE(token.remaining(wall_start + 605s));
    CHECK(token.remaining(wall_start - 604s) == 1s);
    CHECK_FALSE(token.remaining(wall_start - 605s));
    const AccessToken far{.mac_key = {}, .issued = WallTime::max(), .lifetime = 600s};
    CHECK_FALSE(far.remaining(wall_start));
}

ServerConfig token_config() {
    auto config = server_config();
    config.authentication.third_party = server_name;
    config.tcp_relays = Offer::Offered;
    return config;
}

struct TokenWorld : World {
    explicit TokenWorld(ServerConfig config = token_config()) : World(std::move(config)) {
        REQUIRE(server.credentials().set_token_keys({sample_key()}));
    }
};

stun::LongTermClient::Credentials granted(const AccessToken& token, Bytes octets) {
    return {.username = "",
            .password = "",
            .grant = stun::LongTermClient::Grant{
                .key_id = sample_key().kid, .token = std::move(octets), .mac_key = token.mac_key}};
}
stun::LongTermClient::Credentials granted(const AccessToken& token) {
    return granted(token, sealed(token));
}

TEST_CASE("turn server, tokens: 401 tells the name that tokens are to be made for") {
    TokenWorld world;
    RawClient raw{world};
    Builder bare{stun::Class::Request, Method::Allocate, {}};
    bare.add(stun::RequestedTransport{});
    const auto answer = raw.send(bare.finish());
    REQUIRE(answer);
    CHECK(RawClient::code_of(*answer) == 401);
    CHECK(answer->get<stun::ThirdPartyAuthorization>().value().text == server_name);
    // Accounts go on beside it.
    CHECK(raw.allocate() == 0);
}

TEST_CASE("turn server, tokens: an allocation, and requests without the token after it") {
    for (const std::size_t key_octets : {20U, 32U}) {
        CAPTURE(key_octets);
        TokenWorld world;
        const AccessToken token = some_token(key_octets);
        RawClient raw{world, granted(token)};
        REQUIRE(raw.allocate() == 0);
        CHECK(raw.permit(peer_address) == 0);
        CHECK(raw.bind(0x4000, peer_address) == 0);
        raw.send_on(0x4000, "x");
        CHECK(world.at_peers.size() == 1);
        const auto session = world.server.sessions(world.now).at(0);
        CHECK(session.username == sample_key().kid);
        CHECK(session.owner.starts_with(sample_key().kid + ":"));
    }
}

TEST_CASE("turn server, tokens: a token of a newer key renews what one of an older key made") {
    TokenWorld world;
    REQUIRE(world.server.credentials().set_account("alice", "secret"));
    TokenKey next = sample_key();
    next.kid = "next";
    next.key[0] ^= std::byte{1};
    REQUIRE(world.server.credentials().set_token_keys({sample_key(), next}));
    AccessToken token = some_token();
    RawClient raw{world, granted(token)};
    REQUIRE(raw.allocate() == 0);
    token.mac_key[0] ^= std::byte{1};
    auto of_next = granted(token, token.seal({{std::byte{0x99}}}, next, server_name));
    of_next.grant->key_id = next.kid;
    RawClient renewed{world, of_next};
    REQUIRE(renewed.ask(Method::Refresh).message_class() == stun::Class::SuccessResponse);
    CHECK(renewed.permit(peer_address) == 0);
    CHECK(world.server.sessions(world.now).at(0).username == "next");
    // Nobody else's allocation: neither with a password nor with the key that was.
    CHECK(raw.permit(peer_address) == 401);
    CHECK(RawClient{world}.permit(peer_address) == 401);
    // And no password's with a token.
    RawClient alice{world};
    alice.flow.remote.port.value = 40'001;
    REQUIRE(alice.allocate() == 0);
    RawClient intruder{world, of_next};
    intruder.flow = alice.flow;
    CHECK(RawClient::code_of(intruder.ask(Method::Refresh)) == 441);
}

TEST_CASE("turn server, tokens: coturn's clients use sixteen octets of the key with HMAC-SHA-1") {
    TokenWorld world;
    AccessToken token = some_token();
    const Bytes octets = sealed(token);
    token.mac_key.resize(16);
    RawClient raw{world, granted(token, octets)};
    CHECK(raw.allocate() == 0);
    CHECK(raw.permit(peer_address) == 0);
    token.mac_key.resize(15);
    RawClient shorter{world, granted(token, octets)};
    shorter.flow.remote.port.value = 40'001;
    CHECK(shorter.allocate() == 401);
}

TEST_CASE("turn server, tokens: an allocation lives no longer than its token") {
    TokenWorld world;
    AccessToken token = some_token();
    token.lifetime = 700s;
    RawClient raw{world, granted(token)};
    const auto answer = raw.ask(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::Lifetime{3000s});
    });
    CHECK(answer.get<stun::Lifetime>().value().value == 705s);
    world.now += 300s;
    CHECK(raw.ask(Method::Refresh).get<stun::Lifetime>().value().value == 405s);
    CHECK(world.server.poll_timeout() == start + 705s);
    // A new token of the same server carries it on; with the old one it ends.
    AccessToken next = some_token();
    next.mac_key = Bytes(20, std::byte{0x77});
    next.issued = wall_start + 300s;
    RawClient renewed{world, granted(next)};
    CHECK(renewed.ask(Method::Refresh).get<stun::Lifetime>().value().value == 600s);
    CHECK(renewed.permit(peer_address) == 0);
    CHECK(raw.permit(peer_address) == 401);
    world.now += 606s;
    CHECK(renewed.permit(peer_address) == 401);
}

TEST_CASE("turn server, tokens: of several keys each is good until it expires") {
    TokenWorld world;
    TokenKey next = sample_key();
    next.kid = "next";
    next.key[0] ^= std::byte{1};
    TokenKey old = sample_key();
    old.expires = wall_start + 60s;
    REQUIRE(world.server.credentials().set_token_keys({old, next}));
    const AccessToken token = some_token();
    auto of_next = granted(token, token.seal({}, next, server_name));
    of_next.grant->key_id = next.kid;
    RawClient renewed{world, of_next};
    CHECK(renewed.allocate() == 0);
    RawClient raw{world, granted(token)};
    raw.flow.remote.port.value = 40'001;
    REQUIRE(raw.allocate() == 0);
    world.now += 60s;
    // What was allocated with it lives on; no token of it is taken any more.
    CHECK(raw.permit(peer_address) == 0);
    CHECK(raw.ask(Method::Refresh).message_class() == stun::Class::ErrorResponse);
    CHECK(world.server.counters().refused.of(stun::error::unauthenticated) > 0);
    CHECK(renewed.ask(Method::Refresh).message_class() == stun::Class::SuccessResponse);
}

TEST_CASE("turn server, tokens: who gets 401") {
    TokenWorld world;
    const AccessToken token = some_token();
    const auto code = [&](stun::LongTermClient::Credentials credentials) {
        RawClient raw{world, std::move(credentials)};
        return raw.allocate();
    };
    auto unknown_kid = granted(token);
    unknown_kid.grant->key_id = "nobody";
    CHECK(code(unknown_kid) == 401);
    auto wrong_key = granted(token);
    wrong_key.grant->mac_key[0] ^= std::byte{1};
    CHECK(code(wrong_key) == 401);
    CHECK(code(granted(token, sealed(token, sample_key(), "other.example"))) == 401);
    CHECK(code(granted(token, sealed(token, {.kid = "x", .key = Bytes(32)}))) == 401);
    CHECK(code(granted(token, Bytes(3))) == 401);
    CHECK(code(granted(token, Bytes(500, std::byte{0xFF}))) == 401);
    AccessToken late = token;
    late.issued -= 605s;
    CHECK(code(granted(late)) == 401);
    AccessToken early = token;
    early.issued += 605s;
    CHECK(code(granted(early)) == 401);
    CHECK(world.server.allocations() == 0);
    CHECK(code(granted(token)) == 0);
}

TEST_CASE("turn server, tokens: unexpected ones are an unknown attribute") {
    World world;
    RawClient raw{world};
    Builder builder{stun::Class::Request, Method::Allocate, {}};
    builder.add(stun::RequestedTransport{}).add(stun::AccessToken{as_bytes("token")});
    const auto answer = raw.send(builder.finish());
    REQUIRE(answer);
    CHECK(RawClient::code_of(*answer) == 420);
    CHECK(raw.trust == Server::Trust::Unauthenticated);
}

TEST_CASE("turn server, tokens: a quota is a token's, not that of all who share the server") {
    auto config = token_config();
    config.relays_per_user = 1;
    TokenWorld world{config};
    for (int i = 0; i < 3; ++i) {
        AccessToken token = some_token();
        token.mac_key[0] = static_cast<std::byte>(i);
        for (int j = 0; j < 2; ++j) {
            RawClient raw{world, granted(token)};
            raw.flow.remote.port = {static_cast<std::uint16_t>(100 + 10 * i + j)};
            CHECK(raw.allocate() == (j == 0 ? 0 : 486));
        }
    }
}

TEST_CASE("turn server, tokens: a ticket is no good with the token of somebody else") {
    auto config = token_config();
    config.mobility = Offer::Offered;
    TokenWorld world{config};
    const AccessToken token = some_token();
    RawClient raw{world, granted(token)};
    const auto answer = raw.ask(Method::Allocate, [](Builder& b) {
        b.add(stun::RequestedTransport{}).add(stun::MobilityTicket{});
    });
    const Bytes ticket = to_bytes(answer.get<stun::MobilityTicket>().value().octets);
    AccessToken other = token;
    other.mac_key[3] ^= std::byte{1};
    const auto move = [&](const AccessToken& with, std::string_view place) {
        RawClient moved{world, granted(with)};
        moved.flow.remote = address(place);
        return moved.code(Method::Refresh,
                          [&](Builder& b) { b.add(stun::MobilityTicket{ticket}); });
    };
    CHECK(move(other, "203.0.113.6:6") == 441);
    CHECK(move(token, "203.0.113.5:5") == 0);
}

TEST_CASE("turn server, tokens: a data connection is bound with the key of its allocation") {
    TokenWorld world;
    const AccessToken token = some_token();
    RawClient raw{world, granted(token)};
    raw.flow.transport = ClientTransport::Tcp;
    REQUIRE(raw.code(Method::Allocate, [](Builder& b) { b.add(stun::RequestedTransport{6}); }) ==
            0);
    const auto answer =
        raw.ask(Method::Connect, [](Builder& b) { b.add(stun::XorPeerAddress{peer_address}); });
    const auto connection = answer.get<stun::ConnectionId>().value();
    AccessToken other = token;
    other.mac_key[3] ^= std::byte{1};
    for (const auto& [with, code] : {std::pair{other, 401U}, std::pair{token, 0U}}) {
        RawClient data{world, granted(with)};
        data.flow.remote = address("198.51.100.9:40001");
        data.flow.transport = ClientTransport::Tcp;
        CHECK(data.code(Method::ConnectionBind, [&](Builder& b) { b.add(connection); }) == code);
    }
}

TEST_CASE("credential table: token keys, at the limit and past it") {
    CredentialTable table{"example.org"};
    std::vector<TokenKey> keys;
    for (std::size_t i = 0; i < most_token_keys; ++i) {
        keys.push_back({.kid = "k" + std::to_string(i), .key = Bytes(i % 2 == 0 ? 32 : 16)});
    }
    CHECK(table.set_token_keys(keys));
    CHECK(table.find_token_key("k63")->key.size() == 16);
    CHECK(table.find_token_key("k64") == nullptr);
    keys.push_back({.kid = "one more", .key = Bytes(32)});
    CHECK_FALSE(table.set_token_keys(keys));
    CHECK_FALSE(table.set_token_keys({{.kid = "", .key = Bytes(32)}}));
    CHECK_FALSE(table.set_token_keys({{.kid = "a", .key = Bytes(24)}}));
    CHECK_FALSE(
        table.set_token_keys({{.kid = "a", .key = Bytes(32)}, {.kid = "a", .key = Bytes(16)}}));
    CHECK_FALSE(table.set_token_keys({{.kid = std::string(509, 'k'), .key = Bytes(32)}}));
    CHECK(table.find_token_key("k63") != nullptr);
}

}  // namespace
}  // namespace stile::turn::test
