// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/assert.hpp>
#include <stile/turn/server.hpp>

// What the server under the fuzzer knows, and what its clients sign with.
namespace stile::turn::fuzzing {

inline constexpr WallTime start_wall{std::chrono::seconds{1'000'000}};

inline ServerConfig generous() {
    ServerConfig config;
    config.authentication.realm = "r";
    config.authentication.algorithms.add(stun::PasswordAlgorithm::Sha256);
    config.authentication.algorithms.add(stun::PasswordAlgorithm::Md5);
    config.authentication.anonymity = stun::LongTermServer::Anonymity::Offered;
    config.authentication.third_party = "s";
    config.ipv6 = Offer::Offered;
    config.dont_fragment = Offer::Offered;
    config.relays_per_user = 6;
    config.permissions = 4;
    config.channels = 4;
    config.connections = 4;
    config.user_bandwidth = TokenRate{.per_second = 1000, .burst = 600};
    config.user_packets = TokenRate{.per_second = 10, .burst = 40};
    config.user_new_peers = 100;
    config.user_connects = 100;
    config.tcp_relays = Offer::Offered;
    config.mobility = Offer::Offered;
    config.offload = Offer::Offered;
    config.channel_range = ChannelRange::Rfc5766;
    return config;
}

// What no input changes is made once: keys are dear, and all inputs would pay for them.
struct Fixed {
    Fixed() {
        // The same nonces, and else nothing but what must be.
        modest.authentication = rich.authentication;
        modest.authentication.third_party.clear();
        modest.allocations = 2;
        STILE_ASSERT(accounts.set_account("u", "p"));
        STILE_ASSERT(accounts.set_shared_secrets({secret}));
        STILE_ASSERT(accounts.set_token_keys({token_key}));
        const AccessToken opened{.mac_key = Bytes(20, std::byte{1}),
                                 .issued = start_wall,
                                 .lifetime = std::chrono::seconds{900}};
        token = opened.seal({{std::byte{1}}}, token_key, "s");
    }

    ServerConfig rich = generous();
    ServerConfig modest;
    SharedSecret secret{.secret = "shared"};
    TokenKey token_key{.kid = "k", .key = Bytes(32, std::byte{7})};
    CredentialTable accounts{"r"};
    // Expires in the middle of many inputs.
    TimeLimitedCredential limited =
        make_time_limited(secret, start_wall + std::chrono::seconds{700}, "w");
    Bytes token;
    stun::LongTermServer nonces{rich.authentication};
    stun::IntegrityKey account_key =
        stun::IntegrityKey::long_term("u", "r", "p", stun::PasswordAlgorithm::Sha256);
    stun::IntegrityKey limited_key =
        stun::IntegrityKey::long_term(limited.username, "r", limited.password);
    stun::IntegrityKey token_mac = stun::IntegrityKey::from_octets(Bytes(20, std::byte{1}));
};
inline const Fixed& fixed() {
    static const Fixed made;
    return made;
}

}  // namespace stile::turn::fuzzing
