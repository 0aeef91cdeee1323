// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/structured_field.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/http/limits.hpp>

#include <algorithm>

namespace stile::http {

namespace {

// The algorithms of RFC 8941 Section 4.2, each reading from the front of what is left.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    std::optional<std::vector<DictionaryMember>> dictionary() {
        std::vector<DictionaryMember> members;
        spaces();
        while (!rest_.empty()) {
            auto member = dictionary_member();
            if (!member) return {};
            const auto same = std::find_if(members.begin(), members.end(), [&](const auto& each) {
                return each.key == member->key;
            });
            if (same != members.end()) {
                same->value = std::move(member->value);
            } else {
                if (members.size() == limits::list_members) return {};
                members.push_back(*std::move(member));
            }
            optional_white_space();
            if (rest_.empty()) return members;
            if (!take(',')) return {};
            optional_white_space();
            if (rest_.empty()) return {};  // a comma at the end
        }
        return members;
    }

private:
    std::optional<DictionaryMember> dictionary_member() {
        DictionaryMember member;
        const auto name = key();
        if (!name) return {};
        member.key = *name;
        if (take('=')) {
            auto value = at('(') ? inner_list() : bare_item();
            if (!value) return {};
            member.value = *std::move(value);
        } else {
            member.value = true;
        }
        if (!parameters()) return {};
        return member;
    }

    std::optional<BareItem> inner_list() {
        take('(');
        for (std::size_t items = 0; items <= limits::list_members; ++items) {
            spaces();
            if (take(')')) return BareItem{InnerList{}};
            if (!bare_item() || !parameters()) return {};
            if (!at(' ') && !at(')')) return {};
        }
        return {};
    }

    bool parameters() {
        while (take(';')) {
            spaces();
            if (!key()) return false;
            if (take('=') && !bare_item()) return false;
        }
        return true;
    }

    std::optional<std::string> key() {
        if (rest_.empty() || !(is_lower(rest_.front()) || rest_.front() == '*')) return {};
        return take_while([](char c) {
            return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
        });
    }

    std::optional<BareItem> bare_item() {
        if (rest_.empty()) return {};
        const char c = rest_.front();
        if (c == '-' || is_digit(c)) return number();
        if (c == '"') return string();
        if (c == ':') return bytes();
        if (c == '?') return boolean();
        if (is_alpha(c) || c == '*') {
            return BareItem{Token{take_while([](char each) {
                return is_alnum(each) ||
                       std::string_view{"!#$%&'*+-.^_`|~:/"}.find(each) != std::string_view::npos;
            })}};
        }
        return {};
    }

    std::optional<BareItem> number() {
        const std::int64_t sign = take('-') ? -1 : 1;
        const std::string whole = take_while(is_digit);
        if (whole.empty() || whole.size() > 15) return {};
        const auto integer = static_cast<std::int64_t>(*parse_unsigned(whole, INT64_MAX));
        if (!take('.')) return BareItem{sign * integer};
        std::string fraction = take_while(is_digit);
        if (whole.size() > 12 || fraction.empty() || fraction.size() > 3) return {};
        fraction.resize(3, '0');
        const auto thousandths = static_cast<std::int64_t>(*parse_unsigned(fraction, 999));
        return BareItem{Decimal{sign * (integer * 1000 + thousandths)}};
    }

    std::optional<BareItem> string() {
        take('"');
        std::string text;
        while (!rest_.empty()) {
            char c = take_any();
            if (c == '"') return BareItem{std::move(text)};
            if (c == '\\') {
                if (!at('"') && !at('\\')) return {};
                c = take_any();
            }
            if (c < 0x20 || c > 0x7E) return {};
            text += c;
        }
        return {};
    }

    std::optional<BareItem> bytes() {
        take(':');
        const std::size_t end = rest_.find(':');
        if (end == std::string_view::npos) return {};
        auto octets = from_base64(rest_.substr(0, end));
        if (!octets) return {};
        rest_.remove_prefix(end + 1);
        return BareItem{*std::move(octets)};
    }

    std::optional<BareItem> boolean() {
        take('?');
        if (take('1')) return BareItem{true};
        if (take('0')) return BareItem{false};
        return {};
    }

    static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
    bool at(char c) const { return !rest_.empty() && rest_.front() == c; }
    bool take(char c) {
        if (!at(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    char take_any() {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    template <class Predicate>
    std::string take_while(Predicate wanted) {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), wanted);
        const auto length = static_cast<std::size_t>(end - rest_.begin());
        std::string taken{rest_.substr(0, length)};
        rest_.remove_prefix(length);
        return taken;
    }
    void spaces() {
        while (take(' ')) {
        }
    }
    void optional_white_space() {
        while (take(' ') || take('\t')) {
        }
    }

    std::string_view rest_;
};

}  // namespace

std::optional<std::vector<DictionaryMember>> parse_dictionary(std::string_view value) {
    return Reader{value}.dictionary();
}

}  // namespace stile::http
