// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/identity/address.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/identity/limits.hpp>

#include <algorithm>

namespace stile::identity {
namespace {

constexpr std::string_view anonymous_domain = ".invalid";  // RFC 2606; RFC 3323 Section 4.1.1.3.

bool is_unreserved(char c) { return is_alnum(c) || std::string_view{"-_.!~*'()"}.contains(c); }
// RFC 3261 Section 25.1, user. Escapes are looked at before.
bool is_user_character(char c) {
    return is_unreserved(c) || std::string_view{"&=+$,;?/"}.contains(c);
}
bool is_domain_character(char c) { return is_alnum(c) || c == '-' || c == '.'; }

// Two spellings of one user give one text: what need not be escaped is not. RFC 3986
// Section 6.2.2.2.
std::optional<std::string> normalized_user(std::string_view user) {
    std::string text;
    for (std::size_t i = 0; i < user.size(); ++i) {
        if (user[i] != '%') {
            if (!is_user_character(user[i])) return std::nullopt;
            text += ascii_lower(user[i]);
            continue;
        }
        const auto octet = from_hex(user.substr(i + 1, 2));
        if (!octet || octet->size() != 1) return std::nullopt;
        const char value = std::to_integer<char>(octet->front());
        if (is_unreserved(value)) {
            text += ascii_lower(value);
        } else {
            text += '%';
            for (const char digit : user.substr(i + 1, 2)) {
                text += digit >= 'a' ? static_cast<char>(digit - 'a' + 'A') : digit;
            }
        }
        i += 2;
    }
    return text;
}

std::string_view without_scheme(std::string_view text) {
    for (const std::string_view scheme : {"sip:", "sips:"}) {
        if (iequals(text.substr(0, scheme.size()), scheme)) return text.substr(scheme.size());
    }
    return text;
}

// Empty when it is no host name. IP literals have brackets or digits only, and are kept as they
// are.
std::optional<std::string> normalized_domain(std::string_view host_and_more) {
    std::string_view host = host_and_more.substr(0, host_and_more.find_first_of(";?"));
    if (host.starts_with('[')) {
        const std::size_t end = host.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        host = host.substr(0, end + 1);
        const bool fine = std::ranges::all_of(
            host.substr(1, end - 1), [](char c) { return is_alnum(c) || c == ':' || c == '.'; });
        return fine ? std::optional{to_lower(host)} : std::nullopt;
    }
    host = host.substr(0, host.find(':'));
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.empty() || !std::ranges::all_of(host, is_domain_character)) return std::nullopt;
    return to_lower(host);
}

}  // namespace

std::expected<Address, AddressError> Address::parse(std::string_view text) {
    if (text.size() > most_address_octets) return std::unexpected(AddressError::TooLong);
    const std::string_view bare = without_scheme(text);
    const std::size_t at = bare.find('@');
    if (at == std::string_view::npos) return std::unexpected(AddressError::Malformed);
    std::string_view user_and_password = bare.substr(0, at);
    const auto user = normalized_user(take_until(user_and_password, ':'));
    const auto domain = normalized_domain(bare.substr(at + 1));
    if (!user || user->empty() || !domain) return std::unexpected(AddressError::Malformed);
    if (("." + *domain).ends_with(anonymous_domain)) {
        return std::unexpected(AddressError::Anonymous);
    }
    return Address{*user + '@' + *domain};
}

}  // namespace stile::identity
