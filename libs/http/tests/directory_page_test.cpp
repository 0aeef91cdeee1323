// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/http/directory_page.hpp>

#include <stile/base/encoding.hpp>
#include <stile/crypto/digest.hpp>

namespace stile::http {
namespace {

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

DirectoryPage music() {
    return {
        .title = "Alice's music",
        .segments = {"Live & loud"},
        .root_path = "/m/",
        .entries =
            {
                {.name = "track 10.mp3",
                 .size = 4'200'000,
                 .modified = WallTime{std::chrono::seconds{784'111'777}}},
                {.name = "track 9.mp3", .size = 999},
                {.name = "zoo", .kind = EntryKind::Directory},
                {.name = "Cover.png", .size = 1},
            },
        .feed_url = "feed.rss?a&b",
    };
}

TEST_CASE("http directory page: folders first, then names as people count") {
    const std::string html = render_directory(music());
    const auto at = [&](std::string_view text) { return html.find(text); };
    CHECK(at("zoo") < at("Cover.png"));
    CHECK(at("Cover.png") < at("track 9.mp3"));
    CHECK(at("track 9.mp3") < at("track 10.mp3"));
    CHECK(at("track 10.mp3") != std::string::npos);
}

TEST_CASE("http directory page: what a person finds there") {
    const std::string html = render_directory(music());
    for (const std::string_view part : {"<html lang=\"en\">",
                                        "<h1><bdi>Live &amp; loud</bdi></h1>",
                                        "1 folder, 3 files, 4.2 MB",
                                        "href=\"zoo/\"",
                                        "href=\"track%2010.mp3\"",
                                        "class=\"icon audio\"",
                                        "class=\"icon folder\"",
                                        "class=\"icon image\"",
                                        "<td role=\"cell\" class=\"number\">4.2 MB</td>",
                                        "999 bytes",
                                        ">1 byte<",
                                        "<time datetime=\"1994-11-06T08:49:37Z\" "
                                        "title=\"1994-11-06 08:49 UTC\">6 Nov 1994</time>",
                                        "href=\"../\"",
                                        "Up one folder",
                                        "<a href=\"feed.rss?a&amp;b\">Subscribe",
                                        "<link rel=\"alternate\" type=\"application/rss+xml\"",
                                        "<li><a href=\"/m/\"><bdi>Alice&#39;s music</bdi></a></li>",
                                        "<a href=\"/m/Live%20%26%20loud/\" aria-current=\"page\">",
                                        "Skip to the files",
                                        "prefers-color-scheme: dark",
                                        "name=\"viewport\"",
                                        "<caption"}) {
        CAPTURE(part);
        CHECK(contains(html, part));
    }
    DirectoryPage root = music();
    root.segments.clear();
    root.feed_url.reset();
    const std::string top = render_directory(root);
    CHECK_FALSE(contains(top, "href=\"../\""));
    CHECK_FALSE(contains(top, "Subscribe"));
    CHECK_FALSE(contains(top, "rel=\"alternate\""));
    root.entries.clear();
    CHECK(contains(render_directory(root), "This folder is empty."));
}

TEST_CASE("http directory page: nothing is loaded from anywhere and nothing runs") {
    const std::string html = render_directory(music()) + render_error({.status = Status::NotFound});
    for (const std::string_view part : {"<script", "javascript:", "<img", "src=", "@import", "url(",
                                        "http:", "https:", " on", "<iframe", "<form"}) {
        CAPTURE(part);
        if (part == " on") {
            CHECK_FALSE(contains(html, " onclick"));
            CHECK_FALSE(contains(html, " onload"));
        } else {
            CHECK_FALSE(contains(html, part));
        }
    }
}

TEST_CASE("http directory page: no name can be markup or turn the direction of the text") {
    DirectoryPage page = music();
    const std::string evil = "\"><script>alert('1')</script>&\x01\xFF";
    page.title = evil;
    page.segments = {evil};
    page.root_path = "/\"><script>";
    page.feed_url = "javascript\"><script>";
    page.entries = {{.name = evil, .size = 1},
                    {.name = "photo\xE2\x80\xAEgnp.exe", .size = 1},
                    {.name = "javascript:alert(1)", .size = 1}};
    const std::string html = render_directory(page);
    CHECK_FALSE(contains(html, "<script"));
    CHECK_FALSE(contains(html, "\xE2\x80\xAE"));
    CHECK_FALSE(contains(html, "\x01"));
    CHECK_FALSE(contains(html, "\xFF"));
    CHECK(contains(html, "href=\"javascript%3Aalert%281%29\""));
    CHECK(contains(html, "photo\xEF\xBF\xBDgnp.exe"));
    CHECK_FALSE(
        contains(render_error({.cause = evil, .next_step = evil, .home_path = evil}), "<script"));
}

TEST_CASE("http directory page: every element that is opened is closed") {
    for (const std::string& html : {render_directory(music()), render_directory({}),
                                    render_error({.status = Status::NotFound, .home_path = "/"})}) {
        std::vector<std::string> open;
        for (std::size_t i = html.find('<'); i != std::string::npos; i = html.find('<', i + 1)) {
            const bool closes = html[i + 1] == '/';
            const std::size_t begin = i + (closes ? 2 : 1);
            const std::string name = html.substr(begin, html.find_first_of(" >\n", begin) - begin);
            if (name == "!doctype" || name == "meta" || name == "link") continue;
            if (closes) {
                REQUIRE_FALSE(open.empty());
                CHECK(open.back() == name);
                open.pop_back();
            } else {
                open.push_back(name);
            }
        }
        CHECK(open.empty());
    }
}

TEST_CASE("http directory page: the policy allows the page's own style and nothing else") {
    const Fields fields = page_fields();
    CHECK(fields.get("content-type") == "text/html; charset=utf-8");
    CHECK(fields.get("x-content-type-options") == "nosniff");
    const std::string html = render_directory({});
    const std::size_t begin = html.find("<style>") + 7;
    const std::string style = html.substr(begin, html.find("</style>") - begin);
    const auto digest = crypto::digest(crypto::DigestAlgorithm::Sha256, as_bytes(style));
    const std::string policy{*fields.get("content-security-policy")};
    CHECK(contains(policy,
                   "default-src 'none'; style-src 'sha256-" + to_base64(digest.bytes()) + "'"));
    CHECK_FALSE(contains(html, " style="));
}

TEST_CASE("http error page: the cause and what to do next") {
    const std::string usual = render_error({.status = Status::NotFound, .home_path = "/x/"});
    for (const std::string_view part : {"404", "Not Found", "There is nothing at this address.",
                                        "It may have been moved", "<a href=\"/x/\">"}) {
        CAPTURE(part);
        CHECK(contains(usual, part));
    }
    const std::string own = render_error(
        {.status = Status::BadGateway, .cause = "Bob is offline.", .next_step = "Try tonight."});
    CHECK(contains(own, "Bob is offline."));
    CHECK(contains(own, "Try tonight."));
    CHECK(contains(render_error({.status = Status{599}}), "Server Error"));
}

TEST_CASE("http directory page: sizes as people read them") {
    for (const auto& [octets, text] : {std::pair<std::uint64_t, std::string_view>{0, "0 bytes"},
                                       {1, "1 byte"},
                                       {999, "999 bytes"},
                                       {1'000, "1.0 kB"},
                                       {1'049, "1.0 kB"},
                                       {1'050, "1.1 kB"},
                                       {9'949, "9.9 kB"},
                                       {9'950, "10 kB"},
                                       {999'499, "999 kB"},
                                       {999'500, "1.0 MB"},
                                       {1'500'000'000, "1.5 GB"},
                                       {UINT64_MAX, "18 EB"}}) {
        CAPTURE(octets);
        CHECK(readable_size(octets) == text);
    }
}

}  // namespace
}  // namespace stile::http
