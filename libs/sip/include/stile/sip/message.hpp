// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/sip/contact.hpp>
#include <stile/sip/cseq.hpp>
#include <stile/sip/header_name.hpp>
#include <stile/sip/header_values.hpp>
#include <stile/sip/limits.hpp>
#include <stile/sip/name_addr.hpp>
#include <stile/sip/status.hpp>
#include <stile/sip/via.hpp>

#include <cstring>
#include <iterator>
#include <optional>
#include <vector>

namespace stile::sip {

// A header field line. Folded lines have been unfolded: a value holds no CR or LF, and no white
// space at its ends. Views into the message.
struct HeaderField {
    HeaderName name = HeaderName::Other;
    std::string_view name_text;
    std::string_view value;
};

class Message;

// The values of one header field, in their order, over all its lines and, where its grammar is a
// list, over the commas in them. Empty elements are skipped. RFC 3261 Section 7.3.1.
class ValueRange {
public:
    class Iterator {
    public:
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        Iterator(const Message& message, HeaderName name);
        std::string_view operator*() const { return current_; }
        Iterator& operator++();
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return done_; }

    private:
        const Message* message_ = nullptr;
        std::size_t next_line_ = 0;
        std::string_view rest_;
        std::string_view current_;
        HeaderName name_ = HeaderName::Other;
        bool done_ = true;
    };

    ValueRange(const Message& message, HeaderName name) : message_(&message), name_(name) {}
    Iterator begin() const { return {*message_, name_}; }
    std::default_sentinel_t end() const { return {}; }

private:
    const Message* message_;
    HeaderName name_;
};

// The values of a list header field, each parsed when the iterator stands on it: an error where one
// is malformed, and TooManyValues instead of the first past most_list_values, which is the last.
template <class Value, auto parse>
class TypedValues {
public:
    class Iterator {
    public:
        using value_type = std::expected<Value, ParseError>;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        explicit Iterator(ValueRange::Iterator at) : at_(at) {}
        value_type operator*() const {
            if (index_ == most_list_values) return std::unexpected(ParseError::TooManyValues);
            return parse(*at_);
        }
        Iterator& operator++() {
            ++at_;
            ++index_;
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t end) const {
            return index_ > most_list_values || at_ == end;
        }

    private:
        ValueRange::Iterator at_;
        std::size_t index_ = 0;
    };

    explicit TypedValues(ValueRange values) : values_(values) {}
    Iterator begin() const { return Iterator{values_.begin()}; }
    std::default_sentinel_t end() const { return {}; }
    bool empty() const { return begin() == end(); }
    // All of them, or the first error.
    std::expected<std::vector<Value>, ParseError> all() const {
        std::vector<Value> all;
        for (const auto& value : *this) {
            if (!value) return std::unexpected(value.error());
            all.push_back(*value);
        }
        return all;
    }
    // The same, to be kept for longer than the message.
    auto copies() const {
        using Copy = decltype(std::declval<const Value&>().copy());
        std::expected<std::vector<Copy>, ParseError> copies;
        for (const auto& value : *this) {
            if (!value) {
                copies = std::unexpected(value.error());
                break;
            }
            copies->push_back(value->copy());
        }
        return copies;
    }

private:
    ValueRange values_;
};

std::expected<NameAddrView, ParseError> parse_route(std::string_view text);  // brackets required
std::expected<std::string_view, ParseError> parse_token(std::string_view text);

using Vias = TypedValues<ViaView, &ViaView::parse>;
using Routes = TypedValues<NameAddrView, &parse_route>;
using Tokens = TypedValues<std::string_view, &parse_token>;

// A request or a response: the bytes as received and where in them each header field stands. The
// values are parsed when they are asked for, and those called views point into the message. Moving
// is cheap and keeps them valid; they end with the message. Header fields asked for by type give
// ParseError::Missing where absent and, where only one may stand, ParseError::Duplicate where there
// are more.
class Message {
public:
    bool is_request() const { return status_.code == 0; }
    bool is_response() const { return !is_request(); }

    // Start line. Requires: a request.
    Method method() const { return method_; }
    std::string_view method_text() const& { return text(start_); }
    std::string_view request_uri_text() const& { return text(target_); }
    std::expected<UriView, ParseError> request_uri() const&;
    // Requires: a response.
    Status status() const { return status_; }
    std::string_view reason() const& { return text(target_); }
    // "SIP/2.0" of either.
    bool is_version_2() const { return version_2_; }

    // All header fields in their order.
    std::size_t header_count() const { return line_count_; }
    HeaderField header(std::size_t index) const&;
    // The first line's value. For Other see find(text).
    std::optional<std::string_view> find(HeaderName name) const&;
    std::optional<std::string_view> find(std::string_view name) const&;
    std::size_t count(HeaderName name) const;  // lines
    bool contains(HeaderName name) const { return find(name).has_value(); }
    // The value of a header field that may stand once.
    std::expected<std::string_view, ParseError> single(HeaderName name) const&;
    ValueRange values(HeaderName name) const& { return {*this, name}; }
    // The first element of a list.
    std::optional<std::string_view> first_value(HeaderName name) const&;

    BytesView body() const& { return wire().subspan(body_offset_); }
    std::string_view body_text() const& { return as_text(body()); }
    // Start line, headers and body as received, but for folds, which are now spaces.
    BytesView wire() const& { return BytesView{arena_}.subspan(line_count_ * sizeof(Line)); }

    std::expected<ViaView, ParseError> top_via() const&;
    Vias vias() const& { return Vias{values(HeaderName::Via)}; }
    std::expected<NameAddrView, ParseError> from() const&;
    std::expected<NameAddrView, ParseError> to() const&;
    // Their tags, where they have one: all that who passes a message on needs of From and To. Of
    // the rest of the value only the parameters are looked at.
    std::expected<std::optional<std::string_view>, ParseError> from_tag() const&;
    std::expected<std::optional<std::string_view>, ParseError> to_tag() const&;
    std::expected<std::string_view, ParseError> call_id() const&;
    std::expected<CSeq, ParseError> cseq() const;
    std::expected<std::uint8_t, ParseError> max_forwards() const;  // 0 to 255
    std::expected<Contacts, ParseError> contacts() const&;         // none is an empty list
    // Route, Record-Route, Path, Service-Route.
    Routes routes(HeaderName name) const& { return Routes{values(name)}; }
    std::expected<std::uint32_t, ParseError> expires_seconds() const;
    std::expected<std::uint32_t, ParseError> min_expires_seconds() const;
    std::expected<MediaType, ParseError> content_type() const;
    std::expected<WallTime, ParseError> date() const;
    std::expected<RetryAfter, ParseError> retry_after() const;
    std::expected<std::vector<Reason>, ParseError> reasons() const;
    // The elements of a list of tokens: Require, Supported, Allow, Unsupported, Proxy-Require, ...
    Tokens tokens(HeaderName name) const& { return Tokens{values(name)}; }
    // Option tags and methods: is it in the list? False in a list that does not parse.
    bool lists(HeaderName name, std::string_view token) const;

private:
    friend class MessageParser;
    friend class ValueRange::Iterator;
    friend class StreamFramer;

    struct Slice {
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
    };
    struct Line {
        Slice value;
        std::uint32_t name_offset = 0;
        std::uint16_t name_length = 0;
        HeaderName name = HeaderName::Other;
    };

    Message() = default;
    std::string_view text(Slice slice) const {
        return as_text(wire().subspan(slice.offset, slice.length));
    }
    Line line(std::size_t index) const {
        Line line;
        std::memcpy(&line, arena_.data() + index * sizeof line, sizeof line);
        return line;
    }

    Bytes arena_;  // the lines, then the octets: a message is one piece of memory
    std::uint32_t line_count_ = 0;
    Slice start_;   // method
    Slice target_;  // Request-URI or reason phrase
    std::uint32_t body_offset_ = 0;
    Status status_;  // 0 in a request
    Method method_ = Method::Other;
    bool version_2_ = true;
};

// A message that was not taken, and what can be done about it.
struct ParseFailure {
    ParseError error;
    // What a server answers to a request: 400, 413, 505 or 513. RFC 3261 Section 21.4.1.
    Status answer = status::BadRequest;
    // Start line and every header field that could be read, without body, where there was a start
    // line; is_answerable() tells whether a response can be made of it.
    std::optional<Message> head;
};

// A whole message in one datagram (or WebSocket message). The body is what Content-Length says, and
// octets after it are dropped; without Content-Length it is the rest. RFC 3261 Section 18.3.
// Empty lines before the start line are skipped. RFC 3261 Section 7.5.
std::expected<Message, ParseFailure> parse_message(BytesView datagram,
                                                   const ParseLimits& limits = {});

// A keep-alive that came as a datagram: nothing but CR, LF, or NUL octets. RFC 5626 Section 4.4.1
// uses these on streams; many clients send them over UDP too.
bool is_keep_alive(BytesView datagram);

}  // namespace stile::sip
