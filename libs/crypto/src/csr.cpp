// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/csr.hpp>

#include <stile/base/assert.hpp>
#include <stile/crypto/limits.hpp>
#include <stile/crypto/pem.hpp>
#include "ecdsa.hpp"
#include "x509_parts.hpp"

#include <openssl/err.h>

namespace stile::crypto {
namespace {

using NativeRequest = Handle<X509_REQ, &X509_REQ_free>;
using Algorithm = Handle<X509_ALGOR, &X509_ALGOR_free>;

constexpr std::string_view request_label = "CERTIFICATE REQUEST";

void free_extensions(STACK_OF(X509_EXTENSION) * extensions) {
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}
using Extensions = Handle<STACK_OF(X509_EXTENSION), &free_extensions>;

// The extensionRequest attribute. RFC 2985 Section 5.4.2.
void ask_for(X509_REQ* request, const CertificateNames& names) {
    const GeneralNames alternatives = make_alternative_names(names);
    if (!alternatives) return;
    STACK_OF(X509_EXTENSION)* raw = nullptr;
    const int added = X509V3_add1_i2d(&raw, NID_subject_alt_name, alternatives.get(),
                                      names.common_name.empty() ? 1 : 0, X509V3_ADD_DEFAULT);
    const Extensions extensions{raw};
    STILE_ASSERT(added == 1 && X509_REQ_add_extensions(request, extensions.get()) == 1);
}

CertificateNames asked_names(X509_REQ* request) {
    const Extensions extensions{X509_REQ_get_extensions(request)};
    const GeneralNames alternatives{static_cast<GENERAL_NAMES*>(
        X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr))};
    ERR_clear_error();
    return read_names(X509_REQ_get_subject_name(request), alternatives.get());
}

}  // namespace

CertificateRequest CertificateRequest::make(const PrivateKey& key, const CertificateNames& names) {
    STILE_ASSERT(within_limits(names));
    const NativeRequest request{X509_REQ_new()};
    X509_REQ_set_version(request.get(), X509_REQ_VERSION_1);
    X509_REQ_set_subject_name(request.get(), make_subject(names).get());
    STILE_ASSERT(X509_REQ_set_pubkey(request.get(), key.public_key().native()) == 1);
    ask_for(request.get(), names);
    const Algorithm algorithm{X509_ALGOR_new()};
    set_signature_algorithm(algorithm.get());
    const Bytes to_be_signed = encode_der(request.get(), &i2d_re_X509_REQ_tbs);
    return {assemble_signed(to_be_signed, encode_der(algorithm.get(), &i2d_X509_ALGOR),
                            key.sign(to_be_signed)),
            key.public_key(), names};
}

std::expected<CertificateRequest, CertificateRequest::Error> CertificateRequest::from_der(
    BytesView der) {
    if (der.size() > most_certificate_octets) return std::unexpected(Error::TooLong);
    const unsigned char* in = openssl_data(der.data());
    const NativeRequest request{d2i_X509_REQ(nullptr, &in, static_cast<long>(der.size()))};
    ERR_clear_error();
    if (!request || in != openssl_data(der.data()) + der.size()) {
        return std::unexpected(Error::Malformed);
    }
    auto key = read_public_key(X509_REQ_get_X509_PUBKEY(request.get()));
    if (!key) return std::unexpected(Error::UnusableKey);
    const bool proven = X509_REQ_verify(request.get(), key->native()) == 1;
    ERR_clear_error();
    if (!proven) return std::unexpected(Error::BadSignature);
    return CertificateRequest{to_bytes(der), *std::move(key), asked_names(request.get())};
}

std::expected<CertificateRequest, CertificateRequest::Error> CertificateRequest::from_pem(
    std::string_view pem) {
    if (pem.size() > most_pem_octets) return std::unexpected(Error::TooLong);
    const auto der = take_pem(pem, request_label);
    if (!der) return std::unexpected(Error::Malformed);
    return from_der(*der);
}

std::string CertificateRequest::pem() const { return to_pem(request_label, der_); }

}  // namespace stile::crypto
