// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/range.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>
#include <stile/http/limits.hpp>

#include <algorithm>

namespace stile::http {

namespace {

bool is_number(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// "recipients MUST anticipate potentially large decimal numerals": RFC 9110 Section 14.1.2.
std::uint64_t saturated(std::string_view digits) {
    return parse_unsigned(digits, UINT64_MAX).value_or(UINT64_MAX);
}

std::optional<RangeSpec> parse_spec(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return {};
    const std::string_view first = text.substr(0, dash);
    const std::string_view last = text.substr(dash + 1);
    RangeSpec spec;
    if (!first.empty()) {
        if (!is_number(first)) return {};
        spec.first = saturated(first);
    }
    if (!last.empty()) {
        if (!is_number(last)) return {};
        spec.last = saturated(last);
    }
    if (!spec.first && !spec.last) return {};
    if (spec.first && spec.last && *spec.last < *spec.first) return {};
    return spec;
}

std::optional<ByteRange> resolve(const RangeSpec& spec, std::uint64_t size) {
    if (size == 0) return {};
    if (!spec.first) {
        const std::uint64_t length = std::min(*spec.last, size);
        if (length == 0) return {};
        return ByteRange{.first = size - length, .last = size - 1};
    }
    if (*spec.first >= size) return {};
    return ByteRange{.first = *spec.first,
                     .last = std::min(spec.last.value_or(size - 1), size - 1)};
}

bool nearly_touches(const ByteRange& before, const ByteRange& after) {
    return after.first <= before.last || after.first - before.last - 1 < limits::range_gap_octets;
}

}  // namespace

std::expected<std::vector<RangeSpec>, RangeError> parse_range(std::string_view value) {
    std::string_view rest = trim(value);
    if (rest.find('=') == std::string_view::npos) return std::unexpected(RangeError::Malformed);
    if (!iequals(take_until(rest, '='), "bytes")) return std::unexpected(RangeError::OtherUnit);
    std::vector<RangeSpec> specs;
    while (!rest.empty()) {
        const std::string_view member = trim(take_until(rest, ','));
        if (member.empty()) continue;  // RFC 9110 Section 5.6.1.2
        const auto spec = parse_spec(member);
        if (!spec) return std::unexpected(RangeError::Malformed);
        if (specs.size() == limits::range_specs) return std::unexpected(RangeError::TooMany);
        specs.push_back(*spec);
    }
    if (specs.empty()) return std::unexpected(RangeError::Malformed);
    return specs;
}

std::string format_range(const std::vector<RangeSpec>& specs) {
    STILE_ASSERT(!specs.empty());
    std::string text = "bytes=";
    for (const RangeSpec& each : specs) {
        if (text.back() != '=') text += ',';
        if (each.first) text += std::to_string(*each.first);
        text += '-';
        if (each.last) text += std::to_string(*each.last);
    }
    return text;
}

std::vector<ByteRange> satisfiable(const std::vector<RangeSpec>& specs, std::uint64_t size) {
    std::vector<ByteRange> asked;
    for (const RangeSpec& spec : specs) {
        if (const auto range = resolve(spec, size)) asked.push_back(*range);
    }
    std::vector<ByteRange> merged = asked;
    std::sort(merged.begin(), merged.end(), [](const ByteRange& left, const ByteRange& right) {
        return left.first < right.first;
    });
    std::size_t kept = 0;
    for (std::size_t i = 1; i < merged.size(); ++i) {
        if (nearly_touches(merged[kept], merged[i])) {
            merged[kept].last = std::max(merged[kept].last, merged[i].last);
        } else {
            merged[++kept] = merged[i];
        }
    }
    if (!merged.empty()) merged.resize(kept + 1);
    return merged.size() == asked.size() ? asked : merged;
}

std::optional<ContentRange> ContentRange::parse(std::string_view value) {
    std::string_view rest = trim(value);
    if (!iequals(take_until(rest, ' '), "bytes")) return {};
    if (rest.find('/') == std::string_view::npos) return {};
    std::string_view range_text = take_until(rest, '/');
    ContentRange result;
    if (rest != "*") {
        if (!is_number(rest)) return {};
        result.complete = parse_unsigned(rest, UINT64_MAX);
        if (!result.complete) return {};
    }
    if (range_text == "*") return result.complete ? std::optional{result} : std::nullopt;
    if (range_text.find('-') == std::string_view::npos) return {};
    const std::string_view first_text = take_until(range_text, '-');
    if (!is_number(first_text) || !is_number(range_text)) return {};
    const auto first = parse_unsigned(first_text, UINT64_MAX);
    // One less than all of 64 bits, so that the size of a range is a number too.
    const auto last = parse_unsigned(range_text, UINT64_MAX - 1);
    if (!first || !last || *last < *first) return {};
    if (result.complete && *result.complete <= *last) return {};
    result.range = ByteRange{.first = *first, .last = *last};
    return result;
}

std::string ContentRange::to_string() const {
    STILE_ASSERT(range || complete);
    std::string text = "bytes ";
    text += range ? std::to_string(range->first) + '-' + std::to_string(range->last) : "*";
    return text + '/' + (complete ? std::to_string(*complete) : "*");
}

}  // namespace stile::http
