// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/crypto/random_stream.hpp>
#include <stile/http/limits.hpp>
#include <stile/http/path.hpp>

namespace stile::http {
namespace {

TEST_CASE("http path: clean paths") {
    struct Case {
        std::string_view path;
        std::vector<std::string> segments;
        TrailingSlash slash;
    };
    using enum TrailingSlash;
    const Case cases[] = {
        {"/", {}, Yes},
        {"/a", {"a"}, No},
        {"/a/", {"a"}, Yes},
        {"/a/b", {"a", "b"}, No},
        {"//a///b", {"a", "b"}, No},
        {"/a%20b", {"a b"}, No},
        {"/%C3%A9", {"\xC3\xA9"}, No},
        {"/%FF", {"\xFF"}, No},
        {"/a/./b", {"a", "b"}, No},
        {"/a/../b", {"b"}, No},
        {"/a/b/..", {"a"}, Yes},
        {"/a/.", {"a"}, Yes},
        {"/a/%2E%2e/b", {"b"}, No},
        {"/a/..", {}, Yes},
        {"/...", {"..."}, No},
        {"/a/.b", {"a", ".b"}, No},
        {"/a+b", {"a+b"}, No},
        {"/%2520", {"%20"}, No},
        {"/a:b;c=d", {"a:b;c=d"}, No},
        {"/C:\\x", {"C:\\x"}, No},
    };
    for (const Case& each : cases) {
        CAPTURE(each.path);
        const auto clean = clean_path(each.path);
        REQUIRE(clean);
        CHECK(clean->segments == each.segments);
        CHECK(clean->trailing_slash == each.slash);
        CHECK_FALSE(clean->query);
        CHECK(clean_path(clean->to_string()) == clean);
    }
    CHECK(clean_path("/a?b=/../%zz")->query == "b=/../%zz");
    CHECK(clean_path("/a?")->query == "");
}

TEST_CASE("http path: what is refused") {
    struct Case {
        std::string_view path;
        PathError error;
    };
    using enum PathError;
    const Case cases[] = {
        {"", NotAbsolute},          {"a", NotAbsolute},
        {"*", NotAbsolute},         {"?x", NotAbsolute},
        {"http://x/", NotAbsolute}, {"/..", AboveRoot},
        {"/a/../..", AboveRoot},    {"/%2e%2e/etc/passwd", AboveRoot},
        {"/a/../../a", AboveRoot},  {"/./..", AboveRoot},
        {"//..", AboveRoot},        {"/%", BadEscape},
        {"/%2", BadEscape},         {"/%zz", BadEscape},
        {"/%+1", BadEscape},        {"/a%00b", BadCharacter},
        {"/a%2Fb", BadCharacter},   {"/..%2f..%2fetc", BadCharacter},
        {"/a%0Ab", BadCharacter},   {"/a%7F", BadCharacter},
        {"/a\tb", BadCharacter},
    };
    for (const Case& each : cases) {
        CAPTURE(each.path);
        const auto clean = clean_path(each.path);
        REQUIRE_FALSE(clean);
        CHECK(to_string(clean.error()) == to_string(each.error));
    }
    CHECK(clean_path(std::string_view{"/a\0b", 4}).error() == BadCharacter);
}

TEST_CASE("http path: limits hold at their value and one past it") {
    CHECK(clean_path("/" + std::string(limits::segment_octets, 'x')));
    CHECK(clean_path("/" + std::string(limits::segment_octets + 1, 'x')).error() ==
          PathError::TooLong);
    std::string deep;
    for (std::size_t i = 0; i < limits::path_segments; ++i) deep += "/x";
    CHECK(clean_path(deep));
    CHECK(clean_path(deep + "/x").error() == PathError::TooLong);
    CHECK(clean_path(std::string(limits::path_octets, '/')));
    CHECK(clean_path(std::string(limits::path_octets + 1, '/')).error() == PathError::TooLong);
}

TEST_CASE("http path: any name survives being a segment, and nothing leaves the root") {
    for (std::uint64_t number = 0; number < 2'000; ++number) {
        CAPTURE(number);  // the seed
        crypto::RandomStream random{crypto::seed_from_number(number)};
        const std::string name = to_text(random.bytes(random.below(20) + 1));
        CHECK(percent_decode(encode_segment(name)) == name);
        std::string path = "/";
        constexpr std::string_view alphabet[] = {"/", "..",  ".",  "%2e", "%2E",
                                                 "a", "%2f", "\\", "?"};
        for (std::uint64_t i = random.below(14); i > 0; --i) path += alphabet[random.below(9)];
        const auto clean = clean_path(path);
        if (!clean) continue;
        for (const std::string& segment : clean->segments) {
            CHECK_FALSE(segment.empty());
            CHECK(segment != ".");
            CHECK(segment != "..");
            CHECK(segment.find('/') == std::string::npos);
        }
    }
}

}  // namespace
}  // namespace stile::http
