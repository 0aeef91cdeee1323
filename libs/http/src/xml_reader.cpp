// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "xml_reader.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/base/try.hpp>

#include "utf8.hpp"

#include <algorithm>
#include <array>

namespace stile::http {

namespace {

constexpr std::size_t longest_reference = 12;  // "&#x0010FFFF;"

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Wider than XML's: every octet of another character than ASCII may be in a name.
bool is_name_char(char c) {
    return is_alnum(c) || c == '_' || c == ':' || c == '-' || c == '.' ||
           static_cast<unsigned char>(c) >= 0x80;
}

// What stands between "&" and ";".
std::optional<char32_t> referenced(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, char32_t>, 5> entities{
        {{"amp", U'&'}, {"lt", U'<'}, {"gt", U'>'}, {"quot", U'"'}, {"apos", U'\''}}};
    for (const auto& [entity, character] : entities) {
        if (name == entity) return character;
    }
    if (name.size() < 2 || name.front() != '#') return {};
    name.remove_prefix(1);
    std::uint32_t value = 0;
    if (name.front() == 'x') {
        name.remove_prefix(1);
        if (name.empty() || name.size() > 8) return {};
        for (const char c : name) {
            const auto digit = from_hex(std::string{'0', c});
            if (!digit) return {};
            value = (value << 4U) | std::to_integer<std::uint32_t>(digit->front());
        }
    } else {
        const auto decimal = parse_unsigned(name, 0x10FFFF);
        if (!decimal) return {};
        value = static_cast<std::uint32_t>(*decimal);
    }
    return is_xml_character(value) ? char32_t{value} : replacement_character;
}

}  // namespace

std::string resolve_references(std::string_view text) {
    std::string resolved;
    resolved.reserve(text.size());
    while (!text.empty()) {
        if (text.front() == '&') {
            const std::size_t end = text.substr(0, longest_reference).find(';');
            if (end != std::string_view::npos) {
                if (const auto character = referenced(text.substr(1, end - 1))) {
                    append_utf8(resolved, *character);
                    text.remove_prefix(end + 1);
                    continue;
                }
            }
        }
        const char32_t c = take_character(text);
        append_utf8(resolved, is_xml_character(c) ? c : replacement_character);
    }
    return resolved;
}

std::string_view XmlEvent::attribute(std::string_view wanted) const {
    for (const XmlAttribute& each : attributes) {
        if (each.name == wanted) return each.value;
    }
    return {};
}

bool XmlReader::take(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
}

bool XmlReader::skip_past(std::string_view end) {
    const std::size_t found = rest_.find(end);
    if (found == std::string_view::npos) return false;
    rest_.remove_prefix(found + end.size());
    return true;
}

void XmlReader::skip_spaces() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
}

std::string_view XmlReader::name() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_name_char);
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(taken.size());
    return taken;
}

XmlEvent XmlReader::close() {
    XmlEvent event{
        .kind = XmlEvent::Kind::End, .name = std::move(open_.back()), .text = {}, .attributes = {}};
    open_.pop_back();
    return event;
}

std::expected<XmlEvent, FeedError> XmlReader::next() {
    if (pending_end_) {
        pending_end_ = false;
        return close();
    }
    for (;;) {
        if (open_.empty()) skip_spaces();
        if (rest_.empty()) {
            if (!open_.empty() || !root_seen_) return std::unexpected(FeedError::NotXml);
            return XmlEvent{};
        }
        if (take("<!--")) {
            if (!skip_past("-->")) return std::unexpected(FeedError::NotXml);
        } else if (take("<?")) {
            if (!skip_past("?>")) return std::unexpected(FeedError::NotXml);
        } else if (take("<!DOCTYPE")) {
            if (root_seen_) return std::unexpected(FeedError::NotXml);
            if (const auto read = doctype(); !read) return std::unexpected(read.error());
        } else if (take("<![CDATA[")) {
            const std::size_t end = rest_.find("]]>");
            if (open_.empty() || end == std::string_view::npos) {
                return std::unexpected(FeedError::NotXml);
            }
            std::string text;
            for (std::string_view piece = rest_.substr(0, end); !piece.empty();) {
                const char32_t c = take_character(piece);
                append_utf8(text, is_xml_character(c) ? c : replacement_character);
            }
            rest_.remove_prefix(end + 3);
            return XmlEvent{.kind = XmlEvent::Kind::Text,
                            .name = {},
                            .text = std::move(text),
                            .attributes = {}};
        } else {
            return markup();
        }
    }
}

std::expected<XmlEvent, FeedError> XmlReader::markup() {
    if (take("</")) return end_tag();
    if (take("<")) return start_tag();
    if (open_.empty()) return std::unexpected(FeedError::NotXml);
    const std::string_view piece = rest_.substr(0, rest_.find('<'));
    rest_.remove_prefix(piece.size());
    return XmlEvent{.kind = XmlEvent::Kind::Text,
                    .name = {},
                    .text = resolve_references(piece),
                    .attributes = {}};
}

std::expected<XmlEvent, FeedError> XmlReader::start_tag() {
    if (open_.empty() && root_seen_) return std::unexpected(FeedError::NotXml);
    XmlEvent event{
        .kind = XmlEvent::Kind::Start, .name = std::string{name()}, .text = {}, .attributes = {}};
    if (event.name.empty()) return std::unexpected(FeedError::NotXml);
    if (open_.size() == limits::xml_depth) return std::unexpected(FeedError::TooDeep);
    for (;;) {
        const bool separated = !rest_.empty() && is_space(rest_.front());
        skip_spaces();
        if (take("/>")) {
            pending_end_ = true;
            break;
        }
        if (take(">")) break;
        if (!separated) return std::unexpected(FeedError::NotXml);
        if (event.attributes.size() == limits::xml_attributes) {
            return std::unexpected(FeedError::TooDeep);
        }
        event.attributes.push_back(STILE_TRY(attribute()));
    }
    open_.push_back(event.name);
    root_seen_ = true;
    return event;
}

std::expected<XmlAttribute, FeedError> XmlReader::attribute() {
    XmlAttribute read{.name = std::string{name()}, .value = {}};
    skip_spaces();
    if (read.name.empty() || !take("=")) return std::unexpected(FeedError::NotXml);
    skip_spaces();
    if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\'')) {
        return std::unexpected(FeedError::NotXml);
    }
    const char quote = rest_.front();
    rest_.remove_prefix(1);
    const std::size_t end = rest_.find(quote);
    if (end == std::string_view::npos) return std::unexpected(FeedError::NotXml);
    const std::string_view value = rest_.substr(0, end);
    if (value.find('<') != std::string_view::npos) return std::unexpected(FeedError::NotXml);
    read.value = resolve_references(value);
    rest_.remove_prefix(end + 1);
    return read;
}

std::expected<XmlEvent, FeedError> XmlReader::end_tag() {
    const std::string_view closed = name();
    skip_spaces();
    if (open_.empty() || closed != open_.back() || !take(">")) {
        return std::unexpected(FeedError::NotXml);
    }
    return close();
}

// RSS 0.91 has one; what it refers to is not fetched. One with declarations of its own is refused:
// entities that stand for entities are how small documents become large ones.
std::expected<void, FeedError> XmlReader::doctype() {
    const std::size_t end = rest_.find_first_of("[>");
    if (end == std::string_view::npos) return std::unexpected(FeedError::NotXml);
    if (rest_[end] == '[') return std::unexpected(FeedError::Doctype);
    rest_.remove_prefix(end + 1);
    return {};
}

}  // namespace stile::http
