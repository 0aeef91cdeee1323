// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The policy of peers against one that is slow and obvious.
#include <doctest/doctest.h>
#include <stile/crypto/random_stream.hpp>
#include <stile/turn/embedded_ipv4.hpp>
#include <stile/turn/limits.hpp>
#include <stile/turn/peer_policy.hpp>

#include <algorithm>

namespace stile::turn {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }

// Bit by bit, as text.
std::string bits_of(const IpAddress& address) {
    std::string bits;
    for (const std::byte octet : address.octets()) {
        for (int i = 7; i >= 0; --i) {
            bits += (std::to_integer<int>(octet) >> i & 1) == 1 ? '1' : '0';
        }
    }
    return bits;
}
bool inside(const IpAddress& address, const IpPrefix& range) {
    return address.family() == range.address.family() &&
           bits_of(address).substr(0, range.length) ==
               bits_of(range.address).substr(0, range.length);
}

struct Oracle {
    std::vector<IpPrefix> opened;
    std::vector<IpPrefix> denied;
    std::vector<IpPrefix> nat64;

    bool allows(const IpAddress& peer) const {
        for (const IpPrefix& each : denied) {
            if (inside(peer, each)) return false;
        }
        return peer.is_v4() ? allows_v4(peer) : allows_v6(peer);
    }
    bool opens(const IpAddress& peer, const IpPrefix& special) const {
        return std::ranges::any_of(opened, [&](const IpPrefix& each) {
            return each.length >= special.length && inside(peer, each);
        });
    }
    bool allows_v4(const IpAddress& peer) const {
        for (const char* never : {"0.0.0.0/8", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4"}) {
            if (inside(peer, prefix(never))) return false;
        }
        for (const char* special :
             {"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
              "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
              "203.0.113.0/24"}) {
            if (inside(peer, prefix(special)) && !opens(peer, prefix(special))) return false;
        }
        return true;
    }
    // The 32 bits that begin at `at`, but for bits 64 to 71 where they are jumped over.
    static IpAddress inner(const IpAddress& peer, std::size_t at, bool jumps) {
        const std::string all = bits_of(peer);
        std::uint32_t value = 0;
        for (int i = 0; i < 32; ++i, ++at) {
            if (jumps && at == 64) at = 72;
            value = value << 1U | (all[at] == '1' ? 1U : 0U);
        }
        return IpAddress::v4(value);
    }
    bool allows_v6(const IpAddress& peer) const {
        for (const IpPrefix& each : nat64) {
            if (inside(peer, each)) return allows(inner(peer, each.length, true));
        }
        for (const char* never : {"::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2001::/32",
                                  "2002::/16", "ff00::/8"}) {
            if (inside(peer, prefix(never))) return false;
        }
        const std::string host = bits_of(peer).substr(64, 32);
        if (host == "00000000000000000101111011111110" ||
            host == "00000010000000000101111011111110") {
            return false;
        }
        bool known = inside(peer, prefix("2000::/3"));
        for (const char* special : {"::1/128", "64:ff9b::/96", "2001::/23", "2001:db8::/32",
                                    "3fff::/20", "fc00::/7", "fe80::/10", "fec0::/10"}) {
            if (!inside(peer, prefix(special))) continue;
            known = true;
            if (!opens(peer, prefix(special))) return false;
        }
        if (!known) return false;
        if (inside(peer, prefix("64:ff9b::/96"))) return allows(inner(peer, 96, false));
        return true;
    }
};

// Places where something begins, ends or hides.
const std::vector<IpPrefix>& interesting() {
    static const std::vector<IpPrefix> all = [] {
        std::vector<IpPrefix> made;
        for (const char* text :
             {"0.0.0.0/8",        "8.8.0.0/16",      "9.0.0.0/8",        "10.0.0.0/8",
              "10.1.0.0/16",      "100.64.0.0/10",   "127.0.0.0/8",      "169.254.0.0/16",
              "172.16.0.0/12",    "192.0.0.0/24",    "192.0.2.0/24",     "192.88.99.0/24",
              "192.168.0.0/16",   "198.18.0.0/15",   "198.51.100.0/24",  "203.0.113.0/24",
              "224.0.0.0/4",      "240.0.0.0/4",     "::/127",           "::/96",
              "::ffff:0:0/96",    "::ffff:0:0:0/96", "64:ff9b::/96",     "64:ff9b:1::/48",
              "64:ff9b:1:7::/96", "2001::/32",       "2001:0:7f00::/40", "2001::/23",
              "2001:2::/48",      "2001:db8::/32",   "2002::/16",        "2002:7f00::/24",
              "2a00::/16",        "2a02:64::/96",    "2a02:77::/32",     "3fff::/20",
              "4000::/3",         "fc00::/7",        "fd00:64::/48",     "fe80::/10",
              "fec0::/10",        "ff00::/8"}) {
            made.push_back(prefix(text));
        }
        return made;
    }();
    return all;
}

class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_{crypto::seed_from_number(seed)} {}

    const IpPrefix& place() { return interesting()[random_.below(interesting().size())]; }
    // Inside a place, at its edges, or one beside; sometimes with an IPv4 address inside.
    IpAddress address() {
        const IpPrefix& range = place();
        const BytesView base = range.address.octets();
        Bytes octets = to_bytes(base);
        const std::uint64_t style = random_.below(4);
        for (unsigned i = range.length; i < octets.size() * 8; ++i) {
            const bool one = style == 1 || (style >= 2 && random_.below(2) == 1);
            if (one) octets[i / 8] |= std::byte{0x80} >> (i % 8);
        }
        if (random_.below(8) == 0 && range.length > 0) {
            const unsigned last = range.length - 1U;
            octets[last / 8] ^= std::byte{0x80} >> (last % 8);
        }
        if (octets.size() == 16 && random_.below(3) == 0) {
            const IpAddress inner = v4();
            const std::size_t at = std::array<std::size_t, 4>{12, 12, 4, 9}[random_.below(4)];
            std::ranges::copy(inner.octets(), octets.begin() + static_cast<std::ptrdiff_t>(at));
            if (random_.below(4) == 0) {
                octets[8] = random_.below(2) == 0 ? std::byte{0} : std::byte{2};
                octets[9] = std::byte{0};
                octets[10] = std::byte{0x5E};
                octets[11] = std::byte{0xFE};
            }
        }
        return IpAddress::from_octets(octets);
    }
    IpAddress v4() {
        for (;;) {
            const IpPrefix& range = place();
            if (range.address.is_v4()) return range.address;
        }
    }
    // A place, wider or narrower than it was.
    IpPrefix any_prefix() {
        IpPrefix chosen = place();
        const unsigned most = chosen.address.is_v4() ? 32 : 128;
        chosen.address = random_.below(3) == 0 ? address() : chosen.address;
        const unsigned most_now = chosen.address.is_v4() ? 32 : 128;
        const auto length = static_cast<unsigned>(chosen.length + random_.below(9));
        const unsigned moved = length >= 4 ? length - 4 : 0;
        chosen.length = static_cast<std::uint8_t>(std::min(moved, std::min(most, most_now)));
        return chosen;
    }
    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

private:
    crypto::RandomStream random_;
};

TEST_CASE("turn peer policy: says what a slow and obvious one says") {
    std::size_t allowed = 0;
    std::size_t denied = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        Generator generator{seed};
        PeerPolicy policy;
        Oracle oracle;
        for (std::uint64_t i = generator.below(6); i > 0; --i) {
            oracle.opened.push_back(generator.any_prefix());
            REQUIRE(policy.open(oracle.opened.back()));
        }
        for (std::uint64_t i = generator.below(4); i > 0; --i) {
            oracle.denied.push_back(generator.any_prefix());
            REQUIRE(policy.deny(oracle.denied.back()));
        }
        if (generator.below(2) == 0) {
            for (const char* text : {"2a02:64::/96", "2a02:77::/32", "64:ff9b:1:7::/96",
                                     "fd00:64::/48", "2a02:99:1::/64"}) {
                oracle.nat64.push_back(prefix(text));
                REQUIRE(policy.add_nat64(oracle.nat64.back()));
            }
        }
        for (int i = 0; i < 200; ++i) {
            const IpAddress peer = generator.address();
            CAPTURE(peer.to_string());
            const bool allows = policy.judge(peer) == PeerPolicy::Verdict::Allowed;
            REQUIRE(allows == oracle.allows(peer));
            ++(allows ? allowed : denied);
        }
    }
    // Neither answer is rare, or the comparison would say little.
    CHECK(allowed > 5000);
    CHECK(denied > 5000);
}

TEST_CASE("embedded IPv4: each disguise shows what is inside, and nothing else is one") {
    const auto seen = [](std::string_view text) { return embedded_ipv4(ip(text)); };
    using enum Disguise;
    CHECK(seen("::ffff:1.2.3.4") == EmbeddedIpv4{ip("1.2.3.4"), Mapped});
    CHECK(seen("::1.2.3.4") == EmbeddedIpv4{ip("1.2.3.4"), Compatible});
    CHECK(seen("::ffff:0:1.2.3.4") == EmbeddedIpv4{ip("1.2.3.4"), Translated});
    CHECK(seen("2002:102:304::9") == EmbeddedIpv4{ip("1.2.3.4"), SixToFour});
    CHECK(seen("2001:0:4136:e378:8000:63bf:3fff:fdd2") == EmbeddedIpv4{ip("192.0.2.45"), Teredo});
    CHECK(seen("fe80::5efe:1.2.3.4") == EmbeddedIpv4{ip("1.2.3.4"), Isatap});
    CHECK(seen("2a00::200:5efe:1.2.3.4") == EmbeddedIpv4{ip("1.2.3.4"), Isatap});
    CHECK(seen("64:ff9b::1.2.3.4") == EmbeddedIpv4{ip("1.2.3.4"), Nat64});
    for (const char* text : {"1.2.3.4", "::", "::1", "2a00::1", "2003::1", "2001:1::1",
                             "64:ff9b:0:1::1", "::fffe:1.2.3.4", "2a00::300:5efe:1.2.3.4"}) {
        CAPTURE(text);
        CHECK_FALSE(seen(text));
    }
}

TEST_CASE("embedded IPv4: the table of RFC 6052 Section 2.4") {
    const std::pair<const char*, const char*> table[] = {
        {"2001:db8::/32", "2001:db8:c000:221::"},
        {"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
        {"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
        {"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
        {"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"},
        {"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"},
    };
    for (const auto& [range, address] : table) {
        CAPTURE(range);
        const IpPrefix nat64 = prefix(range);
        CHECK(embedded_ipv4(ip(address), {&nat64, 1}) ==
              EmbeddedIpv4{ip("192.0.2.33"), Disguise::Nat64});
    }
}

TEST_CASE("turn peer policy: a NAT64 prefix has a length of RFC 6052 and a place in the network") {
    PeerPolicy policy;
    for (const char* text : {"2a00::/33", "2a00::/95", "2a00::/128", "2a00::/0", "::ffff:0:0/96",
                             "::/96", "fe80::/64", "ff00::/32", "64:ff9b::/96", "2000::/2"}) {
        CAPTURE(text);
        CHECK_FALSE(policy.add_nat64(prefix(text)));
    }
    for (std::size_t i = 0; i < most_nat64_prefixes; ++i) {
        CHECK(policy.add_nat64(prefix("2a00:1::/96")));
    }
    CHECK_FALSE(policy.add_nat64(prefix("2a00:1::/96")));
}

}  // namespace
}  // namespace stile::turn
