// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "test_authority.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace stile::drivers::testing {
namespace {

std::string drain(BIO* bio) {
    char* start = nullptr;
    const long size = BIO_get_mem_data(bio, &start);
    std::string text(start, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
}

std::string to_pem(X509* certificate) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    return drain(bio);
}

void add_extension(X509* certificate, X509* issuer, int type, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, type, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

// Signed by itself where there is no issuer.
X509* make(const CertificateWish& wish, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    std::uint64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1U);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.valid_from_seconds);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wish.valid_to_seconds);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.subject.c_str()), -1, -1,
                               0);
    X509* signer = issuer != nullptr ? issuer : certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(signer));
    const bool authority = wish.kind == CertificateWish::Kind::Authority;
    add_extension(certificate, signer, NID_basic_constraints,
                  authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(certificate, signer, NID_subject_key_identifier, "hash");
    if (!wish.alternative_names.empty()) {
        add_extension(certificate, signer, NID_subject_alt_name, wish.alternative_names);
    }
    X509_sign(certificate, issuer_key != nullptr ? issuer_key : key, EVP_sha256());
    return certificate;
}

}  // namespace

struct TestAuthority::State {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = nullptr;
    std::string pem;
};

TestAuthority::TestAuthority(const std::string& name) : state_(std::make_unique<State>()) {
    state_->certificate = make({.subject = name, .kind = CertificateWish::Kind::Authority},
                               state_->key, nullptr, nullptr);
    state_->pem = to_pem(state_->certificate);
}

TestAuthority::~TestAuthority() {
    X509_free(state_->certificate);
    EVP_PKEY_free(state_->key);
}

const std::string& TestAuthority::pem() const { return state_->pem; }

Issued TestAuthority::issue(const CertificateWish& wish) const {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = make(wish, key, state_->certificate, state_->key);
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    Issued issued{.certificate_pem = to_pem(certificate), .key_pem = drain(bio)};
    X509_free(certificate);
    EVP_PKEY_free(key);
    return issued;
}

}  // namespace stile::drivers::testing
