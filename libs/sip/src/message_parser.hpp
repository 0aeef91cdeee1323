// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scan.hpp"

#include <stile/sip/message.hpp>

#include <array>
#include <optional>
#include <vector>

namespace stile::sip {

// The one pass over a message's head, where it stands; then the lines and the octets are laid into
// the message's memory. Unfolds, so that nothing behind it has to know what a folded line is.
class MessageParser {
public:
    struct Head {
        Message message;
        std::optional<ParseError> error;  // the first one; what could be read has been read
        Status answer = status::BadRequest;
        bool has_start_line = false;
        std::optional<std::uint32_t> content_length;
    };

    // `wire` holds at least a head; what follows its empty line stays in the message as body.
    static Head parse_head(BytesView wire, const ParseLimits& limits);
    static ParseFailure failure(Head head);
    // What this library has written itself: without limits, as an edit may add to a message that
    // came in with just the size allowed.
    static Message parse_own(BytesView wire);
    // Keeps the first `length` octets of the body.
    static void cut_body(Message& message, std::size_t length) {
        const std::size_t before = message.arena_.size() - message.wire().size();
        message.arena_.resize(before + message.body_offset_ + length);
    }

private:
    // Enough for nearly every message.
    static constexpr std::size_t usual_header_lines = 32;

    MessageParser(BytesView wire, const ParseLimits& limits);

    void run();
    void add_line(const Message::Line& line);
    std::size_t line_count() const { return usual_count_ + more_lines_.size(); }
    void unfold(std::size_t begin, std::size_t end);
    void lay_out();
    // The next line without its end, unfolded. Empty if the input ends before the line does.
    std::optional<Message::Slice> next_line();
    void start_line(Message::Slice line);
    void status_line(std::string_view line, std::uint32_t offset);
    void request_line(std::string_view line, std::uint32_t offset);
    void header_line(Message::Slice line);
    void read_content_length(std::string_view value);
    void fail(ParseError error, Status answer = status::BadRequest);

    Head head_;
    ParseLimits limits_;
    const char* text_;
    std::size_t size_;
    std::size_t at_ = 0;
    scan::LineBreaks breaks_;
    Bytes unfolded_;  // the input with spaces where folds were; empty where there was none
    // Not initialised: that would cost as much as reading a line or two.
    union {
        std::array<Message::Line, usual_header_lines> lines_;
    };
    std::size_t usual_count_ = 0;
    std::vector<Message::Line> more_lines_;
};

}  // namespace stile::sip
