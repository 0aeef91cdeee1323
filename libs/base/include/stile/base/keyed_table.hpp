// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/siphash.hpp>

#include <utility>
#include <vector>

namespace stile {

// A flat hash table whose keys a peer may choose: the seed keeps it from choosing collisions. Keys
// are a few 64-bit words, compared whole. Lookup allocates nothing; insertion grows the table at
// three quarters full. There is no iteration, so nothing can depend on the order of hashing. How
// many entries there may be is the owner's limit.
template <std::size_t words, class Value>
class KeyedTable {
public:
    using Key = std::array<std::uint64_t, words>;

    explicit KeyedTable(HashSeed seed) : seed_(seed) {}

    // Valid until the next insert or erase.
    Value* find(const Key& key) {
        if (size_ == 0) return nullptr;
        Slot& slot = slots_[locate(key)];
        return slot.used ? &slot.value : nullptr;
    }
    const Value* find(const Key& key) const {
        if (size_ == 0) return nullptr;
        const Slot& slot = slots_[locate(key)];
        return slot.used ? &slot.value : nullptr;
    }

    // The value of the key, made from `value` where there was none.
    Value& insert(const Key& key, Value value) {
        if ((size_ + 1) * 4 > slots_.size() * 3) grow();
        Slot& slot = slots_[locate(key)];
        if (!slot.used) {
            slot = Slot{.key = key, .value = std::move(value), .used = true};
            ++size_;
        }
        return slot.value;
    }

    // True where the key was there.
    bool erase(const Key& key) {
        if (size_ == 0) return false;
        std::size_t hole = locate(key);
        if (!slots_[hole].used) return false;
        // Later entries of the same run move up, so that no tombstone is needed.
        for (std::size_t next = after(hole); slots_[next].used; next = after(next)) {
            const std::size_t home = home_of(slots_[next].key);
            const std::size_t from_home = (next - home) & mask();
            const std::size_t from_hole = (next - hole) & mask();
            if (from_home < from_hole) continue;
            slots_[hole] = std::move(slots_[next]);
            hole = next;
        }
        slots_[hole] = Slot{};
        --size_;
        return true;
    }

    std::size_t size() const { return size_; }

private:
    // A slot that nearly fills a cache line gets one of its own.
    static constexpr std::size_t line = 64;
    static constexpr std::size_t content = sizeof(Key) + sizeof(Value) + 1;
    struct alignas(content > 48 && content <= line ? line : alignof(std::uint64_t)) Slot {
        Key key{};
        Value value{};
        bool used = false;
    };

    std::size_t mask() const { return slots_.size() - 1; }
    std::size_t after(std::size_t index) const { return (index + 1) & mask(); }
    std::size_t home_of(const Key& key) const {
        return static_cast<std::size_t>(table_hash(seed_, key)) & mask();
    }

    // Where the key is or would be. Ends, because a quarter of the slots is free.
    std::size_t locate(const Key& key) const {
        std::size_t index = home_of(key);
        while (slots_[index].used && slots_[index].key != key) index = after(index);
        return index;
    }

    void grow() {
        constexpr std::size_t first_size = 16;
        std::vector<Slot> old(slots_.empty() ? first_size : slots_.size() * 2);
        old.swap(slots_);
        for (Slot& slot : old) {
            if (slot.used) slots_[locate(slot.key)] = std::move(slot);
        }
    }

    std::vector<Slot> slots_;  // empty or a power of two
    std::size_t size_ = 0;
    HashSeed seed_;
};

}  // namespace stile
