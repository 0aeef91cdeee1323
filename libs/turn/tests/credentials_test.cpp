// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/turn/credential_table.hpp>
#include <stile/turn/time_limited.hpp>
#include <stile/turn/token_bucket.hpp>

namespace stile::turn {
namespace {

using namespace std::chrono_literals;

constexpr WallTime at(long seconds) { return WallTime{std::chrono::seconds{seconds}}; }

TEST_CASE("turn credentials: a time-limited password is the base64 of the HMAC of the name") {
    // echo -n 1433895918:user | openssl dgst -sha1 -hmac north -binary | base64
    const auto sha1 = make_time_limited({.secret = "north"}, at(1433895918), "user");
    CHECK(sha1.username == "1433895918:user");
    CHECK(sha1.password == "/gk4t5tUc08OpM3NjrVjHSFVNmY=");
    const auto sha256 = make_time_limited({.secret = "north", .digest = SecretDigest::Sha256},
                                          at(1433895918), "user");
    CHECK(sha256.password == "/3v4IQ+jCuKewNye/m0WAKmZnsPVtDqlaY6N0yXuitY=");
    CHECK(make_time_limited({.secret = "north"}, at(7)).username == "7");
}

TEST_CASE("turn credentials: the expiry is read strictly") {
    CHECK(TimeLimitedUsername::parse("12:a:b")->user == "a:b");
    CHECK(TimeLimitedUsername::parse("12:a:b")->expires == at(12));
    CHECK(TimeLimitedUsername::parse("12")->user.empty());
    CHECK(TimeLimitedUsername::parse("999999999999"));
    for (const char* bad : {"", ":", "a", "12a", "-1", "+1", " 1", "1000000000000", "alice:12"}) {
        CAPTURE(bad);
        CHECK_FALSE(TimeLimitedUsername::parse(bad));
    }
}

stun::LongTermServer::Claim claim(std::string_view username) {
    return {.user = stun::Username{username}, .nonce = {}};
}

TEST_CASE("turn credentials: accounts are added, changed and removed; found by name and by hash") {
    CredentialTable table{"realm"};
    CHECK(table.look_up(claim("alice"), at(0)).keys.empty());
    REQUIRE(table.set_account("alice", "one"));
    REQUIRE(table.set_account("alice", "two"));
    CHECK(table.accounts() == 1);
    const auto found = table.look_up(claim("alice"), at(0));
    REQUIRE(found.keys.size() == 1);
    const auto expected = stun::IntegrityKey::long_term("alice", "realm", "two");
    CHECK(equal(found.keys[0].octets(), expected.octets()));
    stun::LongTermServer::Claim hashed{.user = stun::UserHash::of("alice", "realm"),
                                       .algorithm = stun::PasswordAlgorithm::Sha256,
                                       .nonce = {}};
    const auto by_hash = table.look_up(hashed, at(0));
    REQUIRE(by_hash.keys.size() == 1);
    CHECK(by_hash.username == "alice");
    CHECK(by_hash.keys[0].octets().size() == 32);
    table.remove_account("alice");
    table.remove_account("alice");
    CHECK(table.look_up(hashed, at(0)).keys.empty());
}

TEST_CASE("turn credentials: a key that an account lacks is no key, not the empty one") {
    CredentialTable table{"realm"};
    REQUIRE(table.set_account("md5", {.md5 = Bytes(16, std::byte{1}), .sha256 = {}}));
    REQUIRE(table.set_account("sha256", {.md5 = {}, .sha256 = Bytes(32, std::byte{2})}));
    auto modern = claim("md5");
    modern.algorithm = stun::PasswordAlgorithm::Sha256;
    CHECK(table.look_up(modern, at(0)).keys.empty());
    CHECK(table.look_up(claim("md5"), at(0)).keys.size() == 1);
    CHECK(table.look_up(claim("sha256"), at(0)).keys.empty());
}

TEST_CASE("turn credentials: what STUN cannot carry is no account") {
    CredentialTable table{"realm"};
    const std::string most(stun::most_sent_text_octets, 'x');
    CHECK(table.set_account(most, most));
    CHECK_FALSE(table.set_account(most + 'x', "p"));
    CHECK_FALSE(table.set_account("u", most + 'x'));
    CHECK_FALSE(table.set_account("", "p"));
    CHECK_FALSE(table.set_account("u", ""));
}

TEST_CASE("turn credentials: as many secrets as the limit, one candidate key each") {
    CredentialTable table{"realm"};
    std::vector<SharedSecret> secrets(most_shared_secrets, {.secret = "x"});
    CHECK(table.set_shared_secrets(secrets));
    const auto found = table.look_up(claim("99:carol"), at(98));
    CHECK(found.keys.size() == most_shared_secrets);
    CHECK(found.owner == "carol");
    CHECK(found.validity == CredentialTable::Validity::Valid);
    CHECK(table.look_up(claim("99:carol"), at(99)).validity == CredentialTable::Validity::Expired);
    CHECK(table.look_up(claim("99"), at(98)).owner == "99");
    secrets.push_back({.secret = "x"});
    CHECK_FALSE(table.set_shared_secrets(secrets));
}

TEST_CASE("turn token bucket: lets the burst through, then the rate") {
    constexpr Instant start{};
    constexpr TokenRate rate{.per_second = 10, .burst = 30};
    TokenBucket bucket{start, rate};
    CHECK(bucket.take(start, rate, 30));
    CHECK_FALSE(bucket.take(start, rate, 1));
    CHECK_FALSE(bucket.take(start + 99ms, rate, 1));
    CHECK(bucket.take(start + 100ms, rate, 1));
    CHECK_FALSE(bucket.take(start + 199ms, rate, 1));
    CHECK(bucket.take(start + 200ms, rate, 1));
    CHECK(bucket.full_at(rate) == start + 3200ms);
    CHECK_FALSE(bucket.has(start + 3199ms, rate, 30));
    CHECK(bucket.has(start + 3200ms, rate, 30));
    CHECK(bucket.take(start + 24h, rate, 30));
    CHECK_FALSE(bucket.take(start + 24h, rate, 1));
}

TEST_CASE("turn token bucket: many small steps gain what one large step gains") {
    constexpr Instant start{};
    constexpr TokenRate rate{.per_second = 7, .burst = 1000};
    TokenBucket small{start, rate};
    REQUIRE(small.take(start, rate, 1000));
    Instant now = start;
    std::uint64_t gained = 0;
    for (int i = 0; i < 10'000; ++i) {
        now += 1ms;
        if (small.take(now, rate, 1)) ++gained;
    }
    CHECK(gained == 70);
}

TEST_CASE("turn token bucket: a rate of zero gives the burst and no more") {
    constexpr Instant start{};
    constexpr TokenRate none{.per_second = 0, .burst = 2};
    TokenBucket bucket{start, none};
    CHECK(bucket.take(start, none, 2));
    CHECK_FALSE(bucket.take(start + 24h, none, 1));
    CHECK(bucket.full_at(none) == Instant::max());
    CHECK(bucket.full_at({}) <= start + 24h);
    constexpr TokenRate slow{.per_second = 1, .burst = ~std::uint64_t{0}};
    CHECK(bucket.full_at(slow) > start + 24h);
}

TEST_CASE("turn token bucket: what was used already is owed, and not for ever") {
    constexpr TokenRate rate{.per_second = 10, .burst = 20};
    TokenBucket bucket{Instant{}, rate};
    Instant now{};
    CHECK(bucket.charge(now, rate, 15));
    CHECK_FALSE(bucket.charge(now, rate, 10));
    CHECK_FALSE(bucket.has(now, rate, 1));
    now += std::chrono::milliseconds{500};
    CHECK_FALSE(bucket.has(now, rate, 1));
    now += std::chrono::milliseconds{100};
    CHECK(bucket.has(now, rate, 1));
    CHECK_FALSE(bucket.has(now, rate, 2));
    // A debt grows with each charge, up to a minute's worth.
    CHECK_FALSE(bucket.charge(now, rate, 6));
    CHECK_FALSE(bucket.charge(now, rate, 10));
    CHECK_FALSE(bucket.has(now + std::chrono::milliseconds{1500}, rate, 1));
    CHECK(bucket.has(now + std::chrono::milliseconds{1600}, rate, 1));
    CHECK_FALSE(bucket.charge(now, rate, 1'000'000'000'000));
    CHECK_FALSE(bucket.has(now + TokenBucket::most_debt, rate, 1));
    CHECK(bucket.has(now + TokenBucket::most_debt + std::chrono::milliseconds{100}, rate, 1));
}

}  // namespace
}  // namespace stile::turn
