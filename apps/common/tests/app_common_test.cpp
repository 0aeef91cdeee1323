// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/app/problem.hpp>
#include <stile/app/suggestion.hpp>

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

TEST_CASE("suggestion: slips are forgiven, other words are not guessed at") {
    constexpr std::array<std::string_view, 4> known{"share", "get", "gateway", "status"};
    CHECK(suggest("shrae", known) == "share");
    CHECK(suggest("satus", known) == "status");
    CHECK(suggest("gatway", known) == "gateway");
    CHECK_FALSE(suggest("frobnicate", known));
    CHECK_FALSE(suggest("x", known));
}

}  // namespace
}  // namespace stile::app
