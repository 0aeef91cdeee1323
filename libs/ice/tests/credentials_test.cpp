// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/ice/connectivity_check.hpp>
#include <stile/ice/credentials.hpp>
#include <stile/ice/limits.hpp>
#include <stile/ice/pacer.hpp>
#include <stile/stun/message_builder.hpp>

namespace stile::ice {
namespace {

using namespace std::chrono_literals;

TEST_CASE("ice credentials: generated ones are valid, different and reproducible") {
    crypto::RandomStream random{crypto::seed_from_number(1)};
    const auto first = Credentials::generate(random);
    const auto second = Credentials::generate(random);
    CHECK_FALSE(check_credentials(first).has_value());
    CHECK(first.fragment.size() == 8);   // 48 bits
    CHECK(first.password.size() == 24);  // 144 bits
    CHECK(first.fragment != second.fragment);
    CHECK(first.password != second.password);
    crypto::RandomStream again{crypto::seed_from_number(1)};
    CHECK(Credentials::generate(again) == first);
}

TEST_CASE("ice credentials: sizes at the limits of RFC 8839 and past them") {
    const auto check = [](std::size_t fragment, std::size_t password) {
        return check_credentials({std::string(fragment, 'a'), std::string(password, 'b')});
    };
    CHECK_FALSE(check(4, 22));
    CHECK_FALSE(check(256, 256));
    CHECK(check(3, 22) == CredentialsError::BadFragment);
    CHECK(check(257, 22) == CredentialsError::BadFragment);
    CHECK(check(4, 21) == CredentialsError::BadPassword);
    CHECK(check(4, 257) == CredentialsError::BadPassword);
}

TEST_CASE("ice pacer: slots are an interval apart, first come first served") {
    Pacer pacer{20ms};
    const Instant start{Duration{1s}};
    CHECK(pacer.ready(start));
    CHECK(pacer.reserve(start) == start);
    CHECK_FALSE(pacer.ready(start + 19ms));
    CHECK(pacer.reserve(start + 1ms) == start + 20ms);
    CHECK(pacer.reserve(start + 1ms) == start + 40ms);
    CHECK(pacer.reserve(start + 100ms) == start + 100ms);
    CHECK(pacer.next() == start + 120ms);
}

struct Checked {
    stun::IntegrityKey key = stun::IntegrityKey::short_term("0123456789012345678901");
    stun::TransactionId id{};
};

TEST_CASE("ice check: what is built is what is read") {
    const Checked given;
    for (const Role role : {Role::Controlling, Role::Controlled}) {
        const CheckContent content{
            .priority = 1862270975,
            .role = role,
            .tie_breaker = 0xFEDC'BA98'7654'3210,
            .nomination = role == Role::Controlling ? Nomination::Yes : Nomination::No};
        const Bytes wire = build_check(given.id, "them:us", content, given.key);
        const auto message = stun::MessageView::parse(wire);
        REQUIRE(message);
        CHECK(stun::check_fingerprint(*message) == stun::Fingerprint::Correct);
        CHECK(stun::check_integrity(*message, given.key, stun::IntegrityKind::Sha1) ==
              stun::Integrity::Passed);
        CHECK(unknown_attributes(*message).empty());
        const auto read = read_check(*message);
        REQUIRE(read);
        CHECK(read->priority == content.priority);
        CHECK(read->role == content.role);
        CHECK(read->tie_breaker == content.tie_breaker);
        CHECK(read->nomination == content.nomination);
        CHECK(message->get<stun::Username>()->text == "them:us");
    }
}

TEST_CASE("ice check: malformed contents are a bad request") {
    const Checked given;
    const auto refused = [&](auto add) {
        stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding, given.id};
        add(builder);
        const Bytes wire = builder.finish();
        const auto message = stun::MessageView::parse(wire);
        REQUIRE(message);
        const auto read = read_check(*message);
        return !read && read.error() == stun::error::bad_request;
    };
    const stun::Priority priority{7};
    const auto octets = to_bytes("abc");
    CHECK(refused([&](auto&) {}));
    CHECK(refused([&](auto& b) { b.add(stun::Priority{0}); }));
    CHECK(refused([&](auto& b) { b.add(stun::Priority{0x8000'0000}); }));
    CHECK(refused([&](auto& b) { b.add_raw(stun::AttributeType::Priority, octets); }));
    CHECK(refused(
        [&](auto& b) { b.add(priority).add_raw(stun::AttributeType::IceControlled, octets); }));
    CHECK(refused([&](auto& b) {
        b.add(priority).add(stun::IceControlled{1}).add(stun::IceControlling{1});
    }));
    CHECK(refused(
        [&](auto& b) { b.add(priority).add(stun::IceControlled{1}).add(stun::UseCandidate{}); }));
    CHECK_FALSE(refused([&](auto& b) { b.add(priority); }));
}

TEST_CASE("ice check: the user name is split at the first colon") {
    CHECK_FALSE(split_username("abcd"));
    CHECK(split_username("abcd:efgh")->receiver == "abcd");
    CHECK(split_username("abcd:efgh:i")->sender == "efgh:i");
    CHECK(split_username(":")->receiver.empty());
}

}  // namespace
}  // namespace stile::ice
