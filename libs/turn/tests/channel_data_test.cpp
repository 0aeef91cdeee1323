// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/crypto/random_stream.hpp>
#include <stile/turn/channel_data.hpp>
#include <stile/turn/stream_framing.hpp>

namespace stile::turn {
namespace {

Bytes octets(std::initializer_list<unsigned> values) {
    Bytes bytes;
    for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

TEST_CASE("turn channel data: header and payload come back") {
    const Bytes message = octets({0x40, 0x01, 0x00, 0x03, 'a', 'b', 'c'});
    const auto parsed = ChannelData::parse(message);
    REQUIRE(parsed);
    CHECK(parsed->channel == ChannelNumber{0x4001});
    CHECK(as_text(parsed->payload) == "abc");
    CHECK(equal(channel_header({0x4001}, 3), BytesView{message}.first(4)));
}

TEST_CASE("turn channel data: an empty payload is valid, padding is not payload") {
    const Bytes empty = octets({0x4F, 0xFF, 0, 0});
    REQUIRE(ChannelData::parse(empty));
    CHECK(ChannelData::parse(empty)->payload.empty());
    const Bytes padded = octets({0x40, 0x00, 0, 1, 'x', 0, 0, 0});
    REQUIRE(ChannelData::parse(padded));
    CHECK(ChannelData::parse(padded)->payload.size() == 1);
}

TEST_CASE("turn channel data: what is short or outside the range is refused") {
    for (const Bytes& bad :
         {octets({}), octets({0x40}), octets({0x40, 0, 0}), octets({0x40, 0, 0, 1}),
          octets({0x40, 0, 0xFF, 0xFF, 1}), octets({0x50, 0, 0, 0}), octets({0xFF, 0xFF, 0, 0}),
          octets({0x3F, 0xFF, 0, 0})}) {
        CHECK_FALSE(ChannelData::parse(bad));
    }
}

TEST_CASE("turn channel data: the first octet tells it from STUN, DTLS and RTP") {
    CHECK(looks_like_channel_data(octets({0x40, 0, 0, 0})));
    CHECK(looks_like_channel_data(octets({0x4F, 0, 0, 0})));
    CHECK_FALSE(looks_like_channel_data(octets({0x50, 0, 0, 0})));
    CHECK_FALSE(looks_like_channel_data(octets({0x3F, 0, 0, 0})));
    CHECK_FALSE(looks_like_channel_data(octets({0x40, 0, 0})));
}

TEST_CASE("turn stream framing: ChannelData is padded to four octets, STUN is as long as it says") {
    CHECK(framed_size(octets({0x40, 0, 0, 0})).value() == 4);
    CHECK(framed_size(octets({0x40, 0, 0, 1})).value() == 8);
    CHECK(framed_size(octets({0x40, 0, 0, 4})).value() == 8);
    CHECK(framed_size(octets({0x40, 0, 0xFF, 0xFF})).value() == 4 + 65536);
    CHECK(framed_size(octets({0x00, 0x01, 0, 0})).value() == 20);
    CHECK(framed_size(octets({0x01, 0x13, 0xFF, 0xFC})).value() == 20 + 65532);
}

TEST_CASE("turn stream framing: too little is incomplete, nonsense ends the connection") {
    CHECK(framed_size(octets({})).error() == FramingError::Incomplete);
    CHECK(framed_size(octets({0x40, 0, 0})).error() == FramingError::Incomplete);
    CHECK(framed_size(octets({0x16, 0x03, 0x01, 0x02})).error() == FramingError::NotTurn);
    CHECK(framed_size(octets({0x50, 0, 0, 0})).error() == FramingError::NotTurn);
    CHECK(framed_size(octets({0x80, 0, 0, 0})).error() == FramingError::NotTurn);
    CHECK(framed_size(octets({0x00, 0x01, 0, 2})).error() == FramingError::NotTurn);
}

TEST_CASE("turn stream framing: a stream of random messages falls apart where it was joined") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        CAPTURE(seed);
        crypto::RandomStream random{crypto::seed_from_number(seed)};
        Bytes stream;
        std::vector<std::size_t> sizes;
        for (int i = 0; i < 20; ++i) {
            const auto length = static_cast<std::size_t>(random.below(100));
            const auto header =
                channel_header({static_cast<std::uint16_t>(0x4000 + random.below(0x1000))}, length);
            stream.insert(stream.end(), header.begin(), header.end());
            stream.resize(stream.size() + length + stream_padding(length));
            sizes.push_back(4 + length + stream_padding(length));
        }
        BytesView rest{stream};
        for (const std::size_t size : sizes) {
            REQUIRE(framed_size(rest).value() == size);
            REQUIRE(ChannelData::parse(rest.first(size)));
            rest = rest.subspan(size);
        }
        CHECK(rest.empty());
    }
}

}  // namespace
}  // namespace stile::turn
