// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "message_parser.hpp"
#include "scan.hpp"

#include <stile/base/assert.hpp>
#include <stile/sip/message_edit.hpp>

#include <utility>

namespace stile::sip {
namespace {

constexpr std::string_view usual_max_forwards = "70";  // RFC 3261 Section 8.1.1.6

bool has_element(std::string_view value) {
    while (!value.empty()) {
        if (!scan::take_element(value).empty()) return true;
    }
    return false;
}

}  // namespace

MessageEdit::MessageEdit(const Message& message) : message_(message) {
    lines_.reserve(message.header_count() + 4);
    for (std::size_t i = 0; i < message.header_count(); ++i) {
        const HeaderField field = message.header(i);
        lines_.push_back({.name = field.name,
                          .name_text = of_message(field.name_text),
                          .value = of_message(field.value)});
    }
}

std::string_view MessageEdit::view(Text text) const {
    const std::string_view source =
        text.source == Source::Message ? as_text(message_.wire()) : std::string_view{added_};
    return source.substr(text.offset, text.length);
}

MessageEdit::Text MessageEdit::of_message(std::string_view text) const {
    const auto offset = text.data() - as_text(message_.wire()).data();
    return {.offset = static_cast<std::uint32_t>(offset),
            .length = static_cast<std::uint32_t>(text.size()),
            .source = Source::Message};
}

MessageEdit::Text MessageEdit::add_text(std::string_view text) {
    const auto offset = static_cast<std::uint32_t>(added_.size());
    for (const char c : text) added_ += c == '\r' || c == '\n' ? ' ' : c;
    return {.offset = offset,
            .length = static_cast<std::uint32_t>(text.size()),
            .source = Source::Added};
}

MessageEdit::Line MessageEdit::line(HeaderName name, std::string_view value) {
    return {.name = name, .name_text = add_text(header_text(name)), .value = add_text(value)};
}

std::size_t MessageEdit::first(HeaderName name) const {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        if (lines_[i].name == name) return i;
    }
    return lines_.size();
}

std::size_t MessageEdit::last(HeaderName name) const {
    for (std::size_t i = lines_.size(); i-- > 0;) {
        if (lines_[i].name == name) return i;
    }
    return lines_.size();
}

MessageEdit& MessageEdit::set_request_uri(std::string_view uri) {
    STILE_ASSERT(message_.is_request());
    STILE_ASSERT(!uri.empty() && scan::find_any(uri, " \t\r\n") == std::string_view::npos);
    request_uri_ = add_text(uri);
    return *this;
}

MessageEdit& MessageEdit::prepend(HeaderName name, std::string_view value) {
    const std::size_t found = first(name);
    const std::size_t place = found == lines_.size() ? 0 : found;
    lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(place), line(name, value));
    return *this;
}

MessageEdit& MessageEdit::append(HeaderName name, std::string_view value) {
    const std::size_t found = last(name);
    const std::size_t place = found == lines_.size() ? found : found + 1;
    lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(place), line(name, value));
    return *this;
}

MessageEdit& MessageEdit::append(std::string_view name, std::string_view value) {
    const HeaderName known = header_name_of(name);
    if (known != HeaderName::Other) return append(known, value);
    STILE_ASSERT(scan::is_token(name));
    lines_.push_back(
        {.name = HeaderName::Other, .name_text = add_text(name), .value = add_text(value)});
    return *this;
}

MessageEdit& MessageEdit::replace(HeaderName name, std::string_view value) {
    const std::size_t found = first(name);
    if (found == lines_.size()) return append(name, value);
    const Text text = add_text(value);
    lines_[found].value = text;
    std::size_t i = 0;
    std::erase_if(lines_,
                  [&](const Line& candidate) { return i++ > found && candidate.name == name; });
    return *this;
}

MessageEdit& MessageEdit::remove(HeaderName name) {
    STILE_ASSERT(name != HeaderName::Other);
    std::erase_if(lines_, [name](const Line& candidate) { return candidate.name == name; });
    return *this;
}

MessageEdit& MessageEdit::remove(std::string_view name) {
    const HeaderName known = header_name_of(name);
    if (known != HeaderName::Other) return remove(known);
    std::erase_if(lines_, [&](const Line& candidate) {
        return candidate.name == HeaderName::Other && iequals(view(candidate.name_text), name);
    });
    return *this;
}

MessageEdit& MessageEdit::remove_first_value(HeaderName name) {
    for (;;) {
        const std::size_t i = first(name);
        if (i == lines_.size()) return *this;
        std::string_view rest = view(lines_[i].value);
        bool removed = false;  // empty elements are not values, but go with it
        while (!rest.empty() && !removed) removed = !scan::take_element(rest).empty();
        set_or_erase(i, rest);
        if (removed) return *this;
    }
}

MessageEdit& MessageEdit::remove_last_value(HeaderName name) {
    for (;;) {
        const std::size_t i = last(name);
        if (i == lines_.size()) return *this;
        const std::string_view value = view(lines_[i].value);
        std::string_view rest = value;
        std::optional<std::size_t> begin;  // of the last element
        while (!rest.empty()) {
            const std::size_t at = value.size() - rest.size();
            if (!scan::take_element(rest).empty()) begin = at;
        }
        std::string_view kept = value.substr(0, begin.value_or(0));
        while (!kept.empty() && (kept.back() == ',' || scan::is_space(kept.back()))) {
            kept.remove_suffix(1);
        }
        set_or_erase(i, kept);
        if (begin) return *this;
    }
}

void MessageEdit::set_or_erase(std::size_t index, std::string_view value) {
    if (has_element(value)) {
        lines_[index].value = add_text(std::string{scan::trimmed(value)});
    } else {
        lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(index));
    }
}

MessageEdit& MessageEdit::replace_first_value(HeaderName name, std::string_view value) {
    for (std::size_t i = first(name); i < lines_.size(); ++i) {
        if (lines_[i].name != name || !has_element(view(lines_[i].value))) continue;
        std::string_view rest = view(lines_[i].value);
        while (scan::take_element(rest).empty()) {
        }
        rest = scan::trimmed(rest);
        std::string changed{value};
        if (has_element(rest)) changed.append(", ").append(rest);
        lines_[i].value = add_text(changed);
        break;
    }
    return *this;
}

MessageEdit& MessageEdit::set_body(std::string_view content_type, BytesView body) {
    body_ = to_bytes(body);
    if (body.empty()) return remove(HeaderName::ContentType);
    return replace(HeaderName::ContentType, content_type);
}

MessageEdit& MessageEdit::mark_source(const SocketAddress& source) {
    const auto via = message_.top_via();
    if (!via) return *this;
    const Via as_sent = via->copy();
    Via marked = as_sent;
    sip::mark_source(marked, source);
    if (marked == as_sent) return *this;
    return replace_first_value(HeaderName::Via, marked.to_string());
}

MessageEdit& MessageEdit::push_route(const NameAddr& route) {
    return prepend(HeaderName::Route, route.to_string());
}
MessageEdit& MessageEdit::add_record_route(const NameAddr& route) {
    return prepend(HeaderName::RecordRoute, route.to_string());
}
MessageEdit& MessageEdit::add_path(const NameAddr& path) {
    return prepend(HeaderName::Path, path.to_string());
}

MessageEdit& MessageEdit::decrement_max_forwards() {
    const auto hops = message_.max_forwards();
    if (!hops) return replace(HeaderName::MaxForwards, usual_max_forwards);
    STILE_ASSERT(*hops > 0);
    return replace(HeaderName::MaxForwards, std::to_string(*hops - 1));
}

Bytes MessageEdit::serialize() const {
    const BytesView body = body_ ? BytesView{*body_} : message_.body();
    const std::string length = std::to_string(body.size());
    Bytes wire;
    wire.reserve(message_.wire().size() + added_.size() + 64);
    const auto put = [&wire](std::string_view text) {
        const BytesView bytes = as_bytes(text);
        wire.insert(wire.end(), bytes.begin(), bytes.end());
    };
    if (message_.is_request()) {
        put(message_.method_text());
        put(" ");
        put(request_uri_ ? view(*request_uri_) : message_.request_uri_text());
        put(" SIP/2.0\r\n");
    } else {
        put("SIP/2.0 ");
        put(std::to_string(message_.status().code));
        put(" ");
        put(message_.reason());
        put("\r\n");
    }
    bool has_length = false;
    for (const Line& header : lines_) {
        put(view(header.name_text));
        put(": ");
        const bool is_length = header.name == HeaderName::ContentLength;
        put(is_length ? std::string_view{length} : view(header.value));
        put("\r\n");
        has_length = has_length || is_length;
    }
    if (!has_length) {
        put("Content-Length: ");
        put(length);
        put("\r\n");
    }
    put("\r\n");
    wire.insert(wire.end(), body.begin(), body.end());
    return wire;
}

Message MessageEdit::build() const { return MessageParser::parse_own(serialize()); }

}  // namespace stile::sip
