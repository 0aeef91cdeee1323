// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/random_stream.hpp>

#include <stile/base/assert.hpp>

#include <openssl/evp.h>
#include <algorithm>

namespace stile::crypto {
namespace {

// Two blocks: one cipher call serves ten transaction ids. There may be a stream for each of tens of
// thousands of sessions, so it is no more.
constexpr std::size_t buffer_octets = 128;
constexpr std::size_t block_octets = 64;

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

// One a thread: a context for each stream would be most of what a stream is.
EVP_CIPHER_CTX* cipher_context() {
    thread_local const std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context{EVP_CIPHER_CTX_new()};
    return context.get();
}

}  // namespace

// The key stream of ChaCha20 under the seed.
struct RandomStream::State {
    Seed seed;
    std::uint64_t blocks = 0;  // made so far
    std::size_t used = buffer_octets;
    std::array<std::byte, buffer_octets> buffer{};

    explicit State(const Seed& from) : seed(from) {}

    void refill() {
        static constexpr std::array<unsigned char, buffer_octets> zeros{};
        // The block counter, little-endian, and a nonce of zeros.
        std::array<unsigned char, 16> counter_and_nonce{};
        for (std::size_t i = 0; i < 8; ++i) {
            counter_and_nonce[i] = static_cast<unsigned char>(blocks >> (8 * i));
        }
        EVP_CIPHER_CTX* const context = cipher_context();
        STILE_ASSERT(EVP_EncryptInit_ex2(context, EVP_chacha20(),
                                         reinterpret_cast<const unsigned char*>(seed.data()),
                                         counter_and_nonce.data(), nullptr) == 1);
        int written = 0;
        STILE_ASSERT(EVP_EncryptUpdate(context, reinterpret_cast<unsigned char*>(buffer.data()),
                                       &written, zeros.data(),
                                       static_cast<int>(zeros.size())) == 1);
        blocks += buffer_octets / block_octets;
        used = 0;
    }
};

RandomStream::RandomStream(const Seed& seed) : state_(std::make_unique<State>(seed)) {}
RandomStream::RandomStream(RandomStream&&) noexcept = default;
RandomStream& RandomStream::operator=(RandomStream&&) noexcept = default;
RandomStream::~RandomStream() = default;

void RandomStream::fill(MutableBytes output) {
    while (!output.empty()) {
        if (state_->used == buffer_octets) state_->refill();
        const std::size_t count = std::min(output.size(), buffer_octets - state_->used);
        std::copy_n(state_->buffer.begin() + static_cast<std::ptrdiff_t>(state_->used), count,
                    output.begin());
        state_->used += count;
        output = output.subspan(count);
    }
}

std::uint32_t RandomStream::u32() { return static_cast<std::uint32_t>(u64()); }

std::uint64_t RandomStream::u64() {
    std::uint64_t value = 0;
    for (const std::byte octet : array<8>()) value = value << 8U | std::to_integer<unsigned>(octet);
    return value;
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
    STILE_ASSERT(bound > 0);
    // Values under 2^64 mod bound would make the first remainders likelier.
    const std::uint64_t least = -bound % bound;
    for (;;) {
        const std::uint64_t value = u64();
        if (value >= least) return value % bound;
    }
}

Bytes RandomStream::bytes(std::size_t count) {
    Bytes output(count);
    fill(output);
    return output;
}

RandomStream RandomStream::fork() { return RandomStream{array<32>()}; }

Seed seed_from_number(std::uint64_t number) {
    Seed seed{};
    for (std::size_t i = 0; i < 8; ++i) seed[i] = static_cast<std::byte>(number >> (8 * i) & 0xFFU);
    return seed;
}

}  // namespace stile::crypto
