// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <optional>
#include <string>
#include <string_view>

// Dates as text. No clock, no locale, no time zone of this machine. Years 0 to 9999.
namespace stile::http {

// "Sun, 06 Nov 1994 08:49:37 GMT". RFC 9110 Section 5.6.7. Years outside 0 to 9999 are written as
// the nearest date inside.
std::string format_http_date(WallTime time);
// That form and the two obsolete ones. `now` decides the century of an RFC 850 date: one that seems
// more than 50 years ahead is in the past.
std::optional<WallTime> parse_http_date(std::string_view text, WallTime now);

// RSS: RFC 822 with two or four digits of year, named or numeric zones, weekday and seconds
// optional. Two-digit years from 70 on are of the 20th century.
std::optional<WallTime> parse_mail_date(std::string_view text);

// Atom: RFC 3339. Fractions of a second are dropped.
std::optional<WallTime> parse_rfc3339(std::string_view text);
std::string format_rfc3339(WallTime time);  // "1994-11-06T08:49:37Z"

}  // namespace stile::http
