// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/try.hpp>
#include <stile/sip/message.hpp>

#include <utility>

namespace stile::sip {
namespace {

// Each value of a list, parsed.
template <class T, class Parse>
std::expected<std::vector<T>, ParseError> parse_all(const Message& message, HeaderName name,
                                                    Parse parse) {
    std::vector<T> values;
    for (const std::string_view text : message.values(name)) {
        if (values.size() == most_list_values) return std::unexpected(ParseError::TooManyValues);
        auto value = parse(text);
        if (!value) return std::unexpected(value.error());
        values.push_back(*std::move(value));
    }
    return values;
}

}  // namespace

std::expected<NameAddrView, ParseError> parse_route(std::string_view text) {
    return NameAddrView::parse(text, AddressForm::NameAddr);
}

std::expected<std::string_view, ParseError> parse_token(std::string_view text) {
    if (!scan::is_token(text)) return std::unexpected(ParseError::BadToken);
    return text;
}

ValueRange::Iterator::Iterator(const Message& message, HeaderName name)
    : message_(&message), name_(name), done_(false) {
    ++*this;
}

ValueRange::Iterator& ValueRange::Iterator::operator++() {
    for (;;) {
        while (!rest_.empty()) {
            current_ = scan::take_element(rest_);
            if (!current_.empty()) return *this;
        }
        for (;; ++next_line_) {
            if (next_line_ == message_->header_count()) {
                done_ = true;
                return *this;
            }
            const Message::Line line = message_->line(next_line_);
            if (line.name != name_) continue;
            ++next_line_;
            rest_ = message_->text(line.value);
            if (value_form(name_) == ValueForm::List) break;
            current_ = std::exchange(rest_, {});
            return *this;
        }
    }
}

std::expected<UriView, ParseError> Message::request_uri() const& {
    STILE_ASSERT(is_request());
    return UriView::parse(text(target_));
}

HeaderField Message::header(std::size_t index) const& {
    const Line line = this->line(index);
    return {.name = line.name,
            .name_text = text({line.name_offset, line.name_length}),
            .value = text(line.value)};
}

std::optional<std::string_view> Message::find(HeaderName name) const& {
    for (std::size_t i = 0; i < line_count_; ++i) {
        if (const Line one = line(i); one.name == name) return text(one.value);
    }
    return std::nullopt;
}

std::optional<std::string_view> Message::find(std::string_view name) const& {
    const HeaderName known = header_name_of(name);
    if (known != HeaderName::Other) return find(known);
    for (std::size_t i = 0; i < line_count_; ++i) {
        const HeaderField field = header(i);
        if (field.name == HeaderName::Other && iequals(field.name_text, name)) return field.value;
    }
    return std::nullopt;
}

std::size_t Message::count(HeaderName name) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < line_count_; ++i) count += line(i).name == name ? 1U : 0U;
    return count;
}

std::expected<std::string_view, ParseError> Message::single(HeaderName name) const& {
    std::optional<std::string_view> found;
    for (std::size_t i = 0; i < line_count_; ++i) {
        const Line one = line(i);
        if (one.name != name) continue;
        if (found) return std::unexpected(ParseError::Duplicate);
        found = text(one.value);
    }
    if (!found) return std::unexpected(ParseError::Missing);
    return *found;
}

std::optional<std::string_view> Message::first_value(HeaderName name) const& {
    const auto first = values(name).begin();
    if (first == std::default_sentinel) return std::nullopt;
    return *first;
}

std::expected<ViaView, ParseError> Message::top_via() const& {
    const auto text = first_value(HeaderName::Via);
    if (!text) return std::unexpected(ParseError::Missing);
    return ViaView::parse(*text);
}

std::expected<NameAddrView, ParseError> Message::from() const& {
    return NameAddrView::parse(STILE_TRY(single(HeaderName::From)));
}
std::expected<NameAddrView, ParseError> Message::to() const& {
    return NameAddrView::parse(STILE_TRY(single(HeaderName::To)));
}

std::expected<std::optional<std::string_view>, ParseError> Message::from_tag() const& {
    return tag_of(STILE_TRY(single(HeaderName::From)));
}
std::expected<std::optional<std::string_view>, ParseError> Message::to_tag() const& {
    return tag_of(STILE_TRY(single(HeaderName::To)));
}

std::expected<std::string_view, ParseError> Message::call_id() const& {
    const std::string_view value = STILE_TRY(single(HeaderName::CallId));
    // callid = word [ "@" word ]
    std::string_view rest = value;
    const std::string_view left = take_until(rest, '@');
    const bool has_right = left.size() != value.size();
    if (left.empty() || !scan::all(left, scan::Class::Word) ||
        (has_right && (rest.empty() || !scan::all(rest, scan::Class::Word)))) {
        return std::unexpected(ParseError::BadToken);
    }
    return value;
}

std::expected<CSeq, ParseError> Message::cseq() const {
    return CSeq::parse(STILE_TRY(single(HeaderName::CSeq)));
}

std::expected<std::uint8_t, ParseError> Message::max_forwards() const {
    const std::string_view text = STILE_TRY(single(HeaderName::MaxForwards));
    return static_cast<std::uint8_t>(STILE_TRY(parse_number(text, 255)));
}

std::expected<Contacts, ParseError> Message::contacts() const& {
    Contacts contacts;
    contacts.values = {};
    for (const std::string_view text : values(HeaderName::Contact)) {
        if (contacts.form == ContactForm::Wildcard) return std::unexpected(ParseError::BadNameAddr);
        if (text == "*") {
            if (!contacts.values.empty()) return std::unexpected(ParseError::BadNameAddr);
            contacts.form = ContactForm::Wildcard;
            continue;
        }
        if (contacts.values.size() == most_list_values) {
            return std::unexpected(ParseError::TooManyValues);
        }
        contacts.values.push_back(STILE_TRY(ContactView::parse(text)));
    }
    return contacts;
}

std::expected<std::uint32_t, ParseError> Message::expires_seconds() const {
    return parse_number(STILE_TRY(single(HeaderName::Expires)));
}
std::expected<std::uint32_t, ParseError> Message::min_expires_seconds() const {
    return parse_number(STILE_TRY(single(HeaderName::MinExpires)));
}
std::expected<MediaType, ParseError> Message::content_type() const {
    return MediaType::parse(STILE_TRY(single(HeaderName::ContentType)));
}
std::expected<WallTime, ParseError> Message::date() const {
    return parse_date(STILE_TRY(single(HeaderName::Date)));
}
std::expected<RetryAfter, ParseError> Message::retry_after() const {
    return RetryAfter::parse(STILE_TRY(single(HeaderName::RetryAfter)));
}
std::expected<std::vector<Reason>, ParseError> Message::reasons() const {
    return parse_all<Reason>(*this, HeaderName::Reason, Reason::parse);
}

bool Message::lists(HeaderName name, std::string_view token) const {
    // Methods differ in case, option tags do not. RFC 3261 Section 7.3.1.
    const bool exact = name == HeaderName::Allow;
    bool found = false;
    for (const std::string_view text : values(name)) {
        if (!scan::is_token(text)) return false;
        found = found || (exact ? text == token : iequals(text, token));
    }
    return found;
}

}  // namespace stile::sip
