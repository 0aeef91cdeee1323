// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/connect/packet_framing.hpp>

namespace stile::connect {
namespace {

TEST_CASE("packet framing: two octets of length, then the packet; RFC 4571 Section 2") {
    CHECK(framed(as_bytes("abc")) == to_bytes(std::string_view{"\0\3abc", 5}));
    CHECK(framed({}) == to_bytes(std::string_view{"\0\0", 2}));
}

TEST_CASE("packet framing: the first packet of a stream, once it is there whole") {
    const Bytes stream = to_bytes(std::string_view{"\0\3abc\0\1d", 8});
    for (std::size_t size = 0; size < 5; ++size) {
        CHECK_FALSE(first_packet(BytesView{stream}.first(size)));
    }
    REQUIRE(first_packet(stream));
    CHECK(as_text(*first_packet(stream)) == "abc");
}

TEST_CASE("packet framing: the longest packet there is") {
    const Bytes packet(most_framed_octets, std::byte{7});
    const Bytes frame = framed(packet);
    CHECK_FALSE(first_packet(BytesView{frame}.first(frame.size() - 1)));
    REQUIRE(first_packet(frame));
    CHECK(equal(*first_packet(frame), packet));
}

}  // namespace
}  // namespace stile::connect
