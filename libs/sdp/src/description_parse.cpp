// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/description.hpp>

#include "lexer.hpp"
#include "line_cursor.hpp"

namespace stile::sdp {

namespace {

std::optional<Origin> parse_origin(std::string_view rest) {
    Origin origin;
    origin.username = lexer::next_word(rest);
    origin.session_id = lexer::next_word(rest);
    const auto version = parse_unsigned(lexer::next_word(rest), limits::session_version);
    origin.network = lexer::next_word(rest);
    origin.address_type = lexer::next_word(rest);
    origin.address = lexer::next_word(rest);
    const bool well_formed = lexer::is_word(origin.username) &&
                             lexer::is_digits(origin.session_id) && version && rest.empty() &&
                             lexer::is_token(origin.network) &&
                             lexer::is_token(origin.address_type) && lexer::is_word(origin.address);
    if (!well_formed) return {};
    origin.session_version = *version;
    return origin;
}

std::optional<Connection> parse_connection(std::string_view rest) {
    Connection connection;
    connection.network = lexer::next_word(rest);
    connection.address_type = lexer::next_word(rest);
    connection.address = lexer::next_word(rest);
    const bool well_formed = lexer::is_token(connection.network) &&
                             lexer::is_token(connection.address_type) &&
                             lexer::is_word(connection.address) && rest.empty();
    if (!well_formed) return {};
    return connection;
}

std::optional<Bandwidth> parse_bandwidth(std::string_view rest) {
    Bandwidth bandwidth;
    bandwidth.type = take_until(rest, ':');
    const auto value = parse_unsigned(rest, UINT64_MAX);
    if (!lexer::is_token(bandwidth.type) || !value) return {};
    bandwidth.value = *value;
    return bandwidth;
}

std::optional<Timing> parse_timing(std::string_view rest) {
    const auto start = parse_unsigned(lexer::next_word(rest), UINT64_MAX);
    const auto stop = parse_unsigned(rest, UINT64_MAX);
    if (!start || !stop) return {};
    Timing timing;
    timing.start = *start;
    timing.stop = *stop;
    return timing;
}

// Follows the grammar of RFC 8866 Section 9 from top to bottom.
class Parser {
public:
    explicit Parser(std::string_view text) : lines_(text) {}

    std::expected<Description, ParseError> parse() {
        Checked result = session();
        while (result && lines_.at('m')) result = media_section();
        // The cursor's own error is the true one: what was taken for the end is a broken line.
        if (lines_.error()) return std::unexpected(*lines_.error());
        if (!result) return std::unexpected(result.error());
        if (lines_.peek()) return std::unexpected(lines_.here(Problem::OutOfOrder));
        if (const Checked connected = check_connections(); !connected) {
            return std::unexpected(connected.error());
        }
        return std::move(description_);
    }

private:
    Checked session() {
        if (!lines_.at('v')) return missing();
        if (lines_.take() != "0") return fail(Problem::UnsupportedVersion);
        if (!lines_.at('o')) return missing();
        auto origin = parse_origin(lines_.take());
        if (!origin) return fail(Problem::BadOrigin);
        description_.origin = *std::move(origin);
        if (!lines_.at('s')) return missing();
        description_.session_name = lines_.take();
        take_optional('i', description_.information);
        take_optional('u', description_.uri);
        if (const Checked done = take_repeated('e', description_.emails); !done) return done;
        if (const Checked done = take_repeated('p', description_.phones); !done) return done;
        if (lines_.at('c')) {
            description_.connection = parse_connection(lines_.take());
            if (!description_.connection) return fail(Problem::BadConnection);
        }
        if (const Checked done = bandwidths(description_.bandwidths); !done) return done;
        if (const Checked done = timings(); !done) return done;
        take_optional('k', description_.key);
        return parse_attributes(lines_, description_.attributes);
    }

    Checked timings() {
        if (!lines_.at('t')) return missing();
        description_.timings.clear();
        while (lines_.at('t')) {
            auto timing = parse_timing(lines_.take());
            if (!timing) return fail(Problem::BadTiming);
            if (const Checked done = take_repeated('r', timing->repeats); !done) return done;
            take_optional('z', timing->zone);
            if (description_.timings.size() == limits::repeated_lines) {
                return fail(Problem::TooMany);
            }
            description_.timings.push_back(*std::move(timing));
        }
        return {};
    }

    Checked media_section() {
        auto parsed = parse_media_line(lines_.take());
        if (!parsed) return fail(Problem::BadMedia);
        if (parsed->formats.size() > limits::formats) return fail(Problem::TooMany);
        if (description_.media.size() == limits::media) return fail(Problem::TooMany);
        MediaDescription& media = description_.media.emplace_back(*std::move(parsed));
        take_optional('i', media.title);
        while (lines_.at('c')) {
            auto connection = parse_connection(lines_.take());
            if (!connection) return fail(Problem::BadConnection);
            if (media.connections.size() == limits::repeated_lines) return fail(Problem::TooMany);
            media.connections.push_back(*std::move(connection));
        }
        if (const Checked done = bandwidths(media.bandwidths); !done) return done;
        take_optional('k', media.key);
        return parse_attributes(lines_, media.attributes);
    }

    Checked bandwidths(std::vector<Bandwidth>& list) {
        while (lines_.at('b')) {
            auto bandwidth = parse_bandwidth(lines_.take());
            if (!bandwidth) return fail(Problem::BadBandwidth);
            if (list.size() == limits::repeated_lines) return fail(Problem::TooMany);
            list.push_back(*std::move(bandwidth));
        }
        return {};
    }

    // A rejected section sends and receives nothing: some senders leave its c= line out.
    Checked check_connections() const {
        if (description_.connection) return {};
        for (const MediaDescription& media : description_.media) {
            if (media.connections.empty() && !media.rejected()) {
                return std::unexpected(lines_.here(Problem::MissingConnection));
            }
        }
        return {};
    }

    void take_optional(char type, std::optional<std::string>& value) {
        if (lines_.at(type)) value = lines_.take();
    }

    Checked take_repeated(char type, std::vector<std::string>& values) {
        while (lines_.at(type)) {
            const std::string_view value = lines_.take();
            if (values.size() == limits::repeated_lines) return fail(Problem::TooMany);
            values.emplace_back(value);
        }
        return {};
    }

    Checked fail(Problem problem) const { return std::unexpected(lines_.taken(problem)); }
    // A required line is not ahead: something else is, or the end.
    Checked missing() const { return std::unexpected(lines_.here(Problem::MissingLine)); }

    LineCursor lines_;
    Description description_;
};

}  // namespace

std::expected<Description, ParseError> Description::parse(std::string_view text) {
    return Parser{text}.parse();
}

}  // namespace stile::sdp
