// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/crypto/digest.hpp>

#include <array>
#include <expected>
#include <memory>

struct evp_pkey_st;

namespace stile::crypto {

enum class KeyError : std::uint8_t {
    Malformed,     // not the encoding that it should be
    NotP256,       // a key, but of another kind or on another curve
    InvalidPoint,  // P-256, but not a point of the curve, or not in uncompressed form
    TooLong,       // longer than most_key_octets
};

enum class SignatureCheck : std::uint8_t { Good, Bad };

// ECDSA with P-256 and SHA-256: r then s, 32 octets each, as JWS ES256 writes it.
// RFC 7518 Section 3.4.
using Es256Signature = std::array<std::byte, 64>;

namespace detail {
struct FreeKey {
    void operator()(evp_pkey_st* key) const;
};
using KeyHandle = std::unique_ptr<evp_pkey_st, FreeKey>;
}  // namespace detail

// A point of the curve P-256. Copies share OpenSSL's object, which never changes.
class PublicKey {
public:
    static constexpr std::size_t point_octets = 65;  // 0x04, x, y

    [[nodiscard]] static std::expected<PublicKey, KeyError> from_point(BytesView point);
    // SubjectPublicKeyInfo with an uncompressed point. RFC 5480 Section 2.
    [[nodiscard]] static std::expected<PublicKey, KeyError> from_spki_der(BytesView der);
    [[nodiscard]] static std::expected<PublicKey, KeyError> from_pem(std::string_view pem);

    PublicKey(const PublicKey& other);
    PublicKey& operator=(const PublicKey& other);
    PublicKey(PublicKey&&) noexcept = default;
    PublicKey& operator=(PublicKey&&) noexcept = default;
    ~PublicKey() = default;

    BytesView point() const& { return point_; }
    BytesView point() const&& = delete;
    Bytes spki_der() const;
    std::string pem() const;
    // SHA-256 over spki_der(): what is pinned, and what people may compare.
    Digest thumbprint() const;

    SignatureCheck verify(BytesView message, const Es256Signature& signature) const;

    friend bool operator==(const PublicKey& left, const PublicKey& right) {
        return left.point_ == right.point_;
    }

    // OpenSSL's view, for the other files of this library and for TLS drivers. Not owned.
    evp_pkey_st* native() const { return key_.get(); }

private:
    PublicKey(const std::array<std::byte, point_octets>& point, detail::KeyHandle key)
        : point_(point), key_(std::move(key)) {}

    std::array<std::byte, point_octets> point_;
    detail::KeyHandle key_;
};

// A P-256 private key. Nothing here draws random octets: keys come from entropy handed in, and
// signatures choose their nonce by RFC 6979, so the same inputs give the same octets.
class PrivateKey {
public:
    static constexpr std::size_t entropy_octets = 48;
    static constexpr std::size_t scalar_octets = 32;

    // FIPS 186-4 B.4.1: 128 bits more than the order, so that the remainder is not biased.
    // Requires: entropy from a strong source, used for nothing else.
    static PrivateKey from_entropy(const std::array<std::byte, entropy_octets>& entropy);
    // The number itself, big-endian, in [1, order).
    [[nodiscard]] static std::expected<PrivateKey, KeyError> from_scalar(BytesView scalar);
    // PKCS#8 (RFC 5208), unencrypted; also the older form of RFC 5915.
    [[nodiscard]] static std::expected<PrivateKey, KeyError> from_der(BytesView der);
    [[nodiscard]] static std::expected<PrivateKey, KeyError> from_pem(std::string_view pem);

    PrivateKey(const PrivateKey& other);
    PrivateKey& operator=(const PrivateKey& other);
    PrivateKey(PrivateKey&&) noexcept = default;
    PrivateKey& operator=(PrivateKey&&) noexcept = default;
    ~PrivateKey();

    const PublicKey& public_key() const { return public_; }
    Bytes pkcs8_der() const;
    std::string pkcs8_pem() const;

    Es256Signature sign(BytesView message) const;

    // OpenSSL's view, for TLS drivers. Not owned.
    evp_pkey_st* native() const { return key_.get(); }

private:
    PrivateKey(const std::array<std::byte, scalar_octets>& scalar, PublicKey key,
               detail::KeyHandle native);

    std::array<std::byte, scalar_octets> scalar_;
    PublicKey public_;
    detail::KeyHandle key_;
};

}  // namespace stile::crypto
