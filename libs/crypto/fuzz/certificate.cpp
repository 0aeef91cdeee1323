// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/crypto/csr.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace stile;
    using namespace stile::crypto;
    const BytesView input = std::as_bytes(std::span{data, size});
    if (const auto certificate = Certificate::from_der(input)) {
        STILE_ASSERT(Certificate::from_pem(certificate->pem()).has_value());
        (void)certificate->names();
        (void)certificate->validity();
        (void)certificate->public_key();
        (void)check_issued(*certificate, *certificate, WallTime{});
        (void)check_self_signed(*certificate, WallTime{});
    }
    (void)CertificateRequest::from_der(input);
    (void)PrivateKey::from_der(input);
    (void)PublicKey::from_spki_der(input);
    (void)Certificate::from_pem(as_text(input));
    return 0;
}
