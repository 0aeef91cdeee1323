// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstddef>

namespace stile::quic {

// What the library allocates for one connection. ngtcp2 0.12.1 does not give all of it back: a
// STREAM frame of four pieces or more that is acknowledged in part, after it was taken for lost, is
// shortened, and then taken for one of a fixed size that goes with its pool, which it does not.
// What is left at the end goes with this; it stays where it is made.
class NativeMemory {
public:
    NativeMemory();
    NativeMemory(const NativeMemory&) = delete;
    NativeMemory& operator=(const NativeMemory&) = delete;
    ~NativeMemory();

    const ngtcp2_mem* get() const { return &native_; }
    std::size_t blocks() const { return blocks_; }

private:
    // Before each block, in a ring that begins and ends at ring_.
    struct alignas(std::max_align_t) Head {
        Head* before = nullptr;
        Head* after = nullptr;
    };
    static NativeMemory& of(void* self);
    void* add(void* memory);
    Head* remove(void* block);

    Head ring_;
    std::size_t blocks_ = 0;
    ngtcp2_mem native_{};
};

}  // namespace stile::quic
