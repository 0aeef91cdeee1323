// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/hmac.hpp>

#include <stile/base/assert.hpp>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <vector>

namespace stile::crypto {
namespace {

struct FreeContext {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

// OSSL_PARAM wants a mutable name.
const char* name_of(DigestAlgorithm algorithm) {
    switch (algorithm) {
        case DigestAlgorithm::Md5:
            return "MD5";
        case DigestAlgorithm::Sha1:
            return "SHA1";
        case DigestAlgorithm::Sha256:
            return "SHA2-256";
        case DigestAlgorithm::Sha512_256:
            return "SHA2-512/256";
    }
    return "";
}

EVP_MAC* hmac_algorithm() {
    static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    return algorithm;
}

using Context = std::unique_ptr<EVP_MAC_CTX, FreeContext>;

// A key of static storage may outlive its thread's spare contexts.
thread_local bool spare_contexts_ended = false;

// To make a context costs four times what another key in it does, and a server makes one a request:
// a few are kept.
class SpareContexts {
public:
    SpareContexts() = default;
    SpareContexts(const SpareContexts&) = delete;
    SpareContexts& operator=(const SpareContexts&) = delete;
    ~SpareContexts() { spare_contexts_ended = true; }

    Context take(DigestAlgorithm algorithm) {
        std::vector<Context>& spare = of(algorithm);
        if (!spare.empty()) {
            Context context = std::move(spare.back());
            spare.pop_back();
            return context;
        }
        Context context{EVP_MAC_CTX_new(hmac_algorithm())};
        const OSSL_PARAM parameters[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                             const_cast<char*>(name_of(algorithm)), 0),
            OSSL_PARAM_construct_end(),
        };
        STILE_ASSERT(EVP_MAC_CTX_set_params(context.get(), parameters) == 1);
        return context;
    }
    void keep(DigestAlgorithm algorithm, Context context) {
        std::vector<Context>& spare = of(algorithm);
        if (context && spare.size() < most_spare) spare.push_back(std::move(context));
    }

private:
    // What one request of a server uses at once, twice.
    static constexpr std::size_t most_spare = 8;

    std::vector<Context>& of(DigestAlgorithm algorithm) {
        return spare_[static_cast<std::size_t>(algorithm)];
    }
    std::array<std::vector<Context>, 4> spare_;
};

SpareContexts& spare_contexts() {
    thread_local SpareContexts spare;
    return spare;
}

}  // namespace

struct Hmac::State {
    State(DigestAlgorithm of, Context made) : algorithm(of), context(std::move(made)) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (!spare_contexts_ended) spare_contexts().keep(algorithm, std::move(context));
    }

    DigestAlgorithm algorithm;
    Context context;
};

Hmac::Hmac(DigestAlgorithm algorithm, BytesView key)
    : state_(std::make_unique<State>(algorithm, spare_contexts().take(algorithm))) {
    EVP_MAC_CTX* const context = state_->context.get();
    // A null key would mean "the key of before"; an empty key is a key.
    static constexpr unsigned char empty = 0;
    const auto* const octets =
        key.empty() ? &empty : reinterpret_cast<const unsigned char*>(key.data());
    STILE_ASSERT(EVP_MAC_init(context, octets, key.size(), nullptr) == 1);
}
Hmac::Hmac(const Hmac& other)
    : state_(std::make_unique<State>(other.state_->algorithm,
                                     Context{EVP_MAC_CTX_dup(other.state_->context.get())})) {}
Hmac& Hmac::operator=(const Hmac& other) {
    Hmac copy{other};
    return *this = std::move(copy);
}
Hmac::Hmac(Hmac&&) noexcept = default;
Hmac& Hmac::operator=(Hmac&&) noexcept = default;
Hmac::~Hmac() = default;

Digest Hmac::tag(std::initializer_list<BytesView> parts) const {
    EVP_MAC_CTX* const context = state_->context.get();
    EVP_MAC_init(context, nullptr, 0, nullptr);
    for (const BytesView part : parts) {
        EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(part.data()), part.size());
    }
    std::array<std::byte, Digest::most_octets> octets{};
    std::size_t size = 0;
    EVP_MAC_final(context, reinterpret_cast<unsigned char*>(octets.data()), &size, octets.size());
    return Digest{BytesView{octets}.first(size)};
}

bool equal_in_constant_time(BytesView left, BytesView right) {
    return left.size() == right.size() &&
           CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace stile::crypto
