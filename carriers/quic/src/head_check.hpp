// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/http_head.hpp>

namespace stile::quic {

// Whether HTTP/3 can say it, within our limits. RFC 9114 Sections 4.2 and 4.3.
bool is_valid(const RequestHead& head);
bool is_valid(const ResponseHead& head);
bool are_valid(const std::vector<Field>& fields);

// What RFC 9114 Section 4.2.2 counts for a field.
std::size_t counted_octets(std::string_view name, std::string_view value);

}  // namespace stile::quic
