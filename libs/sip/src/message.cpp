// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/try.hpp>
#include <stile/sip/message.hpp>

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

ValueRange::Iterator::Iterator(const Message& message, HeaderName name)
    : message_(&message), name_(name), done_(false) {
    ++*this;
}

ValueRange::Iterator& ValueRange::Iterator::operator++() {
    for (;;) {
        while (!rest_.empty()) {
            current_ = scan::take_element(rest_, ',');
            if (!current_.empty()) return *this;
        }
        for (;; ++next_line_) {
            if (next_line_ == message_->header_count()) {
                done_ = true;
                return *this;
            }
            const HeaderField field = message_->header(next_line_);
            if (field.name != name_) continue;
            ++next_line_;
            if (value_form(name_) != ValueForm::List) {
                current_ = field.value;
                return *this;
            }
            rest_ = field.value;
            break;
        }
    }
}

std::expected<Uri, ParseError> Message::request_uri() const {
    STILE_ASSERT(is_request());
    return Uri::parse(text(target_));
}

HeaderField Message::header(std::size_t index) const& {
    const Line& line = lines_[index];
    return {.name = line.name,
            .name_text = text({line.name_offset, line.name_length}),
            .value = text(line.value)};
}

std::optional<std::string_view> Message::find(HeaderName name) const& {
    for (const Line& line : lines_) {
        if (line.name == name) return text(line.value);
    }
    return std::nullopt;
}

std::optional<std::string_view> Message::find(std::string_view name) const& {
    const HeaderName known = header_name_of(name);
    if (known != HeaderName::Other) return find(known);
    for (const Line& line : lines_) {
        if (line.name == HeaderName::Other &&
            iequals(text({line.name_offset, line.name_length}), name)) {
            return text(line.value);
        }
    }
    return std::nullopt;
}

std::size_t Message::count(HeaderName name) const {
    std::size_t count = 0;
    for (const Line& line : lines_) count += line.name == name ? 1 : 0;
    return count;
}

std::expected<std::string_view, ParseError> Message::single(HeaderName name) const& {
    std::optional<std::string_view> found;
    for (const Line& line : lines_) {
        if (line.name != name) continue;
        if (found) return std::unexpected(ParseError::Duplicate);
        found = text(line.value);
    }
    if (!found) return std::unexpected(ParseError::Missing);
    return *found;
}

std::optional<std::string_view> Message::first_value(HeaderName name) const& {
    const auto first = values(name).begin();
    if (first == std::default_sentinel) return std::nullopt;
    return *first;
}

std::expected<Via, ParseError> Message::top_via() const {
    const auto text = first_value(HeaderName::Via);
    if (!text) return std::unexpected(ParseError::Missing);
    return Via::parse(*text);
}

std::expected<std::vector<Via>, ParseError> Message::vias() const {
    return parse_all<Via>(*this, HeaderName::Via, Via::parse);
}

std::expected<NameAddr, ParseError> Message::from() const {
    return NameAddr::parse(STILE_TRY(single(HeaderName::From)));
}
std::expected<NameAddr, ParseError> Message::to() const {
    return NameAddr::parse(STILE_TRY(single(HeaderName::To)));
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

std::expected<Contacts, ParseError> Message::contacts() const {
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
        contacts.values.push_back(STILE_TRY(Contact::parse(text)));
    }
    return contacts;
}

std::expected<std::vector<NameAddr>, ParseError> Message::routes(HeaderName name) const {
    return parse_all<NameAddr>(*this, name, [](std::string_view text) {
        return NameAddr::parse(text, AddressForm::NameAddr);
    });
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

std::expected<std::vector<std::string>, ParseError> Message::tokens(HeaderName name) const {
    return parse_all<std::string>(
        *this, name, [](std::string_view text) -> std::expected<std::string, ParseError> {
            if (!scan::is_token(text)) return std::unexpected(ParseError::BadToken);
            return std::string{text};
        });
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
