// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/certificate.hpp>

namespace stile::crypto {

// A certification request, PKCS#10, RFC 2986: a key, the names asked for, and the proof that
// whoever asks holds the key. Whether the names may be given is the authority's to decide.
class CertificateRequest {
public:
    // Requires: names within the limits.
    static CertificateRequest make(const PrivateKey& key, const CertificateNames& names);

    enum class Error : std::uint8_t {
        Malformed,     // not DER of a request, octets after its end, or no such block in the PEM
        TooLong,       // longer than most_certificate_octets
        UnusableKey,   // not a P-256 key
        BadSignature,  // not signed by the key that it is for
    };
    // Only requests whose signature holds come back.
    [[nodiscard]] static std::expected<CertificateRequest, Error> from_der(BytesView der);
    [[nodiscard]] static std::expected<CertificateRequest, Error> from_pem(std::string_view pem);

    BytesView der() const& { return der_; }
    BytesView der() const&& = delete;
    std::string pem() const;
    const PublicKey& public_key() const { return key_; }
    const CertificateNames& names() const { return names_; }

private:
    CertificateRequest(Bytes der, PublicKey key, CertificateNames names)
        : der_(std::move(der)), key_(std::move(key)), names_(std::move(names)) {}

    Bytes der_;
    PublicKey key_;
    CertificateNames names_;
};

}  // namespace stile::crypto
