// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message.hpp>

#include <optional>
#include <string>
#include <vector>

namespace stile::sip {

// A changed copy of a message: what is not touched is copied octet by octet, in its order. Finds
// header fields with the parser's own eyes, so nothing that it removes can be written in a way that
// another element reads and it does not. Content-Length is corrected, and added where it is absent.
class MessageEdit {
public:
    // Requires: the message outlives the edit, and is not the head of a ParseFailure.
    explicit MessageEdit(const Message& message);
    explicit MessageEdit(const Message&&) = delete;

    // Requires: a request.
    MessageEdit& set_request_uri(const Uri& uri) { return set_request_uri(uri.to_string()); }
    MessageEdit& set_request_uri(std::string_view uri);

    // A line before the first one of that name; before all header fields if there is none.
    MessageEdit& prepend(HeaderName name, std::string_view value);
    // A line after the last one of that name; after all header fields if there is none.
    MessageEdit& append(HeaderName name, std::string_view value);
    MessageEdit& append(std::string_view name, std::string_view value);
    // One line with this value in the place of the first; appended if there is none.
    MessageEdit& replace(HeaderName name, std::string_view value);
    // All lines of that name, in any spelling.
    MessageEdit& remove(HeaderName name);
    MessageEdit& remove(std::string_view name);
    // Elements of lists; nothing happens where there is none.
    MessageEdit& remove_first_value(HeaderName name);
    MessageEdit& remove_last_value(HeaderName name);
    MessageEdit& replace_first_value(HeaderName name, std::string_view value);
    MessageEdit& set_body(std::string_view content_type, BytesView body);

    // What proxies do, by RFC 3261 Section 16.
    MessageEdit& prepend_via(const Via& via) { return prepend(HeaderName::Via, via.to_string()); }
    MessageEdit& remove_top_via() { return remove_first_value(HeaderName::Via); }
    // received and rport of the top Via. RFC 3261 Section 18.2.1, RFC 3581 Section 4.
    MessageEdit& mark_source(const SocketAddress& source);
    MessageEdit& pop_route() { return remove_first_value(HeaderName::Route); }
    MessageEdit& push_route(const NameAddr& route);
    MessageEdit& add_record_route(const NameAddr& route);
    // RFC 3327 Section 5.2.
    MessageEdit& add_path(const NameAddr& path);
    // One less, or 70 where there is none. RFC 3261 Section 16.6. Requires: it is not 0.
    MessageEdit& decrement_max_forwards();

    Bytes serialize() const;
    Message build() const;

private:
    enum class Source : std::uint8_t { Message, Added };
    struct Text {
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
        Source source = Source::Message;
    };
    struct Line {
        HeaderName name = HeaderName::Other;
        Text name_text;
        Text value;
    };

    std::string_view view(Text text) const;
    Text of_message(std::string_view text) const;
    Text add_text(std::string_view text);
    Line line(HeaderName name, std::string_view value);
    void set_or_erase(std::size_t index, std::string_view value);
    // The first (or last) line of that name, or lines_.size().
    std::size_t first(HeaderName name) const;
    std::size_t last(HeaderName name) const;

    const Message& message_;
    std::vector<Line> lines_;
    std::string added_;
    std::optional<Text> request_uri_;
    std::optional<Bytes> body_;
};

}  // namespace stile::sip
