// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/crypto/random_stream.hpp>
#include <stile/turn/limits.hpp>
#include <stile/turn/peer_policy.hpp>

namespace stile::turn {
namespace {

using Verdict = PeerPolicy::Verdict;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }

TEST_CASE("turn peer policy: ordinary addresses are allowed") {
    const PeerPolicy policy;
    for (const char* text : {"8.8.8.8", "1.0.0.1", "100.63.255.255", "100.128.0.0", "172.15.0.1",
                             "172.32.0.1", "192.167.1.1", "223.255.255.254", "2606:4700::1111",
                             "2a00::1", "2001:4860::8888", "3ffe::1"}) {
        CAPTURE(text);
        CHECK(policy.judge(ip(text)) == Verdict::Allowed);
    }
    CHECK(policy.judge(SocketAddress{.ip = ip("8.8.8.8"), .port = {0}}) == Verdict::Denied);
    CHECK(policy.judge(SocketAddress{.ip = ip("8.8.8.8"), .port = {1}}) == Verdict::Allowed);
}

TEST_CASE("turn peer policy: special addresses and every disguise of them are refused") {
    const PeerPolicy policy;
    for (const char* text : {"0.0.0.0",
                             "0.1.2.3",
                             "10.0.0.1",
                             "10.255.255.255",
                             "100.64.0.1",
                             "127.0.0.1",
                             "127.255.255.255",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.0.0.1",
                             "192.0.2.1",
                             "192.88.99.1",
                             "192.168.1.1",
                             "198.18.0.1",
                             "198.51.100.1",
                             "203.0.113.1",
                             "224.0.0.1",
                             "239.1.2.3",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::8.8.8.8",
                             "::127.0.0.1",
                             "::ffff:127.0.0.1",
                             "::ffff:8.8.8.8",
                             "::ffff:0:8.8.8.8",
                             "64:ff9b::8.8.8.8",
                             "64:ff9b::127.0.0.1",
                             "64:ff9b:1::1",
                             "100::1",
                             "2001::1",
                             "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                             "2001:db8::1",
                             "2002:7f00:1::1",
                             "2002:808:808::1",
                             "3fff::1",
                             "fc00::1",
                             "fd12::1",
                             "fe80::1",
                             "fec0::1",
                             "ff02::1",
                             "4000::1",
                             "2a00::5efe:10.0.0.1",
                             "2a00::200:5efe:8.8.8.8"}) {
        CAPTURE(text);
        CHECK(policy.judge(ip(text)) == Verdict::Denied);
    }
}

TEST_CASE("turn peer policy: an opened prefix opens what lies inside it only") {
    PeerPolicy policy;
    REQUIRE(policy.open(prefix("10.1.0.0/16")));
    CHECK(policy.judge(ip("10.1.2.3")) == Verdict::Allowed);
    CHECK(policy.judge(ip("10.2.2.3")) == Verdict::Denied);
    CHECK(policy.judge(ip("127.0.0.1")) == Verdict::Denied);
    CHECK(policy.judge(ip("::ffff:10.1.2.3")) == Verdict::Denied);
    CHECK(policy.judge(ip("2002:0a01:0203::1")) == Verdict::Denied);
    REQUIRE(policy.open(prefix("::1/128")));
    CHECK(policy.judge(ip("::1")) == Verdict::Allowed);
}

TEST_CASE("turn peer policy: a prefix wider than the special range opens nothing") {
    PeerPolicy policy;
    REQUIRE(policy.open(prefix("0.0.0.0/0")));
    REQUIRE(policy.open(prefix("::/0")));
    for (const char* text : {"10.0.0.1", "169.254.169.254", "127.0.0.1", "::1", "fe80::1", "::"}) {
        CAPTURE(text);
        CHECK(policy.judge(ip(text)) == Verdict::Denied);
    }
}

TEST_CASE("turn peer policy: what is never a peer cannot be opened") {
    PeerPolicy policy;
    for (const char* text : {"0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::ffff:0:0/96", "::/96",
                             "2002::/16", "2001::/32", "ff00::/8", "192.88.99.0/24"}) {
        REQUIRE(policy.open(prefix(text)));
    }
    for (const char* text : {"0.0.0.0", "224.0.0.1", "255.255.255.255", "::ffff:8.8.8.8",
                             "::8.8.8.8", "2002:808:808::1", "2001::1", "ff02::1", "192.88.99.1"}) {
        CAPTURE(text);
        CHECK(policy.judge(ip(text)) == Verdict::Denied);
    }
}

TEST_CASE("turn peer policy: NAT64 opens as far as the address inside is allowed") {
    PeerPolicy policy;
    REQUIRE(policy.open(prefix("64:ff9b::/96")));
    CHECK(policy.judge(ip("64:ff9b::8.8.8.8")) == Verdict::Allowed);
    CHECK(policy.judge(ip("64:ff9b::127.0.0.1")) == Verdict::Denied);
    CHECK(policy.judge(ip("64:ff9b::169.254.169.254")) == Verdict::Denied);
}

TEST_CASE("turn peer policy: denials and own addresses win over openings") {
    PeerPolicy policy;
    REQUIRE(policy.open(prefix("10.0.0.0/8")));
    REQUIRE(policy.deny(prefix("10.9.0.0/16")));
    REQUIRE(policy.deny_own(ip("10.0.0.1")));
    REQUIRE(policy.deny_own(ip("2a00::1")));
    CHECK(policy.judge(ip("10.0.0.2")) == Verdict::Allowed);
    CHECK(policy.judge(ip("10.0.0.1")) == Verdict::Denied);
    CHECK(policy.judge(ip("10.9.1.1")) == Verdict::Denied);
    CHECK(policy.judge(ip("2a00::1")) == Verdict::Denied);
    CHECK(policy.judge(ip("2a00::2")) == Verdict::Allowed);
}

TEST_CASE("turn peer policy: no embedding of an IPv4 address is allowed by default") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        crypto::RandomStream random{crypto::seed_from_number(seed)};
        const auto inner = random.array<4>();
        const PeerPolicy policy;
        struct Embedding {
            std::string_view base;
            std::size_t offset;
        };
        for (const Embedding embedding :
             {Embedding{"::", 12}, Embedding{"::ffff:0:0", 12}, Embedding{"::ffff:0:0:0", 12},
              Embedding{"64:ff9b::", 12}, Embedding{"64:ff9b:1::", 12}, Embedding{"2002::", 2},
              Embedding{"2001::", 12}}) {
            const IpAddress base = ip(embedding.base);
            std::array<std::byte, 16> octets{};
            std::ranges::copy(base.octets(), octets.begin());
            std::ranges::copy(inner,
                              octets.begin() + static_cast<std::ptrdiff_t>(embedding.offset));
            CHECK(policy.judge(IpAddress::v6(octets)) == Verdict::Denied);
        }
    }
}

TEST_CASE("turn peer policy: takes as many prefixes as the limit, and not one more") {
    PeerPolicy policy;
    for (std::size_t i = 0; i < most_policy_prefixes; ++i) {
        REQUIRE(policy.open(prefix("10.0.0.0/8")));
        REQUIRE(policy.deny(prefix("8.0.0.0/8")));
    }
    CHECK_FALSE(policy.open(prefix("10.0.0.0/8")));
    CHECK_FALSE(policy.deny(prefix("8.0.0.0/8")));
}

}  // namespace
}  // namespace stile::turn
