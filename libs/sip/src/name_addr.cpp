// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/name_addr.hpp>

namespace stile::sip {
namespace {

// *(token LWS) or quoted-string, in front of the bracket.
std::expected<std::string_view, ParseError> parse_display_name(std::string_view text) {
    text = scan::trimmed(text);
    if (text.empty()) return text;
    if (text.front() == '"') {
        const auto quoted = scan::take_quoted(text);
        if (!quoted) return std::unexpected(ParseError::BadQuotedString);
        if (!text.empty()) return std::unexpected(ParseError::BadNameAddr);
        return *quoted;
    }
    for (const char c : text) {
        if (!scan::is(c, scan::Class::Token) && !scan::is_space(c)) {
            return std::unexpected(ParseError::BadNameAddr);
        }
    }
    return text;
}

std::size_t find_bracket(std::string_view text) {
    std::string_view rest = text;
    scan::skip_space(rest);
    if (!rest.empty() && rest.front() == '"') {
        if (!scan::take_quoted(rest)) return std::string_view::npos;
    }
    const std::size_t skipped = text.size() - rest.size();
    const std::size_t at = rest.find('<');
    return at == std::string_view::npos ? at : at + skipped;
}

// A value in its parts. Only the addr-spec form has no brackets.
struct Parts {
    std::string_view display_name;
    std::string_view uri;
    std::string_view parameters;  // from the semicolon on
    AddressForm form = AddressForm::NameAddr;
};

std::expected<Parts, ParseError> split(std::string_view text) {
    text = scan::trimmed(text);
    const std::size_t open = find_bracket(text);
    const bool starts_quoted = !text.empty() && text.front() == '"';
    const std::size_t semicolon = text.substr(0, starts_quoted ? 0 : open).find(';');
    // In the addr-spec form a bracket can only stand in a quoted parameter.
    if (open != std::string_view::npos && semicolon == std::string_view::npos) {
        const std::size_t close = text.find('>', open);
        if (close == std::string_view::npos) return std::unexpected(ParseError::BadNameAddr);
        return Parts{.display_name = text.substr(0, open),
                     .uri = text.substr(open + 1, close - open - 1),
                     .parameters = text.substr(close + 1)};
    }
    if (starts_quoted) return std::unexpected(ParseError::BadQuotedString);
    const std::string_view uri = text.substr(0, semicolon);
    return Parts{.display_name = {},
                 .uri = scan::trimmed(uri),
                 .parameters = text.substr(uri.size()),
                 .form = AddressForm::Either};
}

}  // namespace

std::expected<NameAddrView, ParseError> NameAddrView::parse(std::string_view text,
                                                            AddressForm form) {
    const Parts parts = STILE_TRY(split(text));
    if (parts.form == AddressForm::Either) {
        if (form == AddressForm::NameAddr) return std::unexpected(ParseError::BadNameAddr);
        // RFC 3261 Section 20: such a URI has to stand in brackets.
        if (scan::find_any(parts.uri, ",?") != std::string_view::npos) {
            return std::unexpected(ParseError::BadNameAddr);
        }
    }
    NameAddrView address;
    address.display_name = STILE_TRY(parse_display_name(parts.display_name));
    address.uri = STILE_TRY(UriView::parse(parts.uri));
    address.parameters =
        STILE_TRY(ParametersView::parse(parts.parameters, ParameterSyntax::Header));
    return address;
}

std::expected<std::optional<std::string_view>, ParseError> tag_of(std::string_view text) {
    const Parts parts = STILE_TRY(split(text));
    return STILE_TRY(ParametersView::parse(parts.parameters, ParameterSyntax::Header)).value("tag");
}

NameAddr NameAddrView::copy() const {
    return {.display_name = scan::unquoted(display_name),
            .uri = uri.copy(),
            .parameters = Parameters{parameters}};
}

std::expected<NameAddr, ParseError> NameAddr::parse(std::string_view text, AddressForm form) {
    return STILE_TRY(NameAddrView::parse(text, form)).copy();
}

std::string NameAddr::to_string() const {
    std::string text;
    if (!display_name.empty()) {
        text += scan::quoted(display_name);
        text += ' ';
    }
    text += '<';
    text += uri.to_string();
    text += '>';
    text += parameters.text();
    return text;
}

}  // namespace stile::sip
