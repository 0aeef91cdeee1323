// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Methods are open and case-sensitive (RFC 9110 Section 9.1): a request holds the text.
namespace stile::http::method {

inline constexpr std::string_view get = "GET";
inline constexpr std::string_view head = "HEAD";
inline constexpr std::string_view post = "POST";
inline constexpr std::string_view put = "PUT";
inline constexpr std::string_view delete_ = "DELETE";
inline constexpr std::string_view connect = "CONNECT";
inline constexpr std::string_view options = "OPTIONS";
inline constexpr std::string_view trace = "TRACE";
inline constexpr std::string_view patch = "PATCH";

// RFC 9110 Sections 9.2.1 and 9.2.2. A method that is not known is neither.
bool is_safe(std::string_view method);
bool is_idempotent(std::string_view method);
// One that some RFC defines; others are answered with 501, known ones that a resource does not
// have with 405.
bool is_known(std::string_view method);

}  // namespace stile::http::method
