// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/feed.hpp>

#include <stile/base/encoding.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/http/date.hpp>
#include <stile/http/limits.hpp>
#include <stile/http/media_type.hpp>
#include <stile/http/path.hpp>

#include "utf8.hpp"

#include <algorithm>

namespace stile::http {

namespace {

void append_element(std::string& text, std::string_view indent, std::string_view name,
                    std::string_view content) {
    text += indent;
    text += '<';
    text += name;
    text += '>';
    text += escape_markup(content);
    text += "</";
    text += name;
    text += ">\n";
}

void append_item(std::string& text, const FeedItem& item) {
    constexpr std::string_view indent = "      ";
    text += "    <item>\n";
    append_element(text, indent, "title", item.title);
    if (!item.link.empty()) append_element(text, indent, "link", item.link);
    if (!item.summary.empty()) append_element(text, indent, "description", item.summary);
    if (!item.guid.empty()) {
        text += "      <guid isPermaLink=\"false\">" + escape_markup(item.guid) + "</guid>\n";
    }
    if (item.published) {
        append_element(text, indent, "pubDate", format_http_date(*item.published));
    }
    if (!item.enclosures.empty()) {
        const Enclosure& enclosure = item.enclosures.front();
        text += "      <enclosure url=\"" + escape_markup(enclosure.url) + "\" length=\"" +
                std::to_string(enclosure.length.value_or(0)) + "\" type=\"" +
                escape_markup(enclosure.media_type) + "\"/>\n";
    }
    text += "    </item>\n";
}

std::string guid_of(const FolderFile& file) {
    // RFC 6920 Section 3.
    if (file.sha256) return "ni:///sha-256;" + to_base64url(*file.sha256);
    std::string facts = file.name + '\0' + std::to_string(file.size) + '\0';
    if (file.modified) facts += std::to_string(file.modified->time_since_epoch().count());
    const auto digest = crypto::digest(crypto::DigestAlgorithm::Sha256, as_bytes(facts));
    return to_base64url(digest.bytes());
}

}  // namespace

std::string write_rss(const Feed& feed) {
    constexpr std::string_view indent = "    ";
    std::string text =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\">\n"
        "  <channel>\n";
    append_element(text, indent, "title", feed.title);
    append_element(text, indent, "link", feed.link);
    append_element(text, indent, "description",
                   feed.description.empty() ? feed.title : feed.description);
    if (feed.updated) {
        append_element(text, indent, "lastBuildDate", format_http_date(*feed.updated));
    }
    if (!feed.self.empty()) {
        text += "    <atom:link rel=\"self\" type=\"application/rss+xml\" href=\"" +
                escape_markup(feed.self) + "\"/>\n";
    }
    for (const FeedItem& item : feed.items) append_item(text, item);
    return text + "  </channel>\n</rss>\n";
}

Feed feed_of_folder(const FolderFeed& folder) {
    std::vector<const FolderFile*> files;
    for (const FolderFile& file : folder.files) files.push_back(&file);
    std::sort(files.begin(), files.end(), [](const FolderFile* left, const FolderFile* right) {
        if (left->modified != right->modified) return left->modified > right->modified;
        return left->name < right->name;
    });
    if (files.size() > limits::feed_items) files.resize(limits::feed_items);

    Feed feed{.title = folder.title,
              .link = folder.folder_url,
              .description = {},
              .self = folder.feed_url,
              .updated = {},
              .items = {}};
    for (const FolderFile* file : files) {
        const std::string url = folder.folder_url + encode_segment(file->name);
        feed.items.push_back({
            .title = file->name,
            .link = url,
            .guid = guid_of(*file),
            .published = file->modified,
            .summary = {},
            .enclosures = {{.url = url,
                            .length = file->size,
                            .media_type = essence(media_type_of(file->name))}},
        });
    }
    if (!feed.items.empty()) feed.updated = feed.items.front().published;
    return feed;
}

}  // namespace stile::http
