// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/http/content_digest.hpp>
#include <stile/http/limits.hpp>
#include <stile/http/link.hpp>
#include <stile/http/media_type.hpp>
#include <stile/http/message.hpp>
#include <stile/http/method.hpp>
#include <stile/http/structured_field.hpp>

#include <stile/base/encoding.hpp>

namespace stile::http {
namespace {

TEST_CASE("http fields: names in any case, values in their order") {
    Fields fields;
    fields.add("Accept", "text/html");
    fields.add("Host", "example.com");
    fields.add("ACCEPT", "text/plain");
    CHECK(fields.get("accept") == "text/html");
    CHECK(fields.combined("Accept") == "text/html, text/plain");
    CHECK(fields.count("accept") == 2);
    CHECK_FALSE(fields.get("range"));
    CHECK_FALSE(fields.combined("range"));
    CHECK(fields.begin()->name == "accept");
    fields.set("accept", "*/*");
    CHECK(fields.combined("accept") == "*/*");
    CHECK(fields.remove("accept") == 1);
    CHECK(fields.size() == 1);
}

TEST_CASE("http fields: a value cannot add a field") {
    Fields fields;
    fields.add("location", std::string_view{"/a\r\nset-cookie: x\0y", 20});
    CHECK(fields.get("location")->find_first_of(std::string_view{"\r\n\0", 3}) ==
          std::string_view::npos);
}

TEST_CASE("http fields: what is refused when it is received") {
    Fields fields;
    CHECK(fields.receive("host", " example.com \t"));
    CHECK(fields.get("host") == "example.com");
    CHECK(fields.receive("x", "caf\xC3\xA9"));
    CHECK(fields.receive("y", ""));
    for (const std::string_view name : {"", "a b", "a:", ":path", "a\r", "\xC3\xA9"}) {
        CAPTURE(name);
        CHECK(fields.receive(name, "x").error() == FieldError::BadName);
    }
    for (const std::string_view value : {"a\rb", "a\nb", "a\x01z", "a\x7Fz"}) {
        CHECK(fields.receive("x", value).error() == FieldError::BadValue);
    }
    CHECK(fields.receive("x", std::string_view{"a\0b", 3}).error() == FieldError::BadValue);
    CHECK(fields.size() == 3);
}

TEST_CASE("http fields: limits hold at their value and one past it") {
    Fields many;
    for (std::size_t i = 0; i < limits::fields; ++i) REQUIRE(many.receive("a", "b"));
    CHECK(many.receive("a", "b").error() == FieldError::TooMany);
    Fields large;
    CHECK(large.receive("a", std::string(limits::field_octets, 'x')).error() ==
          FieldError::TooLarge);
    CHECK(large.receive("a", std::string(limits::field_octets - 1, 'x')));
    CHECK(large.receive("a", "").error() == FieldError::TooLarge);
    large.remove("a");
    CHECK(large.receive("a", "x"));
}

TEST_CASE("http method and status: names and classes") {
    CHECK(method::is_safe("GET"));
    CHECK_FALSE(method::is_safe("get"));
    CHECK_FALSE(method::is_safe("PUT"));
    CHECK(method::is_idempotent("PUT"));
    CHECK_FALSE(method::is_idempotent("POST"));
    CHECK(method::is_known("PATCH"));
    CHECK_FALSE(method::is_known("BREW"));
    CHECK(reason_phrase(Status::Ok) == "OK");
    CHECK(reason_phrase(Status::RangeNotSatisfiable) == "Range Not Satisfiable");
    CHECK(reason_phrase(Status::UriTooLong) == "URI Too Long");
    CHECK(reason_phrase(Status{499}) == "Client Error");
    CHECK(reason_phrase(Status{999}) == "Unknown");
    CHECK(is_error(Status::NotFound));
    CHECK(is_success(Status::PartialContent));
}

TEST_CASE("http structured fields: dictionaries of RFC 8941 Section 3.2") {
    const auto parsed = parse_dictionary(
        "en=\"Applepie\", da=:w4ZibGV0w6ZydGU=:, a=?0, b, c; foo=bar, "
        "rating=1.5, feelings=(joy sadness), n=-42, t=text/html, n=7");
    REQUIRE(parsed);
    REQUIRE(parsed->size() == 9);
    CHECK(std::get<std::string>((*parsed)[0].value) == "Applepie");
    CHECK(as_text(std::get<Bytes>((*parsed)[1].value)) ==
          "\xC3\x86"
          "blet\xC3\xA6rte");
    CHECK(std::get<bool>((*parsed)[2].value) == false);
    CHECK(std::get<bool>((*parsed)[3].value) == true);
    CHECK((*parsed)[4].key == "c");
    CHECK(std::get<Decimal>((*parsed)[5].value).thousandths == 1500);
    CHECK(std::holds_alternative<InnerList>((*parsed)[6].value));
    CHECK(std::get<std::int64_t>((*parsed)[7].value) == 7);
    CHECK(std::get<Token>((*parsed)[8].value).text == "text/html");
    CHECK(parse_dictionary("")->empty());
    CHECK(std::get<std::string>(parse_dictionary(R"(a="\"\\")")->at(0).value) == "\"\\");
}

TEST_CASE("http structured fields: all or nothing") {
    for (const std::string_view bad :
         {"A=1",      "1=a",   "a=",        "a=1,",       "a=1 b=2",
          "a=1,,b=2", "a=\"x", "a=\"\\x\"", "a=\"\x01\"", "a=:x:",
          "a=:YQ==",  "a=?2",  "a=1.",      "a=1.1234",   "a=1234567890123456",
          "a=--1",    "a=(1",  "a=(1\t2)",  "a;=1",       "a=1;B",
          "a=1;b=",   "a=$",   "=1"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_dictionary(bad));
    }
    std::string long_list = "k0";
    for (std::size_t i = 1; i < limits::list_members; ++i) long_list += ",k" + std::to_string(i);
    CHECK(parse_dictionary(long_list));
    CHECK_FALSE(parse_dictionary(long_list + ",last"));
}

// RFC 9530 Section 2 and Appendix B.1: {"hello": "world"} with a line feed.
constexpr std::string_view hello = "{\"hello\": \"world\"}\n";
constexpr std::string_view hello_field = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

TEST_CASE("http digest: the example of RFC 9530 Appendix B.1") {
    CHECK(format_digests({sha256_digest(as_bytes(hello))}) == hello_field);
    Fields fields;
    fields.add("Repr-Digest", hello_field);
    const auto digest = sha256_digest(as_bytes(hello)).digest;
    CHECK(check_sha256(fields, DigestField::Representation, digest) == DigestCheck::Matches);
    CHECK(check_sha256(fields, DigestField::Content, digest) == DigestCheck::Absent);
    CHECK(check_sha256(fields, DigestField::Representation, Bytes(32)) == DigestCheck::Differs);
}

TEST_CASE("http digest: several algorithms, unknown ones and wrong lengths") {
    Fields fields;
    fields.add("content-digest",
               "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/"
               "WkppmM44T3qg==:, unixsum=:YQ==:");
    fields.add("content-digest", "sha-256=:YQ==:, md5=1");
    const auto digests = read_digests(fields, DigestField::Content);
    REQUIRE(digests.size() == 1);
    CHECK(digests[0].kind == DigestKind::Sha512);
    Fields broken;
    broken.add("content-digest", "not a dictionary");
    CHECK(read_digests(broken, DigestField::Content).empty());
}

TEST_CASE("http digest: preferences of RFC 9530 Section 4") {
    const auto wanted = [](std::string_view value) {
        Fields fields;
        fields.add("want-repr-digest", value);
        return wanted_digests(fields, DigestField::Representation);
    };
    using enum DigestKind;
    CHECK(wanted("sha-256=1") == std::vector{Sha256});
    CHECK(wanted("sha-512=3, sha-256=10, unixsum=0") == std::vector{Sha256, Sha512});
    CHECK(wanted("sha-512=10, sha-256=3") == std::vector{Sha512, Sha256});
    CHECK(wanted("sha-256=0").empty());
    CHECK(wanted("sha-256=11").empty());
    CHECK(wanted("sha-256=x").empty());
    CHECK(wanted_digests(Fields{}, DigestField::Content).empty());
}

TEST_CASE("http link: the examples of RFC 8288 Section 3.5") {
    const auto first = parse_links(
        "<http://example.com/TheBook/chapter2>; rel=\"previous\"; title=\"previous chapter\"");
    REQUIRE(first.size() == 1);
    CHECK(first[0].has_relation("previous"));
    CHECK(first[0].parameter("TITLE") == "previous chapter");
    CHECK(first[0].to_string() ==
          "<http://example.com/TheBook/chapter2>; rel=\"previous\"; "
          "title=\"previous chapter\"");
    const auto second = parse_links(
        "</TheBook/chapter2>; rel=\"previous\"; title*=UTF-8'de'letztes%20Kapitel, "
        "</TheBook/chapter4>; rel=\"next\"; title*=UTF-8'de'n%c3%a4chstes%20Kapitel");
    REQUIRE(second.size() == 2);
    CHECK(second[1].target == "/TheBook/chapter4");
    const auto third =
        parse_links("<http://example.org/>; rel=\"start http://example.net/relation/other\"");
    CHECK(third.at(0).has_relation("START"));
    CHECK(third.at(0).has_relation("http://example.net/relation/other"));
    CHECK_FALSE(third.at(0).has_relation("other"));
}

TEST_CASE("http link: commas and quotes inside, broken links, no end of text is passed") {
    const auto links = parse_links("<a,b>; rel=\"x,\\\"y\"; p = q ;; flag, , <c>;rel=z");
    REQUIRE(links.size() == 2);
    CHECK(links[0].target == "a,b");
    CHECK(links[0].parameter("rel") == "x,\"y");
    CHECK(links[0].parameter("p") == "q");
    CHECK(links[0].parameter("flag") == "");
    CHECK(links[1].has_relation("z"));
    CHECK(parse_links("<a>; rel=x, b; rel=y, <c>").size() == 1);
    for (const std::string_view text : {"", "<", "<a", "<a>;", "<a>; =", "<a>; rel=\"",
                                        "<a>; x=\"\\", "a", ",,,", "<a>\"", "\"\\"}) {
        CAPTURE(text);
        (void)parse_links(text);
    }
}

TEST_CASE("http mirrors: the example of RFC 6249 Section 1") {
    Fields fields;
    fields.add("Link", "<http://www2.example.com/example.ext>; rel=duplicate");
    fields.add("Link", "<ftp://ftp.example.com/example.ext>; rel=duplicate; pri=2; geo=GB");
    fields.add("Link", "<http://example.com/example.ext.torrent>; rel=describedby");
    fields.add("Link", "<sip:alice@example.org>; rel=\"duplicate\"; pri=1; geo=x");
    fields.add("Link", "<http://other/>; rel=duplicate; pri=0");
    const auto found = mirrors(fields);
    REQUIRE(found.size() == 4);
    CHECK(found[0].uri == "sip:alice@example.org");
    CHECK(found[1].country == "gb");
    CHECK(found[1].priority == 2U);
    CHECK(found[2].uri == "http://www2.example.com/example.ext");
    CHECK_FALSE(found[3].priority);
}

TEST_CASE("http media types: by suffix, in any case") {
    CHECK(media_type_of("song.MP3") == "audio/mpeg");
    CHECK(media_type_of("a.b.opus") == "audio/ogg");
    CHECK(media_type_of("feed.rss") == "application/rss+xml");
    CHECK(media_type_of("index.html") == "text/html; charset=utf-8");
    CHECK(media_type_of("x.7z") == "application/x-7z-compressed");
    CHECK(media_type_of("x.zst") == "application/zstd");
    CHECK(media_type_of("README") == "application/octet-stream");
    CHECK(media_type_of("") == "application/octet-stream");
    CHECK(media_type_of("x.") == "application/octet-stream");
    CHECK(media_type_of("x.zzzz") == "application/octet-stream");
    CHECK(essence(" Text/HTML ; charset=utf-8") == "text/html");
    CHECK(kind_of("audio/mpeg") == MediaKind::Audio);
    CHECK(kind_of("video/mp4; codecs=x") == MediaKind::Video);
    CHECK(kind_of("application/atom+xml") == MediaKind::Feed);
    CHECK(kind_of("application/octet-stream") == MediaKind::Other);
}

}  // namespace
}  // namespace stile::http
