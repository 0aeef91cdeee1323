// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Relayed addresses of both families in one allocation. RFC 8656 Section 7.
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace test;

const Sent& allocate(const Driven& driven) {
    const auto found = std::ranges::find_if(driven.sent, [](const Sent& sent) {
        const auto message = stun::MessageView::parse(BytesView{sent.octets});
        return message && message->method() == stun::Method::Allocate;
    });
    REQUIRE(found != driven.sent.end());
    return *found;
}

void answer(Driven& driven, const std::vector<SocketAddress>& relayed) {
    const Sent asked = allocate(driven);
    const auto message = stun::MessageView::parse(BytesView{asked.octets});
    stun::MessageBuilder builder{stun::Class::SuccessResponse, stun::Method::Allocate,
                                 message->id()};
    for (const SocketAddress& address : relayed) builder.add(stun::XorRelayedAddress{address});
    builder.add(stun::XorMappedAddress{asked.path.local});
    builder.add(stun::Lifetime{600s});
    driven.receive(asked.path, builder.finish());
}

std::vector<SocketAddress> told_relays(const Driven& driven) {
    std::vector<SocketAddress> told;
    for (const ice::Candidate& candidate : driven.connector.local_description().candidates) {
        if (candidate.type == ice::CandidateType::Relayed) told.push_back(candidate.address);
    }
    return told;
}

TEST_CASE("connector relays: over IPv6 both families are asked for, over IPv4 none by name") {
    struct Row {
        const char* host;
        const char* server;
        bool both;
    };
    for (const Row& row : {Row{"[2001:db8::1]:5000", "[2001:db8:f::1]:3478", true},
                           Row{"192.0.2.1:5000", "198.51.100.2:3478", false}}) {
        const Driven driven{config_with({row.host}, {}, {row.server})};
        const Sent asked = allocate(driven);
        const auto message = stun::MessageView::parse(BytesView{asked.octets});
        CHECK(message->has(stun::AttributeType::AdditionalAddressFamily) == row.both);
        CHECK_FALSE(message->has(stun::AttributeType::RequestedAddressFamily));
    }
}

TEST_CASE("connector relays: both addresses are told, reported and checked from, and go together") {
    const SocketAddress host = at("[2001:db8::1]:5000");
    const SocketAddress relay4 = at("198.51.100.2:50000");
    const SocketAddress relay6 = at("[2001:db8:f::1]:50001");
    Driven driven{config_with({"[2001:db8::1]:5000"}, {}, {"[2001:db8:f::1]:3478"})};
    answer(driven, {relay4, relay6});
    CHECK(told_relays(driven) == std::vector{relay6, relay4});
    CHECK(driven.connector.report().sources.front().relayed == std::vector{relay6, relay4});

    Driven peer{config_with({"[2001:db8:2::1]:6000", "203.0.113.1:6000"}), 2};
    REQUIRE(
        driven.connector.set_remote_description(driven.now, peer.connector.local_description()));
    std::vector<Path> pairs;
    for (const auto& pair : driven.connector.report().pairs) pairs.push_back(pair.path);
    const auto has = [&](const SocketAddress& local, const char* remote) {
        return std::ranges::find(pairs, Path{local, at(remote)}) != pairs.end();
    };
    CHECK(has(relay4, "203.0.113.1:6000"));
    CHECK(has(relay6, "[2001:db8:2::1]:6000"));
    CHECK(pairs.size() == 3);

    driven.connector.remove_host(driven.now, host);
    driven.settle();
    CHECK(told_relays(driven).empty());
}

TEST_CASE("connector relays: a server that knows one family alone is used for that") {
    Driven driven{config_with({"[2001:db8::1]:5000"}, {}, {"[2001:db8:f::1]:3478"})};
    answer(driven, {at("198.51.100.2:50000")});
    CHECK(told_relays(driven) == std::vector{at("198.51.100.2:50000")});
}

}  // namespace
}  // namespace stile::connect
