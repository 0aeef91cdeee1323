// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/parse_error.hpp>

#include <cstddef>
#include <expected>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace stile::sip {

// A parameter as it stands on the wire: a quoted value has its quotation marks.
struct Parameter {
    std::string_view name;
    std::optional<std::string_view> value;
    friend bool operator==(const Parameter&, const Parameter&) = default;
};

enum class ParameterSyntax : std::uint8_t {
    Header,  // generic-param: white space allowed, values may be quoted strings
    Uri,     // uri-parameter: no white space, escapes instead of quotes
};

// ";lr;transport=tcp" as it stands on the wire: sound, but not copied. Names are compared without
// regard to case and stand once. Lives as long as the text it was parsed from.
class ParametersView {
public:
    class Iterator {
    public:
        using value_type = Parameter;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        explicit Iterator(std::string_view rest);
        const Parameter& operator*() const { return current_; }
        const Parameter* operator->() const { return &current_; }
        Iterator& operator++();
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return done_; }

    private:
        std::string_view rest_;
        Parameter current_;
        bool done_ = true;
    };

    ParametersView() = default;
    // Text that is empty or starts with a semicolon (after white space, in a header field).
    static std::expected<ParametersView, ParseError> parse(std::string_view text,
                                                           ParameterSyntax syntax);

    Iterator begin() const { return Iterator{text_}; }
    std::default_sentinel_t end() const { return {}; }
    bool empty() const { return text_.empty(); }
    std::size_t count() const;

    bool contains(std::string_view name) const { return find(name).has_value(); }
    std::optional<Parameter> find(std::string_view name) const;
    // As on the wire; empty as well for a parameter without value.
    std::optional<std::string_view> value(std::string_view name) const;
    // Without quotation marks and their escapes.
    std::optional<std::string> unquoted(std::string_view name) const;

private:
    friend class Parameters;
    explicit ParametersView(std::string_view sound) : text_(sound) {}

    std::string_view text_;
};

// Parameters that can be kept and changed: one text without white space, in its order. Views into
// it live until the next change.
class Parameters {
public:
    Parameters() = default;
    explicit Parameters(ParametersView view);
    static std::expected<Parameters, ParseError> parse(std::string_view text,
                                                       ParameterSyntax syntax);
    ParametersView view() const& { return ParametersView{text_}; }
    operator ParametersView() const& { return view(); }

    ParametersView::Iterator begin() const { return view().begin(); }
    std::default_sentinel_t end() const { return {}; }
    bool empty() const { return text_.empty(); }
    std::size_t count() const { return view().count(); }

    bool contains(std::string_view name) const { return view().contains(name); }
    std::optional<Parameter> find(std::string_view name) const { return view().find(name); }
    std::optional<std::string_view> value(std::string_view name) const {
        return view().value(name);
    }
    std::optional<std::string> unquoted(std::string_view name) const {
        return view().unquoted(name);
    }

    // Replaces in place, or appends. Requires: name is a token, value fits the syntax (see
    // quote()).
    void set(std::string_view name, std::string_view value);
    void set_flag(std::string_view name);
    void remove(std::string_view name);

    // As on the wire, with the leading semicolon.
    const std::string& text() const { return text_; }
    friend bool operator==(const Parameters&, const Parameters&) = default;  // by text

private:
    void replace(std::string_view name, std::string_view whole);

    std::string text_;
};

}  // namespace stile::sip
