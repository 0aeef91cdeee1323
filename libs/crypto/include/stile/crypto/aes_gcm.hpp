// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <array>
#include <memory>
#include <optional>

namespace stile::crypto {

// Authenticated encryption, AEAD_AES_128_GCM and AEAD_AES_256_GCM of RFC 5116 Section 5. A nonce
// must never be used twice with one key.
class AesGcm {
public:
    static constexpr std::size_t nonce_octets = 12;
    static constexpr std::size_t tag_octets = 16;
    using Nonce = std::array<std::byte, nonce_octets>;

    static constexpr bool is_key_size(std::size_t octets) { return octets == 16 || octets == 32; }
    // Requires: is_key_size(key.size()).
    explicit AesGcm(BytesView key);
    AesGcm(AesGcm&&) noexcept;
    AesGcm& operator=(AesGcm&&) noexcept;
    ~AesGcm();

    // The ciphertext and then its tag.
    Bytes seal(const Nonce& nonce, BytesView associated, BytesView plain) const;
    // Absent where anything was changed.
    [[nodiscard]] std::optional<Bytes> open(const Nonce& nonce, BytesView associated,
                                            BytesView sealed) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stile::crypto
