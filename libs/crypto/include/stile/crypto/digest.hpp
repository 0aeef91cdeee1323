// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <array>
#include <initializer_list>
#include <memory>

namespace stile::crypto {

enum class DigestAlgorithm : std::uint8_t { Md5, Sha1, Sha256, Sha512_256 };

// 16, 20 or 32 octets.
constexpr std::size_t digest_size(DigestAlgorithm algorithm) {
    switch (algorithm) {
        case DigestAlgorithm::Md5:
            return 16;
        case DigestAlgorithm::Sha1:
            return 20;
        case DigestAlgorithm::Sha256:
        case DigestAlgorithm::Sha512_256:
            return 32;
    }
    return 0;
}

// A digest or a message authentication code.
class Digest {
public:
    static constexpr std::size_t most_octets = 32;

    Digest() = default;
    // Requires: at most most_octets.
    explicit Digest(BytesView octets);

    BytesView bytes() const& { return BytesView{octets_}.first(size_); }
    BytesView bytes() const&& = delete;
    std::string to_hex() const;
    friend bool operator==(const Digest&, const Digest&) = default;

private:
    std::array<std::byte, most_octets> octets_{};
    std::uint8_t size_ = 0;
};

// A digest over parts that arrive one after the other.
class Hasher {
public:
    explicit Hasher(DigestAlgorithm algorithm);
    Hasher(Hasher&&) noexcept;
    Hasher& operator=(Hasher&&) noexcept;
    ~Hasher();

    void update(BytesView part);
    // Ends the digest and starts the next one.
    Digest finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

Digest digest(DigestAlgorithm algorithm, std::initializer_list<BytesView> parts);
inline Digest digest(DigestAlgorithm algorithm, BytesView bytes) {
    return digest(algorithm, {bytes});
}

}  // namespace stile::crypto
