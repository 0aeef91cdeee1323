// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/try.hpp>
#include <stile/sip/contact.hpp>

namespace stile::sip {

std::expected<QValue, ParseError> QValue::parse(std::string_view text) {
    if (text.empty() || (text[0] != '0' && text[0] != '1')) {
        return std::unexpected(ParseError::BadNumber);
    }
    if (text.size() > 5 || (text.size() > 1 && text[1] != '.')) {
        return std::unexpected(ParseError::BadNumber);
    }
    unsigned value = text[0] == '1' ? 1000 : 0;
    unsigned weight = 100;
    for (std::size_t i = 2; i < text.size(); ++i) {
        if (!is_digit(text[i])) return std::unexpected(ParseError::BadNumber);
        value += static_cast<unsigned>(text[i] - '0') * weight;
        weight /= 10;
    }
    if (value > 1000) return std::unexpected(ParseError::BadNumber);
    return QValue{static_cast<std::uint16_t>(value)};
}

std::string QValue::to_string() const {
    if (thousandths >= 1000) return "1";
    if (thousandths == 0) return "0";
    std::string digits = std::to_string(1000 + thousandths).substr(1);
    while (digits.back() == '0') digits.pop_back();
    return "0." + digits;
}

std::expected<Contact, ParseError> Contact::parse(std::string_view text) {
    return STILE_TRY(ContactView::parse(text)).copy();
}

std::expected<ContactView, ParseError> ContactView::parse(std::string_view text) {
    ContactView contact;
    contact.address = STILE_TRY(NameAddrView::parse(text));
    return contact;
}

Contact ContactView::copy() const {
    Contact contact;
    contact.address = address.copy();
    return contact;
}

template <class Address>
std::optional<QValue> ContactValue<Address>::q() const {
    const auto text = address.parameters.value("q");
    if (!text) return std::nullopt;
    const auto value = QValue::parse(*text);
    return value ? std::optional{*value} : std::nullopt;
}

template <class Address>
std::optional<std::uint32_t> ContactValue<Address>::expires_seconds() const {
    const auto text = address.parameters.value("expires");
    if (!text) return std::nullopt;
    for (const char c : *text) {
        if (!is_digit(c)) return std::nullopt;
    }
    return static_cast<std::uint32_t>(parse_unsigned(*text, 0xFFFF'FFFF).value_or(0xFFFF'FFFF));
}

template <class Address>
std::optional<std::string> ContactValue<Address>::instance() const {
    auto text = address.parameters.unquoted("+sip.instance");
    if (!text || text->size() < 3 || text->front() != '<' || text->back() != '>') {
        return std::nullopt;
    }
    return text->substr(1, text->size() - 2);
}

template <class Address>
std::optional<std::uint32_t> ContactValue<Address>::reg_id() const {
    const auto text = address.parameters.value("reg-id");
    const auto value = text ? parse_unsigned(*text, 0x7FFF'FFFF) : std::nullopt;
    if (!value || *value == 0) return std::nullopt;
    return static_cast<std::uint32_t>(*value);
}

template <class Address>
std::optional<std::string> ContactValue<Address>::pub_gruu() const {
    return address.parameters.unquoted("pub-gruu");
}
template <class Address>
std::optional<std::string> ContactValue<Address>::temp_gruu() const {
    return address.parameters.unquoted("temp-gruu");
}

template struct ContactValue<NameAddrView>;
template struct ContactValue<NameAddr>;

}  // namespace stile::sip
