// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message.hpp>

#include <optional>

namespace stile::sip {

// The one pass over a message's head. Unfolds in place, so that nothing behind it has to know what
// a folded line is.
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
    static Head parse_head(Bytes wire, const ParseLimits& limits);
    static ParseFailure failure(Head head);
    // What this library has written itself: without limits, as an edit may add to a message that
    // came in with just the size allowed.
    static Message parse_own(Bytes wire);
    // Keeps the first `length` octets of the body.
    static void cut_body(Message& message, std::size_t length) {
        message.wire_.resize(message.body_offset_ + length);
    }

private:
    MessageParser(Bytes wire, const ParseLimits& limits);

    void run();
    // The next line without its end, unfolded. Empty if the input ends before the line does.
    std::optional<Message::Slice> next_line();
    void start_line(Message::Slice line);
    void status_line(std::string_view line, std::uint32_t offset);
    void request_line(std::string_view line, std::uint32_t offset);
    void header_line(Message::Slice line);
    void read_content_length();
    void fail(ParseError error, Status answer = status::BadRequest);

    Head head_;
    ParseLimits limits_;
    char* text_;
    std::size_t size_;
    std::size_t at_ = 0;
};

}  // namespace stile::sip
