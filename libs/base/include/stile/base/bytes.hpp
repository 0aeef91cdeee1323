// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stile {

using Bytes = std::vector<std::byte>;
using BytesView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

// Text seen as bytes and back. The result views the argument's memory.
inline BytesView as_bytes(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}
inline std::string_view as_text(BytesView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes to_bytes(BytesView view) { return {view.begin(), view.end()}; }
inline Bytes to_bytes(std::string_view text) { return to_bytes(as_bytes(text)); }
inline std::string to_text(BytesView view) { return std::string{as_text(view)}; }

inline bool equal(BytesView left, BytesView right) {
    return left.size() == right.size() &&
           (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

}  // namespace stile
