// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/fragment.hpp>

#include <stile/sdp/grouping.hpp>

#include "line_cursor.hpp"

namespace stile::sdp {

std::expected<IceFragment, ParseError> IceFragment::parse(std::string_view text) {
    LineCursor lines{text};
    IceFragment fragment;
    Checked result = parse_attributes(lines, fragment.attributes);
    while (result && lines.at('m')) {
        if (fragment.sections.size() == limits::media) {
            return std::unexpected(lines.here(Problem::TooMany));
        }
        const ParseError bad_media = lines.here(Problem::BadMedia);
        if (!parse_media_line(lines.take())) return std::unexpected(bad_media);
        Section& section = fragment.sections.emplace_back();
        result = parse_attributes(lines, section.attributes);
        const auto mid = section.attributes.get<Mid>();
        if (result && !lines.error() && !mid) return std::unexpected(bad_media);
        if (mid) section.mid = mid->text;
        section.attributes.remove(Mid::name);
    }
    if (lines.error()) return std::unexpected(*lines.error());
    if (!result) return std::unexpected(result.error());
    if (lines.peek()) return std::unexpected(lines.here(Problem::OutOfOrder));
    return fragment;
}

std::string IceFragment::serialize() const {
    std::string text;
    append_attributes(text, attributes);
    for (const Section& section : sections) {
        // The default values of RFC 8840 Section 4.4; the mid line MUST come directly before the
        // candidates, and here it comes before everything.
        append_line(text, 'm', "audio 9 RTP/AVP 0");
        append_line(text, 'a', "mid:" + section.mid);
        append_attributes(text, section.attributes);
    }
    return text;
}

}  // namespace stile::sdp
