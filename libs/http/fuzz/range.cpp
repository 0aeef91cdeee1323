// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/http/plan.hpp>

using namespace stile::http;

// The first eight octets are a size, the rest is the value of a Range field.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 8) return 0;
    ResourceInfo resource;
    for (std::size_t i = 0; i < 8; ++i) resource.size = resource.size << 8U | data[i];
    resource.size /= 2;  // so that no content needs more than 64 bits for its length
    const std::string_view text{reinterpret_cast<const char*>(data) + 8, size - 8};
    if (const auto specs = parse_range(text)) {
        const auto again = parse_range(format_range(*specs));
        STILE_ASSERT(again && *again == *specs);
        for (const ByteRange& range : satisfiable(*specs, resource.size)) {
            STILE_ASSERT(range.first <= range.last && range.last < resource.size);
        }
    }
    if (const auto range = ContentRange::parse(text)) {
        STILE_ASSERT(ContentRange::parse(range->to_string()) == range);
    }
    Request request;
    request.fields.add("range", text);
    const Plan plan = decide({.now = {}, .boundary = "boundary"}, request, resource);
    const auto length = plan.response.fields.get("content-length");
    if (length) STILE_ASSERT(*length == std::to_string(plan.content_size()));
    return 0;
}
