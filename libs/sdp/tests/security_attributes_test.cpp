// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/sdp/fingerprint.hpp>
#include <stile/sdp/grouping.hpp>
#include <stile/sdp/rtp_map.hpp>
#include <stile/sdp/sctp.hpp>
#include <stile/sdp/setup.hpp>

namespace stile::sdp {
namespace {

using enum AttributeError;

template <class A>
std::optional<AttributeError> error_of(std::string_view value) {
    const auto parsed = A::parse(value);
    if (parsed) return {};
    return parsed.error();
}

// RFC 8122 Section 3.4.
constexpr std::string_view sha256 =
    "SHA-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:"
    "7C:AB:4A:AD";
constexpr std::string_view sha1 =
    "SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";

TEST_CASE("sdp fingerprint: the examples of RFC 8122 Section 3.4") {
    const auto strong = Fingerprint::parse(sha256);
    REQUIRE(strong);
    CHECK(strong->hash == HashFunction::Sha256);
    CHECK(strong->digest.size() == 32);
    CHECK(strong->digest.front() == std::byte{0x12});
    CHECK(strong->digest.back() == std::byte{0xAD});
    CHECK(*strong->value() == "sha-256" + std::string{sha256.substr(7)});
    const auto weak = Fingerprint::parse(sha1);
    REQUIRE(weak);
    CHECK(weak->hash == HashFunction::Sha1);
    CHECK(select_fingerprints({*weak, *strong}, {HashFunction::Sha256, HashFunction::Sha1}) ==
          std::vector{*strong});
    CHECK(select_fingerprints({*weak, *strong}, {HashFunction::Sha1}) == std::vector{*weak});
    CHECK(select_fingerprints({*weak}, {HashFunction::Sha256}).empty());
}

TEST_CASE("sdp fingerprint: each hash function has its length") {
    for (const auto& [hash, octets] : {std::pair{"sha-1", 20U},
                                       {"sha-224", 28U},
                                       {"sha-256", 32U},
                                       {"sha-384", 48U},
                                       {"sha-512", 64U},
                                       {"md5", 16U},
                                       {"md2", 16U}}) {
        CAPTURE(hash);
        std::string text{hash};
        for (std::size_t i = 0; i < octets; ++i) text += i == 0 ? " aB" : ":cD";
        CHECK_FALSE(error_of<Fingerprint>(text));
        CHECK(error_of<Fingerprint>(text + ":00") == OutOfRange);
        CHECK(error_of<Fingerprint>(text.substr(0, text.size() - 3)) == OutOfRange);
    }
}

TEST_CASE("sdp fingerprint: each fault has its error") {
    for (const std::string_view text :
         {"", "sha-256", "sha-256 ", "sha-256 1", "sha-256 1:2", "sha-256 12:", "sha-256 :12",
          "sha-256 12::34", "sha-256 GG:12", "sha-256 12 34", "sh@ 12:34"}) {
        CAPTURE(text);
        CHECK(error_of<Fingerprint>(text) == Malformed);
    }
    CHECK(error_of<Fingerprint>("sha-3 12:34") == Unsupported);
}

TEST_CASE("sdp fingerprint: MD5 and MD2 are known and never selected") {
    const Fingerprint md5{.hash = HashFunction::Md5, .digest = Bytes(16)};
    CHECK(select_fingerprints({md5}, {HashFunction::Md5}).empty());
}

TEST_CASE("sdp fingerprint: all certificates of the preferred hash function count") {
    const Fingerprint first{.digest = Bytes(32, std::byte{1})};
    const Fingerprint second{.digest = Bytes(32, std::byte{2})};
    const Fingerprint weak{.hash = HashFunction::Sha1, .digest = Bytes(20)};
    CHECK(select_fingerprints({first, weak, second}, {HashFunction::Sha256}) ==
          std::vector{first, second});
    CHECK(same_fingerprints({first, second}, {second, first}));
    CHECK_FALSE(same_fingerprints({first, second}, {first}));
    CHECK_FALSE(same_fingerprints({first}, {first, second}));
}

TEST_CASE("sdp setup: the answers that RFC 4145 Section 4.1 allows, and no other") {
    using enum SetupRole;
    const std::array roles{Active, Passive, Actpass, Holdconn};
    const bool allowed[4][4] = {
        // answer: active, passive, actpass, holdconn
        {false, true, false, true},   // offer active
        {true, false, false, true},   // passive
        {true, true, false, true},    // actpass
        {false, false, false, true},  // holdconn
    };
    for (std::size_t offer = 0; offer < 4; ++offer) {
        for (std::size_t answer = 0; answer < 4; ++answer) {
            CAPTURE(offer);
            CAPTURE(answer);
            CHECK(may_answer(roles[offer], roles[answer]) == allowed[offer][answer]);
        }
        for (const SetupRole preferred : {Active, Passive}) {
            CHECK(may_answer(roles[offer], answer_to(roles[offer], preferred)));
        }
        CHECK(Setup::parse(to_string(roles[offer]))->role == roles[offer]);
    }
    CHECK(answer_to(Actpass, Active) == Active);
    CHECK(error_of<Setup>("both") == Malformed);
    CHECK(error_of<Setup>("") == Malformed);
}

TEST_CASE("sdp setup: connection and tls-id") {
    CHECK(ConnectionAttribute::parse("existing")->use == ConnectionUse::Existing);
    CHECK(ConnectionAttribute::parse("new")->value() == "new");
    CHECK(error_of<ConnectionAttribute>("old") == Malformed);
    CHECK(TlsId::parse("abc3de65cddef001be82")->text == "abc3de65cddef001be82");
    CHECK_FALSE(error_of<TlsId>(std::string(255, '-')));
    CHECK(error_of<TlsId>(std::string(256, '-')) == OutOfRange);
    CHECK(error_of<TlsId>(std::string(19, 'x')) == OutOfRange);
    CHECK(error_of<TlsId>("abc3de65cddef001be8 2") == Malformed);
}

TEST_CASE("sdp sctp: numbers without leading zeroes") {
    CHECK(SctpPort::parse("5000")->port == 5000);
    CHECK(SctpPort::parse("0")->port == 0);
    CHECK(SctpPort::parse("65535")->port == 65'535);
    CHECK(error_of<SctpPort>("65536") == OutOfRange);
    CHECK(error_of<SctpPort>("05000") == Malformed);
    CHECK(error_of<SctpPort>("") == Malformed);
    CHECK(MaxMessageSize::parse("100000")->octets == 100'000);
    CHECK(MaxMessageSize::parse("18446744073709551615")->octets == UINT64_MAX);
    CHECK(error_of<MaxMessageSize>("18446744073709551616") == OutOfRange);
    CHECK(error_of<MaxMessageSize>("-1") == Malformed);
}

TEST_CASE("sdp grouping: mid and group") {
    CHECK(Mid::parse("audio-1")->text == "audio-1");
    CHECK(error_of<Mid>("a b") == Malformed);
    const auto group = Group::parse("BUNDLE foo bar");
    REQUIRE(group);
    CHECK(group->is_bundle());
    CHECK(group->mids == std::vector<std::string>{"foo", "bar"});
    CHECK(group->value() == "BUNDLE foo bar");
    CHECK_FALSE(Group::parse("LS 1 2")->is_bundle());
    CHECK(error_of<Group>("BUNDLE  foo") == Malformed);
    CHECK(error_of<Group>("") == Malformed);
}

TEST_CASE("sdp rtpmap and fmtp: the examples of RFC 8866") {
    const auto map = RtpMap::parse("98 L16/11025/2");
    REQUIRE(map);
    CHECK(map->payload_type == 98);
    CHECK(map->encoding == "L16");
    CHECK(map->clock_rate == 11'025);
    CHECK(map->parameters == "2");
    CHECK(map->value() == "98 L16/11025/2");
    CHECK(RtpMap::parse("0 PCMU/8000")->value() == "0 PCMU/8000");
    for (const std::string_view bad : {"", "98", "98 L16", "98 /8000", "x L16/8000", "98 L16/x"}) {
        CAPTURE(bad);
        CHECK(error_of<RtpMap>(bad) == Malformed);
    }
    CHECK(error_of<RtpMap>("128 L16/8000") == OutOfRange);
    CHECK(error_of<RtpMap>("98 L16/0") == OutOfRange);

    const auto fmtp = Fmtp::parse("111 minptime=10; useinbandfec=1;stereo = 0");
    REQUIRE(fmtp);
    CHECK(fmtp->format == "111");
    CHECK(fmtp->parameter("UseInbandFec") == "1");
    CHECK(fmtp->parameter("stereo") == "0");
    CHECK_FALSE(fmtp->parameter("maxptime"));
    CHECK(Fmtp::parse("101 0-15")->value() == "101 0-15");
    CHECK(error_of<Fmtp>("101") == Malformed);
    CHECK(error_of<Fmtp>("") == Malformed);
}

}  // namespace
}  // namespace stile::sdp
