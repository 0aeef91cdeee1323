// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/time.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

namespace stile::http {

// A file that a feed announces.
struct Enclosure {
    std::string url;
    std::optional<std::uint64_t> length;  // in octets
    std::string media_type;
    friend bool operator==(const Enclosure&, const Enclosure&) = default;
};

struct FeedItem {
    std::string title;
    std::string link;  // "" when there is none
    std::string guid;  // identifies the item for ever; not a link
    std::optional<WallTime> published;
    std::string summary;
    std::vector<Enclosure> enclosures;
    friend bool operator==(const FeedItem&, const FeedItem&) = default;
};

struct Feed {
    std::string title;
    std::string link;         // the page that the feed is of
    std::string description;  // "" is written as the title: RSS demands one
    std::string self;         // where the feed itself is; "" when it is not known
    std::optional<WallTime> updated;
    std::vector<FeedItem> items;
    friend bool operator==(const Feed&, const Feed&) = default;
};

inline constexpr std::string_view rss_media_type = "application/rss+xml; charset=utf-8";

// RSS 2.0 with atom:link rel=self, as UTF-8. Any octets may be in the texts: what XML 1.0 cannot
// express, and what is not UTF-8, becomes U+FFFD. RSS allows one enclosure an item: of several the
// first is written.
std::string write_rss(const Feed& feed);

// What a folder says of one of its files.
struct FolderFile {
    std::string name;
    std::uint64_t size = 0;
    std::optional<WallTime> modified;
    std::optional<Bytes> sha256;  // of the content, if it is known
};

struct FolderFeed {
    std::string title;
    std::string folder_url;  // absolute, with "/" at its end
    std::string feed_url;    // absolute
    std::vector<FolderFile> files;
};

// Newest file first; at most limits::feed_items. The guid of an item is the content's digest as an
// ni URI (RFC 6920) where it is known, so that a file that is moved or renamed is not news;
// otherwise a digest of its name, size and time.
Feed feed_of_folder(const FolderFeed& folder);

enum class FeedError : std::uint8_t {
    TooLarge,  // limits::feed_octets
    NotXml,    // not well formed, of an unknown encoding, or cut short
    TooDeep,   // limits::xml_depth or xml_attributes
    Doctype,   // declares entities or other markup of its own
    NotAFeed,  // neither RSS nor Atom
};

std::string_view to_string(FeedError error);

// Reads RSS 0.9x, 1.0 (its items) and 2.0, and Atom (RFC 4287). Nothing is fetched; of entities
// only the five of XML and character references are resolved, others stay as they are written.
// Items past limits::feed_items are left out. URLs are given as they are, not resolved; titles of
// Atom of type html keep their markup.
std::expected<Feed, FeedError> parse_feed(std::string_view text);

}  // namespace stile::http
