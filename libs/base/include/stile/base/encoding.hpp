// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <optional>

namespace stile {

// Base 64 with padding, and its URL- and file-name-safe alphabet without. RFC 4648 Sections 4
// and 5.
std::string to_base64(BytesView bytes);
std::string to_base64url(BytesView bytes);
// Strict: the whole text, no white space, nothing after the padding, unused bits zero.
std::optional<Bytes> from_base64(std::string_view text);
std::optional<Bytes> from_base64url(std::string_view text);

// Lower-case hexadecimal; both cases are read.
std::string to_hex(BytesView bytes);
std::optional<Bytes> from_hex(std::string_view text);

}  // namespace stile
