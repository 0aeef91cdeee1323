// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <optional>

namespace stile::crypto {

// The textual encodings of RFC 7468, label as in "CERTIFICATE" or "PRIVATE KEY".
std::string to_pem(std::string_view label, BytesView der);

// The octets between the next pair of marker lines with that label, which are taken from the front
// of `text`; empty when there is no such pair, or when what stands between is not base 64. Text
// before the first marker is skipped, encapsulated headers (encrypted keys) are not understood.
std::optional<Bytes> take_pem(std::string_view& text, std::string_view label);

}  // namespace stile::crypto
