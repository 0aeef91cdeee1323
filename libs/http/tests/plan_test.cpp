// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/http/date.hpp>
#include <stile/http/plan.hpp>

namespace stile::http {
namespace {

const WallTime now{std::chrono::seconds{1'700'000'000}};
const PlanContext context{.now = now, .boundary = "THIS_STRING_SEPARATES"};

ResourceInfo song() {
    ResourceInfo info;
    info.size = 10'000;
    info.media_type = "audio/mpeg";
    info.validators = {.tag = EntityTag{.opaque = "v1"},
                       .modified = WallTime{std::chrono::seconds{784'111'777}}};
    info.digest = ContentDigest{.digest = Bytes(32)};
    info.extra.add("cache-control", "no-cache");
    return info;
}

Request request(std::string_view method, std::vector<Field> fields = {}) {
    Request made;
    made.method = method;
    for (const Field& field : fields) made.fields.add(field.name, field.value);
    return made;
}

// The content as it would be sent; octet i of the representation is the letter 'a' + i % 26.
std::string content(const Plan& plan) {
    std::string text;
    for (const Plan::Part& part : plan.parts) {
        text += part.head;
        for (std::uint64_t i = part.range.first; i <= part.range.last; ++i) {
            text += static_cast<char>('a' + i % 26);
        }
    }
    return plan.has_content() ? text + plan.tail : text;
}

TEST_CASE("http plan: a whole file") {
    const Plan plan = decide(context, request("GET"), song());
    const Fields& fields = plan.response.fields;
    CHECK(plan.response.status == Status::Ok);
    CHECK(fields.get("content-length") == "10000");
    CHECK(fields.get("content-type") == "audio/mpeg");
    CHECK(fields.get("accept-ranges") == "bytes");
    CHECK(fields.get("etag") == "\"v1\"");
    CHECK(fields.get("last-modified") == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(fields.get("date") == format_http_date(now));
    CHECK(fields.get("repr-digest")->starts_with("sha-256=:AAAA"));
    CHECK(fields.get("cache-control") == "no-cache");
    CHECK(content(plan).size() == 10'000);
}

TEST_CASE("http plan: one range is a 206 with Content-Range") {
    const Plan plan = decide(context, request("GET", {{"range", "bytes=26-27"}}), song());
    CHECK(plan.response.status == Status::PartialContent);
    CHECK(plan.response.fields.get("content-range") == "bytes 26-27/10000");
    CHECK(plan.response.fields.get("content-length") == "2");
    CHECK(plan.response.fields.get("content-type") == "audio/mpeg");
    CHECK(plan.response.fields.has("repr-digest"));
    CHECK(content(plan) == "ab");
}

TEST_CASE("http plan: several ranges are multipart/byteranges, octet by octet") {
    const Plan plan = decide(context, request("GET", {{"range", "bytes=0-1,-2"}}), song());
    CHECK(plan.response.status == Status::PartialContent);
    CHECK_FALSE(plan.response.fields.has("content-range"));
    CHECK(plan.response.fields.get("content-type") ==
          "multipart/byteranges; boundary=THIS_STRING_SEPARATES");
    const std::string expected =
        "--THIS_STRING_SEPARATES\r\n"
        "content-type: audio/mpeg\r\n"
        "content-range: bytes 0-1/10000\r\n"
        "\r\n"
        "ab\r\n"
        "--THIS_STRING_SEPARATES\r\n"
        "content-type: audio/mpeg\r\n"
        "content-range: bytes 9998-9999/10000\r\n"
        "\r\n"
        "op\r\n"
        "--THIS_STRING_SEPARATES--\r\n";
    CHECK(content(plan) == expected);
    CHECK(plan.response.fields.get("content-length") == std::to_string(expected.size()));
}

TEST_CASE("http plan: ranges that overlap are one part") {
    const Plan plan = decide(context, request("GET", {{"range", "bytes=0-9,5-19"}}), song());
    CHECK(plan.response.fields.get("content-range") == "bytes 0-19/10000");
}

TEST_CASE("http plan: a range past the end is a 416 that says how long the file is") {
    const Plan plan = decide(context, request("GET", {{"range", "bytes=10000-"}}), song());
    CHECK(plan.response.status == Status::RangeNotSatisfiable);
    CHECK(plan.response.fields.get("content-range") == "bytes */10000");
    CHECK_FALSE(plan.has_content());
    CHECK_FALSE(plan.response.fields.has("repr-digest"));
}

TEST_CASE("http plan: a Range field that does not count gives the whole file") {
    for (const std::string_view value : {"lines=0-1", "bytes=x", "bytes=5-1", ""}) {
        CAPTURE(value);
        const Plan plan = decide(context, request("GET", {{"range", std::string{value}}}), song());
        CHECK(plan.response.status == Status::Ok);
        CHECK(plan.content_size() == 10'000);
    }
    const Request twice = request("GET", {{"range", "bytes=0-1"}, {"range", "bytes=2-3"}});
    CHECK(decide(context, twice, song()).response.status == Status::Ok);
    ResourceInfo empty = song();
    empty.size = 0;
    const Plan plan = decide(context, request("GET", {{"range", "bytes=0-"}}), empty);
    CHECK(plan.response.status == Status::Ok);
    CHECK(plan.response.fields.get("content-length") == "0");
    CHECK_FALSE(plan.has_content());
}

TEST_CASE("http plan: If-Range decides between the part and the whole") {
    const auto status = [](std::string value) {
        return decide(context,
                      request("GET", {{"range", "bytes=0-1"}, {"if-range", std::move(value)}}),
                      song())
            .response.status;
    };
    CHECK(status("\"v1\"") == Status::PartialContent);
    CHECK(status("\"v0\"") == Status::Ok);
    CHECK(status("Sun, 06 Nov 1994 08:49:37 GMT") == Status::PartialContent);
    // What can never be satisfied is not asked about when the file has changed.
    const Plan changed = decide(
        context, request("GET", {{"range", "bytes=99999-"}, {"if-range", "\"v0\""}}), song());
    CHECK(changed.response.status == Status::Ok);
}

TEST_CASE("http plan: HEAD says what GET would, without content and without ranges") {
    const Plan plan = decide(context, request("HEAD", {{"range", "bytes=0-1"}}), song());
    CHECK(plan.response.status == Status::Ok);
    CHECK(plan.response.fields.get("content-length") == "10000");
    CHECK_FALSE(plan.has_content());
    CHECK(plan.response == decide(context, request("GET"), song()).response);
}

TEST_CASE("http plan: 304 has the validators and no description of content") {
    const Plan plan = decide(
        context, request("GET", {{"if-none-match", "\"v1\""}, {"range", "bytes=0-1"}}), song());
    CHECK(plan.response.status == Status::NotModified);
    CHECK(plan.response.fields.get("etag") == "\"v1\"");
    CHECK(plan.response.fields.get("cache-control") == "no-cache");
    CHECK(plan.response.fields.has("date"));
    CHECK_FALSE(plan.response.fields.has("content-length"));
    CHECK_FALSE(plan.response.fields.has("content-type"));
    CHECK_FALSE(plan.has_content());
}

TEST_CASE("http plan: failed preconditions come before ranges, unsuitable methods before both") {
    const auto status = [](std::string_view method, std::vector<Field> fields) {
        return decide(context, request(method, std::move(fields)), song()).response.status;
    };
    CHECK(status("GET", {{"if-match", "\"v0\""}, {"range", "bytes=99999-"}}) ==
          Status::PreconditionFailed);
    CHECK(status("POST", {{"if-match", "\"v0\""}}) == Status::MethodNotAllowed);
    CHECK(status("DELETE", {}) == Status::MethodNotAllowed);
    CHECK(status("BREW", {}) == Status::NotImplemented);
    CHECK(status("OPTIONS", {{"if-match", "\"v0\""}}) == Status::NoContent);
    const Plan refused = decide(context, request("PUT"), song());
    CHECK(refused.response.fields.get("allow") == "GET, HEAD, OPTIONS");
    CHECK_FALSE(refused.has_content());
}

}  // namespace
}  // namespace stile::http
