// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "../src/native_memory.hpp"
#include "../src/receive_buffer.hpp"
#include "../src/send_queue.hpp"
#include "../src/transport_parameters.hpp"

#include <doctest/doctest.h>
#include <stile/base/encoding.hpp>
#include <stile/crypto/random_stream.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <vector>

namespace stile::quic {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }

TEST_CASE("quic transport parameters: the one named is left out, wherever it stands") {
    CHECK(without_parameter(hex("6ab200"), grease_quic_bit).empty());
    CHECK(without_parameter(hex("0f0101"
                                "6ab200"
                                "0302ffff"),
                            grease_quic_bit) == hex("0f01010302ffff"));
    CHECK(without_parameter(hex("80002ab2020102"
                                "0e0107"),
                            grease_quic_bit) == hex("0e0107"));
    CHECK(without_parameter(hex("0f0101"), grease_quic_bit) == hex("0f0101"));
}

TEST_CASE("quic transport parameters: what cannot be read is kept for the library to refuse") {
    for (const char* text : {"0f", "0f05aa", "6a", "6ab2", "6ab201", "c0", "0f0101ff"}) {
        CAPTURE(text);
        CHECK(without_parameter(hex(text), grease_quic_bit) == hex(text));
    }
    CHECK(without_parameter({}, grease_quic_bit).empty());
}

TEST_CASE("quic native memory: what was not given back goes with it, moved or not") {
    NativeMemory memory;
    const ngtcp2_mem& native = *memory.get();
    std::vector<void*> blocks;
    for (std::size_t size = 0; size < 100; ++size) {
        blocks.push_back(size % 2 == 0 ? native.malloc(size, native.user_data)
                                       : native.calloc(size, 3, native.user_data));
        REQUIRE(blocks.back() != nullptr);
        std::memset(blocks.back(), 1, size);
    }
    CHECK(memory.blocks() == 100);
    for (std::size_t i = 0; i < blocks.size(); i += 3) {
        blocks[i] = native.realloc(blocks[i], 10'000, native.user_data);
        REQUIRE(blocks[i] != nullptr);
        CHECK(std::count(static_cast<char*>(blocks[i]), static_cast<char*>(blocks[i]) + i, 1) ==
              static_cast<std::ptrdiff_t>(i));
    }
    for (std::size_t i = 0; i < blocks.size(); i += 2) native.free(blocks[i], native.user_data);
    native.free(nullptr, native.user_data);
    CHECK(memory.blocks() == 50);
    CHECK(native.realloc(nullptr, 5, native.user_data) != nullptr);
    CHECK(memory.blocks() == 51);
}

TEST_CASE("quic native memory: a size that cannot be is refused") {
    NativeMemory memory;
    const ngtcp2_mem& native = *memory.get();
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK(native.malloc(most, native.user_data) == nullptr);
    CHECK(native.calloc(most / 2, 3, native.user_data) == nullptr);
    void* const block = native.malloc(8, native.user_data);
    CHECK(native.realloc(block, most, native.user_data) == nullptr);
    CHECK(memory.blocks() == 1);
}

TEST_CASE("quic send queue: octets come out in order and are kept until acknowledged") {
    SendQueue queue;
    queue.push(to_bytes("abc"));
    queue.push({});
    queue.push_borrowed(as_bytes("defg"));
    CHECK(queue.unsent() == 7);
    std::array<BytesView, 1> one{};
    REQUIRE(queue.take(one) == 1);
    CHECK(as_text(one[0]) == "abc");
    CHECK(queue.unsent() == 4);
    CHECK(queue.unacknowledged() == 7);
    queue.acknowledge(2);
    CHECK(as_text(one[0]) == "abc");  // still there
    std::array<BytesView, 4> several{};
    REQUIRE(queue.take(several) == 1);
    CHECK(as_text(several[0]) == "defg");
    CHECK(queue.take(several) == 0);
    queue.acknowledge(5);
    CHECK(queue.unacknowledged() == 0);
    queue.push(to_bytes("h"));
    REQUIRE(queue.take(several) == 1);
    CHECK(as_text(several[0]) == "h");
}

TEST_CASE("quic send queue: a long chunk is handed out in frames of a bounded size") {
    SendQueue queue;
    queue.push(Bytes(600'000));
    std::array<BytesView, 4> views{};
    std::size_t taken = 0;
    for (int frames = 1; frames <= 3; ++frames) {
        REQUIRE(queue.take(views) == 1);
        CHECK(views[0].size() <= 262'144);
        taken += views[0].size();
        queue.acknowledge(views[0].size());
    }
    CHECK(taken == 600'000);
    CHECK(queue.take(views) == 0);
}

TEST_CASE("quic receive buffer: what goes in comes out, however it is read") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        crypto::RandomStream random{crypto::seed_from_number(seed)};
        ReceiveBuffer buffer;
        std::uint8_t written = 0;
        std::uint8_t read = 0;
        bool right = true;
        for (int i = 0; i < 500; ++i) {
            Bytes part(random.below(3'000));
            for (std::byte& octet : part) octet = std::byte{written++};
            buffer.append(part);
            const std::size_t count = random.below(buffer.unread().size() + 1);
            for (const std::byte octet : buffer.unread().first(count)) {
                right = right && octet == std::byte{read++};
            }
            buffer.consume(count);
        }
        CHECK(right);
        const std::size_t left = buffer.unread().size();
        CHECK(buffer.clear() == left);
        CHECK(buffer.unread().empty());
    }
}

}  // namespace
}  // namespace stile::quic
