// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/cseq.hpp>
#include <stile/sip/header_values.hpp>

#include <array>

namespace stile::sip {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

std::string padded(unsigned value) {
    return value < 10 ? "0" + std::to_string(value) : std::to_string(value);
}

// Two digits before a separator.
std::optional<unsigned> two_digits(std::string_view text) {
    if (text.size() != 2) return std::nullopt;
    const auto value = parse_unsigned(text, 99);
    return value ? std::optional{static_cast<unsigned>(*value)} : std::nullopt;
}

}  // namespace

std::expected<std::uint32_t, ParseError> parse_number(std::string_view text, std::uint32_t most) {
    const auto value = parse_unsigned(text, most);
    if (!value) return std::unexpected(ParseError::BadNumber);
    return static_cast<std::uint32_t>(*value);
}

std::expected<MediaType, ParseError> MediaType::parse(std::string_view text) {
    text = scan::trimmed(text);
    const std::string_view type = scan::take_token(text);
    if (!scan::take_separator(text, '/')) return std::unexpected(ParseError::BadToken);
    const std::string_view subtype = scan::take_token(text);
    if (type.empty() || subtype.empty()) return std::unexpected(ParseError::BadToken);
    MediaType media;
    media.type = to_lower(type);
    media.subtype = to_lower(subtype);
    media.parameters = STILE_TRY(Parameters::parse(text, ParameterSyntax::Header));
    return media;
}

std::string MediaType::to_string() const { return type + "/" + subtype + parameters.text(); }

// "Sat, 13 Nov 2010 23:29:00 GMT": fixed columns. RFC 3261 Section 25.1, rfc1123-date.
std::expected<WallTime, ParseError> parse_date(std::string_view text) {
    const auto bad = std::unexpected(ParseError::BadDate);
    text = scan::trimmed(text);
    if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' ||
        text[16] != ' ' || text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT") {
        return bad;
    }
    unsigned month_number = 0;
    for (std::size_t i = 0; i < months.size(); ++i) {
        if (iequals(months[i], text.substr(8, 3))) month_number = static_cast<unsigned>(i) + 1;
    }
    const auto day_number = two_digits(text.substr(5, 2));
    const auto year_number = parse_unsigned(text.substr(12, 4), 9999);
    const auto hour = two_digits(text.substr(17, 2));
    const auto minute = two_digits(text.substr(20, 2));
    const auto second = two_digits(text.substr(23, 2));
    if (!day_number || !year_number || !hour || !minute || !second) return bad;
    const year_month_day date{year{static_cast<int>(*year_number)}, month{month_number},
                              day{*day_number}};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return bad;
    return sys_days{date} + hours{*hour} + minutes{*minute} + seconds{*second};
}

std::string date_text(WallTime time) {
    const sys_days midnight = floor<std::chrono::days>(time);
    const year_month_day date{midnight};
    const weekday name{midnight};
    const hh_mm_ss clock{time - midnight};
    std::string text{days[name.c_encoding()]};
    text += ", " + padded(static_cast<unsigned>(date.day())) + " ";
    text += months[static_cast<unsigned>(date.month()) - 1];
    text += " " + std::to_string(static_cast<int>(date.year())) + " ";
    text += padded(static_cast<unsigned>(clock.hours().count())) + ":";
    text += padded(static_cast<unsigned>(clock.minutes().count())) + ":";
    text += padded(static_cast<unsigned>(clock.seconds().count())) + " GMT";
    return text;
}

std::expected<RetryAfter, ParseError> RetryAfter::parse(std::string_view text) {
    text = scan::trimmed(text);
    RetryAfter retry;
    const std::size_t digits = text.find_first_not_of("0123456789");
    retry.seconds = STILE_TRY(parse_number(text.substr(0, digits)));
    text.remove_prefix(digits == std::string_view::npos ? text.size() : digits);
    scan::skip_space(text);
    if (!text.empty() && text.front() == '(') {
        const std::size_t close = text.rfind(')');
        if (close == std::string_view::npos) return std::unexpected(ParseError::BadQuotedString);
        retry.comment = text.substr(1, close - 1);
        text.remove_prefix(close + 1);
    }
    const Parameters parameters = STILE_TRY(Parameters::parse(text, ParameterSyntax::Header));
    if (const auto duration = parameters.value("duration")) {
        retry.duration_seconds = STILE_TRY(parse_number(*duration));
    }
    return retry;
}

std::string RetryAfter::to_string() const {
    std::string text = std::to_string(seconds);
    if (!comment.empty()) text += " (" + comment + ")";
    if (duration_seconds) text += ";duration=" + std::to_string(*duration_seconds);
    return text;
}

std::expected<Reason, ParseError> Reason::parse(std::string_view text) {
    const TokenWithParameters value = STILE_TRY(TokenWithParameters::parse(text));
    Reason reason;
    reason.protocol = value.token;
    if (const auto cause = value.parameters.value("cause")) {
        reason.cause = STILE_TRY(parse_number(*cause));
    }
    reason.text = value.parameters.unquoted("text").value_or("");
    return reason;
}

std::string Reason::to_string() const {
    std::string result = protocol;
    if (cause) result += ";cause=" + std::to_string(*cause);
    if (!text.empty()) result += ";text=" + scan::quoted(text);
    return result;
}

std::expected<TokenWithParameters, ParseError> TokenWithParameters::parse(std::string_view text) {
    text = scan::trimmed(text);
    TokenWithParameters value;
    value.token = scan::take_token(text);
    if (value.token.empty()) return std::unexpected(ParseError::BadToken);
    value.parameters = STILE_TRY(Parameters::parse(text, ParameterSyntax::Header));
    return value;
}

std::expected<RAck, ParseError> RAck::parse(std::string_view text) {
    text = scan::trimmed(text);
    const std::size_t digits = text.find_first_not_of("0123456789");
    RAck rack;
    rack.rseq = STILE_TRY(parse_number(text.substr(0, digits)));
    text.remove_prefix(digits == std::string_view::npos ? text.size() : digits);
    const CSeq request = STILE_TRY(CSeq::parse(text));
    rack.cseq = request.number;
    rack.method = request.method_text();
    return rack;
}

std::string RAck::to_string() const {
    return std::to_string(rseq) + " " + std::to_string(cseq) + " " + method;
}

}  // namespace stile::sip
