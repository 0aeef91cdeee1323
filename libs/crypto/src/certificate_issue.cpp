// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include "ecdsa.hpp"
#include "x509_parts.hpp"

#include <openssl/x509v3.h>
#include <algorithm>
#include <ctime>
#include <initializer_list>
#include <utility>

namespace stile::crypto {
namespace {

using Integer = Handle<ASN1_INTEGER, &ASN1_INTEGER_free>;
using BitString = Handle<ASN1_BIT_STRING, &ASN1_BIT_STRING_free>;
using OctetString = Handle<ASN1_OCTET_STRING, &ASN1_OCTET_STRING_free>;
using NativeCertificate = Handle<X509, &X509_free>;

constexpr const char* sip_domain_purpose = "1.3.6.1.5.5.7.3.20";  // RFC 5924 Section 4.
constexpr std::size_t key_identifier_octets = 20;

enum class Critical : int { No = 0, Yes = 1 };

void add_extension(X509* certificate, int nid, void* value, Critical critical) {
    STILE_ASSERT(X509_add1_ext_i2d(certificate, nid, value, std::to_underlying(critical),
                                   X509V3_ADD_REPLACE) == 1);
}

bool is_authority(CertificateUse use) {
    return use == CertificateUse::Authority || use == CertificateUse::AddressAuthority;
}

void add_constraints(X509* certificate, CertificateUse use) {
    const Handle<BASIC_CONSTRAINTS, &BASIC_CONSTRAINTS_free> constraints{BASIC_CONSTRAINTS_new()};
    constraints->ca = is_authority(use) ? 0xFF : 0;
    if (use == CertificateUse::AddressAuthority) {
        constraints->pathlen = ASN1_INTEGER_new();
        ASN1_INTEGER_set(constraints->pathlen, 0);
    }
    add_extension(certificate, NID_basic_constraints, constraints.get(), Critical::Yes);
}

void add_key_usage(X509* certificate, CertificateUse use) {
    constexpr int digital_signature = 0;  // bits of RFC 5280 Section 4.2.1.3.
    constexpr int key_cert_sign = 5;
    constexpr int crl_sign = 6;
    const BitString usage{ASN1_BIT_STRING_new()};
    ASN1_BIT_STRING_set_bit(usage.get(), digital_signature, 1);
    if (is_authority(use)) {
        ASN1_BIT_STRING_set_bit(usage.get(), key_cert_sign, 1);
        ASN1_BIT_STRING_set_bit(usage.get(), crl_sign, 1);
    }
    add_extension(certificate, NID_key_usage, usage.get(), Critical::Yes);
}

void add_purposes(X509* certificate, CertificateUse use) {
    if (is_authority(use)) return;
    const Handle<EXTENDED_KEY_USAGE, &EXTENDED_KEY_USAGE_free> purposes{EXTENDED_KEY_USAGE_new()};
    if (use != CertificateUse::Client) {
        sk_ASN1_OBJECT_push(purposes.get(), OBJ_nid2obj(NID_server_auth));
    }
    if (use != CertificateUse::Server) {
        sk_ASN1_OBJECT_push(purposes.get(), OBJ_nid2obj(NID_client_auth));
    }
    if (use == CertificateUse::SipDomain) {
        constexpr int dotted_only = 1;
        sk_ASN1_OBJECT_push(purposes.get(), OBJ_txt2obj(sip_domain_purpose, dotted_only));
    }
    add_extension(certificate, NID_ext_key_usage, purposes.get(), Critical::No);
}

// The first 160 bits of the key's SHA-256. RFC 7093 Section 2.
OctetString key_identifier(const PublicKey& key) {
    const Digest whole = digest(DigestAlgorithm::Sha256, key.point());
    OctetString identifier{ASN1_OCTET_STRING_new()};
    ASN1_OCTET_STRING_set(identifier.get(), openssl_data(whole.bytes().data()),
                          int{key_identifier_octets});
    return identifier;
}

// `issuer` is null for a certificate signed by itself.
void add_key_identifiers(X509* certificate, const PublicKey& subject, const X509* issuer) {
    const OctetString own = key_identifier(subject);
    add_extension(certificate, NID_subject_key_identifier, own.get(), Critical::No);
    const ASN1_OCTET_STRING* const of_issuer =
        issuer == nullptr ? nullptr : X509_get0_subject_key_id(const_cast<X509*>(issuer));
    if (of_issuer == nullptr) return;
    const Handle<AUTHORITY_KEYID, &AUTHORITY_KEYID_free> authority{AUTHORITY_KEYID_new()};
    authority->keyid = ASN1_OCTET_STRING_dup(of_issuer);
    add_extension(certificate, NID_authority_key_identifier, authority.get(), Critical::No);
}

void set_serial(X509* certificate, CertificateSerial serial) {
    serial[0] &= std::byte{0x7F};  // positive
    serial[0] |= std::byte{0x40};  // and never zero
    const BigNumber number{
        BN_bin2bn(openssl_data(serial.data()), static_cast<int>(serial.size()), nullptr)};
    const Integer integer{BN_to_ASN1_INTEGER(number.get(), nullptr)};
    X509_set_serialNumber(certificate, integer.get());
}

void set_validity(X509* certificate, const Validity& validity) {
    STILE_ASSERT(validity.not_before <= validity.not_after);
    const auto seconds = [](WallTime time) {
        return static_cast<std::time_t>(time.time_since_epoch().count());
    };
    STILE_ASSERT(ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(validity.not_before)));
    STILE_ASSERT(ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(validity.not_after)));
}

Certificate make(const PrivateKey& signer, const X509* issuer, const PublicKey& subject_key,
                 const CertificateContent& content) {
    STILE_ASSERT(within_limits(content.names));
    const NativeCertificate made{X509_new()};
    X509* const certificate = made.get();
    X509_set_version(certificate, X509_VERSION_3);
    set_serial(certificate, content.serial);
    set_validity(certificate, content.validity);
    const DistinguishedName subject = make_subject(content.names);
    X509_set_subject_name(certificate, subject.get());
    X509_set_issuer_name(certificate,
                         issuer == nullptr ? subject.get() : X509_get_subject_name(issuer));
    STILE_ASSERT(X509_set_pubkey(certificate, subject_key.native()) == 1);
    add_constraints(certificate, content.use);
    add_key_usage(certificate, content.use);
    add_purposes(certificate, content.use);
    add_key_identifiers(certificate, subject_key, issuer);
    if (const GeneralNames names = make_alternative_names(content.names)) {
        // Critical where the subject has no other name. RFC 5280 Section 4.2.1.6.
        const auto critical = content.names.common_name.empty() ? Critical::Yes : Critical::No;
        add_extension(certificate, NID_subject_alt_name, names.get(), critical);
    }
    // const_cast: OpenSSL sets this field itself only where it also chooses the nonce.
    auto* const algorithm = const_cast<X509_ALGOR*>(X509_get0_tbs_sigalg(certificate));
    set_signature_algorithm(algorithm);
    const Bytes to_be_signed = encode_der(certificate, &i2d_re_X509_tbs);
    auto whole = Certificate::from_der(assemble_signed(
        to_be_signed, encode_der(algorithm, &i2d_X509_ALGOR), signer.sign(to_be_signed)));
    STILE_ASSERT(whole.has_value());
    return *std::move(whole);
}

}  // namespace

Certificate make_self_signed(const PrivateKey& key, const CertificateContent& content) {
    return make(key, nullptr, key.public_key(), content);
}

Certificate issue(const PrivateKey& key, const Certificate& authority, const PublicKey& subject,
                  const CertificateContent& content) {
    const auto authority_key = authority.public_key();
    STILE_ASSERT(authority_key.has_value() && *authority_key == key.public_key());
    return make(key, authority.native(), subject, content);
}

}  // namespace stile::crypto
