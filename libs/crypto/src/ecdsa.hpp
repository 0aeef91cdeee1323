// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/p256.hpp>

#include <openssl/types.h>

namespace stile::crypto {

// ECDSA over P-256 and SHA-256 with the nonce of RFC 6979 Section 3.2. `scalar` and `key` are the
// same private key.
Es256Signature sign_deterministic(BytesView scalar, EVP_PKEY* key, BytesView message);

// Ecdsa-Sig-Value of RFC 3279 Section 2.2.3, as certificates carry it.
Bytes signature_to_der(const Es256Signature& signature);

}  // namespace stile::crypto
