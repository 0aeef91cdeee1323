// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/date.hpp>

#include <stile/base/text.hpp>

#include <algorithm>
#include <array>

namespace stile::http {

namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::month;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 12> month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> day_names{"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> long_day_names{
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

struct TimeOfDay {
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
};

std::optional<unsigned> number(std::string_view text, std::size_t least_digits,
                               std::size_t most_digits, unsigned most) {
    if (text.size() < least_digits || text.size() > most_digits) return {};
    const auto value = parse_unsigned(text, most);
    if (!value) return {};
    return static_cast<unsigned>(*value);
}

std::optional<unsigned> month_number(std::string_view name) {
    for (unsigned i = 0; i < month_names.size(); ++i) {
        if (iequals(month_names[i], name)) return i + 1;
    }
    return {};
}

bool is_day_name(std::string_view text) {
    const auto same = [&](std::string_view each) { return iequals(each, text); };
    return std::any_of(day_names.begin(), day_names.end(), same) ||
           std::any_of(long_day_names.begin(), long_day_names.end(), same);
}

// A leap second counts as the second before it.
std::optional<WallTime> assemble(unsigned y, unsigned m, unsigned d, TimeOfDay time) {
    const year_month_day date{year{static_cast<int>(y)}, month{m}, day{d}};
    if (!date.ok()) return {};
    return sys_days{date} + hours{time.hour} + minutes{time.minute} +
           seconds{std::min(time.second, 59U)};
}

enum class Seconds : std::uint8_t { Required, Optional };

std::optional<TimeOfDay> time_of_day(std::string_view text, Seconds rule) {
    const auto hour = number(take_until(text, ':'), 2, 2, 23);
    const auto minute = number(take_until(text, ':'), 2, 2, 59);
    if (!hour || !minute) return {};
    TimeOfDay time{.hour = *hour, .minute = *minute};
    if (text.empty()) return rule == Seconds::Optional ? std::optional{time} : std::nullopt;
    const auto second = number(text, 2, 2, 60);
    if (!second) return {};
    time.second = *second;
    return time;
}

std::string padded(unsigned value, std::size_t width) {
    std::string digits = std::to_string(value);
    return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

struct Civil {
    unsigned year, month, day, weekday;
    TimeOfDay time;
};

Civil civil(WallTime time) {
    constexpr WallTime first = sys_days{year{0} / 1 / 1};
    constexpr WallTime last = sys_days{year{9999} / 12 / 31} + hours{24} - seconds{1};
    time = std::clamp(time, first, last);
    const auto date = std::chrono::floor<days>(time);
    const year_month_day parts{date};
    const auto rest = static_cast<unsigned>((time - date).count());
    return {.year = static_cast<unsigned>(int{parts.year()}),
            .month = unsigned{parts.month()},
            .day = unsigned{parts.day()},
            .weekday = std::chrono::weekday{date}.c_encoding(),
            .time = {.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60}};
}

std::string clock_text(TimeOfDay time) {
    return padded(time.hour, 2) + ':' + padded(time.minute, 2) + ':' + padded(time.second, 2);
}

// The next word; spaces before it are passed over.
std::string_view word(std::string_view& rest) {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
    std::size_t end = 0;
    while (end < rest.size() && rest[end] != ' ' && rest[end] != '\t') ++end;
    const std::string_view taken = rest.substr(0, end);
    rest.remove_prefix(end);
    return taken;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<WallTime> imf_fixdate(std::string_view rest) {
    const auto d = number(word(rest), 2, 2, 31);
    const auto m = month_number(word(rest));
    const auto y = number(word(rest), 4, 4, 9999);
    const auto time = time_of_day(word(rest), Seconds::Required);
    if (!d || !m || !y || !time || word(rest) != "GMT" || !trim(rest).empty()) return {};
    return assemble(*y, *m, *d, *time);
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
std::optional<WallTime> rfc850(std::string_view rest, WallTime now) {
    std::string_view date = word(rest);
    const auto d = number(take_until(date, '-'), 2, 2, 31);
    const auto m = month_number(take_until(date, '-'));
    const auto y = number(date, 2, 2, 99);
    const auto time = time_of_day(word(rest), Seconds::Required);
    if (!d || !m || !y || !time || word(rest) != "GMT" || !trim(rest).empty()) return {};
    const unsigned this_year = civil(now).year;
    unsigned full = this_year - this_year % 100 + *y;
    if (full > this_year + 50 && full >= 100) full -= 100;
    return assemble(full, *m, *d, *time);
}

// "Sun Nov  6 08:49:37 1994", without the weekday
std::optional<WallTime> asctime_date(std::string_view rest) {
    const auto m = month_number(word(rest));
    const auto d = number(word(rest), 1, 2, 31);
    const auto time = time_of_day(word(rest), Seconds::Required);
    const auto y = number(word(rest), 4, 4, 9999);
    if (!d || !m || !y || !time || !trim(rest).empty()) return {};
    return assemble(*y, *m, *d, *time);
}

// "+0130", "GMT", "EST". Unknown names count as UTC (RFC 5322 Section 4.3).
std::optional<minutes> mail_zone(std::string_view zone) {
    if (zone.size() == 5 && (zone[0] == '+' || zone[0] == '-')) {
        const auto hour = number(zone.substr(1, 2), 2, 2, 99);
        const auto minute = number(zone.substr(3, 2), 2, 2, 59);
        if (!hour || !minute) return {};
        const minutes offset = hours{*hour} + minutes{*minute};
        return zone[0] == '-' ? -offset : offset;
    }
    constexpr std::array<std::pair<std::string_view, int>, 8> zones{{{"EST", -5},
                                                                     {"EDT", -4},
                                                                     {"CST", -6},
                                                                     {"CDT", -5},
                                                                     {"MST", -7},
                                                                     {"MDT", -6},
                                                                     {"PST", -8},
                                                                     {"PDT", -7}}};
    for (const auto& [name, offset] : zones) {
        if (iequals(name, zone)) return hours{offset};
    }
    const bool is_name = std::all_of(zone.begin(), zone.end(), is_alpha);
    return is_name ? std::optional{minutes{0}} : std::nullopt;
}

}  // namespace

std::string format_http_date(WallTime time) {
    const Civil date = civil(time);
    std::string text{day_names[date.weekday]};
    text += ", " + padded(date.day, 2) + ' ';
    text += month_names[date.month - 1];
    return text + ' ' + padded(date.year, 4) + ' ' + clock_text(date.time) + " GMT";
}

std::string format_rfc3339(WallTime time) {
    const Civil date = civil(time);
    return padded(date.year, 4) + '-' + padded(date.month, 2) + '-' + padded(date.day, 2) + 'T' +
           clock_text(date.time) + 'Z';
}

std::optional<WallTime> parse_http_date(std::string_view text, WallTime now) {
    std::string_view rest = trim(text);
    std::string_view first = word(rest);
    if (first.empty()) return {};
    if (first.back() != ',') return is_day_name(first) ? asctime_date(rest) : std::nullopt;
    first.remove_suffix(1);
    if (!is_day_name(first)) return {};
    return rest.find('-') == std::string_view::npos ? imf_fixdate(rest) : rfc850(rest, now);
}

std::optional<WallTime> parse_mail_date(std::string_view text) {
    std::string_view rest = trim(text);
    if (const std::size_t comma = rest.find(','); comma != std::string_view::npos) {
        rest.remove_prefix(comma + 1);
    }
    const auto d = number(word(rest), 1, 2, 31);
    const std::string_view month_word = word(rest);
    const auto m = month_number(month_word.substr(0, 3));
    const std::string_view year_word = word(rest);
    auto y = number(year_word, 2, 4, 9999);
    const auto time = time_of_day(word(rest), Seconds::Optional);
    const auto zone = mail_zone(word(rest));
    if (!d || !m || !y || !time || !zone || !trim(rest).empty()) return {};
    if (year_word.size() < 4) y = *y + (*y < 70 ? 2000 : 1900);
    const auto local = assemble(*y, *m, *d, *time);
    if (!local) return {};
    return *local - *zone;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
    std::string_view rest = trim(text);
    if (rest.size() < 20 || (rest[10] != 'T' && rest[10] != 't' && rest[10] != ' ')) return {};
    const auto y = number(rest.substr(0, 4), 4, 4, 9999);
    const auto m = number(rest.substr(5, 2), 2, 2, 12);
    const auto d = number(rest.substr(8, 2), 2, 2, 31);
    const auto time = time_of_day(rest.substr(11, 8), Seconds::Required);
    if (rest[4] != '-' || rest[7] != '-' || !y || !m || !d || !time) return {};
    rest.remove_prefix(19);
    if (rest.front() == '.') {
        rest.remove_prefix(1);
        if (rest.empty() || !is_digit(rest.front())) return {};
        while (!rest.empty() && is_digit(rest.front())) rest.remove_prefix(1);
    }
    const auto local = assemble(*y, *m, *d, *time);
    if (!local) return {};
    if (rest == "Z" || rest == "z") return local;
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return {};
    const auto hour = number(rest.substr(1, 2), 2, 2, 23);
    const auto minute = number(rest.substr(4, 2), 2, 2, 59);
    if (!hour || !minute) return {};
    const minutes offset = hours{*hour} + minutes{*minute};
    return *local - (rest[0] == '-' ? -offset : offset);
}

}  // namespace stile::http
