// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/http/feed.hpp>
#include <stile/http/limits.hpp>

namespace stile::http {

struct XmlAttribute {
    std::string name;
    std::string value;
};

// One thing read from a document. Text is given in the pieces in which it is written; comments and
// processing instructions are passed over. An empty element is a start and an end.
struct XmlEvent {
    enum class Kind : std::uint8_t { Start, End, Text, Done };
    Kind kind = Kind::Done;
    std::string name;  // of Start and End, prefix included
    std::string text;
    std::vector<XmlAttribute> attributes;

    // "" when it is absent.
    std::string_view attribute(std::string_view wanted) const;
};

// A pull reader of well-formed XML 1.0 in UTF-8: nests, names and attributes are checked. Knows the
// five entities and character references; any other reference stays as it is written. Opens
// nothing; memory is that of one event and of the open names.
class XmlReader {
public:
    explicit XmlReader(std::string_view document) : rest_(document) {}

    std::expected<XmlEvent, FeedError> next();

private:
    std::expected<XmlEvent, FeedError> markup();
    std::expected<XmlEvent, FeedError> start_tag();
    std::expected<XmlEvent, FeedError> end_tag();
    std::expected<XmlAttribute, FeedError> attribute();
    std::expected<void, FeedError> doctype();
    XmlEvent close();

    bool take(std::string_view expected);
    bool skip_past(std::string_view end);
    void skip_spaces();
    std::string_view name();

    std::string_view rest_;
    std::vector<std::string> open_;
    bool pending_end_ = false;  // an empty element's end is still to be told
    bool root_seen_ = false;
};

// Resolves references in a piece of text or an attribute value.
std::string resolve_references(std::string_view text);

}  // namespace stile::http
