// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "send_queue.hpp"

#include <stile/base/assert.hpp>

#include <algorithm>

namespace stile::quic {
namespace {

// One HTTP/3 DATA frame at most: a few octets of header for each, and not the whole queue at once.
constexpr std::size_t most_taken_octets = 262'144;

}  // namespace

void SendQueue::push(Bytes chunk) {
    Chunk added{.owned = std::move(chunk), .octets = {}};
    added.octets = added.owned;  // a moved vector keeps its memory
    add(std::move(added));
}

void SendQueue::push_borrowed(BytesView chunk) { add({.owned = {}, .octets = chunk}); }

void SendQueue::add(Chunk chunk) {
    if (chunk.octets.empty()) return;
    pushed_ += chunk.octets.size();
    chunks_.push_back(std::move(chunk));
}

std::size_t SendQueue::take(std::span<BytesView> views) {
    std::size_t filled = 0;
    std::size_t left = most_taken_octets;
    while (filled < views.size() && left > 0 && next_chunk_ < chunks_.size()) {
        const BytesView rest = chunks_[next_chunk_].octets.subspan(next_offset_);
        const BytesView part = rest.first(std::min(rest.size(), left));
        views[filled++] = part;
        left -= part.size();
        taken_ += part.size();
        next_offset_ += part.size();
        if (part.size() == rest.size()) {
            ++next_chunk_;
            next_offset_ = 0;
        }
    }
    return filled;
}

void SendQueue::acknowledge(std::size_t octets) {
    STILE_ASSERT(octets <= taken_ - acknowledged_);
    acknowledged_ += octets;
    front_acknowledged_ += octets;
    while (!chunks_.empty() && front_acknowledged_ >= chunks_.front().octets.size()) {
        if (next_chunk_ == 0) break;  // wholly acknowledged means wholly taken
        front_acknowledged_ -= chunks_.front().octets.size();
        chunks_.pop_front();
        --next_chunk_;
    }
}

void SendQueue::clear() { *this = {}; }

}  // namespace stile::quic
