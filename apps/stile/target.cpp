// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "target.hpp"

#include <stile/base/text.hpp>
#include <stile/identity/address.hpp>

#include <algorithm>

namespace stile::peer {

std::optional<Target> Target::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = identity::Address::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    Target target{.address = address->text(), .path = "/"};
    if (slash == std::string_view::npos) return target;
    target.path.clear();
    // A person types spaces; the wire has none.
    constexpr std::string_view hex = "0123456789ABCDEF";
    for (const char c : text.substr(slash)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet > 0x20 && octet < 0x7F) {
            target.path += c;
        } else {
            target.path += '%';
            target.path += hex[octet >> 4U];
            target.path += hex[octet & 15U];
        }
    }
    return target;
}

std::optional<std::string> Target::address_of_host(std::string_view host) {
    for (const std::string_view suffix : {".localhost", ".alt"}) {
        if (!host.ends_with(suffix)) continue;
        std::string_view domain = host.substr(0, host.size() - suffix.size());
        const std::string_view user = take_until(domain, '.');
        const auto address =
            identity::Address::parse(std::string{user} + '@' + std::string{domain});
        if (!address) return std::nullopt;
        return address->text();
    }
    return std::nullopt;
}

std::string Target::host_of_address(std::string_view address) {
    std::string host{address};
    std::ranges::replace(host, '@', '.');
    return host;
}

}  // namespace stile::peer
