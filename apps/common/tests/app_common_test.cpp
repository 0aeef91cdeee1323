// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/app/json_field.hpp>
#include <stile/app/problem.hpp>
#include <stile/app/suggestion.hpp>
#include <stile/app/usage.hpp>

#include <array>

namespace stile::app {
namespace {

TEST_CASE("problem: one labelled line an answer, empty ones left out") {
    const Problem problem{ExitCode::NotFound, "bob@example.org is not online", "no device", "",
                          "try later"};
    CHECK(to_text(problem) ==
          "✗ bob@example.org is not online\n  cause     no device\n  fix       try later\n");
}

TEST_CASE("problem: a peer's text cannot drive the terminal") {
    CHECK(printable("a\x1b[2Jb\n\x7f é") == "a\\x1b[2Jb\\x0a\\x7f é");
}

TEST_CASE("problem: C1 controls, turned text and broken UTF-8 are escaped, letters are not") {
    CHECK(printable("\xc2\x9b"
                    "2J") ==
          "\\xc2\\x9b"
          "2J");
    CHECK(printable("\xe2\x80\xae"
                    "txt") == "\\xe2\\x80\\xaetxt");
    CHECK(printable("\xff\xc3") == "\\xff\\xc3");
    CHECK(printable("žluťoučký 日本 ⇄") == "žluťoučký 日本 ⇄");
}

TEST_CASE("json field: another kind of value counts as absent") {
    const auto object =
        nlohmann::json::parse(R"({"a": 1, "b": "x", "c": null, "d": -1, "e": [1]})");
    CHECK(text_of(object, "b") == "x");
    for (const char* field : {"a", "c", "e", "none"}) CHECK(text_of(object, field).empty());
    CHECK(number_of(object, "a", 1) == 1);
    CHECK_FALSE(number_of(object, "a", 0));
    for (const char* field : {"b", "c", "d", "e", "none"}) CHECK_FALSE(number_of(object, field, 9));
    CHECK(text_of(nlohmann::json::parse("[]"), "b").empty());
    CHECK_FALSE(number_of(nlohmann::json::parse("3"), "b", 9));
}

TEST_CASE("suggestion: slips are forgiven, other words are not guessed at") {
    constexpr std::array<std::string_view, 4> known{"share", "get", "gateway", "status"};
    CHECK(suggest("shrae", known) == "share");
    CHECK(suggest("satus", known) == "status");
    CHECK(suggest("gatway", known) == "gateway");
    CHECK_FALSE(suggest("frobnicate", known));
    CHECK_FALSE(suggest("x", known));
}

TEST_CASE("usage: a command line that is not understood gets the word that was meant") {
    constexpr std::array<std::string_view, 3> known{"user", "add", "check"};
    const auto fix = [&](std::vector<const char*> words) {
        const Problem problem = usage_problem("stiled", "why", words, known);
        CHECK(problem.code == ExitCode::Usage);
        CHECK(problem.cause == "why");
        return problem.fix;
    };
    CHECK(fix({"stiled", "chekc"}) == "did you mean 'stiled check'?");
    CHECK(fix({"stiled", "--json", "user", "ad"}) == "did you mean 'stiled user add'?");
    CHECK(fix({"stiled", "user", "frobnicate"}) == "see 'stiled user --help'");
    CHECK(fix({"stiled"}) == "see 'stiled --help'");
    CHECK(fix({}) == "see 'stiled --help'");
}

}  // namespace
}  // namespace stile::app
