// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/sip/parameters.hpp>

#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::sip {

// Small header field values that need no file of their own.

// application/sdp;charset=utf-8. RFC 3261 Section 20.15. Type and subtype in lower case.
struct MediaType {
    std::string type;
    std::string subtype;
    Parameters parameters;

    static std::expected<MediaType, ParseError> parse(std::string_view text);
    std::string to_string() const;
    bool is(std::string_view wanted_type, std::string_view wanted_subtype) const {
        return type == wanted_type && subtype == wanted_subtype;
    }
    friend bool operator==(const MediaType&, const MediaType&) = default;
};

// "Sat, 13 Nov 2010 23:29:00 GMT". RFC 3261 Section 20.17.
std::expected<WallTime, ParseError> parse_date(std::string_view text);
std::string date_text(WallTime time);

// 18000;duration=3600 (In a meeting). RFC 3261 Section 20.33.
struct RetryAfter {
    std::uint32_t seconds = 0;
    std::optional<std::uint32_t> duration_seconds;
    std::string comment;
    static std::expected<RetryAfter, ParseError> parse(std::string_view text);
    std::string to_string() const;
};

// SIP;cause=200;text="Call completed elsewhere". RFC 3326.
struct Reason {
    std::string protocol;
    std::optional<std::uint32_t> cause;
    std::string text;
    static std::expected<Reason, ParseError> parse(std::string_view text);
    std::string to_string() const;
};

// A value that starts with a token: Event (RFC 6665), Subscription-State, Content-Disposition.
struct TokenWithParameters {
    std::string token;
    Parameters parameters;
    static std::expected<TokenWithParameters, ParseError> parse(std::string_view text);
    std::string to_string() const { return token + parameters.text(); }
    friend bool operator==(const TokenWithParameters&, const TokenWithParameters&) = default;
};

// RAck: which provisional response a PRACK acknowledges. RFC 3262 Section 7.2.
struct RAck {
    std::uint32_t rseq = 0;
    std::uint32_t cseq = 0;
    std::string method;
    static std::expected<RAck, ParseError> parse(std::string_view text);
    std::string to_string() const;
    friend bool operator==(const RAck&, const RAck&) = default;
};

// 1*DIGIT. A delta-seconds too large for 32 bits is an error only above 2^32 - 1.
std::expected<std::uint32_t, ParseError> parse_number(std::string_view text,
                                                      std::uint32_t most = 0xFFFF'FFFF);

}  // namespace stile::sip
