// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/digest.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/encoding.hpp>

#include <openssl/evp.h>
#include <algorithm>

namespace stile::crypto {
namespace {

// Fetched once: a fetch by name costs more than hashing a short message.
const EVP_MD* algorithm_of(DigestAlgorithm algorithm) {
    static const EVP_MD* const md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
    static const EVP_MD* const sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
    static const EVP_MD* const sha512_256 = EVP_MD_fetch(nullptr, "SHA2-512/256", nullptr);
    switch (algorithm) {
        case DigestAlgorithm::Md5:
            return md5;
        case DigestAlgorithm::Sha1:
            return sha1;
        case DigestAlgorithm::Sha256:
            return sha256;
        case DigestAlgorithm::Sha512_256:
            return sha512_256;
    }
    return nullptr;
}

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

Digest::Digest(BytesView octets) : size_(static_cast<std::uint8_t>(octets.size())) {
    STILE_ASSERT(octets.size() <= most_octets);
    std::ranges::copy(octets, octets_.begin());
}

std::string Digest::to_hex() const { return stile::to_hex(bytes()); }

struct Hasher::State {
    const EVP_MD* algorithm;
    std::unique_ptr<EVP_MD_CTX, FreeContext> context{EVP_MD_CTX_new()};
};

Hasher::Hasher(DigestAlgorithm algorithm)
    : state_(std::make_unique<State>(State{.algorithm = algorithm_of(algorithm)})) {
    STILE_ASSERT(state_->algorithm != nullptr);
    STILE_ASSERT(EVP_DigestInit_ex2(state_->context.get(), state_->algorithm, nullptr) == 1);
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(BytesView part) {
    EVP_DigestUpdate(state_->context.get(), part.data(), part.size());
}

Digest Hasher::finish() {
    std::array<std::byte, Digest::most_octets> octets{};
    unsigned size = 0;
    EVP_DigestFinal_ex(state_->context.get(), reinterpret_cast<unsigned char*>(octets.data()),
                       &size);
    EVP_DigestInit_ex2(state_->context.get(), state_->algorithm, nullptr);
    return Digest{BytesView{octets}.first(size)};
}

Digest digest(DigestAlgorithm algorithm, std::initializer_list<BytesView> parts) {
    Hasher hasher{algorithm};
    for (const BytesView part : parts) hasher.update(part);
    return hasher.finish();
}

}  // namespace stile::crypto
