// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/identity/address.hpp>
#include <stile/identity/fingerprint.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace stile;
    using namespace stile::identity;
    const std::string_view text = as_text(std::as_bytes(std::span{data, size}));
    if (const auto parsed = Fingerprint::parse(text)) {
        STILE_ASSERT(Fingerprint::parse(parsed->to_string()) == *parsed);
    }
    if (const auto address = Address::parse(text)) {
        STILE_ASSERT(Address::parse(address->text()) == *address);
        STILE_ASSERT(Address::parse(address->sip_uri()) == *address);
    }
    return 0;
}
