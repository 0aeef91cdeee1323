// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/errors.hpp>
#include <stile/sdp/limits.hpp>
#include <stile/sdp/media.hpp>

#include <expected>
#include <optional>

// What the parsers of whole descriptions and of fragments share.
namespace stile::sdp {

struct Line {
    char type;
    std::string_view value;
};

// The lines of a text, one ahead. After an error peek() stays empty and error() says why.
class LineCursor {
public:
    explicit LineCursor(std::string_view text);

    const std::optional<Line>& peek() const { return line_; }
    bool at(char type) const { return line_ && line_->type == type; }
    // Requires: peek() is not empty.
    std::string_view take();

    // The error of the line that is ahead, or of the end of the text.
    ParseError here(Problem problem) const { return {.problem = problem, .line = number_}; }
    // The error of the line taken last.
    ParseError taken(Problem problem) const { return {.problem = problem, .line = number_ - 1}; }
    const std::optional<ParseError>& error() const { return error_; }

private:
    void advance();
    void fail(Problem problem);

    std::string_view rest_;
    std::optional<Line> line_;
    std::uint32_t number_ = 0;
    std::optional<ParseError> error_;
};

using Checked = std::expected<void, ParseError>;

std::optional<MediaDescription> parse_media_line(std::string_view value);
// Reads all a= lines ahead.
[[nodiscard]] Checked parse_attributes(LineCursor& lines, Attributes& attributes);

// Appends "type=value" and CRLF; see Description::serialize.
void append_line(std::string& text, char type, std::string_view value);
void append_attributes(std::string& text, const Attributes& attributes);
void append_media_line(std::string& text, const MediaDescription& media);

}  // namespace stile::sdp
