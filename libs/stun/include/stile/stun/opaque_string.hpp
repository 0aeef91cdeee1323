// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stile::stun {

// Prepares a username, realm or password for use in STUN: the OpaqueString profile of RFC 8265
// Section 4.2, as far as it can be done without Unicode tables. ASCII passes unchanged. Refused are
// empty text, ASCII and C1 control characters, and what is not UTF-8; spaces other than U+0020
// become U+0020. Not done: normalization form C and the classes of unassigned and disallowed code
// points; text of an input method is in form C already.
std::optional<std::string> opaque_string(std::string_view text);

}  // namespace stile::stun
