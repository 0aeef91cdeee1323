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

}  // namespace

std::expected<NameAddrView, ParseError> NameAddrView::parse(std::string_view text,
                                                            AddressForm form) {
    NameAddrView address;
    text = scan::trimmed(text);
    const std::size_t open = find_bracket(text);
    // In the addr-spec form a bracket can only stand in a quoted parameter.
    const std::size_t semicolon = text.find(';');
    const bool starts_quoted = !text.empty() && text.front() == '"';
    if (open != std::string_view::npos && (starts_quoted || open < semicolon)) {
        const std::size_t close = text.find('>', open);
        if (close == std::string_view::npos) return std::unexpected(ParseError::BadNameAddr);
        address.display_name = STILE_TRY(parse_display_name(text.substr(0, open)));
        address.uri = STILE_TRY(UriView::parse(text.substr(open + 1, close - open - 1)));
        address.parameters =
            STILE_TRY(ParametersView::parse(text.substr(close + 1), ParameterSyntax::Header));
        return address;
    }
    if (starts_quoted) return std::unexpected(ParseError::BadQuotedString);
    if (form == AddressForm::NameAddr) return std::unexpected(ParseError::BadNameAddr);
    const std::string_view uri = scan::trimmed(text.substr(0, semicolon));
    // RFC 3261 Section 20: such a URI has to stand in brackets.
    if (scan::find_any(uri, ",?") != std::string_view::npos) {
        return std::unexpected(ParseError::BadNameAddr);
    }
    address.uri = STILE_TRY(UriView::parse(uri));
    if (semicolon != std::string_view::npos) {
        address.parameters =
            STILE_TRY(ParametersView::parse(text.substr(semicolon), ParameterSyntax::Header));
    }
    return address;
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
