// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Everything that a server or the network can refuse, at every request.
#include "alone.hpp"

#include <set>

namespace stile::turn::test {
namespace {

namespace error = stun::error;

struct Code {
    stun::ErrorCode error;
    FailureKind kind;
};
const Code codes[] = {
    {error::try_alternate, FailureKind::TryAlternate},
    {error::bad_request, FailureKind::BadRequest},
    {error::unauthenticated, FailureKind::Unauthenticated},
    {error::forbidden, FailureKind::Forbidden},
    {error::mobility_forbidden, FailureKind::MobilityForbidden},
    {error::unknown_attribute, FailureKind::UnknownAttribute},
    {error::allocation_mismatch, FailureKind::AllocationMismatch},
    {error::stale_nonce, FailureKind::StaleNonce},
    {error::address_family_not_supported, FailureKind::AddressFamilyNotSupported},
    {error::wrong_credentials, FailureKind::WrongCredentials},
    {error::unsupported_transport, FailureKind::UnsupportedTransportProtocol},
    {error::peer_family_mismatch, FailureKind::PeerFamilyMismatch},
    {error::connection_already_exists, FailureKind::ConnectionExists},
    {error::connection_failure, FailureKind::ConnectionFailed},
    {error::allocation_quota_reached, FailureKind::QuotaReached},
    {error::role_conflict, FailureKind::RoleConflict},
    {error::server_error, FailureKind::ServerError},
    {error::insufficient_capacity, FailureKind::InsufficientCapacity},
    {{499, "Odd"}, FailureKind::OtherCode},
    {{599, "Odd"}, FailureKind::OtherCode},
};
constexpr ClientTransport transports[] = {ClientTransport::Udp, ClientTransport::Dtls,
                                          ClientTransport::Tcp, ClientTransport::Tls};

void check(const Failure& failure, const Code& code) {
    CHECK(failure.kind == code.kind);
    CHECK(failure.code == code.error.code);
    CHECK(failure.reason == code.error.reason);
}

TEST_CASE("turn client failures: each code is a kind of its own, each kind has its words") {
    std::set<FailureKind> kinds;
    for (const Code& code : codes) kinds.insert(code.kind);
    CHECK(kinds.size() == std::size(codes) - 1);
    std::set<std::string_view> words;
    for (std::size_t i = 0; i < static_cast<std::size_t>(FailureKind::count); ++i) {
        const auto text = to_string(static_cast<FailureKind>(i));
        CHECK_FALSE(text.empty());
        words.insert(text);
    }
    CHECK(words.size() == static_cast<std::size_t>(FailureKind::count));
}

TEST_CASE("turn client failures: each code to Allocate, over each transport, is the end") {
    for (const ClientTransport transport : transports) {
        for (const Code& code : codes) {
            CAPTURE(static_cast<int>(transport));
            CAPTURE(code.error.code);
            auto config = client_config();
            config.transport = transport;
            Alone alone{config};
            alone.refuse(code.error);
            const auto failed = alone.event<Client::Failed>();
            REQUIRE(failed);
            check(failed->failure, code);
            CHECK_FALSE(alone.client.poll_timeout());
            CHECK_FALSE(alone.client.poll_transmit());
        }
    }
}

TEST_CASE("turn client failures: each code to Refresh is said, and refreshing goes on") {
    for (const Code& code : codes) {
        CAPTURE(code.error.code);
        Alone alone;
        alone.allocate();
        alone.now += 300s;
        alone.client.handle_timeout(alone.now);
        alone.refuse(code.error);
        if (code.kind == FailureKind::AllocationMismatch) {
            const auto expired = alone.event<Client::Expired>();
            REQUIRE(expired);
            check(expired->failure, code);
            continue;
        }
        const auto failed = alone.event<Client::RefreshFailed>();
        REQUIRE(failed);
        check(failed->failure, code);
        CHECK(alone.client.poll_timeout() == alone.now + 10s);
        // Nothing better comes: the end says why.
        alone.client.handle_timeout(start + 600s);
        const auto expired = alone.event<Client::Expired>();
        REQUIRE(expired);
        check(expired->failure, code);
    }
}

TEST_CASE("turn client failures: each code to CreatePermission and ChannelBind names the peer") {
    for (const Code& code : codes) {
        for (const bool channel : {false, true}) {
            CAPTURE(code.error.code);
            CAPTURE(channel);
            Alone alone;
            alone.allocate();
            if (channel) {
                alone.client.bind_channel(alone.now, peer_address);
            } else {
                alone.client.permit(alone.now, peer_address.ip);
            }
            alone.refuse(code.error);
            if (code.kind == FailureKind::AllocationMismatch) {
                const auto expired = alone.event<Client::Expired>();
                REQUIRE(expired);
                check(expired->failure, code);
            } else if (channel) {
                const auto failed = alone.event<Client::ChannelFailed>();
                REQUIRE(failed);
                CHECK(failed->peer == peer_address);
                check(failed->failure, code);
            } else {
                const auto failed = alone.event<Client::PermissionFailed>();
                REQUIRE(failed);
                CHECK(failed->peer == peer_address.ip);
                check(failed->failure, code);
            }
        }
    }
}

TEST_CASE("turn client failures: whatever is said to the deletion, it is released") {
    for (const Code& code : codes) {
        CAPTURE(code.error.code);
        Alone alone;
        alone.allocate();
        alone.client.release(alone.now);
        alone.refuse(code.error);
        CHECK(alone.event<Client::Released>());
        CHECK_FALSE(alone.client.poll_timeout());
    }
}

TEST_CASE("turn client failures: 300 names the server to try, and the name of its certificate") {
    Alone alone;
    const auto request = alone.sent();
    REQUIRE(request);
    alone.answer(*request, stun::Class::ErrorResponse, [](auto& builder) {
        builder.add(error::try_alternate).add(stun::AlternateServer{other_peer});
        builder.add(stun::AlternateDomain{"relay.example.net"});
    });
    const auto failed = alone.event<Client::Failed>();
    REQUIRE(failed);
    CHECK(failed->failure.kind == FailureKind::TryAlternate);
    CHECK(failed->failure.alternate == other_peer);
    CHECK(failed->failure.alternate_domain == "relay.example.net");
}

TEST_CASE("turn client failures: no route ends what is under way, over each transport") {
    for (const ClientTransport transport : transports) {
        CAPTURE(static_cast<int>(transport));
        auto config = client_config();
        config.transport = transport;
        Alone early{config};
        early.client.handle_unreachable(early.now);
        const auto failed = early.event<Client::Failed>();
        REQUIRE(failed);
        CHECK(failed->failure.kind == FailureKind::Unreachable);

        Alone late{config};
        late.allocate();
        late.client.permit(late.now, peer_address.ip);
        late.client.handle_unreachable(late.now);
        if (is_stream(transport)) {
            const auto expired = late.event<Client::Expired>();
            REQUIRE(expired);
            CHECK(expired->failure.kind == FailureKind::Unreachable);
        } else {
            // What ICMP says proves little: the allocation stays.
            const auto denied = late.event<Client::PermissionFailed>();
            REQUIRE(denied);
            CHECK(denied->failure.kind == FailureKind::Unreachable);
            CHECK(late.client.relayed().size() == 1);
        }
    }
}

TEST_CASE("turn client failures: no answer is repeated over datagrams alone") {
    for (const ClientTransport transport : transports) {
        CAPTURE(static_cast<int>(transport));
        auto config = client_config();
        config.transport = transport;
        Alone alone{config};
        std::size_t sends = 0;
        for (;;) {
            while (alone.sent()) ++sends;
            const auto wake = alone.client.poll_timeout();
            if (!wake) break;
            alone.now = *wake;
            alone.client.handle_timeout(alone.now);
        }
        CHECK(sends == (is_stream(transport) ? 1 : 7));
        CHECK(alone.now == start + 39500ms);
        CHECK(alone.event<Client::Failed>()->failure.kind == FailureKind::TimedOut);
    }
}

// Each request, made when the nonce has gone stale, costs one more round trip and nothing else.
TEST_CASE("turn client failures: a stale nonce is met at every request, over every transport") {
    struct Request {
        const char* name;
        void (*make)(World&, ClientEnd&);
        bool (*done)(const ClientEnd&);
    };
    const Request requests[] = {
        {"Refresh", [](World& world, ClientEnd&) { world.wake(); },
         [](const ClientEnd& end) { return end.client.relayed().size() == 1; }},
        {"CreatePermission",
         [](World& world, ClientEnd& end) { end.client.permit(world.now, peer_address.ip); },
         [](const ClientEnd& end) { return end.count<Client::PermissionInstalled>() == 1; }},
        {"ChannelBind",
         [](World& world, ClientEnd& end) { end.client.bind_channel(world.now, peer_address); },
         [](const ClientEnd& end) { return end.count<Client::ChannelBound>() == 1; }},
        {"Refresh of 0", [](World& world, ClientEnd& end) { end.client.release(world.now); },
         [](const ClientEnd& end) { return end.count<Client::Released>() == 1; }},
    };
    for (const ClientTransport transport : transports) {
        for (const Request& request : requests) {
            CAPTURE(static_cast<int>(transport));
            CAPTURE(request.name);
            auto config = server_config();
            config.authentication.nonce_lifetime = 60s;
            World world{config};
            auto wishes = client_config();
            wishes.transport = transport;
            ClientEnd& end = world.add_client(wishes);
            CHECK(world.requests == 2);
            world.now += 300s;
            world.server.handle_timeout(world.now);
            // The half of the lifetime is over, but only the first request wakes the client.
            const bool refresh = std::string_view{request.name} == "Refresh";
            if (!refresh) end.client.handle_timeout(start + 299s);
            request.make(world, end);
            world.run();
            CHECK(request.done(end));
            CHECK(end.count<Client::RefreshFailed>() == 0);
            CHECK(end.count<Client::Expired>() == 0);
            CHECK(world.server.allocations() == (end.count<Client::Released>() == 1 ? 0 : 1));
        }
    }
}

}  // namespace
}  // namespace stile::turn::test
