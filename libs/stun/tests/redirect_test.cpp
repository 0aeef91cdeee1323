// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/stun/redirect.hpp>

#include <array>

namespace stile::stun {
namespace {

using namespace test;
using namespace std::chrono_literals;

const SocketAddress first = *SocketAddress::parse("192.0.2.1:3478");
const SocketAddress second = *SocketAddress::parse("192.0.2.2:3478");
const SocketAddress second_v6 = *SocketAddress::parse("[2001:db8::2]:3478");

Bytes redirect_to(std::initializer_list<SocketAddress> servers, std::string_view domain = {}) {
    MessageBuilder builder{Class::ErrorResponse, Method::Binding, id_of(1)};
    builder.add(error::try_alternate);
    for (const SocketAddress& server : servers) builder.add(AlternateServer{server});
    if (!domain.empty()) builder.add(AlternateDomain{domain});
    return builder.finish();
}

TEST_CASE("stun redirect: leads to the alternate of the same family, with its domain") {
    RedirectMemory memory;
    memory.sent(Instant{}, first);
    const Bytes both = redirect_to({second_v6, second}, "other.example.org");
    const auto redirect = memory.follow(Instant{}, view(both), first);
    REQUIRE(redirect);
    CHECK(redirect->server == second);
    CHECK(redirect->domain == "other.example.org");
    const Bytes one = redirect_to({second_v6});
    const auto foreign = memory.follow(Instant{}, view(one), first);
    REQUIRE(foreign);
    CHECK(foreign->server == second_v6);
    CHECK(foreign->domain.empty());
}

TEST_CASE("stun redirect: a server is not asked twice within five minutes") {
    RedirectMemory memory;
    memory.sent(Instant{}, first);
    const Bytes to_second = redirect_to({second});
    CHECK(memory.follow(Instant{}, view(to_second), first));
    memory.sent(Instant{}, second);
    const Bytes back = redirect_to({first});
    const auto loop = memory.follow(Instant{} + 5min, view(back), second);
    REQUIRE_FALSE(loop);
    CHECK(loop.error() == RedirectRefusal::BeenThere);
    CHECK(memory.follow(Instant{} + 5min + 1ns, view(back), second));
}

TEST_CASE("stun redirect: chains end at the limit and one past it") {
    RedirectMemory memory;
    for (std::uint8_t i = 1; i <= most_redirects; ++i) {
        memory.sent(Instant{}, {IpAddress::v4({10, 0, 0, i}), Port{3478}});
    }
    const Bytes next = redirect_to({second});
    CHECK(memory.follow(Instant{}, view(next), first));
    memory.sent(Instant{}, second_v6);
    const auto refused = memory.follow(Instant{}, view(next), first);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == RedirectRefusal::TooManySteps);
}

TEST_CASE("stun redirect: what is no redirect, or leads nowhere") {
    const RedirectMemory memory;
    const Bytes nowhere = redirect_to({});
    CHECK(memory.follow(Instant{}, view(nowhere), first).error() == RedirectRefusal::NoServer);
    MessageBuilder other{Class::ErrorResponse, Method::Binding, id_of(1)};
    const Bytes refusal = other.add(error::server_error).add(AlternateServer{second}).finish();
    CHECK(memory.follow(Instant{}, view(refusal), first).error() == RedirectRefusal::NotOne);
    MessageBuilder fine{Class::SuccessResponse, Method::Binding, id_of(1)};
    const Bytes success = fine.add(AlternateServer{second}).finish();
    CHECK(memory.follow(Instant{}, view(success), first).error() == RedirectRefusal::NotOne);
    MessageBuilder broken{Class::ErrorResponse, Method::Binding, id_of(1)};
    const Bytes unreadable = broken.add(error::try_alternate)
                                 .add_raw(AttributeType::AlternateServer, as_bytes("abc"))
                                 .finish();
    CHECK(memory.follow(Instant{}, view(unreadable), first).error() == RedirectRefusal::NoServer);
}

TEST_CASE("stun redirect: what a server says is what its client follows") {
    const Bytes request = binding_request();
    const std::array alternates{second, second_v6};
    const Bytes response = redirect_response(view(request), alternates, "b.example.org");
    CHECK(view(response).id() == view(request).id());
    const RedirectMemory memory;
    const auto redirect = memory.follow(Instant{}, view(response), first);
    REQUIRE(redirect);
    CHECK(redirect->server == second);
    CHECK(redirect->domain == "b.example.org");
}

}  // namespace
}  // namespace stile::stun
