// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/feature_tags.hpp>
#include <stile/sip/limits.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace stile::sip {
namespace {

// base-tags of RFC 3840 Section 9. Two of them are feature tags without the "sip." prefix.
constexpr std::array<std::string_view, 20> base_tags{
    "audio", "automata", "class",    "duplex",      "data",  "control",    "mobility",
    "type",  "events",   "priority", "description", "actor", "methods",    "schemes",
    "video", "language", "isfocus",  "application", "text",  "extensions",
};

bool is_unprefixed(std::string_view tag) { return tag == "language" || tag == "type"; }

bool is_base_tag(std::string_view name) {
    return std::ranges::any_of(base_tags, [name](std::string_view tag) { return tag == name; });
}

// number = [ "+" / "-" ] 1*DIGIT ["." 0*DIGIT]
std::optional<double> parse_decimal(std::string_view text) {
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
    std::string_view digits = text;
    if (!digits.empty() && digits.front() == '-') digits.remove_prefix(1);
    if (digits.empty() || !is_digit(digits.front()) || digits.size() > 32) return std::nullopt;
    for (const char c : digits) {
        if (!is_digit(c) && c != '.') return std::nullopt;
    }
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

// numeric-relation = ">=" number / "<=" number / "=" number / number ":" number
std::expected<FeatureValue, ParseError> parse_relation(std::string_view text) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    FeatureValue value{.kind = FeatureValue::Kind::Number};
    std::optional<double> low;
    std::optional<double> high;
    if (text.starts_with(">=")) {
        low = parse_decimal(text.substr(2));
        high = infinity;
    } else if (text.starts_with("<=")) {
        low = -infinity;
        high = parse_decimal(text.substr(2));
    } else if (text.starts_with("=")) {
        low = high = parse_decimal(text.substr(1));
    } else {
        low = parse_decimal(take_until(text, ':'));
        high = parse_decimal(text);
    }
    if (!low || !high) return std::unexpected(ParseError::BadFeature);
    value.low = *low;
    value.high = *high;
    return value;
}

// tag-value = ["!"] (token-nobang / boolean / numeric)
std::expected<FeatureValue, ParseError> parse_tag_value(std::string_view text) {
    FeatureValue value;
    const bool negated = text.starts_with('!');
    if (negated) text.remove_prefix(1);
    if (text.starts_with('#')) {
        value = STILE_TRY(parse_relation(text.substr(1)));
    } else if (scan::is_token(text)) {
        value.text = to_lower(text);
    } else {
        return std::unexpected(ParseError::BadFeature);
    }
    value.sense = negated ? Sense::IsNot : Sense::Is;
    return value;
}

std::expected<std::vector<FeatureValue>, ParseError> parse_values(
    std::optional<std::string_view> written) {
    // RFC 3841 Section 8: without a value it is as if it had "TRUE".
    if (!written) return std::vector{FeatureValue{.text = "true"}};
    const std::string text = scan::unquoted(*written);
    if (text.size() >= 2 && text.front() == '<' && text.back() == '>') {
        return std::vector{FeatureValue{.kind = FeatureValue::Kind::String,
                                        .text = text.substr(1, text.size() - 2)}};
    }
    std::vector<FeatureValue> values;
    std::string_view rest = text;
    do {
        if (values.size() == most_feature_values) return std::unexpected(ParseError::TooManyValues);
        values.push_back(STILE_TRY(parse_tag_value(scan::trimmed(take_until(rest, ',')))));
    } while (!rest.empty());
    return values;
}

bool covers(const FeatureValue& outer, const FeatureValue& inner) {
    return outer.low <= inner.low && inner.high <= outer.high;
}

// Is there a value that is one of both? The values of a tag have no end, so that what two negations
// leave is never empty.
bool overlap(const FeatureValue& left, const FeatureValue& right) {
    if (left.sense == Sense::IsNot && right.sense == Sense::IsNot) return true;
    if (left.kind != right.kind) return left.sense != right.sense;
    const bool numbers = left.kind == FeatureValue::Kind::Number;
    if (left.sense == right.sense) {
        return numbers ? left.low <= right.high && right.low <= left.high : left.text == right.text;
    }
    const FeatureValue& excluded = left.sense == Sense::IsNot ? left : right;
    const FeatureValue& wanted = left.sense == Sense::IsNot ? right : left;
    return numbers ? !covers(excluded, wanted) : left.text != right.text;
}

bool overlap(const FeatureTerm& left, const FeatureTerm& right) {
    for (const FeatureValue& mine : left.values) {
        for (const FeatureValue& theirs : right.values) {
            if (overlap(mine, theirs)) return true;
        }
    }
    return false;
}

}  // namespace

std::optional<std::string> feature_tag_of(std::string_view parameter_name) {
    const bool plus = parameter_name.starts_with('+');
    if (plus) parameter_name.remove_prefix(1);
    std::string tag = to_lower(parameter_name);
    if (plus) {
        if (tag.empty()) return std::nullopt;
        std::ranges::replace(tag, '!', ':');
        std::ranges::replace(tag, '\'', '/');
        return tag;
    }
    if (!is_base_tag(tag)) return std::nullopt;
    return is_unprefixed(tag) ? tag : "sip." + tag;
}

std::string feature_parameter_name(std::string_view tag) {
    std::string name = to_lower(tag);
    if (is_unprefixed(name)) return name;
    if (name.starts_with("sip.") && is_base_tag(std::string_view{name}.substr(4)) &&
        !is_unprefixed(std::string_view{name}.substr(4))) {
        return name.substr(4);
    }
    std::ranges::replace(name, ':', '!');
    std::ranges::replace(name, '/', '\'');
    return "+" + name;
}

std::expected<FeatureSet, ParseError> FeatureSet::from_parameters(const Parameters& parameters) {
    FeatureSet set;
    // Base tags first: "+video" counts only where there is no "video". RFC 3841 Section 7.2.3.
    for (const bool extensions : {false, true}) {
        for (const Parameter& parameter : parameters) {
            if (parameter.name.starts_with('+') != extensions) continue;
            auto tag = feature_tag_of(parameter.name);
            if (!tag) continue;
            if (extensions && parameters.contains(parameter.name.substr(1))) continue;
            set.add({.tag = *std::move(tag), .values = STILE_TRY(parse_values(parameter.value))});
        }
    }
    return set;
}

void FeatureSet::add(FeatureTerm term) {
    if (find(term.tag) == nullptr) terms_.push_back(std::move(term));
}

const FeatureTerm* FeatureSet::find(std::string_view tag) const {
    const auto found = std::ranges::find(terms_, tag, &FeatureTerm::tag);
    return found == terms_.end() ? nullptr : &*found;
}

bool matches(const FeatureSet& left, const FeatureSet& right) {
    return std::ranges::all_of(left.terms(), [&right](const FeatureTerm& mine) {
        const FeatureTerm* const theirs = right.find(mine.tag);
        return theirs == nullptr || overlap(mine, *theirs);
    });
}

}  // namespace stile::sip
