// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "message_parser.hpp"

#include "scan.hpp"

#include <stile/base/assert.hpp>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace stile::sip {
namespace {

bool is_version(std::string_view text) {
    if (text.size() < 7 || !iequals(text.substr(0, 4), "SIP/")) return false;
    const std::size_t dot = text.find('.');
    if (dot == std::string_view::npos || dot == 4 || dot + 1 == text.size()) return false;
    for (std::size_t i = 4; i < text.size(); ++i) {
        if (i != dot && !is_digit(text[i])) return false;
    }
    return true;
}

bool is_version_2(std::string_view text) { return iequals(text, "SIP/2.0"); }

}  // namespace

MessageParser::MessageParser(BytesView wire, const ParseLimits& limits)
    : head_{.message = Message{}},
      limits_(limits),
      text_(as_text(wire).data()),
      size_(wire.size()) {}

MessageParser::Head MessageParser::parse_head(BytesView wire, const ParseLimits& limits) {
    MessageParser parser{wire, limits};
    parser.run();
    parser.lay_out();
    return std::move(parser.head_);
}

Message MessageParser::parse_own(BytesView wire) {
    constexpr auto none = std::size_t{0xFFFF'FFFF};
    auto head =
        parse_head(wire, {.message_octets = none, .header_lines = none, .line_octets = none});
    STILE_ASSERT(!head.error && head.content_length == head.message.body().size());
    return std::move(head.message);
}

ParseFailure MessageParser::failure(Head head) {
    ParseFailure failure{.error = head.error.value_or(ParseError::BadStartLine),
                         .answer = head.answer,
                         .head = std::nullopt};
    if (head.has_start_line) {
        cut_body(head.message, 0);
        failure.head = std::move(head.message);
    }
    return failure;
}

void MessageParser::fail(ParseError error, Status answer) {
    if (head_.error) return;
    head_.error = error;
    head_.answer = answer;
}

inline void MessageParser::add_line(const Message::Line& line) {
    if (usual_count_ < lines_.size()) {
        lines_[usual_count_++] = line;
    } else {
        more_lines_.push_back(line);
    }
}

void MessageParser::unfold(std::size_t begin, std::size_t end) {
    if (unfolded_.empty()) {
        unfolded_ = to_bytes(as_bytes(std::string_view{text_, size_}));
        text_ = as_text(unfolded_).data();
    }
    std::fill(unfolded_.begin() + static_cast<std::ptrdiff_t>(begin),
              unfolded_.begin() + static_cast<std::ptrdiff_t>(end), std::byte{' '});
}

inline void MessageParser::lay_out() {
    Bytes& arena = head_.message.arena_;
    const auto append = [&arena](BytesView octets) {
        arena.insert(arena.end(), octets.begin(), octets.end());
    };
    arena.reserve(line_count() * sizeof(Message::Line) + size_);
    append(std::as_bytes(std::span{lines_}.first(usual_count_)));
    append(std::as_bytes(std::span{more_lines_}));
    append(as_bytes(std::string_view{text_, size_}));
    head_.message.line_count_ = static_cast<std::uint32_t>(line_count());
}

// RFC 3261 Section 7: lines end with CR LF. What some take for an end of line and others do not is
// how header fields are smuggled.
inline std::optional<Message::Slice> MessageParser::next_line() {
    const std::size_t begin = at_;
    for (;;) {
        const std::size_t end = breaks_.next();
        if (end + 1 < size_ && text_[end] == '\r' && text_[end + 1] == '\n') {
            breaks_.next();
            at_ = end + 2;
        } else {
            if (end == size_ || (end + 1 == size_ && text_[end] == '\r')) return std::nullopt;
            fail(ParseError::BadCharacter);
            if (text_[end] == '\r') continue;
            at_ = end + 1;
        }
        if (at_ < size_ && scan::is_space(text_[at_]) && end > begin) {
            unfold(end, at_);
            continue;
        }
        if (end - begin > limits_.line_octets) {
            fail(ParseError::LineTooLong,
                 begin == 0 ? status::RequestUriTooLong : status::BadRequest);
        }
        return Message::Slice{static_cast<std::uint32_t>(begin),
                              static_cast<std::uint32_t>(end - begin)};
    }
}

inline void MessageParser::start_line(Message::Slice slice) {
    const std::string_view line{text_ + slice.offset, slice.length};
    if (line.size() > 4 && iequals(line.substr(0, 4), "SIP/")) {
        status_line(line, slice.offset);
    } else {
        request_line(line, slice.offset);
    }
}

// SIP/2.0 SP 3DIGIT SP Reason-Phrase. A missing last space is tolerated.
void MessageParser::status_line(std::string_view line, std::uint32_t offset) {
    const std::size_t space = line.find(' ');
    const std::string_view version = line.substr(0, space);
    if (space == std::string_view::npos || !is_version(version)) {
        return fail(ParseError::BadStartLine);
    }
    const std::string_view rest = line.substr(space + 1);
    const std::string_view digits = rest.substr(0, rest.find(' '));
    const auto code = parse_unsigned(digits, 699);
    if (digits.size() != 3 || !code || *code < 100) return fail(ParseError::BadStatusCode);
    Message& message = head_.message;
    message.version_2_ = is_version_2(version);
    message.status_ = Status{static_cast<std::uint16_t>(*code)};
    const std::size_t reason = std::min(rest.size(), digits.size() + 1);
    message.target_ = {static_cast<std::uint32_t>(offset + space + 1 + reason),
                       static_cast<std::uint32_t>(rest.size() - reason)};
    head_.has_start_line = true;
}

// Method SP Request-URI SP SIP-Version. Whatever has a method is kept, for an answer to be made.
void MessageParser::request_line(std::string_view line, std::uint32_t offset) {
    const std::size_t space = line.find(' ');
    const std::string_view method = line.substr(0, space);
    if (space == std::string_view::npos || !scan::is_token(method)) {
        return fail(ParseError::BadStartLine);
    }
    Message& message = head_.message;
    head_.has_start_line = true;
    message.method_ = method_of(method);
    message.start_ = {offset, static_cast<std::uint32_t>(method.size())};
    const std::size_t last = line.rfind(' ');
    const std::string_view version = line.substr(last + 1);
    if (last == space || !is_version(version)) return fail(ParseError::BadStartLine);
    message.version_2_ = is_version_2(version);
    const std::string_view target = line.substr(space + 1, last - space - 1);
    if (target.empty() || scan::find_any(target, " \t") != std::string_view::npos) {
        fail(ParseError::BadStartLine);
    }
    message.target_ = {static_cast<std::uint32_t>(offset + space + 1),
                       static_cast<std::uint32_t>(target.size())};
}

inline void MessageParser::header_line(Message::Slice slice) {
    const char* const line = text_ + slice.offset;
    const auto* const colon = static_cast<const char*>(std::memchr(line, ':', slice.length));
    const char* name_end = colon != nullptr ? colon : line;
    while (name_end > line && scan::is_space(name_end[-1])) --name_end;
    const std::string_view name_text{line, name_end};
    const HeaderName name = header_name_of(name_text);
    if (name == HeaderName::Other && (!scan::is_token(name_text) || name_text.size() > 0xFFFF)) {
        return fail(ParseError::BadHeader);
    }
    const char* begin = colon + 1;
    const char* end = line + slice.length;
    while (begin < end && scan::is_space(*begin)) ++begin;
    while (end > begin && scan::is_space(end[-1])) --end;
    if (name == HeaderName::ContentLength) read_content_length({begin, end});
    add_line({
        .value = {static_cast<std::uint32_t>(begin - text_),
                  static_cast<std::uint32_t>(end - begin)},
        .name_offset = slice.offset,
        .name_length = static_cast<std::uint16_t>(name_text.size()),
        .name = name,
    });
}

void MessageParser::read_content_length(std::string_view value) {
    const auto length = parse_unsigned(value, 0xFFFF'FFFF);
    if (!length || head_.content_length) return fail(ParseError::BadContentLength);
    head_.content_length = static_cast<std::uint32_t>(*length);
}

void MessageParser::run() {
    head_.message.body_offset_ = static_cast<std::uint32_t>(size_);
    if (size_ > limits_.message_octets) {
        fail(ParseError::TooLarge, status::MessageTooLarge);
        size_ = limits_.message_octets;
        head_.message.body_offset_ = static_cast<std::uint32_t>(size_);
    }
    while (at_ + 1 < size_ && text_[at_] == '\r' && text_[at_ + 1] == '\n') at_ += 2;
    breaks_ = {{text_, size_}, at_};
    const std::size_t first = at_;
    while (const auto line = next_line()) {
        if (line->offset == first) {
            start_line(*line);
        } else if (line->length == 0) {
            head_.message.body_offset_ = static_cast<std::uint32_t>(at_);
            return;
        } else if (line_count() == limits_.header_lines) {
            fail(ParseError::TooManyHeaders);
        } else {
            header_line(*line);
        }
    }
    fail(ParseError::Truncated);
}

std::expected<Message, ParseFailure> parse_message(BytesView datagram, const ParseLimits& limits) {
    auto head = MessageParser::parse_head(datagram, bounded(limits));
    if (!head.error && head.content_length) {
        const std::size_t there = head.message.body().size();
        if (*head.content_length > there) {
            head.error = ParseError::Truncated;
            head.answer = status::BadRequest;
        } else {
            MessageParser::cut_body(head.message, *head.content_length);
        }
    }
    if (head.error) return std::unexpected(MessageParser::failure(std::move(head)));
    return std::move(head.message);
}

bool is_keep_alive(BytesView datagram) {
    return std::ranges::all_of(datagram, [](std::byte octet) {
        return octet == std::byte{'\r'} || octet == std::byte{'\n'} || octet == std::byte{0};
    });
}

}  // namespace stile::sip
