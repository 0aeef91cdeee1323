// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/http/path.hpp>

using namespace stile::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    STILE_ASSERT(percent_decode(encode_segment(text)) == std::string{text});
    auto clean = clean_path(text);
    if (!clean) return 0;
    for (const std::string& segment : clean->segments) {
        STILE_ASSERT(!segment.empty() && segment != "." && segment != "..");
        STILE_ASSERT(segment.find_first_of(std::string_view{"/\0", 2}) == std::string::npos);
    }
    clean->query.reset();
    const auto again = clean_path(clean->to_string());
    // Escapes make a path longer.
    STILE_ASSERT(again ? *again == *clean : again.error() == PathError::TooLong);
    return 0;
}
