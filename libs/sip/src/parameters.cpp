// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/try.hpp>
#include <stile/sip/limits.hpp>
#include <stile/sip/parameters.hpp>

namespace stile::sip {
namespace {

using scan::Class;

// Header field parameters: token, host and quoted-string are gen-value. Other visible characters
// are taken too: base64 and paths stand unquoted in tags and branches of the field, and nothing
// that a value is compared with or copied to gives them another meaning.
std::expected<std::string_view, ParseError> take_value(std::string_view& rest,
                                                       ParameterSyntax syntax) {
    if (syntax == ParameterSyntax::Header && !rest.empty() && rest.front() == '"') {
        const auto quoted = scan::take_quoted(rest);
        if (!quoted) return std::unexpected(ParseError::BadQuotedString);
        return *quoted;
    }
    std::string_view value;
    if (syntax == ParameterSyntax::Header) {
        value = scan::take(rest, Class::HeaderValue);
    } else {
        value = rest.substr(0, rest.find(';'));
        rest.remove_prefix(value.size());
        if (!scan::is_escaped_text(value, Class::Unreserved | Class::ParamExtra)) {
            return std::unexpected(ParseError::BadParameter);
        }
    }
    if (value.empty()) return std::unexpected(ParseError::BadParameter);
    return value;
}

std::expected<std::string_view, ParseError> take_name(std::string_view& rest,
                                                      ParameterSyntax syntax) {
    std::string_view name;
    if (syntax == ParameterSyntax::Header) {
        name = scan::take_token(rest);
    } else {
        name = rest.substr(0, scan::find_any(rest, "=;"));
        rest.remove_prefix(name.size());
        if (!scan::is_escaped_text(name, Class::Unreserved | Class::ParamExtra)) {
            return std::unexpected(ParseError::BadParameter);
        }
    }
    if (name.empty()) return std::unexpected(ParseError::BadParameter);
    return name;
}

bool take_mark(std::string_view& rest, char mark, ParameterSyntax syntax) {
    if (syntax == ParameterSyntax::Header) return scan::take_separator(rest, mark);
    if (rest.empty() || rest.front() != mark) return false;
    rest.remove_prefix(1);
    return true;
}

// Two names that are the same have the same bit.
constexpr std::uint64_t name_bit(std::string_view name) {
    return std::uint64_t{1} << ((name.size() * 11 + static_cast<std::size_t>(name[0] | 0x20)) % 64);
}

constexpr bool ends_name(char c) { return c == ';' || c == '=' || scan::is_space(c); }

}  // namespace

ParametersView::Iterator::Iterator(std::string_view rest) : rest_(rest), done_(false) { ++*this; }

// The text is known to be sound; in a URI there is no white space to be skipped.
ParametersView::Iterator& ParametersView::Iterator::operator++() {
    scan::skip_space(rest_);
    if (rest_.empty()) {
        done_ = true;
        return *this;
    }
    rest_.remove_prefix(1);  // the semicolon
    scan::skip_space(rest_);
    std::size_t end = 0;
    while (end < rest_.size() && !ends_name(rest_[end])) ++end;
    current_ = {.name = rest_.substr(0, end), .value = std::nullopt};
    rest_.remove_prefix(end);
    scan::skip_space(rest_);
    if (rest_.empty() || rest_.front() != '=') return *this;
    rest_.remove_prefix(1);
    scan::skip_space(rest_);
    std::size_t stop = 0;
    if (!rest_.empty() && rest_.front() == '"') {
        std::string_view after = rest_;
        stop = scan::take_quoted(after)->size();
    } else {
        while (stop < rest_.size() && rest_[stop] != ';' && !scan::is_space(rest_[stop])) ++stop;
    }
    current_.value = rest_.substr(0, stop);
    rest_.remove_prefix(stop);
    return *this;
}

std::expected<ParametersView, ParseError> ParametersView::parse(std::string_view text,
                                                                ParameterSyntax syntax) {
    if (syntax == ParameterSyntax::Header) text = scan::trimmed(text);
    const std::string_view whole = text;
    std::size_t count = 0;
    std::uint64_t names = 0;
    while (!text.empty()) {
        const ParametersView before{whole.substr(0, whole.size() - text.size())};
        if (!take_mark(text, ';', syntax)) return std::unexpected(ParseError::BadParameter);
        if (++count > most_parameters) return std::unexpected(ParseError::TooManyParameters);
        const std::string_view name = STILE_TRY(take_name(text, syntax));
        const std::uint64_t bit = name_bit(name);
        if ((names & bit) != 0 && before.contains(name)) {
            return std::unexpected(ParseError::BadParameter);
        }
        names |= bit;
        if (take_mark(text, '=', syntax)) STILE_TRY(take_value(text, syntax));
        if (syntax == ParameterSyntax::Header) scan::skip_space(text);
    }
    return ParametersView{whole};
}

std::size_t ParametersView::count() const {
    std::size_t count = 0;
    for (auto it = begin(); it != end(); ++it) ++count;
    return count;
}

std::optional<Parameter> ParametersView::find(std::string_view name) const {
    for (const Parameter& parameter : *this) {
        if (parameter.name.size() == name.size() && iequals(parameter.name, name)) return parameter;
    }
    return std::nullopt;
}

std::optional<std::string_view> ParametersView::value(std::string_view name) const {
    const auto found = find(name);
    return found ? found->value : std::nullopt;
}

std::optional<std::string> ParametersView::unquoted(std::string_view name) const {
    const auto found = value(name);
    if (!found) return std::nullopt;
    return scan::unquoted(*found);
}

Parameters::Parameters(ParametersView view) {
    text_.reserve(view.text_.size());
    for (const Parameter& parameter : view) {
        text_ += ';';
        text_ += parameter.name;
        if (!parameter.value) continue;
        text_ += '=';
        text_ += *parameter.value;
    }
}

std::expected<Parameters, ParseError> Parameters::parse(std::string_view text,
                                                        ParameterSyntax syntax) {
    return Parameters{STILE_TRY(ParametersView::parse(text, syntax))};
}

void Parameters::set(std::string_view name, std::string_view value) {
    STILE_ASSERT(!name.empty() && !value.empty());
    std::string whole{";"};
    whole += name;
    whole += '=';
    whole += value;
    replace(name, whole);
}

void Parameters::set_flag(std::string_view name) {
    STILE_ASSERT(!name.empty());
    replace(name, std::string{";"} + std::string{name});
}

void Parameters::remove(std::string_view name) {
    if (contains(name)) replace(name, {});
}

void Parameters::replace(std::string_view name, std::string_view whole) {
    const auto old = find(name);
    if (!old) {
        text_ += whole;
        return;
    }
    const auto begin = static_cast<std::size_t>(old->name.data() - text_.data()) - 1;
    const char* const last =
        old->value ? old->value->data() + old->value->size() : old->name.data() + old->name.size();
    const auto length = static_cast<std::size_t>(last - text_.data()) - begin;
    text_.replace(begin, length, whole);
}

}  // namespace stile::sip
