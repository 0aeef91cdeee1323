// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <memory>

namespace stile::crypto {

template <auto release>
struct Release {
    template <class T>
    void operator()(T* object) const {
        release(object);
    }
};

template <class T, auto release>
using Handle = std::unique_ptr<T, Release<release>>;

using BigNumber = Handle<BIGNUM, &BN_clear_free>;
using BigNumberContext = Handle<BN_CTX, &BN_CTX_free>;
using Point = Handle<EC_POINT, &EC_POINT_free>;
using EcdsaSignature = Handle<ECDSA_SIG, &ECDSA_SIG_free>;

inline unsigned char* openssl_data(std::byte* data) {
    return reinterpret_cast<unsigned char*>(data);
}
inline const unsigned char* openssl_data(const std::byte* data) {
    return reinterpret_cast<const unsigned char*>(data);
}

// The DER of an object, by its i2d function.
template <class T, class Encode>
Bytes encode_der(T* object, Encode encode) {
    const int size = encode(object, nullptr);
    if (size <= 0) return {};
    Bytes der(static_cast<std::size_t>(size));
    unsigned char* out = openssl_data(der.data());
    encode(object, &out);
    return der;
}

// P-256, made once and never released.
const EC_GROUP* p256_group();

}  // namespace stile::crypto
