// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/http/date.hpp>
#include <stile/http/validators.hpp>

namespace stile::http {
namespace {

constexpr WallTime at(std::int64_t seconds) { return WallTime{std::chrono::seconds{seconds}}; }

// Sun, 06 Nov 1994 08:49:37 GMT
constexpr WallTime rfc_time = at(784'111'777);
constexpr WallTime now = at(1'700'000'000);

TEST_CASE("http date: the three forms of RFC 9110 Section 5.6.7") {
    CHECK(format_http_date(rfc_time) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == rfc_time);
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now) == rfc_time);
    CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", now) == rfc_time);
}

TEST_CASE("http date: two digits of a year are at most 50 years ahead") {
    const WallTime in_2023 = now;
    CHECK(format_http_date(*parse_http_date("Friday, 01-Jan-73 00:00:00 GMT", in_2023)) ==
          "Sun, 01 Jan 2073 00:00:00 GMT");
    CHECK(format_http_date(*parse_http_date("Friday, 01-Jan-74 00:00:00 GMT", in_2023)) ==
          "Tue, 01 Jan 1974 00:00:00 GMT");
}

TEST_CASE("http date: every day from 1970 to 2105, and the ends of the calendar") {
    for (std::int64_t day = 0; day < 49'500; ++day) {
        const WallTime time = at(day * 86'400 + day);
        CAPTURE(day);
        REQUIRE(parse_http_date(format_http_date(time), now) == time);
        REQUIRE(parse_rfc3339(format_rfc3339(time)) == time);
        REQUIRE(parse_mail_date(format_http_date(time)) == time);
    }
    CHECK(format_http_date(at(-62'167'219'200)) == "Sat, 01 Jan 0000 00:00:00 GMT");
    CHECK(format_http_date(at(253'402'300'799)) == "Fri, 31 Dec 9999 23:59:59 GMT");
    CHECK(format_http_date(at(INT64_MAX)) == "Fri, 31 Dec 9999 23:59:59 GMT");
    CHECK(format_http_date(at(INT64_MIN)) == "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST_CASE("http date: what is no date") {
    for (const std::string_view bad :
         {"", "Sun", "Sun,", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37",
          "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT x",
          "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
          "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
          "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
          "Foo, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "784111777",
          "Sun Nov  6 08:49:37", "Sunday, 06-Nov-1994 08:49:37 GMT"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_http_date(bad, now));
    }
}

TEST_CASE("http date: the dates of feeds") {
    CHECK(parse_mail_date("Sun, 06 Nov 1994 08:49:37 GMT") == rfc_time);
    CHECK(parse_mail_date("6 Nov 94 08:49:37 +0000") == rfc_time);
    CHECK(parse_mail_date("Sun, 6 November 1994 03:49:37 EST") == rfc_time);
    CHECK(parse_mail_date("Sun, 06 Nov 1994 10:19:37 +0130") == rfc_time);
    CHECK(parse_mail_date("Sun, 06 Nov 1994 08:49 Z") == at(784'111'740));
    CHECK_FALSE(parse_mail_date("tomorrow"));
    CHECK_FALSE(parse_mail_date(""));
    CHECK_FALSE(parse_mail_date("Sun, 06 Nov 1994 08:49:37 +01x0"));
    CHECK(parse_rfc3339("1994-11-06T08:49:37Z") == rfc_time);
    CHECK(parse_rfc3339("1994-11-06T09:49:37.25+01:00") == rfc_time);
    CHECK(parse_rfc3339("1994-11-06t03:19:37-05:30") == rfc_time);
    for (const std::string_view bad :
         {"", "1994-11-06", "1994-11-06T08:49:37", "1994/11/06T08:49:37Z", "1994-13-06T08:49:37Z",
          "1994-11-06T08:49:37.Z", "1994-11-06T08:49:37+0100", "1994-11-06T08:49Z       "}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_rfc3339(bad));
    }
}

TEST_CASE("http entity tag: the comparisons of RFC 9110 Section 8.8.3.2") {
    const auto tag = [](std::string_view text) { return *EntityTag::parse(text); };
    struct Row {
        std::string_view left, right;
        bool strong, weak;
    };
    for (const Row& row :
         {Row{R"(W/"1")", R"(W/"1")", false, true}, Row{R"(W/"1")", R"(W/"2")", false, false},
          Row{R"(W/"1")", R"("1")", false, true}, Row{R"("1")", R"("1")", true, true}}) {
        CAPTURE(row.left);
        CAPTURE(row.right);
        CHECK(strong_match(tag(row.left), tag(row.right)) == row.strong);
        CHECK(weak_match(tag(row.left), tag(row.right)) == row.weak);
    }
    CHECK(EntityTag::parse(R"("")")->opaque.empty());
    CHECK(tag(R"(W/"a,b\c")").to_string() == R"(W/"a,b\c")");
    for (const std::string_view bad : {"", "1", "\"", "\"1", "w/\"1\"", "W/1", "\"a b\"", "\"1\"x",
                                       "\"1\", \"2\"", "\"\x01\""}) {
        CAPTURE(bad);
        CHECK_FALSE(EntityTag::parse(bad));
    }
}

TEST_CASE("http entity tag: of a file's facts; weak while the file is younger than two seconds") {
    const FileFacts facts{.size = 255, .modified_nanoseconds = 16, .inode = 1};
    CHECK(entity_tag(facts, now).to_string() == "\"ff-10-1\"");
    const std::int64_t second = 1'000'000'000;
    const FileFacts fresh{.size = 1, .modified_nanoseconds = 1'699'999'999 * second};
    CHECK(entity_tag(fresh, now).strength == Strength::Weak);
    CHECK(entity_tag(fresh, now + std::chrono::seconds{1}).strength == Strength::Strong);
    const FileFacts future{.size = 1, .modified_nanoseconds = INT64_MAX};
    CHECK(entity_tag(future, now).strength == Strength::Weak);
    CHECK(entity_tag(Bytes(2)).to_string() == "\"AAA\"");
}

struct Case {
    std::string_view method = "GET";
    std::vector<Field> fields;
    Precondition expected;
};

TEST_CASE("http preconditions: the order of RFC 9110 Section 13.2.2") {
    const Validators current{.tag = EntityTag{.opaque = "a"}, .modified = rfc_time};
    const std::string same_date = "Sun, 06 Nov 1994 08:49:37 GMT";
    const std::string earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
    using enum Precondition;
    const Case cases[] = {
        {"GET", {}, Met},
        {"GET", {{"if-match", "\"a\""}}, Met},
        {"GET", {{"if-match", "\"b\", \"a\""}}, Met},
        {"GET", {{"if-match", "\"b\""}, {"if-match", "\"a\""}}, Met},
        {"GET", {{"if-match", "*"}}, Met},
        {"GET", {{"if-match", "\"b\""}}, Failed},
        {"GET", {{"if-match", "W/\"a\""}}, Failed},
        {"GET", {{"if-match", "rubbish"}}, Failed},
        {"PUT", {{"if-match", "\"b\""}}, Failed},
        // If-Match is there: If-Unmodified-Since is not looked at.
        {"GET", {{"if-match", "\"a\""}, {"if-unmodified-since", earlier}}, Met},
        {"GET", {{"if-unmodified-since", same_date}}, Met},
        {"GET", {{"if-unmodified-since", earlier}}, Failed},
        {"GET", {{"if-unmodified-since", "rubbish"}}, Met},
        {"GET", {{"if-none-match", "\"a\""}}, NotModified},
        {"HEAD", {{"if-none-match", "W/\"a\""}}, NotModified},
        {"GET", {{"if-none-match", "\"b\", W/\"a\""}}, NotModified},
        {"GET", {{"if-none-match", "*"}}, NotModified},
        {"PUT", {{"if-none-match", "*"}}, Failed},
        {"PUT", {{"if-none-match", "\"a\""}}, Failed},
        {"GET", {{"if-none-match", "\"b\""}}, Met},
        {"GET", {{"if-none-match", "rubbish"}}, Met},
        // If-None-Match is there: If-Modified-Since is not looked at.
        {"GET", {{"if-none-match", "\"b\""}, {"if-modified-since", same_date}}, Met},
        {"GET", {{"if-modified-since", same_date}}, NotModified},
        {"GET", {{"if-modified-since", earlier}}, Met},
        {"GET", {{"if-modified-since", "rubbish"}}, Met},
        {"GET", {{"if-modified-since", same_date}, {"if-modified-since", same_date}}, Met},
        {"PUT", {{"if-modified-since", same_date}}, Met},
        {"GET", {{"if-match", "\"a\""}, {"if-none-match", "\"a\""}}, NotModified},
        {"GET", {{"if-match", "\"b\""}, {"if-none-match", "\"a\""}}, Failed},
    };
    for (std::size_t i = 0; i < std::size(cases); ++i) {
        CAPTURE(i);
        Fields fields;
        for (const Field& field : cases[i].fields) fields.add(field.name, field.value);
        CHECK(static_cast<int>(evaluate_preconditions(cases[i].method, fields, Existence::Present,
                                                      current, now)) ==
              static_cast<int>(cases[i].expected));
    }
}

TEST_CASE("http preconditions: a resource that does not exist matches nothing") {
    const auto evaluate = [](std::string_view name, std::string_view value) {
        Fields fields;
        fields.add(name, value);
        return evaluate_preconditions("PUT", fields, Existence::Absent, {}, now);
    };
    CHECK(evaluate("if-match", "*") == Precondition::Failed);
    CHECK(evaluate("if-match", "\"a\"") == Precondition::Failed);
    CHECK(evaluate("if-none-match", "*") == Precondition::Met);
    CHECK(evaluate("if-none-match", "\"a\"") == Precondition::Met);
}

TEST_CASE("http if-range: only what is surely the same representation") {
    const Validators strong{.tag = EntityTag{.opaque = "a"}, .modified = rfc_time};
    const Validators weak{.tag = EntityTag{.opaque = "a", .strength = Strength::Weak},
                          .modified = now};
    const auto holds = [](std::string_view value, const Validators& validators) {
        Fields fields;
        fields.add("if-range", value);
        return if_range_holds(fields, validators, now);
    };
    CHECK(if_range_holds(Fields{}, strong, now));
    CHECK(holds("\"a\"", strong));
    CHECK_FALSE(holds("\"b\"", strong));
    CHECK_FALSE(holds("W/\"a\"", strong));
    CHECK_FALSE(holds("\"a\"", weak));
    CHECK(holds("Sun, 06 Nov 1994 08:49:37 GMT", strong));
    CHECK_FALSE(holds("Sun, 06 Nov 1994 08:49:38 GMT", strong));
    CHECK_FALSE(holds(format_http_date(now), weak));  // less than a second old
    CHECK_FALSE(holds("rubbish", strong));
    CHECK_FALSE(holds("\"a\"", Validators{}));
}

}  // namespace
}  // namespace stile::http
