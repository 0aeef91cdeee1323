// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/assert.hpp>
#include <stile/base/bytes.hpp>

#include <utility>

namespace stile::quic {

// Body octets between the transport and a reader. Flow control bounds it: the peer may send only as
// much as was consumed.
class ReceiveBuffer {
public:
    void append(BytesView octets) {
        if (read_ == octets_.size()) {
            octets_.clear();
            read_ = 0;
        } else if (read_ > octets_.size() / 2) {
            // Moves at most as much as was read since the last time: linear over all.
            octets_.erase(octets_.begin(), octets_.begin() + static_cast<std::ptrdiff_t>(read_));
            read_ = 0;
        }
        octets_.insert(octets_.end(), octets.begin(), octets.end());
    }
    BytesView unread() const { return BytesView{octets_}.subspan(read_); }
    void consume(std::size_t count) {
        STILE_ASSERT(count <= unread().size());
        read_ += count;
        if (read_ == octets_.size() && octets_.capacity() > keep_octets) clear();
    }
    // Drops what is unread and returns how much that was.
    std::size_t clear() {
        const std::size_t dropped = unread().size();
        octets_ = {};
        read_ = 0;
        return dropped;
    }

private:
    static constexpr std::size_t keep_octets = 262'144;  // what a fast stream refills at once

    Bytes octets_;
    std::size_t read_ = 0;
};

}  // namespace stile::quic
