// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "escapes.hpp"
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/uri.hpp>

#include <vector>

namespace stile::sip {
namespace {

using scan::Class;

constexpr std::string_view reserved = ";/?:@&=+$,";  // RFC 2396 Section 2.2
// Two texts are equivalent exactly when these are equal: an escape stands for its character unless
// that is reserved. RFC 3261 Section 19.1.4.
std::string canonical(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto octet = escaped_octet(text, i);
        if (!octet) {
            result += text[i];
            continue;
        }
        if (reserved.find(*octet) == std::string_view::npos && *octet != '%') {
            result += *octet;
        } else {
            append_escaped(result, *octet);
        }
        i += 2;
    }
    return result;
}

bool equivalent(std::string_view left, std::string_view right) {
    return left == right || canonical(left) == canonical(right);
}
bool equivalent(std::optional<std::string_view> left, std::optional<std::string_view> right) {
    if (!left || !right) return left.has_value() == right.has_value();
    return equivalent(*left, *right);
}
bool equivalent_in_any_case(std::optional<std::string_view> left,
                            std::optional<std::string_view> right) {
    if (!left || !right) return left.has_value() == right.has_value();
    return iequals(canonical(*left), canonical(*right));
}

// RFC 3261 Section 19.1.4: the default value said and not said are two things, "the same is true
// for the transport-parameter".
bool matters_alone(std::string_view parameter) {
    for (const std::string_view name : {"user", "ttl", "method", "maddr", "transport"}) {
        if (iequals(parameter, name)) return true;
    }
    return false;
}

bool parameters_match(ParametersView left, ParametersView right) {
    for (const Parameter& mine : left) {
        const auto theirs = right.find(mine.name);
        if (!theirs) {
            if (matters_alone(mine.name)) return false;
        } else if (!equivalent_in_any_case(mine.value, theirs->value)) {
            return false;
        }
    }
    for (const Parameter& theirs : right) {
        if (matters_alone(theirs.name) && !left.contains(theirs.name)) return false;
    }
    return true;
}

// RFC 3966 Section 4: all parameters count, in any order.
bool all_parameters_match(ParametersView left, ParametersView right) {
    if (left.count() != right.count()) return false;
    for (const Parameter& mine : left) {
        const auto theirs = right.find(mine.name);
        if (!theirs || !equivalent_in_any_case(mine.value, theirs->value)) return false;
    }
    return true;
}

// Each header of the left stands once in the right, which has as many.
bool headers_match(std::string_view left, std::string_view right) {
    if (left.empty() || right.empty()) return left.empty() == right.empty();
    std::vector<std::string_view> open;
    while (!right.empty()) open.push_back(take_until(right, '&'));
    while (!left.empty()) {
        std::string_view value = take_until(left, '&');
        const std::string_view name = take_until(value, '=');
        bool found = false;
        for (std::size_t i = 0; i < open.size() && !found; ++i) {
            std::string_view other = open[i];
            const std::string_view other_name = take_until(other, '=');
            if (!iequals(canonical(name), canonical(other_name))) continue;
            if (!equivalent(value, other)) continue;
            open[i] = open.back();
            open.pop_back();
            found = true;
        }
        if (!found) return false;
    }
    return open.empty();
}

std::string dialled(std::string_view number) {
    std::string digits;
    for (const char c : number) {
        if (std::string_view{"-.()"}.find(c) == std::string_view::npos) digits += ascii_lower(c);
    }
    return digits;
}

bool are_headers(std::string_view text) {
    if (text.empty() || text.back() == '&') return false;
    while (!text.empty()) {
        std::string_view value = take_until(text, '&');
        const std::size_t equals = value.find('=');
        if (equals == std::string_view::npos || equals == 0) return false;
        if (!scan::is_escaped_text(take_until(value, '='),
                                   Class::Unreserved | Class::HeaderExtra)) {
            return false;
        }
        if (!scan::is_escaped_text(value, Class::Unreserved | Class::HeaderExtra)) return false;
    }
    return true;
}

std::expected<void, ParseError> parse_user(std::string_view text, UriView& uri) {
    const std::size_t colon = text.find(':');
    const std::string_view user = text.substr(0, colon);
    if (user.empty()) return std::unexpected(ParseError::BadUri);
    if (!scan::is_escaped_text(user, Class::Unreserved | Class::UserExtra)) {
        return std::unexpected(user.contains('%') ? ParseError::BadEscape : ParseError::BadUri);
    }
    uri.user = user;
    if (colon == std::string_view::npos) return {};
    const std::string_view password = text.substr(colon + 1);
    for (const char c : password) {
        if (std::string_view{";/?"}.find(c) != std::string_view::npos) {
            return std::unexpected(ParseError::BadUri);
        }
    }
    if (!scan::is_escaped_text(password, Class::Unreserved | Class::UserExtra)) {
        return std::unexpected(ParseError::BadUri);
    }
    uri.password = password;
    return {};
}

// Takes them from the front; parameters or headers may follow.
std::expected<void, ParseError> take_host_port(std::string_view& text, UriView& uri) {
    uri.host = STILE_TRY(HostView::take(text));
    if (text.empty() || text.front() == ';' || text.front() == '?') return {};
    if (text.front() != ':') return std::unexpected(ParseError::BadHost);
    text.remove_prefix(1);
    const std::string_view digits = text.substr(0, scan::find_any(text, ";?"));
    const auto port = parse_unsigned(digits, 0xFFFF);
    if (!port) return std::unexpected(ParseError::BadPort);
    uri.port = Port{static_cast<std::uint16_t>(*port)};
    text.remove_prefix(digits.size());
    return {};
}

std::expected<UriView, ParseError> parse_sip(std::string_view rest, Scheme scheme) {
    std::expected<UriView, ParseError> uri;
    uri->scheme = scheme;
    // Neither the host nor what follows it can hold an "@", and the user part only escaped.
    if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
        if (const auto user = parse_user(rest.substr(0, at), *uri); !user) {
            return std::unexpected(user.error());
        }
        rest.remove_prefix(at + 1);
    }
    if (const auto host = take_host_port(rest, *uri); !host) return std::unexpected(host.error());
    if (rest.empty()) return uri;
    const std::size_t question = rest.find('?');
    uri->parameters =
        STILE_TRY(ParametersView::parse(rest.substr(0, question), ParameterSyntax::Uri));
    if (question != std::string_view::npos) {
        uri->headers = rest.substr(question + 1);
        if (!are_headers(uri->headers)) return std::unexpected(ParseError::BadUri);
    }
    return uri;
}

std::expected<UriView, ParseError> parse_tel(std::string_view rest) {
    UriView uri;
    uri.scheme = Scheme::Tel;
    const std::string_view number = rest.substr(0, rest.find(';'));
    rest.remove_prefix(number.size());
    bool has_digit = false;
    for (std::size_t i = 0; i < number.size(); ++i) {
        const char c = number[i];
        const bool digit = scan::hex_value(c) >= 0 || c == '*' || c == '#';
        const bool separator = std::string_view{"-.()"}.find(c) != std::string_view::npos;
        if (!digit && !separator && !(c == '+' && i == 0)) {
            return std::unexpected(ParseError::BadUri);
        }
        has_digit = has_digit || digit;
    }
    if (!has_digit) return std::unexpected(ParseError::BadUri);
    uri.user = number;
    uri.parameters = STILE_TRY(ParametersView::parse(rest, ParameterSyntax::Uri));
    return uri;
}

bool is_scheme(std::string_view text) {
    if (text.empty() || !is_alpha(text.front())) return false;
    for (const char c : text) {
        if (!is_alnum(c) && c != '+' && c != '-' && c != '.') return false;
    }
    return true;
}

std::string_view scheme_text(Scheme scheme) {
    switch (scheme) {
        case Scheme::Sip:
            return "sip:";
        case Scheme::Sips:
            return "sips:";
        case Scheme::Tel:
            return "tel:";
        case Scheme::Other:
            return "";
    }
    return "";
}

}  // namespace

std::expected<UriView, ParseError> UriView::parse(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon + 1 == text.size()) {
        return std::unexpected(ParseError::BadUri);
    }
    const std::string_view scheme = text.substr(0, colon);
    const std::string_view rest = text.substr(colon + 1);
    if (iequals(scheme, "sip")) return parse_sip(rest, Scheme::Sip);
    if (iequals(scheme, "sips")) return parse_sip(rest, Scheme::Sips);
    if (iequals(scheme, "tel")) return parse_tel(rest);
    if (!is_scheme(scheme) || !scan::all(rest, Class::Uric)) {
        return std::unexpected(ParseError::BadUri);
    }
    UriView uri;
    uri.scheme = Scheme::Other;
    uri.other = text;
    return uri;
}

std::string UriView::to_string() const {
    if (scheme == Scheme::Other) return std::string{other};
    std::string text{scheme_text(scheme)};
    if (user) text += *user;
    if (scheme == Scheme::Tel) return text + Parameters{parameters}.text();
    if (password) {
        text += ':';
        text += *password;
    }
    if (user) text += '@';
    text += Host{host}.text();
    if (port) {
        text += ':';
        text += std::to_string(port->value);
    }
    text += Parameters{parameters}.text();
    if (!headers.empty()) {
        text += '?';
        text += headers;
    }
    return text;
}

Uri UriView::copy() const {
    const auto text = [](std::optional<std::string_view> part) {
        return part ? std::optional{std::string{*part}} : std::nullopt;
    };
    return {.scheme = scheme,
            .user = text(user),
            .password = text(password),
            .host = Host{host},
            .port = port,
            .parameters = Parameters{parameters},
            .headers = std::string{headers},
            .other = std::string{other}};
}

std::expected<Uri, ParseError> Uri::parse(std::string_view text) {
    return STILE_TRY(UriView::parse(text)).copy();
}

UriView Uri::view() const& {
    return {.scheme = scheme,
            .user = user,
            .password = password,
            .host = host,
            .port = port,
            .parameters = parameters,
            .headers = headers,
            .other = other};
}

bool operator==(const UriView& left, const UriView& right) {
    if (left.scheme != right.scheme) return false;
    switch (left.scheme) {
        case Scheme::Other:
            return left.other == right.other;
        case Scheme::Tel:
            return dialled(left.user.value_or("")) == dialled(right.user.value_or("")) &&
                   all_parameters_match(left.parameters, right.parameters);
        case Scheme::Sip:
        case Scheme::Sips:
            break;
    }
    return left.port == right.port && left.host == right.host &&
           equivalent(left.user, right.user) && equivalent(left.password, right.password) &&
           parameters_match(left.parameters, right.parameters) &&
           headers_match(left.headers, right.headers);
}

std::string address_of_record(const UriView& uri) {
    if (uri.scheme == Scheme::Other) return std::string{uri.other};
    std::string text{scheme_text(uri.scheme)};
    if (uri.scheme == Scheme::Tel) return text + dialled(uri.user.value_or(""));
    if (uri.user) {
        // A reserved character that was escaped stays so: it names somebody else than the bare one.
        for (std::size_t i = 0; i < uri.user->size(); ++i) {
            const auto octet = escaped_octet(*uri.user, i);
            const char c = octet.value_or((*uri.user)[i]);
            if (octet) i += 2;
            if (scan::is(c, Class::Unreserved) || (!octet && scan::is(c, Class::UserExtra))) {
                text += c;
            } else {
                append_escaped(text, c);
            }
        }
        text += '@';
    }
    if (uri.host.address) {
        text += Host{*uri.host.address}.text();
    } else {
        text += to_lower(uri.host.text);
    }
    if (uri.port) {
        text += ':';
        text += std::to_string(uri.port->value);
    }
    return text;
}

}  // namespace stile::sip
