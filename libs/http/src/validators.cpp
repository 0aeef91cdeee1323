// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/validators.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/http/date.hpp>
#include <stile/http/limits.hpp>
#include <stile/http/method.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace stile::http {

namespace {

// etagc: everything visible but the quote, and octets above 0x7F. RFC 9110 Section 8.8.3.
bool is_tag_char(char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet == 0x21 || (octet >= 0x23 && octet != 0x7F);
}

// One tag from the front of a list. Backslashes do not escape inside tags, and commas may stand
// there.
std::optional<EntityTag> take_tag(std::string_view& rest) {
    EntityTag tag;
    if (rest.starts_with("W/")) {
        tag.strength = Strength::Weak;
        rest.remove_prefix(2);
    }
    if (rest.empty() || rest.front() != '"') return {};
    rest.remove_prefix(1);
    const std::size_t end = rest.find('"');
    if (end == std::string_view::npos) return {};
    tag.opaque = rest.substr(0, end);
    if (!std::all_of(tag.opaque.begin(), tag.opaque.end(), is_tag_char)) return {};
    rest.remove_prefix(end + 1);
    return tag;
}

std::optional<std::vector<EntityTag>> parse_tags(std::string_view rest) {
    std::vector<EntityTag> tags;
    for (;;) {
        while (!rest.empty() &&
               (rest.front() == ',' || rest.front() == ' ' || rest.front() == '\t')) {
            rest.remove_prefix(1);
        }
        if (rest.empty()) return tags;
        auto tag = take_tag(rest);
        if (!tag || tags.size() == limits::list_members) return {};
        tags.push_back(*std::move(tag));
        rest = trim(rest);
        if (!rest.empty() && rest.front() != ',') return {};
    }
}

// Dates in conditional fields come once and whole, or are ignored.
std::optional<WallTime> date_of(const Fields& request, std::string_view name, WallTime now) {
    if (request.count(name) != 1) return {};
    return parse_http_date(*request.get(name), now);
}

using Match = bool (*)(const EntityTag&, const EntityTag&);

// True when the field names the resource as it is now; empty when the field cannot be read.
std::optional<bool> names_current(std::string_view value, Existence existence,
                                  const Validators& validators, Match match) {
    if (trim(value) == "*") return existence == Existence::Present;
    const auto tags = parse_tags(trim(value));
    if (!tags) return {};
    if (existence == Existence::Absent || !validators.tag) return false;
    return std::any_of(tags->begin(), tags->end(),
                       [&](const EntityTag& each) { return match(each, *validators.tag); });
}

// Steps 1 and 2: does the state that a client believes in still hold?
bool still_unchanged(const Fields& request, Existence existence, const Validators& validators,
                     WallTime now) {
    if (const auto if_match = request.combined("if-match")) {
        return names_current(*if_match, existence, validators, strong_match).value_or(false);
    }
    const auto since = date_of(request, "if-unmodified-since", now);
    if (!since || !validators.modified) return true;
    return *validators.modified <= *since;
}

}  // namespace

std::optional<EntityTag> EntityTag::parse(std::string_view text) {
    std::string_view rest = trim(text);
    auto tag = take_tag(rest);
    if (!tag || !rest.empty()) return {};
    return tag;
}

std::string EntityTag::to_string() const {
    return (strength == Strength::Weak ? "W/\"" : "\"") + opaque + '"';
}

bool strong_match(const EntityTag& left, const EntityTag& right) {
    return left.strength == Strength::Strong && left == right;
}

bool weak_match(const EntityTag& left, const EntityTag& right) {
    return left.opaque == right.opaque;
}

EntityTag entity_tag(const FileFacts& facts, WallTime now) {
    const auto hexadecimal = [](std::uint64_t value) {
        std::array<char, 16> digits{};
        const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16);
        return std::string(digits.data(), result.ptr);
    };
    constexpr std::int64_t second = 1'000'000'000;
    EntityTag tag;
    tag.opaque = hexadecimal(facts.size) + '-' +
                 hexadecimal(static_cast<std::uint64_t>(facts.modified_nanoseconds));
    if (facts.inode) tag.opaque += '-' + hexadecimal(*facts.inode);
    const std::int64_t modified_second = facts.modified_nanoseconds / second;
    const bool settled = modified_second + 2 <= now.time_since_epoch().count();
    tag.strength = settled ? Strength::Strong : Strength::Weak;
    return tag;
}

EntityTag entity_tag(BytesView digest) { return {.opaque = to_base64url(digest)}; }

Precondition evaluate_preconditions(std::string_view method, const Fields& request,
                                    Existence existence, const Validators& validators,
                                    WallTime now) {
    if (!still_unchanged(request, existence, validators, now)) return Precondition::Failed;
    const bool reads = method == method::get || method == method::head;
    if (const auto if_none_match = request.combined("if-none-match")) {
        const bool same =
            names_current(*if_none_match, existence, validators, weak_match).value_or(false);
        if (!same) return Precondition::Met;
        return reads ? Precondition::NotModified : Precondition::Failed;
    }
    if (!reads) return Precondition::Met;
    const auto since = date_of(request, "if-modified-since", now);
    const bool unchanged = since && validators.modified && *validators.modified <= *since;
    return unchanged ? Precondition::NotModified : Precondition::Met;
}

bool if_range_holds(const Fields& request, const Validators& validators, WallTime now) {
    const auto value = request.get("if-range");
    if (!value) return true;
    if (request.count("if-range") != 1) return false;
    if (const auto tag = EntityTag::parse(*value)) {
        return validators.tag && strong_match(*tag, *validators.tag);
    }
    const auto date = parse_http_date(*value, now);
    return date && validators.modified && *date == *validators.modified &&
           *date + std::chrono::seconds{1} <= now;
}

}  // namespace stile::http
