// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/crypto/csr.hpp>
#include <stile/crypto/limits.hpp>
#include <stile/crypto/random_stream.hpp>

namespace stile::crypto {
namespace {

using Error = CertificateRequest::Error;

PrivateKey key_of(std::uint64_t seed) {
    return PrivateKey::from_entropy(RandomStream{seed_from_number(seed)}.array<48>());
}

const CertificateNames alice{.common_name = "Alice", .uris = {"sip:alice@example.org"}};

TEST_CASE("csr: survives DER and PEM, names and key included") {
    const auto made = CertificateRequest::make(key_of(1), alice);
    const auto der = CertificateRequest::from_der(made.der());
    REQUIRE(der);
    CHECK(der->names() == alice);
    CHECK(der->public_key() == key_of(1).public_key());
    const auto pem = CertificateRequest::from_pem(made.pem());
    REQUIRE(pem);
    CHECK(equal(pem->der(), made.der()));
}

TEST_CASE("csr: the same inputs give the same octets") {
    const auto once = CertificateRequest::make(key_of(1), alice);
    const auto again = CertificateRequest::make(key_of(1), alice);
    CHECK(equal(once.der(), again.der()));
}

TEST_CASE("csr: one whose names were changed on the way is refused") {
    const auto made = CertificateRequest::make(key_of(1), alice);
    std::string text{as_text(made.der())};
    text[text.find("alice")] = 'b';
    CHECK(CertificateRequest::from_der(as_bytes(text)).error() == Error::BadSignature);
}

TEST_CASE("csr: malformed input and what each is called") {
    const auto made = CertificateRequest::make(key_of(1), {});
    CHECK(made.names() == CertificateNames{});
    Bytes longer = to_bytes(made.der());
    longer.push_back(std::byte{0});
    CHECK(CertificateRequest::from_der(longer).error() == Error::Malformed);
    CHECK(CertificateRequest::from_der({}).error() == Error::Malformed);
    CHECK(CertificateRequest::from_der(Bytes(most_certificate_octets + 1)).error() ==
          Error::TooLong);
    CHECK(CertificateRequest::from_pem("nothing").error() == Error::Malformed);
    CHECK(CertificateRequest::from_pem(std::string(most_pem_octets + 1, ' ')).error() ==
          Error::TooLong);
    for (std::size_t i = 0; i < made.der().size(); ++i) {
        CAPTURE(i);
        Bytes changed = to_bytes(made.der());
        changed[i] ^= std::byte{0x10};
        CHECK_FALSE(CertificateRequest::from_der(changed));
    }
}

}  // namespace
}  // namespace stile::crypto
