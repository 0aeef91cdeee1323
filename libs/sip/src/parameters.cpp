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
        name = rest.substr(0, rest.find_first_of("=;"));
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

}  // namespace

Parameters::Iterator::Iterator(std::string_view rest) : rest_(rest), done_(false) { ++*this; }

Parameters::Iterator& Parameters::Iterator::operator++() {
    if (rest_.empty()) {
        done_ = true;
        return *this;
    }
    rest_.remove_prefix(1);  // the semicolon
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != ';' && rest_[end] != '=') ++end;
    current_ = {.name = rest_.substr(0, end), .value = std::nullopt};
    rest_.remove_prefix(end);
    if (!rest_.empty() && rest_.front() == '=') {
        rest_.remove_prefix(1);
        std::string_view after = rest_;
        if (!scan::take_quoted(after)) {
            const std::size_t stop = rest_.find(';');
            after.remove_prefix(stop == std::string_view::npos ? rest_.size() : stop);
        }
        current_.value = rest_.substr(0, rest_.size() - after.size());
        rest_ = after;
    }
    return *this;
}

std::expected<Parameters, ParseError> Parameters::parse(std::string_view text,
                                                        ParameterSyntax syntax) {
    Parameters parameters;
    if (syntax == ParameterSyntax::Header) text = scan::trimmed(text);
    parameters.text_.reserve(text.size());
    std::size_t count = 0;
    while (!text.empty()) {
        if (!take_mark(text, ';', syntax)) return std::unexpected(ParseError::BadParameter);
        if (++count > most_parameters) return std::unexpected(ParseError::TooManyParameters);
        const std::string_view name = STILE_TRY(take_name(text, syntax));
        if (parameters.contains(name)) return std::unexpected(ParseError::BadParameter);
        parameters.text_ += ';';
        parameters.text_ += name;
        if (take_mark(text, '=', syntax)) {
            const std::string_view value = STILE_TRY(take_value(text, syntax));
            parameters.text_ += '=';
            parameters.text_ += value;
        }
        if (syntax == ParameterSyntax::Header) scan::skip_space(text);
    }
    return parameters;
}

std::size_t Parameters::count() const {
    std::size_t count = 0;
    for (auto it = begin(); it != end(); ++it) ++count;
    return count;
}

std::optional<Parameter> Parameters::find(std::string_view name) const {
    for (const Parameter& parameter : *this) {
        if (iequals(parameter.name, name)) return parameter;
    }
    return std::nullopt;
}

std::optional<std::string_view> Parameters::value(std::string_view name) const {
    const auto found = find(name);
    return found ? found->value : std::nullopt;
}

std::optional<std::string> Parameters::unquoted(std::string_view name) const {
    const auto found = value(name);
    if (!found) return std::nullopt;
    return scan::unquoted(*found);
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
