// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <deque>

namespace stile::quic {

// A body on its way out. Chunks stay where they are from the push until the peer has acknowledged
// their last octet: the transport sends, and sends again, from this memory.
class SendQueue {
public:
    void push(Bytes chunk);
    void push_borrowed(BytesView chunk);

    // Hands on the next octets: fills `views` from the front and returns how many of them.
    std::size_t take(std::span<BytesView> views);
    void acknowledge(std::size_t octets);
    // Forgets everything. Requires: the transport has forgotten the stream.
    void clear();

    std::size_t unsent() const { return pushed_ - taken_; }
    std::size_t unacknowledged() const { return pushed_ - acknowledged_; }

private:
    struct Chunk {
        Bytes owned;
        BytesView octets;  // of owned, or borrowed
    };
    void add(Chunk chunk);

    std::deque<Chunk> chunks_;
    std::size_t next_chunk_ = 0;          // to take from
    std::size_t next_offset_ = 0;         // in that chunk
    std::size_t front_acknowledged_ = 0;  // of the front chunk
    std::size_t pushed_ = 0;
    std::size_t taken_ = 0;
    std::size_t acknowledged_ = 0;
};

}  // namespace stile::quic
