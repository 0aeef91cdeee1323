// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Grants of an authorization server in place of a password. RFC 7635.
#include "alone.hpp"

namespace stile::turn::test {
namespace {

using stun::Class;
using stun::Method;
using Grant = stun::LongTermClient::Grant;

Grant grant(std::string_view token) {
    return {.key_id = "kid1",
            .token = to_bytes(as_bytes(token)),
            .mac_key = to_bytes(as_bytes("12345678901234567890"))};
}

struct Granted : Alone {
    static ClientConfig third_party(std::optional<Grant> given) {
        ClientConfig config;
        config.third_party = ClientConfig::ThirdParty::Used;
        config.grant = std::move(given);
        return config;
    }
    explicit Granted(std::optional<Grant> given = {}) : Alone{third_party(std::move(given))} {}

    void challenge(const stun::ErrorCode& error, std::string_view nonce) {
        const auto request = stun::MessageView::parse(last).value();
        answer(request, Class::ErrorResponse, [&](auto& builder) {
            builder.add(error).add(stun::Nonce{nonce});
            builder.add(stun::ThirdPartyAuthorization{"turn1.example.org"});
        });
    }
    void succeed() {
        const auto request = stun::MessageView::parse(last).value();
        auto builder = stun::MessageBuilder::reply(request, Class::SuccessResponse);
        builder.add(stun::XorRelayedAddress{relay_v4}).add(stun::XorMappedAddress{peer_address});
        builder.add(stun::Lifetime{600s});
        builder.add_integrity(stun::IntegrityKey::from_octets(grant("").mac_key),
                              stun::IntegrityKind::Sha1);
        CHECK_FALSE(client.handle_message(now, builder.finish()));
    }
};

void check_granted(const stun::MessageView& request, std::string_view token) {
    CHECK(request.get<stun::Username>().value().text == "kid1");
    CHECK(as_text(request.get<stun::AccessToken>().value().octets) == token);
    CHECK(stun::check_integrity(request, stun::IntegrityKey::from_octets(grant("").mac_key),
                                stun::IntegrityKind::Sha1) == stun::Integrity::Passed);
}

TEST_CASE("turn client authorization: a grant that is there is used where the server offers it") {
    Granted granted{grant("token")};
    const auto first = granted.sent();
    REQUIRE(first);
    CHECK_FALSE(first->has(stun::AttributeType::AccessToken));
    granted.challenge(stun::error::unauthenticated, "n1");
    const auto second = granted.sent();
    REQUIRE(second);
    check_granted(*second, "token");
    CHECK(second->get<stun::Nonce>().value().text == "n1");
    granted.succeed();
    CHECK(granted.event<Client::Allocated>());
    CHECK_FALSE(granted.event<Client::AuthorizationWanted>());
}

TEST_CASE("turn client authorization: tells the server's name and waits for the grant") {
    Granted granted;
    REQUIRE(granted.sent());
    granted.challenge(stun::error::unauthenticated, "n1");
    CHECK_FALSE(granted.sent());
    CHECK_FALSE(granted.client.poll_timeout());
    const auto wanted = granted.event<Client::AuthorizationWanted>();
    REQUIRE(wanted);
    CHECK(wanted->server_name == "turn1.example.org");
    granted.now += 60s;
    granted.client.authorize(granted.now, grant("token"));
    const auto request = granted.sent();
    REQUIRE(request);
    check_granted(*request, "token");
    // Too late for the nonce.
    granted.challenge(stun::error::stale_nonce, "n2");
    const auto again = granted.sent();
    REQUIRE(again);
    check_granted(*again, "token");
    CHECK(again->get<stun::Nonce>().value().text == "n2");
    granted.succeed();
    CHECK(granted.event<Client::Allocated>());
}

TEST_CASE("turn client authorization: a grant that ran out is asked for anew, once for all") {
    Granted granted{grant("old")};
    REQUIRE(granted.sent());
    granted.challenge(stun::error::unauthenticated, "n1");
    REQUIRE(granted.sent());
    granted.succeed();
    REQUIRE(granted.event<Client::Allocated>());
    granted.client.permit(granted.now, peer_address.ip);
    REQUIRE(granted.sent());
    const Bytes permission = granted.last;
    granted.client.bind_channel(granted.now, other_peer);
    REQUIRE(granted.sent());
    granted.challenge(stun::error::unauthenticated, "n2");
    granted.last = permission;
    granted.challenge(stun::error::unauthenticated, "n2");
    CHECK(granted.event<Client::AuthorizationWanted>());
    CHECK_FALSE(granted.event<Client::AuthorizationWanted>());
    CHECK_FALSE(granted.sent());
    granted.client.authorize(granted.now, grant("new"));
    const auto first = granted.sent();
    REQUIRE(first);
    check_granted(*first, "new");
    CHECK(first->method() == Method::ChannelBind);
    const auto second = granted.sent();
    REQUIRE(second);
    check_granted(*second, "new");
    CHECK(second->method() == Method::CreatePermission);
    // A 401 to a request of before says nothing about the new grant.
    CHECK_FALSE(granted.event<Client::PermissionFailed>());
}

TEST_CASE("turn client authorization: what waits for a grant can be given up") {
    Granted granted;
    REQUIRE(granted.sent());
    granted.challenge(stun::error::unauthenticated, "n1");
    granted.client.release(granted.now);
    CHECK(granted.event<Client::Released>());
    granted.client.authorize(granted.now, grant("late"));
    CHECK_FALSE(granted.sent());
}

TEST_CASE("turn client authorization: who does not use it falls back to the password") {
    Alone alone;
    const auto request = alone.sent();
    REQUIRE(request);
    alone.answer(*request, Class::ErrorResponse, [](auto& builder) {
        builder.add(stun::error::unauthenticated).add(stun::Realm{"example.org"});
        builder.add(stun::Nonce{"n1"});
        builder.add(stun::ThirdPartyAuthorization{"turn1.example.org"});
    });
    const auto again = alone.sent();
    REQUIRE(again);
    CHECK(again->get<stun::Username>().value().text == "alice");
    CHECK_FALSE(again->has(stun::AttributeType::AccessToken));
    CHECK_FALSE(alone.event<Client::AuthorizationWanted>());
}

TEST_CASE("turn client authorization: a server that wants a grant alone refuses a password") {
    Alone alone;
    const auto request = alone.sent();
    REQUIRE(request);
    alone.answer(*request, Class::ErrorResponse, [](auto& builder) {
        builder.add(stun::error::unauthenticated).add(stun::Nonce{"n1"});
        builder.add(stun::ThirdPartyAuthorization{"turn1.example.org"});
    });
    const auto failed = alone.event<Client::Failed>();
    REQUIRE(failed);
    CHECK(failed->failure.kind == FailureKind::Unauthenticated);
}

TEST_CASE("turn client authorization: an answer without the grant's integrity has never come") {
    Granted granted{grant("token")};
    REQUIRE(granted.sent());
    granted.challenge(stun::error::unauthenticated, "n1");
    REQUIRE(granted.sent());
    const auto request = stun::MessageView::parse(granted.last).value();
    granted.answer(request, Class::SuccessResponse, [](auto& builder) {
        builder.add(stun::XorRelayedAddress{relay_v4}).add(stun::XorMappedAddress{peer_address});
        builder.add(stun::Lifetime{600s});
    });
    CHECK_FALSE(granted.event<Client::Allocated>());
}

}  // namespace
}  // namespace stile::turn::test
