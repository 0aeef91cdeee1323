// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/link.hpp>

#include <stile/base/text.hpp>
#include <stile/http/limits.hpp>

#include "list_field.hpp"

#include <algorithm>

namespace stile::http {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t'; }

void skip_spaces(std::string_view& rest) {
    while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
}

// RFC 8288 Appendix B.4.
std::string quoted_string(std::string_view& rest) {
    std::string text;
    rest.remove_prefix(1);
    while (!rest.empty()) {
        char c = rest.front();
        rest.remove_prefix(1);
        if (c == '"') break;
        if (c == '\\') {
            if (rest.empty()) break;
            c = rest.front();
            rest.remove_prefix(1);
        }
        text += c;
    }
    return text;
}

// RFC 8288 Appendix B.3, for the parameters of one link.
std::vector<Link::Parameter> parse_parameters(std::string_view rest) {
    std::vector<Link::Parameter> parameters;
    for (;;) {
        skip_spaces(rest);
        if (rest.empty() || rest.front() != ';') return parameters;
        rest.remove_prefix(1);
        skip_spaces(rest);
        std::size_t end = std::min(rest.find_first_of(" \t=;"), rest.size());
        Link::Parameter parameter{.name = to_lower(rest.substr(0, end)), .value = {}};
        rest.remove_prefix(end);
        skip_spaces(rest);
        if (!rest.empty() && rest.front() == '=') {
            rest.remove_prefix(1);
            skip_spaces(rest);
            if (!rest.empty() && rest.front() == '"') {
                parameter.value = quoted_string(rest);
            } else {
                end = std::min(rest.find_first_of(";"), rest.size());
                parameter.value = trim(rest.substr(0, end));
                rest.remove_prefix(end);
            }
        }
        if (!parameter.name.empty() && parameters.size() < limits::list_members) {
            parameters.push_back(std::move(parameter));
        }
    }
}

}  // namespace

std::optional<std::string_view> Link::parameter(std::string_view name) const {
    for (const Parameter& each : parameters) {
        if (iequals(each.name, name)) return each.value;
    }
    return {};
}

bool Link::has_relation(std::string_view relation) const {
    // Only the first rel counts. RFC 8288 Section 3.3.
    std::string_view rest = parameter("rel").value_or(std::string_view{});
    while (!rest.empty()) {
        if (iequals(take_until(rest, ' '), relation)) return true;
    }
    return false;
}

std::string Link::to_string() const {
    std::string text = '<' + target + '>';
    for (const Parameter& each : parameters) {
        text += "; " + each.name + "=\"";
        for (const char c : each.value) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    return text;
}

std::vector<Link> parse_links(std::string_view value) {
    std::vector<Link> links;
    std::string_view rest = value;
    while (!rest.empty() && links.size() < limits::list_members) {
        std::string_view member = take_member(rest);
        if (member.empty()) continue;
        if (member.front() != '<') break;
        const std::size_t end = member.find('>');
        if (end == std::string_view::npos) break;
        links.push_back({.target = std::string{member.substr(1, end - 1)},
                         .parameters = parse_parameters(member.substr(end + 1))});
    }
    return links;
}

std::vector<Mirror> mirrors(const Fields& response) {
    const auto better = [](const Mirror& left, const Mirror& right) {
        return left.priority.value_or(UINT32_MAX) < right.priority.value_or(UINT32_MAX);
    };
    std::vector<Mirror> found;
    for (const Link& link : parse_links(response.combined("link").value_or(std::string{}))) {
        if (!link.has_relation("duplicate")) continue;
        Mirror mirror{.uri = link.target, .priority = {}, .country = {}};
        if (const auto text = link.parameter("pri")) {
            const auto priority = parse_unsigned(*text, 999'999);
            if (priority && *priority > 0) mirror.priority = static_cast<std::uint32_t>(*priority);
        }
        if (const auto geo = link.parameter("geo")) mirror.country = to_lower(*geo);
        // Equals keep the order in which they came.
        const auto place = std::upper_bound(found.begin(), found.end(), mirror, better);
        found.insert(place, std::move(mirror));
    }
    return found;
}

}  // namespace stile::http
