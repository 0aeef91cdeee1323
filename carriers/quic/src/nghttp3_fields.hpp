// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stream.hpp"

#include <nghttp3/nghttp3.h>

namespace stile::quic {

// Fields in the library's form. They view the arguments, which must outlive them.
std::vector<nghttp3_nv> native_fields(const RequestHead& head);
std::vector<nghttp3_nv> native_fields(const ResponseHead& head, const std::string& status);
std::vector<nghttp3_nv> native_fields(const std::vector<Field>& fields);

// Adds a received field, pseudo-header fields included, to a section. The library has judged it.
void read_field(std::string_view name, std::string_view value, FieldSection& section);

}  // namespace stile::quic
