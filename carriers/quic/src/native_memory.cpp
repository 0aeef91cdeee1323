// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "native_memory.hpp"

#include <cstdlib>
#include <limits>
#include <new>

namespace stile::quic {

NativeMemory& NativeMemory::of(void* self) { return *static_cast<NativeMemory*>(self); }

NativeMemory::NativeMemory() : ring_{&ring_, &ring_} {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max() - sizeof(Head);
    native_.user_data = this;
    native_.malloc = [](std::size_t size, void* self) -> void* {
        return size > most ? nullptr : of(self).add(std::malloc(sizeof(Head) + size));
    };
    native_.calloc = [](std::size_t count, std::size_t size, void* self) -> void* {
        if (size != 0 && count > most / size) return nullptr;
        return of(self).add(std::calloc(1, sizeof(Head) + count * size));
    };
    native_.free = [](void* block, void* self) {
        if (block != nullptr) std::free(of(self).remove(block));
    };
    native_.realloc = [](void* block, std::size_t size, void* self) -> void* {
        if (size > most) return nullptr;
        if (block == nullptr) return of(self).add(std::malloc(sizeof(Head) + size));
        Head* const head = of(self).remove(block);
        void* const memory = std::realloc(head, sizeof(Head) + size);
        if (memory != nullptr) return of(self).add(memory);
        of(self).add(head);
        return nullptr;
    };
}

NativeMemory::~NativeMemory() {
    while (ring_.after != &ring_) std::free(remove(ring_.after + 1));
}

void* NativeMemory::add(void* memory) {
    if (memory == nullptr) return nullptr;
    Head* const head = ::new (memory) Head{&ring_, ring_.after};
    head->after->before = head;
    ring_.after = head;
    ++blocks_;
    return head + 1;
}

NativeMemory::Head* NativeMemory::remove(void* block) {
    Head* const head = static_cast<Head*>(block) - 1;
    head->before->after = head->after;
    head->after->before = head->before;
    --blocks_;
    return head;
}

}  // namespace stile::quic
