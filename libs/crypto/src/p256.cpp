// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/p256.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/base/try.hpp>
#include <stile/crypto/limits.hpp>
#include <stile/crypto/pem.hpp>
#include "ecdsa.hpp"
#include "openssl_handles.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <algorithm>

namespace stile::crypto {
namespace {

constexpr std::string_view public_label = "PUBLIC KEY";
constexpr std::string_view private_label = "PRIVATE KEY";
constexpr std::string_view older_private_label = "EC PRIVATE KEY";

template <std::size_t count>
constexpr std::array<std::byte, count> octets_of(const unsigned char (&values)[count]) {
    std::array<std::byte, count> octets{};
    for (std::size_t i = 0; i < count; ++i) octets[i] = std::byte{values[i]};
    return octets;
}

// SubjectPublicKeyInfo up to the point: id-ecPublicKey, prime256v1. RFC 5480 Section 2.
constexpr auto spki_prefix =
    octets_of({0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
               0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00});
// PrivateKeyInfo up to the scalar, and from there to the point. RFC 5208, RFC 5915.
constexpr auto pkcs8_prefix =
    octets_of({0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86,
               0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
               0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20});
constexpr auto pkcs8_middle = octets_of({0xa1, 0x44, 0x03, 0x42, 0x00});

using Parameters = Handle<OSSL_PARAM, &OSSL_PARAM_free>;
using ParameterBuilder = Handle<OSSL_PARAM_BLD, &OSSL_PARAM_BLD_free>;
using KeyContext = Handle<EVP_PKEY_CTX, &EVP_PKEY_CTX_free>;

enum class Part : std::uint8_t { Public, Pair };

// OpenSSL's object of a key; empty when the point is not on the curve.
detail::KeyHandle make_native(Part part, BytesView point, const BIGNUM* scalar) {
    const ParameterBuilder builder{OSSL_PARAM_BLD_new()};
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                     point.size());
    if (part == Part::Pair) {
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar);
    }
    const Parameters parameters{OSSL_PARAM_BLD_to_param(builder.get())};
    const KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)};
    STILE_ASSERT(EVP_PKEY_fromdata_init(context.get()) == 1);
    EVP_PKEY* key = nullptr;
    const int selection = part == Part::Pair ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    if (EVP_PKEY_fromdata(context.get(), &key, selection, parameters.get()) != 1) {
        ERR_clear_error();
        return {};
    }
    return detail::KeyHandle{key};
}

detail::KeyHandle share(const detail::KeyHandle& key) {
    EVP_PKEY_up_ref(key.get());
    return detail::KeyHandle{key.get()};
}

}  // namespace

const EC_GROUP* p256_group() {
    static const EC_GROUP* const group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    return group;
}

void detail::FreeKey::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

std::expected<PublicKey, KeyError> PublicKey::from_point(BytesView point) {
    constexpr std::byte uncompressed{0x04};
    if (point.size() != point_octets || point.front() != uncompressed) {
        return std::unexpected(KeyError::InvalidPoint);
    }
    auto key = make_native(Part::Public, point, nullptr);
    if (!key) return std::unexpected(KeyError::InvalidPoint);
    std::array<std::byte, point_octets> octets{};
    std::ranges::copy(point, octets.begin());
    return PublicKey{octets, std::move(key)};
}

std::expected<PublicKey, KeyError> PublicKey::from_spki_der(BytesView der) {
    if (der.size() > most_key_octets) return std::unexpected(KeyError::TooLong);
    if (der.size() < 2 || der.front() != spki_prefix.front()) {
        return std::unexpected(KeyError::Malformed);
    }
    if (der.size() != spki_prefix.size() + point_octets ||
        !equal(der.first(spki_prefix.size()), spki_prefix)) {
        return std::unexpected(KeyError::NotP256);
    }
    return from_point(der.last(point_octets));
}

std::expected<PublicKey, KeyError> PublicKey::from_pem(std::string_view pem) {
    if (pem.size() > most_pem_octets) return std::unexpected(KeyError::TooLong);
    const auto der = take_pem(pem, public_label);
    if (!der) return std::unexpected(KeyError::Malformed);
    return from_spki_der(*der);
}

PublicKey::PublicKey(const PublicKey& other) : point_(other.point_), key_(share(other.key_)) {}
PublicKey& PublicKey::operator=(const PublicKey& other) {
    PublicKey copy{other};
    return *this = std::move(copy);
}

Bytes PublicKey::spki_der() const {
    Bytes der;
    ByteWriter writer{der};
    writer.bytes(spki_prefix);
    writer.bytes(point_);
    return der;
}

std::string PublicKey::pem() const { return to_pem(public_label, spki_der()); }

Digest PublicKey::thumbprint() const { return digest(DigestAlgorithm::Sha256, spki_der()); }

SignatureCheck PublicKey::verify(BytesView message, const Es256Signature& signature) const {
    const Bytes der = signature_to_der(signature);
    const Handle<EVP_MD_CTX, &EVP_MD_CTX_free> context{EVP_MD_CTX_new()};
    const bool good =
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
        EVP_DigestVerify(context.get(), openssl_data(der.data()), der.size(),
                         openssl_data(message.data()), message.size()) == 1;
    ERR_clear_error();
    return good ? SignatureCheck::Good : SignatureCheck::Bad;
}

PrivateKey::PrivateKey(const std::array<std::byte, scalar_octets>& scalar, PublicKey key,
                       detail::KeyHandle native)
    : scalar_(scalar), public_(std::move(key)), key_(std::move(native)) {}
PrivateKey::PrivateKey(const PrivateKey& other)
    : scalar_(other.scalar_), public_(other.public_), key_(share(other.key_)) {}
PrivateKey& PrivateKey::operator=(const PrivateKey& other) {
    PrivateKey copy{other};
    return *this = std::move(copy);
}
PrivateKey::~PrivateKey() { OPENSSL_cleanse(scalar_.data(), scalar_.size()); }

PrivateKey PrivateKey::from_entropy(const std::array<std::byte, entropy_octets>& entropy) {
    const BigNumberContext context{BN_CTX_secure_new()};
    const BigNumber wide{
        BN_bin2bn(openssl_data(entropy.data()), static_cast<int>(entropy.size()), nullptr)};
    const BigNumber order_less_one{BN_dup(EC_GROUP_get0_order(p256_group()))};
    const BigNumber scalar{BN_new()};
    BN_sub_word(order_less_one.get(), 1);
    STILE_ASSERT(BN_nnmod(scalar.get(), wide.get(), order_less_one.get(), context.get()) == 1);
    BN_add_word(scalar.get(), 1);
    std::array<std::byte, scalar_octets> octets{};
    BN_bn2binpad(scalar.get(), openssl_data(octets.data()), static_cast<int>(octets.size()));
    auto key = from_scalar(octets);
    OPENSSL_cleanse(octets.data(), octets.size());
    STILE_ASSERT(key.has_value());
    return *std::move(key);
}

std::expected<PrivateKey, KeyError> PrivateKey::from_scalar(BytesView scalar) {
    if (scalar.size() != scalar_octets) return std::unexpected(KeyError::Malformed);
    const BigNumber number{
        BN_bin2bn(openssl_data(scalar.data()), static_cast<int>(scalar.size()), nullptr)};
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
    if (BN_is_zero(number.get()) != 0 ||
        BN_cmp(number.get(), EC_GROUP_get0_order(p256_group())) >= 0) {
        return std::unexpected(KeyError::InvalidPoint);
    }
    const BigNumberContext context{BN_CTX_secure_new()};
    const Point product{EC_POINT_new(p256_group())};
    std::array<std::byte, PublicKey::point_octets> point{};
    const bool multiplied =
        EC_POINT_mul(p256_group(), product.get(), number.get(), nullptr, nullptr, context.get()) ==
            1 &&
        EC_POINT_point2oct(p256_group(), product.get(), POINT_CONVERSION_UNCOMPRESSED,
                           openssl_data(point.data()), point.size(), context.get()) == point.size();
    STILE_ASSERT(multiplied);
    auto native = make_native(Part::Pair, point, number.get());
    STILE_ASSERT(native != nullptr);
    std::array<std::byte, scalar_octets> octets{};
    std::ranges::copy(scalar, octets.begin());
    return PrivateKey{octets, STILE_TRY(PublicKey::from_point(point)), std::move(native)};
}

std::expected<PrivateKey, KeyError> PrivateKey::from_der(BytesView der) {
    if (der.size() > most_key_octets) return std::unexpected(KeyError::TooLong);
    const unsigned char* in = openssl_data(der.data());
    const detail::KeyHandle key{d2i_AutoPrivateKey(nullptr, &in, static_cast<long>(der.size()))};
    ERR_clear_error();
    if (!key || in != openssl_data(der.data()) + der.size()) {
        return std::unexpected(KeyError::Malformed);
    }
    std::array<char, 32> group{};
    std::size_t length = 0;
    if (EVP_PKEY_is_a(key.get(), "EC") != 1 ||
        EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), &length) != 1 ||
        std::string_view(group.data(), length) != "prime256v1") {
        ERR_clear_error();
        return std::unexpected(KeyError::NotP256);
    }
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &raw) != 1) {
        ERR_clear_error();
        return std::unexpected(KeyError::Malformed);
    }
    const BigNumber number{raw};
    std::array<std::byte, scalar_octets> scalar{};
    if (BN_bn2binpad(number.get(), openssl_data(scalar.data()), scalar_octets) < 0) {
        return std::unexpected(KeyError::InvalidPoint);
    }
    return from_scalar(scalar);
}

std::expected<PrivateKey, KeyError> PrivateKey::from_pem(std::string_view pem) {
    if (pem.size() > most_pem_octets) return std::unexpected(KeyError::TooLong);
    std::string_view rest = pem;
    auto der = take_pem(rest, private_label);
    if (!der) {
        rest = pem;
        der = take_pem(rest, older_private_label);
    }
    if (!der) return std::unexpected(KeyError::Malformed);
    return from_der(*der);
}

Bytes PrivateKey::pkcs8_der() const {
    Bytes der;
    ByteWriter writer{der};
    writer.bytes(pkcs8_prefix);
    writer.bytes(scalar_);
    writer.bytes(pkcs8_middle);
    writer.bytes(public_.point());
    return der;
}

std::string PrivateKey::pkcs8_pem() const { return to_pem(private_label, pkcs8_der()); }

Es256Signature PrivateKey::sign(BytesView message) const {
    return sign_deterministic(scalar_, key_.get(), message);
}

}  // namespace stile::crypto
