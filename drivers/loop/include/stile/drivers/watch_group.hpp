// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>

namespace stile::drivers {

// Watches any number of descriptors for one owner that finds its way from a number: nothing is
// stored a descriptor, and one wake-up serves all that are ready. As Watch, level triggered.
class WatchGroup {
public:
    struct Ready {
        std::uint32_t key = 0;
        enum class Error : std::uint8_t { No, Yes };
        Error error = Error::No;  // the descriptor has an error to read, perhaps beside data
        bool readable = false;
    };
    // The key may be of a descriptor that was removed in the same wake-up: the owner checks. Must
    // not destroy the group.
    using OnReady = std::move_only_function<void(const Ready&)>;

    // `on_round` comes after all that one wake-up brought to the loop.
    WatchGroup(Loop& loop, OnReady on_ready, Task on_round = {});
    WatchGroup(const WatchGroup&) = delete;
    WatchGroup& operator=(const WatchGroup&) = delete;
    // Requires: all descriptors were removed.
    ~WatchGroup();

    // For reading. Does not own or close it; remove() comes before close().
    void add(int fd, std::uint32_t key);
    void remove(int fd);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stile::drivers
