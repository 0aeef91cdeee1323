// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/crypto/random_stream.hpp>
#include <stile/http/limits.hpp>
#include <stile/http/range.hpp>

namespace stile::http {
namespace {

std::vector<ByteRange> of(std::string_view value, std::uint64_t size) {
    CAPTURE(value);
    const auto specs = parse_range(value);
    REQUIRE(specs);
    return satisfiable(*specs, size);
}

TEST_CASE("http range: the examples of RFC 9110 Section 14.1.2, of 10000 octets") {
    using Ranges = std::vector<ByteRange>;
    CHECK(of("bytes=0-499", 10'000) == Ranges{{0, 499}});
    CHECK(of("bytes=500-999", 10'000) == Ranges{{500, 999}});
    CHECK(of("bytes=-500", 10'000) == Ranges{{9500, 9999}});
    CHECK(of("bytes=9500-", 10'000) == Ranges{{9500, 9999}});
    CHECK(of("bytes=0-0,-1", 10'000) == Ranges{{0, 0}, {9999, 9999}});
    CHECK(of("bytes= 0-999, 4500-5499, -1000", 10'000) ==
          Ranges{{0, 999}, {4500, 5499}, {9000, 9999}});
    CHECK(of("bytes=500-600,601-999", 10'000) == Ranges{{500, 999}});
    CHECK(of("bytes=500-700,601-999", 10'000) == Ranges{{500, 999}});
}

TEST_CASE("http range: what goes past the end is cut, what begins there is not satisfiable") {
    using Ranges = std::vector<ByteRange>;
    CHECK(of("bytes=0-", 1) == Ranges{{0, 0}});
    CHECK(of("bytes=5-9999999", 10) == Ranges{{5, 9}});
    CHECK(of("bytes=-9999999", 10) == Ranges{{0, 9}});
    CHECK(of("bytes=9-", 10) == Ranges{{9, 9}});
    CHECK(of("bytes=10-", 10).empty());
    CHECK(of("bytes=-0", 10).empty());
    CHECK(of("bytes=0-", 0).empty());
    CHECK(of("bytes=-5", 0).empty());
    CHECK(of("bytes=100-,0-1", 10) == Ranges{{0, 1}});
    CHECK(of("bytes=0-99999999999999999999999999", UINT64_MAX) == Ranges{{0, UINT64_MAX - 1}});
    CHECK(of("bytes=99999999999999999999999999-", UINT64_MAX).empty());
}

TEST_CASE("http range: ranges are merged when the gap is cheaper than a part") {
    using Ranges = std::vector<ByteRange>;
    CHECK(of("bytes=0-9,90-99", 1000) == Ranges{{0, 9}, {90, 99}});
    CHECK(of("bytes=0-9,89-99", 1000) == Ranges{{0, 99}});
    CHECK(of("bytes=900-999,0-9", 1000) == Ranges{{900, 999}, {0, 9}});
    CHECK(of("bytes=900-999,0-9,5-20", 1000) == Ranges{{0, 20}, {900, 999}});
    CHECK(of("bytes=0-999,5-6,7-8", 1000) == Ranges{{0, 999}});
}

TEST_CASE("http range: fields that are to be ignored, and why") {
    struct Case {
        std::string_view value;
        RangeError error;
    };
    const Case cases[] = {
        {"", RangeError::Malformed},
        {"bytes", RangeError::Malformed},
        {"bytes=", RangeError::Malformed},
        {"bytes=,", RangeError::Malformed},
        {"bytes=-", RangeError::Malformed},
        {"bytes=5", RangeError::Malformed},
        {"bytes=9-5", RangeError::Malformed},
        {"bytes=a-b", RangeError::Malformed},
        {"bytes=1-2-3", RangeError::Malformed},
        {"bytes=--5", RangeError::Malformed},
        {"bytes=+1-2", RangeError::Malformed},
        {"bytes=1 -2", RangeError::Malformed},
        {"bytes=0-1,x", RangeError::Malformed},
        {"lines=0-1", RangeError::OtherUnit},
        {"=0-1", RangeError::OtherUnit},
    };
    for (const Case& each : cases) {
        CAPTURE(each.value);
        const auto specs = parse_range(each.value);
        REQUIRE_FALSE(specs);
        CHECK(static_cast<int>(specs.error()) == static_cast<int>(each.error));
    }
    CHECK(parse_range("Bytes=0-1"));
    CHECK(parse_range("bytes=0-1,,2-3,")->size() == 2);
}

TEST_CASE("http range: the number of ranges is limited") {
    std::string value = "bytes=0-1";
    for (std::size_t i = 1; i < limits::range_specs; ++i) value += ",0-1";
    CHECK(parse_range(value)->size() == limits::range_specs);
    value += ",0-1";
    REQUIRE_FALSE(parse_range(value));
    CHECK(parse_range(value).error() == RangeError::TooMany);
}

TEST_CASE("http range: merged ranges are exactly the octets asked for and at most small gaps") {
    constexpr std::uint64_t size = 2'000;
    for (std::uint64_t number = 0; number < 300; ++number) {
        CAPTURE(number);  // the seed
        crypto::RandomStream random{crypto::seed_from_number(number)};
        std::vector<RangeSpec> specs;
        for (std::uint64_t i = random.below(8) + 1; i > 0; --i) {
            const std::uint64_t first = random.below(size + 100);
            switch (random.below(3)) {
                case 0:
                    specs.push_back({.first = first, .last = first + random.below(300)});
                    break;
                case 1:
                    specs.push_back({.first = first, .last = {}});
                    break;
                default:
                    specs.push_back({.first = {}, .last = random.below(300)});
            }
        }
        const auto parsed = parse_range(format_range(specs));
        REQUIRE(parsed);
        CHECK(*parsed == specs);
        std::vector<int> asked(size), sent(size);
        for (const RangeSpec& spec : specs) {
            for (std::uint64_t i = 0; i < size; ++i) {
                const bool inside = spec.first ? i >= *spec.first && i <= spec.last.value_or(size)
                                               : i + *spec.last >= size;
                if (inside) asked[i] = 1;
            }
        }
        for (const ByteRange& range : satisfiable(specs, size)) {
            REQUIRE(range.last < size);
            for (std::uint64_t i = range.first; i <= range.last; ++i) ++sent[i];
        }
        std::size_t gap = 0;
        for (std::uint64_t i = 0; i < size; ++i) {
            CHECK(sent[i] <= 1);
            CHECK(sent[i] >= asked[i]);
            gap = sent[i] == 1 && asked[i] == 0 ? gap + 1 : 0;
            CHECK(gap < limits::range_gap_octets);
        }
    }
}

TEST_CASE("http content-range: the examples of RFC 9110 Section 14.4") {
    for (const std::string_view text :
         {"bytes 42-1233/1234", "bytes 42-1233/*", "bytes */1234", "bytes 0-499/1234",
          "bytes 734-1233/1234", "bytes 0-18446744073709551614/18446744073709551615"}) {
        CAPTURE(text);
        const auto parsed = ContentRange::parse(text);
        REQUIRE(parsed);
        CHECK(parsed->to_string() == text);
    }
    for (const std::string_view bad :
         {"", "bytes", "bytes 1-2", "bytes */*", "bytes 5-4/10", "bytes 0-10/10", "bytes -1/10",
          "bytes 0-/10", "bytes a-b/10", "bytes 0-1/x", "items 0-1/10", "bytes 0-1/10/11",
          "bytes 18446744073709551615-18446744073709551615/*", "bytes 0-1/18446744073709551616",
          "bytes  0-1/10"}) {
        CAPTURE(bad);
        CHECK_FALSE(ContentRange::parse(bad));
    }
}

}  // namespace
}  // namespace stile::http
