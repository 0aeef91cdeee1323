// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "line_cursor.hpp"

#include "lexer.hpp"

namespace stile::sdp {

LineCursor::LineCursor(std::string_view text) : rest_(text) {
    if (text.size() > limits::description_octets) {
        number_ = 1;
        fail(Problem::TooLong);
        return;
    }
    advance();
}

std::string_view LineCursor::take() {
    const std::string_view value = line_->value;
    advance();
    return value;
}

void LineCursor::fail(Problem problem) {
    line_.reset();
    rest_ = {};
    error_ = here(problem);
}

void LineCursor::advance() {
    line_.reset();
    ++number_;
    // Some senders end with an empty line, as if headers followed.
    if (rest_.find_first_not_of("\r\n") == std::string_view::npos) return;
    std::string_view line = take_until(rest_, '\n');
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() > limits::line_octets) return fail(Problem::TooLong);
    const bool well_formed = line.size() >= 2 && line[1] == '=' &&
                             line.find_first_of(std::string_view{"\0\r", 2}) == line.npos;
    if (!well_formed) return fail(Problem::BadLine);
    if (std::string_view{"vosiuepcbtrzkam"}.find(line[0]) == std::string_view::npos) {
        return fail(Problem::UnknownType);
    }
    line_ = Line{.type = line[0], .value = line.substr(2)};
}

std::optional<MediaDescription> parse_media_line(std::string_view value) {
    MediaDescription media;
    std::string_view rest = value;
    media.media = lexer::next_word(rest);
    std::string_view port_field = lexer::next_word(rest);
    const bool counted = port_field.find('/') != std::string_view::npos;
    const auto port = parse_unsigned(take_until(port_field, '/'), 65'535);
    media.proto = lexer::next_word(rest);
    if (!lexer::is_token(media.media) || !port || !lexer::is_proto(media.proto)) return {};
    media.port.value = static_cast<std::uint16_t>(*port);
    if (counted) {
        const auto count = parse_unsigned(port_field, 65'535);
        if (!count || *count == 0) return {};
        media.port_count = static_cast<std::uint32_t>(*count);
    }
    // A space at the end is common and means nothing.
    while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
    while (!rest.empty()) {
        const std::string_view format = lexer::next_word(rest);
        if (!lexer::is_token(format)) return {};
        media.formats.emplace_back(format);
    }
    if (media.formats.empty()) return {};
    return media;
}

Checked parse_attributes(LineCursor& lines, Attributes& attributes) {
    while (lines.at('a')) {
        std::string_view value = lines.take();
        const std::string_view name = take_until(value, ':');
        if (!lexer::is_token(name)) return std::unexpected(lines.taken(Problem::BadAttribute));
        if (attributes.size() == limits::attributes) {
            return std::unexpected(lines.taken(Problem::TooMany));
        }
        // take_until leaves nothing behind both for "name" and for "name:"; the second has no
        // value in the grammar, and is read as the first.
        attributes.add(std::string{name},
                       value.empty() ? std::nullopt : std::optional{std::string{value}});
    }
    return {};
}

void append_line(std::string& text, char type, std::string_view value) {
    text += type;
    text += '=';
    for (const char c : value) text += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    text += "\r\n";
}

void append_attributes(std::string& text, const Attributes& attributes) {
    for (const Attribute& attribute : attributes) {
        append_line(text, 'a',
                    attribute.value ? attribute.name + ':' + *attribute.value : attribute.name);
    }
}

void append_media_line(std::string& text, const MediaDescription& media) {
    std::string value = media.media + ' ' + std::to_string(media.port.value);
    if (media.port_count) value += '/' + std::to_string(*media.port_count);
    value += ' ' + media.proto;
    for (const std::string& format : media.formats) value += ' ' + format;
    append_line(text, 'm', value);
}

}  // namespace stile::sdp
