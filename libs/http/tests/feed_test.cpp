// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <stile/crypto/random_stream.hpp>
#include <stile/http/feed.hpp>
#include <stile/http/fields.hpp>
#include <stile/http/limits.hpp>

namespace stile::http {
namespace {

constexpr WallTime at(std::int64_t seconds) { return WallTime{std::chrono::seconds{seconds}}; }
constexpr WallTime rfc_time = at(784'111'777);

TEST_CASE("http feed: RSS 2.0, line by line") {
    const Feed feed{
        .title = "Alice & co",
        .link = "http://127.0.0.1/alice/",
        .description = {},
        .self = "http://127.0.0.1/alice/feed.rss",
        .updated = rfc_time,
        .items = {{.title = "<one>",
                   .link = "http://127.0.0.1/alice/1.mp3",
                   .guid = "ni:///sha-256;AAA",
                   .published = rfc_time,
                   .summary = "\"quoted\"",
                   .enclosures = {{.url = "http://127.0.0.1/alice/1.mp3?a&b",
                                   .length = 5,
                                   .media_type = "audio/mpeg"}}}},
    };
    CHECK(write_rss(feed) ==
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\">\n"
          "  <channel>\n"
          "    <title>Alice &amp; co</title>\n"
          "    <link>http://127.0.0.1/alice/</link>\n"
          "    <description>Alice &amp; co</description>\n"
          "    <lastBuildDate>Sun, 06 Nov 1994 08:49:37 GMT</lastBuildDate>\n"
          "    <atom:link rel=\"self\" type=\"application/rss+xml\" "
          "href=\"http://127.0.0.1/alice/feed.rss\"/>\n"
          "    <item>\n"
          "      <title>&lt;one&gt;</title>\n"
          "      <link>http://127.0.0.1/alice/1.mp3</link>\n"
          "      <description>&quot;quoted&quot;</description>\n"
          "      <guid isPermaLink=\"false\">ni:///sha-256;AAA</guid>\n"
          "      <pubDate>Sun, 06 Nov 1994 08:49:37 GMT</pubDate>\n"
          "      <enclosure url=\"http://127.0.0.1/alice/1.mp3?a&amp;b\" length=\"5\" "
          "type=\"audio/mpeg\"/>\n"
          "    </item>\n"
          "  </channel>\n"
          "</rss>\n");
}

TEST_CASE("http feed: a folder's files, newest first, with lasting identities") {
    FolderFeed folder{
        .title = "Music", .folder_url = "http://h/m/", .feed_url = "http://h/m/f.rss", .files = {}};
    folder.files = {
        {.name = "old song.mp3", .size = 10, .modified = at(100), .sha256 = Bytes(32)},
        {.name = "new.ogg", .size = 20, .modified = at(200), .sha256 = {}},
        {.name = "undated", .size = 30, .modified = {}, .sha256 = {}},
    };
    const Feed feed = feed_of_folder(folder);
    REQUIRE(feed.items.size() == 3);
    CHECK(feed.items[0].title == "new.ogg");
    CHECK(feed.items[1].link == "http://h/m/old%20song.mp3");
    CHECK(feed.items[1].guid == "ni:///sha-256;AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    CHECK(feed.items[1].enclosures.at(0).media_type == "audio/mpeg");
    CHECK(feed.items[1].enclosures.at(0).length == 10U);
    CHECK(feed.items[2].title == "undated");
    CHECK(feed.updated == at(200));

    folder.files[0].name = "renamed.mp3";  // the same content is the same item
    CHECK(feed_of_folder(folder).items[1].guid == feed.items[1].guid);
    const std::string guid = feed.items[0].guid;
    CHECK(feed_of_folder(folder).items[0].guid == guid);
    folder.files[1].modified = at(201);
    CHECK(feed_of_folder(folder).items[0].guid != guid);
    CHECK_FALSE(feed_of_folder({}).updated);
}

TEST_CASE("http feed: any octets in any text are read back as text") {
    for (std::uint64_t number = 0; number < 500; ++number) {
        CAPTURE(number);  // the seed
        crypto::RandomStream random{crypto::seed_from_number(number)};
        const auto text = [&] { return "x" + to_text(random.bytes(random.below(40))) + "x"; };
        Feed feed{.title = text(),
                  .link = text(),
                  .description = text(),
                  .self = text(),
                  .updated = {},
                  .items = {}};
        feed.items.push_back({.title = text(),
                              .link = text(),
                              .guid = text(),
                              .published = rfc_time,
                              .summary = text(),
                              .enclosures = {{.url = text(), .length = 7, .media_type = text()}}});
        const auto read = parse_feed(write_rss(feed));
        REQUIRE(read);
        // Once cleaned, a text stays as it is.
        const auto again = parse_feed(write_rss(*read));
        REQUIRE(again);
        CHECK(*again == *read);
        REQUIRE(read->items.size() == 1);
        CHECK(read->items[0].enclosures.size() == 1);
    }
    const auto umlaut =
        parse_feed(write_rss({.title = "\xC3\xA4\xF0\x9F\x8E\xB5\x01\xFF\xED\xA0\x80",
                              .link = {},
                              .description = {},
                              .self = {},
                              .updated = {},
                              .items = {}}));
    CHECK(umlaut->title ==
          "\xC3\xA4\xF0\x9F\x8E\xB5\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
          "\xEF\xBF\xBD");
}

TEST_CASE("http feed: a podcast as publishers write it") {
    const auto feed = parse_feed(R"(<?xml version="1.0"?>
<!-- made by hand -->
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
     xmlns:atom="http://www.w3.org/2005/Atom">
<channel>
  <atom:link href="https://example.com/feed" rel="self"/>
  <itunes:title>Not this one</itunes:title>
  <image><title>Nor this</title><link>x</link></image>
  <title><![CDATA[ Tom & <Jerry> ]]></title>
  <link>https://example.com/</link>
  <item>
    <title>Ep&nbsp;1 &#8211; &#x41;</title>
    <itunes:title>other</itunes:title>
    <guid isPermaLink="false">id-1</guid>
    <pubDate>Sun, 06 Nov 1994 03:49:37 EST</pubDate>
    <enclosure url="https://example.com/1.mp3?a=1&amp;b=2" length="123" type='audio/mpeg'/>
  </item>
  <item><title/>
    <enclosure url="https://example.com/2.mp3" length="0" type="audio/mpeg"></enclosure></item>
</channel>
</rss>)");
    REQUIRE(feed);
    CHECK(feed->title == "Tom & <Jerry>");
    CHECK(feed->link == "https://example.com/");
    CHECK(feed->self == "https://example.com/feed");
    REQUIRE(feed->items.size() == 2);
    CHECK(feed->items[0].title == "Ep&nbsp;1 \xE2\x80\x93 A");
    CHECK(feed->items[0].guid == "id-1");
    CHECK(feed->items[0].published == rfc_time);
    CHECK(feed->items[0].enclosures.at(0).url == "https://example.com/1.mp3?a=1&b=2");
    CHECK(feed->items[0].enclosures.at(0).length == 123U);
    CHECK_FALSE(feed->items[1].enclosures.at(0).length);
}

TEST_CASE("http feed: the entry of RFC 4287 Section 1.1, with and without prefixes") {
    const std::string plain = R"(<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="text">dive into mark</title>
  <subtitle type="html">A &lt;em&gt;lot&lt;/em&gt; of effort</subtitle>
  <updated>1994-11-06T08:49:37Z</updated>
  <link rel="alternate" type="text/html" hreflang="en" href="http://example.org/"/>
  <link rel="self" type="application/atom+xml" href="http://example.org/feed.atom"/>
  <entry>
    <title type="xhtml"><div>Atom <b>draft</b></div></title>
    <link rel="alternate" type="text/html" href="http://example.org/2005/04/02/atom"/>
    <link rel="enclosure" type="audio/mpeg" length="1337"
      href="http://example.org/audio/ph34r.mp3"/>
    <id>tag:example.org,2003:3.2397</id>
    <published>1994-11-06T03:49:37-05:00</published>
    <updated>2005-07-31T12:29:29Z</updated>
    <content>ignored</content>
  </entry>
</feed>)";
    std::string prefixed;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        prefixed += plain[i];
        if (plain[i] == '<' && is_token(plain.substr(i + 1, 1))) {
            if (plain[i + 1] != '!') prefixed += "a:";
        } else if (plain[i] == '/' && i > 0 && plain[i - 1] == '<') {
            prefixed += "a:";
        }
    }
    prefixed.replace(prefixed.find("xmlns="), 6, "xmlns:a=");
    for (const std::string& text : {plain, prefixed}) {
        CAPTURE(text);
        const auto feed = parse_feed(text);
        REQUIRE(feed);
        CHECK(feed->title == "dive into mark");
        CHECK(feed->description == "A <em>lot</em> of effort");
        CHECK(feed->link == "http://example.org/");
        CHECK(feed->self == "http://example.org/feed.atom");
        CHECK(feed->updated == rfc_time);
        REQUIRE(feed->items.size() == 1);
        CHECK(feed->items[0].title == "Atom draft");
        CHECK(feed->items[0].published == rfc_time);
        CHECK(feed->items[0].guid == "tag:example.org,2003:3.2397");
        CHECK(feed->items[0].enclosures.at(0).length == 1337U);
    }
}

TEST_CASE("http feed: RSS 1.0, 0.91 with its doctype, Latin-1, a byte order mark") {
    const auto rdf = parse_feed(
        "<rdf:RDF xmlns:rdf='x' xmlns='y' xmlns:dc='z'><channel><title>T</title></channel>"
        "<item><title>I</title><dc:date>1994-11-06T08:49:37Z</dc:date></item></rdf:RDF>");
    REQUIRE(rdf);
    CHECK(rdf->title == "T");
    CHECK(rdf->items.at(0).published == rfc_time);
    CHECK(parse_feed("<!DOCTYPE rss PUBLIC \"-//x\" \"http://x/rss-0.91.dtd\">"
                     "<rss version='0.91'><channel><title>T</title></channel></rss>")
              ->title == "T");
    CHECK(parse_feed("<?xml version='1.0' encoding='ISO-8859-1'?><rss><title>\xE9</title></rss>")
              ->title == "\xC3\xA9");
    CHECK(parse_feed("\xEF\xBB\xBF<rss><title>T</title></rss>")->title == "T");
}

TEST_CASE("http feed: what is no feed, and why") {
    struct Case {
        std::string text;
        FeedError error;
    };
    using enum FeedError;
    const Case cases[] = {
        {"", NotXml},
        {"text", NotXml},
        {"<", NotXml},
        {"<rss", NotXml},
        {"<rss>", NotXml},
        {"<rss></rs>", NotXml},
        {"</rss>", NotXml},
        {"<rss/>x", NotXml},
        {"<rss/><rss/>", NotXml},
        {"<rss a></rss>", NotXml},
        {"<rss a=b></rss>", NotXml},
        {"<rss a='b></rss>", NotXml},
        {"<rss a='<'></rss>", NotXml},
        {"<rss a='1'b='2'/>", NotXml},
        {"<rss><!-- </rss>", NotXml},
        {"<rss><![CDATA[ </rss>", NotXml},
        {"<rss><? </rss>", NotXml},
        {"<rss><!DOCTYPE x></rss>", NotXml},
        {"<rss><!ELEMENT x></rss>", NotXml},
        {"<!-- only a comment -->", NotXml},
        {"\xFF\xFE<", NotXml},
        {"<?xml version='1.0' encoding='UTF-16'?><rss/>", NotXml},
        {"<html/>", NotAFeed},
        {"<feed/>", NotAFeed},
        {"<feed xmlns='http://purl.org/atom/ns#'/>", NotAFeed},
        {"<!DOCTYPE rss [<!ENTITY a 'b'>]><rss>&a;</rss>", Doctype},
    };
    for (const Case& each : cases) {
        CAPTURE(each.text);
        const auto feed = parse_feed(each.text);
        REQUIRE_FALSE(feed);
        CHECK(to_string(feed.error()) == to_string(each.error));
    }
    CHECK(parse_feed("<rss/>"));
}

TEST_CASE("http feed: limits hold at their value and one past it") {
    const auto nested = [](std::size_t depth) {
        std::string text = "<rss>";
        for (std::size_t i = 1; i < depth; ++i) text += "<a>";
        for (std::size_t i = 1; i < depth; ++i) text += "</a>";
        return text + "</rss>";
    };
    CHECK(parse_feed(nested(limits::xml_depth)));
    CHECK(parse_feed(nested(limits::xml_depth + 1)).error() == FeedError::TooDeep);

    std::string attributes = "<rss";
    for (std::size_t i = 0; i < limits::xml_attributes; ++i) attributes += " a='1'";
    CHECK(parse_feed(attributes + "/>"));
    CHECK(parse_feed(attributes + " a='1'/>").error() == FeedError::TooDeep);

    std::string items = "<rss>";
    for (std::size_t i = 0; i < limits::feed_items + 1; ++i) items += "<item/>";
    CHECK(parse_feed(items + "</rss>")->items.size() == limits::feed_items);

    std::string enclosures = "<rss><item>";
    for (std::size_t i = 0; i < limits::feed_enclosures + 1; ++i)
        enclosures += "<enclosure url='x'/>";
    CHECK(parse_feed(enclosures + "</item></rss>")->items.at(0).enclosures.size() ==
          limits::feed_enclosures);

    const std::string title(limits::feed_text_octets, 'x');
    CHECK(parse_feed("<rss><title>" + title + "</title></rss>")->title == title);
    CHECK(parse_feed("<rss><title>" + title + "y</title></rss>")->title == title);

    std::string large = "<rss>" + std::string(limits::feed_octets - 11, ' ') + "</rss>";
    REQUIRE(large.size() == limits::feed_octets);
    CHECK(parse_feed(large));
    CHECK(parse_feed(large + " ").error() == FeedError::TooLarge);

    FolderFeed folder;
    folder.files.resize(limits::feed_items + 1);
    CHECK(feed_of_folder(folder).items.size() == limits::feed_items);
}

}  // namespace
}  // namespace stile::http
