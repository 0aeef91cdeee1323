// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/http/feed.hpp>
#include <stile/http/limits.hpp>

using namespace stile::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto feed = parse_feed(text);
    if (!feed) return 0;
    STILE_ASSERT(feed->items.size() <= limits::feed_items);
    const auto again = parse_feed(write_rss(*feed));
    STILE_ASSERT(again || again.error() == FeedError::TooLarge);
    STILE_ASSERT(!again || again->items.size() == feed->items.size());
    return 0;
}
