// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sip/contact.hpp>
#include <stile/sip/uri.hpp>

using namespace stile;
using namespace stile::sip;

// What parses is written so that it parses to the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text(std::as_bytes(std::span{data, size}));
    if (const auto uri = Uri::parse(text)) {
        const auto again = Uri::parse(uri->to_string());
        STILE_ASSERT(again.has_value());
        STILE_ASSERT(*again == *uri);
        STILE_ASSERT(address_of_record(*again) == address_of_record(*uri));
    }
    if (const auto contact = Contact::parse(text)) {
        const auto again = Contact::parse(contact->to_string());
        STILE_ASSERT(again.has_value());
        STILE_ASSERT(again->address.display_name == contact->address.display_name);
        STILE_ASSERT(again->uri() == contact->uri());
    }
    return 0;
}
