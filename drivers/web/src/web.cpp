// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/web.hpp>

#include <stile/base/text.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace stile::drivers {

void Fields::add(std::string name, std::string value) {
    fields_.push_back({std::move(name), std::move(value)});
}

void Fields::set(std::string_view name, std::string value) {
    remove(name);
    add(std::string{name}, std::move(value));
}

void Fields::remove(std::string_view name) {
    std::erase_if(fields_, [name](const Field& field) { return iequals(field.name, name); });
}

std::optional<std::string_view> Fields::find(std::string_view name) const {
    for (const Field& field : fields_) {
        if (iequals(field.name, name)) return field.value;
    }
    return std::nullopt;
}

bool Fields::has_token(std::string_view name, std::string_view token) const {
    for (const Field& field : fields_) {
        if (!iequals(field.name, name)) continue;
        for (std::string_view rest = field.value; !rest.empty();) {
            if (iequals(trim(take_until(rest, ',')), token)) return true;
        }
    }
    return false;
}

// RFC 9110 Section 15.
std::string_view reason_phrase(unsigned status) {
    constexpr std::array<std::pair<unsigned, std::string_view>, 44> phrases{{
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    }};
    const auto known =
        std::ranges::find(phrases, status, [](const auto& row) { return row.first; });
    if (known != phrases.end()) return known->second;
    return status == 505 ? "HTTP Version Not Supported" : "";
}

std::string http_date(std::int64_t seconds_since_1970) {
    using namespace std::chrono;
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const sys_seconds time{seconds{seconds_since_1970}};
    const sys_days day = floor<std::chrono::days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    const auto two = [](auto number) {
        const auto value = static_cast<unsigned>(number);
        return std::string{static_cast<char>('0' + value / 10),
                           static_cast<char>('0' + value % 10)};
    };
    std::string text = days[weekday{day}.c_encoding()];
    text += ", " + two(static_cast<unsigned>(date.day())) + " ";
    text += months[static_cast<unsigned>(date.month()) - 1];
    text += " " + std::to_string(static_cast<int>(date.year())) + " ";
    text += two(clock.hours().count()) + ":" + two(clock.minutes().count()) + ":" +
            two(clock.seconds().count()) + " GMT";
    return text;
}

}  // namespace stile::drivers
