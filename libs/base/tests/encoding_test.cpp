// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>

namespace stile {
namespace {

TEST_CASE("encoding: RFC 4648 Section 10 vectors") {
    for (const auto& [plain, text] :
         {std::pair{"", ""}, std::pair{"f", "Zg=="}, std::pair{"fo", "Zm8="},
          std::pair{"foo", "Zm9v"}, std::pair{"foob", "Zm9vYg=="}, std::pair{"fooba", "Zm9vYmE="},
          std::pair{"foobar", "Zm9vYmFy"}}) {
        CAPTURE(plain);
        CHECK(to_base64(as_bytes(plain)) == text);
        CHECK(from_base64(text) == to_bytes(plain));
    }
    CHECK(to_base64url(as_bytes("\xfb\xff")) == "-_8");
    CHECK(from_base64url("-_8") == to_bytes("\xfb\xff"));
}

TEST_CASE("encoding: what base 64 does not allow is refused") {
    for (const char* text : {"Zg", "Zg=", "Z===", "Zh==", "Zg==Zg==", "Zm9v\n", "Zm-v", "===="}) {
        CAPTURE(text);
        CHECK_FALSE(from_base64(text));
    }
}

TEST_CASE("encoding: hexadecimal") {
    CHECK(to_hex(as_bytes("\x01\xab")) == "01ab");
    CHECK(from_hex("01aB") == to_bytes("\x01\xab"));
    CHECK_FALSE(from_hex("0"));
    CHECK_FALSE(from_hex("0g"));
}

TEST_CASE("text: numbers are digits alone, up to the limit") {
    CHECK(parse_unsigned("65535", 65535) == 65535);
    CHECK_FALSE(parse_unsigned("65536", 65535));
    for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "99999999999999999999"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_unsigned(text, UINT64_MAX));
    }
}

TEST_CASE("text: take_until walks a list") {
    std::string_view rest = "a,b,,c";
    CHECK(take_until(rest, ',') == "a");
    CHECK(take_until(rest, ',') == "b");
    CHECK(take_until(rest, ',').empty());
    CHECK(take_until(rest, ',') == "c");
    CHECK(rest.empty());
    CHECK(trim(" \ta b\t ") == "a b");
    CHECK(iequals("Call-ID", "call-id"));
}

}  // namespace
}  // namespace stile
