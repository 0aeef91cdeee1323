// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Percent escapes in URIs. RFC 3261 Section 25.1, `escaped`.
namespace stile::sip {

void append_escaped(std::string& text, char c);
// What the escape stands for that begins here; empty where none does.
std::optional<char> escaped_octet(std::string_view text, std::size_t at);

}  // namespace stile::sip
