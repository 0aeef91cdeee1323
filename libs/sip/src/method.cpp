// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sip/method.hpp>

#include <array>
#include <utility>

namespace stile::sip {
namespace {

constexpr std::array<std::string_view, std::to_underlying(Method::Other)> names{
    "INVITE",    "ACK",    "BYE",     "CANCEL", "REGISTER", "OPTIONS", "PRACK",
    "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO",   "REFER",    "MESSAGE", "UPDATE"};

}  // namespace

Method method_of(std::string_view text) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == text) return static_cast<Method>(i);
    }
    return Method::Other;
}

std::string_view method_text(Method method) {
    STILE_ASSERT(method != Method::Other);
    return names[std::to_underlying(method)];
}

}  // namespace stile::sip
