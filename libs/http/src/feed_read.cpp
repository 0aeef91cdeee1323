// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/feed.hpp>

#include <stile/base/text.hpp>
#include <stile/base/try.hpp>
#include <stile/http/date.hpp>
#include <stile/http/limits.hpp>

#include "utf8.hpp"
#include "xml_reader.hpp"

#include <algorithm>

namespace stile::http {

namespace {

constexpr std::string_view atom_namespace = "http://www.w3.org/2005/Atom";

enum class Dialect : std::uint8_t { Rss, Atom };

// Spaces and line ends around it have no meaning in any of the elements that are read.
std::string tidy(std::string_view text) {
    constexpr std::string_view spaces = " \t\r\n";
    const std::size_t first = text.find_first_not_of(spaces);
    if (first == std::string_view::npos) return {};
    return std::string{text.substr(first, text.find_last_not_of(spaces) - first + 1)};
}

std::optional<std::uint64_t> length_of(std::string_view text) {
    // Zero is what writers put where the length is not known.
    const auto length = parse_unsigned(trim(text), UINT64_MAX);
    return length && *length > 0 ? length : std::nullopt;
}

// ISO 8859-1; windows-1252 differs in 32 characters that few titles have.
std::string from_latin1(std::string_view text) {
    std::string converted;
    for (const char c : text) append_utf8(converted, static_cast<unsigned char>(c));
    return converted;
}

// The document in UTF-8.
std::expected<std::string, FeedError> decode(std::string_view text) {
    if (text.starts_with("\xFE\xFF") || text.starts_with("\xFF\xFE")) {
        return std::unexpected(FeedError::NotXml);
    }
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    std::string_view declaration = text.substr(0, 256);
    declaration = declaration.starts_with("<?xml") ? declaration.substr(0, declaration.find("?>"))
                                                   : std::string_view{};
    const std::size_t found = declaration.find("encoding");
    if (found == std::string_view::npos) return std::string{text};
    std::string_view value = declaration.substr(found);
    (void)take_until(value, '=');
    const std::size_t begin = value.find_first_of("\"'");
    if (begin == std::string_view::npos) return std::unexpected(FeedError::NotXml);
    const char quote = value[begin];
    value.remove_prefix(begin + 1);
    const std::string encoding = to_lower(take_until(value, quote));
    if (encoding == "utf-8" || encoding == "utf8" || encoding == "us-ascii") {
        return std::string{text};
    }
    if (encoding == "iso-8859-1" || encoding == "latin1" || encoding == "windows-1252") {
        return from_latin1(text);
    }
    return std::unexpected(FeedError::NotXml);
}

class FeedParser {
public:
    explicit FeedParser(std::string_view document) : reader_(document) {}

    std::expected<Feed, FeedError> parse() {
        const XmlEvent root = STILE_TRY(reader_.next());
        if (!recognise(root)) return std::unexpected(FeedError::NotAFeed);
        while (true) {
            const XmlEvent event = STILE_TRY(reader_.next());
            if (event.kind == XmlEvent::Kind::Done) return std::move(feed_);
            if (event.kind != XmlEvent::Kind::Start) continue;
            if (const auto done = top_element(event); !done) return std::unexpected(done.error());
        }
    }

private:
    using Step = std::expected<void, FeedError>;

    // Atom's names may have a prefix, which is then that of the root; RSS's have none, so that
    // a namespace's own title or link is not taken for RSS's.
    bool recognise(const XmlEvent& root) {
        std::string_view local = root.name;
        if (const std::size_t colon = local.find(':'); colon != std::string_view::npos) {
            prefix_ = local.substr(0, colon + 1);
            local.remove_prefix(colon + 1);
        }
        const std::string declaration =
            prefix_.empty() ? "xmlns" : "xmlns:" + prefix_.substr(0, prefix_.size() - 1);
        if (local == "feed" && root.attribute(declaration) == atom_namespace) {
            dialect_ = Dialect::Atom;
            return true;
        }
        const bool rss = root.name == "rss" || local == "RDF";
        if (local == "RDF") prefix_.clear();
        dialect_ = Dialect::Rss;
        return rss;
    }

    std::string_view local(const XmlEvent& event) const {
        std::string_view name = event.name;
        if (!name.starts_with(prefix_)) return {};
        name.remove_prefix(prefix_.size());
        return name.find(':') == std::string_view::npos ? name : std::string_view{};
    }

    Step top_element(const XmlEvent& event) {
        const std::string_view name = local(event);
        const bool rss = dialect_ == Dialect::Rss;
        if (rss && name == "channel") return {};  // what is inside is read as if it were outside
        if (name == (rss ? "item" : "entry")) return item();
        if (name == "title") return text_into(feed_.title);
        if (name == (rss ? "description" : "subtitle")) return text_into(feed_.description);
        if (name == "link") return link(event, feed_.link);
        // Podcasts write the address of the feed itself with Atom's element.
        if (rss && event.name == "atom:link" && event.attribute("rel") == "self") {
            feed_.self = event.attribute("href");
        }
        if (name == "updated" || name == "lastBuildDate") return date_into(feed_.updated);
        return skip();
    }

    Step item() {
        FeedItem item;
        while (true) {
            const XmlEvent event = STILE_TRY(reader_.next());
            if (event.kind == XmlEvent::Kind::End) break;
            if (event.kind != XmlEvent::Kind::Start) continue;
            if (const auto done = item_element(event, item); !done) return done;
        }
        if (feed_.items.size() < limits::feed_items) feed_.items.push_back(std::move(item));
        return {};
    }

    Step item_element(const XmlEvent& event, FeedItem& item) {
        const std::string_view name = local(event);
        const bool rss = dialect_ == Dialect::Rss;
        if (name == "title") return text_into(item.title);
        if (name == "link") return item_link(event, item);
        if (name == (rss ? "guid" : "id")) return text_into(item.guid);
        if (name == (rss ? "description" : "summary")) return text_into(item.summary);
        if (name == (rss ? "pubDate" : "published")) return date_into(item.published);
        if (!rss && name == "updated" && !item.published) return date_into(item.published);
        if (rss && event.name == "dc:date" && !item.published) return date_into(item.published);
        if (rss && name == "enclosure") {
            add_enclosure(item, event.attribute("url"), event);
        }
        return skip();
    }

    Step item_link(const XmlEvent& event, FeedItem& item) {
        // RFC 4287 Section 4.2.7.2.
        if (dialect_ == Dialect::Atom && event.attribute("rel") == "enclosure") {
            add_enclosure(item, event.attribute("href"), event);
            return skip();
        }
        return link(event, item.link);
    }

    static void add_enclosure(FeedItem& item, std::string_view url, const XmlEvent& event) {
        if (url.empty() || item.enclosures.size() == limits::feed_enclosures) return;
        item.enclosures.push_back({.url = tidy(url),
                                   .length = length_of(event.attribute("length")),
                                   .media_type = std::string{event.attribute("type")}});
    }

    Step link(const XmlEvent& event, std::string& target) {
        if (dialect_ == Dialect::Rss) return text_into(target);
        const std::string_view relation = event.attribute("rel");
        const std::string_view address = event.attribute("href");
        if (relation.empty() || relation == "alternate") {
            if (target.empty()) target = tidy(address);
        } else if (relation == "self" && &target == &feed_.link) {
            feed_.self = tidy(address);
        }
        return skip();
    }

    // All text inside the element that was just opened, that of inner elements too.
    std::expected<std::string, FeedError> inner_text() {
        std::string text;
        for (std::size_t depth = 1; depth > 0;) {
            XmlEvent event = STILE_TRY(reader_.next());
            switch (event.kind) {
                case XmlEvent::Kind::Start:
                    ++depth;
                    break;
                case XmlEvent::Kind::End:
                    --depth;
                    break;
                case XmlEvent::Kind::Text:
                    append_cut(text, event.text);
                    break;
                case XmlEvent::Kind::Done:
                    return std::unexpected(FeedError::NotXml);
            }
        }
        return tidy(text);
    }

    static void append_cut(std::string& text, std::string_view more) {
        while (!more.empty() && text.size() < limits::feed_text_octets) {
            append_utf8(text, take_character(more));
        }
    }

    // The first of its kind counts: an image inside an RSS channel has a title of its own.
    Step text_into(std::string& target) {
        std::string text = STILE_TRY(inner_text());
        if (target.empty()) target = std::move(text);
        return {};
    }

    Step date_into(std::optional<WallTime>& target) {
        const std::string text = STILE_TRY(inner_text());
        target = parse_rfc3339(text);
        if (!target) target = parse_mail_date(text);
        return {};
    }

    Step skip() {
        const auto text = inner_text();
        if (!text) return std::unexpected(text.error());
        return {};
    }

    XmlReader reader_;
    Dialect dialect_ = Dialect::Rss;
    std::string prefix_;
    Feed feed_;
};

}  // namespace

std::string_view to_string(FeedError error) {
    switch (error) {
        case FeedError::TooLarge:
            return "the feed is too large";
        case FeedError::NotXml:
            return "the feed is not well-formed XML";
        case FeedError::TooDeep:
            return "the feed is nested too deeply";
        case FeedError::Doctype:
            return "the feed declares markup of its own";
        case FeedError::NotAFeed:
            return "this is neither RSS nor Atom";
    }
    return {};
}

std::expected<Feed, FeedError> parse_feed(std::string_view text) {
    if (text.size() > limits::feed_octets) return std::unexpected(FeedError::TooLarge);
    const std::string document = STILE_TRY(decode(text));
    return FeedParser{document}.parse();
}

}  // namespace stile::http
