// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0

// OpenSSL 3.0 signs with a nonce of the caller's choice through its older interface alone.
#define OPENSSL_API_COMPAT 10101

#include "ecdsa.hpp"

#include <stile/base/assert.hpp>
#include <stile/crypto/hmac.hpp>
#include "openssl_handles.hpp"

#include <algorithm>

namespace stile::crypto {
namespace {

constexpr std::size_t number_octets = 32;
using Number = std::array<std::byte, number_octets>;

BigNumber to_number(BytesView octets) {
    return BigNumber{
        BN_bin2bn(openssl_data(octets.data()), static_cast<int>(octets.size()), nullptr)};
}

Number to_octets(const BIGNUM* number) {
    Number octets{};
    STILE_ASSERT(BN_bn2binpad(number, openssl_data(octets.data()), number_octets) ==
                 int{number_octets});
    return octets;
}

// The candidates for the nonce, one after the other. RFC 6979 Section 3.2.
class NonceSource {
public:
    NonceSource(BytesView scalar, BytesView reduced_hash) {
        value_.fill(std::byte{1});
        Number key{};
        for (const std::byte step : {std::byte{0}, std::byte{1}}) {
            rekey(
                Hmac{DigestAlgorithm::Sha256, key}.tag({value_, {&step, 1}, scalar, reduced_hash}),
                key);
        }
        hmac_key_ = key;
    }

    BytesView next() {
        if (used_) {
            static constexpr std::byte zero{0};
            Number key = hmac_key_;
            rekey(Hmac{DigestAlgorithm::Sha256, key}.tag({value_, {&zero, 1}}), key);
            hmac_key_ = key;
        }
        used_ = true;
        value_ = of(Hmac{DigestAlgorithm::Sha256, hmac_key_}.tag(value_));
        return value_;
    }

    ~NonceSource() {
        OPENSSL_cleanse(value_.data(), value_.size());
        OPENSSL_cleanse(hmac_key_.data(), hmac_key_.size());
    }
    NonceSource(const NonceSource&) = delete;
    NonceSource& operator=(const NonceSource&) = delete;

private:
    static Number of(const Digest& tag) {
        Number octets{};
        std::copy_n(tag.bytes().begin(), number_octets, octets.begin());
        return octets;
    }
    void rekey(const Digest& tag, Number& key) {
        key = of(tag);
        value_ = of(Hmac{DigestAlgorithm::Sha256, key}.tag(value_));
    }

    Number value_{};
    Number hmac_key_{};
    bool used_ = false;
};

// r of the nonce k; empty for the nonces that ECDSA may not use.
BigNumber r_of(const BIGNUM* nonce, const BIGNUM* order, BN_CTX* context) {
    if (BN_is_zero(nonce) != 0 || BN_cmp(nonce, order) >= 0) return {};
    const Point point{EC_POINT_new(p256_group())};
    const BigNumber x{BN_new()};
    BigNumber r{BN_new()};
    const bool ok =
        EC_POINT_mul(p256_group(), point.get(), nonce, nullptr, nullptr, context) == 1 &&
        EC_POINT_get_affine_coordinates(p256_group(), point.get(), x.get(), nullptr, context) ==
            1 &&
        BN_nnmod(r.get(), x.get(), order, context) == 1;
    STILE_ASSERT(ok);
    if (BN_is_zero(r.get()) != 0) return {};
    return r;
}

}  // namespace

Es256Signature sign_deterministic(BytesView scalar, EVP_PKEY* key, BytesView message) {
    const BIGNUM* const order = EC_GROUP_get0_order(p256_group());
    const BigNumberContext context{BN_CTX_secure_new()};
    const Digest hash = digest(DigestAlgorithm::Sha256, message);
    const BigNumber hash_number = to_number(hash.bytes());
    const BigNumber reduced{BN_new()};
    STILE_ASSERT(BN_nnmod(reduced.get(), hash_number.get(), order, context.get()) == 1);

    NonceSource nonces{scalar, to_octets(reduced.get())};
    for (;;) {
        const BigNumber nonce = to_number(nonces.next());
        BN_set_flags(nonce.get(), BN_FLG_CONSTTIME);
        const BigNumber r = r_of(nonce.get(), order, context.get());
        if (!r) continue;
        const BigNumber inverse{BN_mod_inverse(nullptr, nonce.get(), order, context.get())};
        // const_cast: the interface predates const, and only reads the key.
        const EcdsaSignature made{ECDSA_do_sign_ex(openssl_data(hash.bytes().data()),
                                                   int{number_octets}, inverse.get(), r.get(),
                                                   const_cast<EC_KEY*>(EVP_PKEY_get0_EC_KEY(key)))};
        if (!made) continue;  // s = 0: the next nonce
        Es256Signature signature{};
        const Number r_octets = to_octets(ECDSA_SIG_get0_r(made.get()));
        const Number s_octets = to_octets(ECDSA_SIG_get0_s(made.get()));
        std::copy(r_octets.begin(), r_octets.end(), signature.begin());
        std::copy(s_octets.begin(), s_octets.end(), signature.begin() + number_octets);
        return signature;
    }
}

Bytes signature_to_der(const Es256Signature& signature) {
    const BytesView octets{signature};
    const EcdsaSignature value{ECDSA_SIG_new()};
    STILE_ASSERT(ECDSA_SIG_set0(value.get(), to_number(octets.first(number_octets)).release(),
                                to_number(octets.last(number_octets)).release()) == 1);
    return encode_der(value.get(), &i2d_ECDSA_SIG);
}

}  // namespace stile::crypto
