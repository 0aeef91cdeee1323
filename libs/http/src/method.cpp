// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/method.hpp>

#include <algorithm>
#include <array>

namespace stile::http::method {

namespace {

constexpr std::array safe{get, head, options, trace};
constexpr std::array idempotent{get, head, options, trace, put, delete_};
constexpr std::array known{get, head, post, put, delete_, connect, options, trace, patch};

template <std::size_t count>
bool contains(const std::array<std::string_view, count>& list, std::string_view method) {
    return std::find(list.begin(), list.end(), method) != list.end();
}

}  // namespace

bool is_safe(std::string_view method) { return contains(safe, method); }
bool is_idempotent(std::string_view method) { return contains(idempotent, method); }
bool is_known(std::string_view method) { return contains(known, method); }

}  // namespace stile::http::method
