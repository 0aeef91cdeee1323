// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/app/toml_reader.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace stile;
using app::TomlNode;
using app::TomlReader;

namespace {

// What is said about `key = value` when it is read this way.
template <class Read>
std::string said_of(std::string_view value, Read read) {
    const std::string text = "key = " + std::string{value} + "\n";
    TomlReader reader{text, "f"};
    const auto done = reader.read({{"key", [&](TomlNode node) { read(reader, node); }}});
    return done ? "" : done.error().text;
}

}  // namespace

TEST_CASE("toml reader: a mistake is shown at its place with a way out") {
    TomlReader reader{"good = 1\nbda = 2\n", "file.toml"};
    const auto done = reader.read({{"good", [](TomlNode) {}}, {"bad", [](TomlNode) {}}});
    REQUIRE_FALSE(done);
    CHECK(done.error().text ==
          "file.toml:2:1: unknown key 'bda' in the file\n"
          "    2 | bda = 2\n"
          "      | ^ did you mean 'bad'?\n");
}

TEST_CASE("toml reader: what is no TOML is refused with its line") {
    TomlReader reader{"a = 1\nb = = 2\n", "file.toml"};
    const auto done = reader.read({{"a", [](TomlNode) {}}, {"b", [](TomlNode) {}}});
    REQUIRE_FALSE(done);
    CHECK(done.error().text.starts_with("file.toml:2:"));
}

TEST_CASE("toml reader: nothing is read after the first mistake") {
    TomlReader reader{"a = 'x'\nb = 2\n", "f"};
    int reads = 0;
    const auto done = reader.read({{"a", [&](TomlNode node) { (void)reader.boolean(node); }},
                                   {"b", [&](TomlNode) { ++reads; }}});
    CHECK_FALSE(done);
    CHECK(reads == 0);
}

TEST_CASE("toml reader: numbers, times and choices say what they take") {
    const auto number = [](TomlReader& reader, TomlNode node) { (void)reader.number(node, 1, 9); };
    CHECK(said_of("9", number).empty());
    CHECK(said_of("10", number).find("a number from 1 to 9") != std::string::npos);
    CHECK(said_of("-1", number).find("a number from 1 to 9") != std::string::npos);
    CHECK(said_of("'1'", number).find("a number from 1 to 9") != std::string::npos);
    const auto time = [](TomlReader& reader, TomlNode node) {
        CHECK(reader.seconds(node, 60, 7200).value_or(3600) == 3600);
    };
    CHECK(said_of("3600", time).empty());
    CHECK(said_of("'60m'", time).empty());
    CHECK(said_of("'1h'", time).empty());
    CHECK(said_of("'1 h'", time).find("a time from 60 to 7200") != std::string::npos);
    CHECK(said_of("'59s'", time).find("a time from 60 to 7200") != std::string::npos);
    const auto choice = [](TomlReader& reader, TomlNode node) {
        CHECK(reader.choice(node, {"off", "automatic"}).value_or(1) == 1);
    };
    CHECK(said_of("'automatic'", choice).empty());
    CHECK(said_of("'automatc'", choice).find("did you mean 'automatic'?") != std::string::npos);
    CHECK(said_of("'x'", choice).find("one of: off, automatic") != std::string::npos);
}

TEST_CASE("toml reader: addresses, prefixes and ports") {
    const auto ports = [](TomlReader& reader, TomlNode node) {
        if (const auto value = reader.ports(node)) CHECK(value->last == 2000);
    };
    CHECK(said_of("'1024-2000'", ports).empty());
    for (const char* bad : {"'1023-2000'", "'2000-1999'", "'2000'", "'1024-65536'", "1024"}) {
        CHECK_FALSE(said_of(bad, ports).empty());
    }
    const auto prefixes = [](TomlReader& reader, TomlNode node) {
        if (const auto all = reader.prefixes(node); !reader.failed()) CHECK(all.size() == 2);
    };
    CHECK(said_of("['10.0.0.0/8', 'fd00::/8']", prefixes).empty());
    CHECK_FALSE(said_of("['10.0.0.0/8', 'fd00::/129']", prefixes).empty());
    CHECK_FALSE(said_of("'10.0.0.0/8'", prefixes).empty());
}

TEST_CASE("toml reader: dates, with and without a time") {
    static constexpr std::chrono::seconds new_year{1'798'761'600};  // date -ud 2027-01-01 +%s
    const auto date = [](TomlReader& reader, TomlNode node) {
        if (const auto value = reader.date(node)) CHECK(value->time_since_epoch() == new_year);
    };
    CHECK(said_of("2027-01-01", date).empty());
    CHECK(said_of("2027-01-01T00:00:00Z", date).empty());
    CHECK(said_of("2026-12-31T19:30:00-04:30", date).empty());
    // Of whose clock?
    CHECK(said_of("2027-01-01T00:00:00", date).find("2027-01-01T12:00:00Z") != std::string::npos);
    CHECK_FALSE(said_of("'2027-01-01'", date).empty());
    CHECK_FALSE(said_of("1798761600", date).empty());
}
