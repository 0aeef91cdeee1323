// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

namespace stile::drivers {

// Octets that wait for the kernel, in one piece.
class SendQueue {
public:
    void append(BytesView bytes) { octets_.insert(octets_.end(), bytes.begin(), bytes.end()); }
    BytesView front() const { return BytesView{octets_}.subspan(begin_); }
    std::size_t size() const { return octets_.size() - begin_; }
    bool empty() const { return size() == 0; }

    void consume(std::size_t count) {
        begin_ += count;
        if (begin_ == octets_.size()) {
            begin_ = 0;
            octets_.clear();
            // A burst's memory is not kept by a connection that is idle afterwards.
            if (octets_.capacity() > kept_capacity) octets_.shrink_to_fit();
        } else if (begin_ > octets_.size() / 2) {
            octets_.erase(octets_.begin(), octets_.begin() + static_cast<std::ptrdiff_t>(begin_));
            begin_ = 0;
        }
    }

private:
    static constexpr std::size_t kept_capacity = 16'384;

    Bytes octets_;
    std::size_t begin_ = 0;
};

}  // namespace stile::drivers
