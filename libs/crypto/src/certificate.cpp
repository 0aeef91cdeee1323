// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/certificate.hpp>

#include <stile/base/assert.hpp>
#include <stile/crypto/limits.hpp>
#include <stile/crypto/pem.hpp>
#include "x509_parts.hpp"

#include <openssl/err.h>
#include <ctime>

namespace stile::crypto {
namespace {

constexpr std::string_view certificate_label = "CERTIFICATE";

WallTime read_time(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        ERR_clear_error();
        return {};
    }
    const std::chrono::year_month_day day{
        std::chrono::year{parts.tm_year + 1900},
        std::chrono::month{static_cast<unsigned>(parts.tm_mon + 1)},
        std::chrono::day{static_cast<unsigned>(parts.tm_mday)}};
    return std::chrono::sys_days{day} + std::chrono::hours{parts.tm_hour} +
           std::chrono::minutes{parts.tm_min} + std::chrono::seconds{parts.tm_sec};
}

bool signed_by(const Certificate& certificate, const Certificate& issuer) {
    const bool good = X509_verify(certificate.native(), X509_get0_pubkey(issuer.native())) == 1;
    ERR_clear_error();
    return good;
}

CertificateCheck check_times(const Certificate& certificate, WallTime now) {
    const Validity validity = certificate.validity();
    if (now < validity.not_before) return CertificateCheck::NotYetValid;
    if (now > validity.not_after) return CertificateCheck::Expired;
    return CertificateCheck::Good;
}

}  // namespace

void Certificate::Free::operator()(x509_st* certificate) const { X509_free(certificate); }

std::expected<Certificate, CertificateError> Certificate::from_der(BytesView der) {
    if (der.size() > most_certificate_octets) return std::unexpected(CertificateError::TooLong);
    const unsigned char* in = openssl_data(der.data());
    NativeHandle certificate{d2i_X509(nullptr, &in, static_cast<long>(der.size()))};
    if (!certificate || in != openssl_data(der.data()) + der.size()) {
        ERR_clear_error();
        return std::unexpected(CertificateError::Malformed);
    }
    // Reads the extensions now: later this would write to an object that copies share.
    X509_check_purpose(certificate.get(), -1, 0);
    ERR_clear_error();
    return Certificate{to_bytes(der), std::move(certificate)};
}

std::expected<Certificate, CertificateError> Certificate::from_pem(std::string_view pem) {
    if (pem.size() > most_pem_octets) return std::unexpected(CertificateError::TooLong);
    const auto der = take_pem(pem, certificate_label);
    if (!der) return std::unexpected(CertificateError::Malformed);
    return from_der(*der);
}

Certificate::Certificate(const Certificate& other)
    : der_(other.der_), certificate_(other.certificate_.get()) {
    X509_up_ref(certificate_.get());
}
Certificate& Certificate::operator=(const Certificate& other) {
    Certificate copy{other};
    return *this = std::move(copy);
}

std::string Certificate::pem() const { return to_pem(certificate_label, der_); }

Digest Certificate::fingerprint() const { return digest(DigestAlgorithm::Sha256, der_); }

std::expected<PublicKey, KeyError> Certificate::public_key() const {
    return read_public_key(X509_get_X509_PUBKEY(certificate_.get()));
}

CertificateNames Certificate::names() const {
    const GeneralNames alternatives{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate_.get(), NID_subject_alt_name, nullptr, nullptr))};
    ERR_clear_error();
    return read_names(X509_get_subject_name(certificate_.get()), alternatives.get());
}

Validity Certificate::validity() const {
    return {.not_before = read_time(X509_get0_notBefore(certificate_.get())),
            .not_after = read_time(X509_get0_notAfter(certificate_.get()))};
}

Bytes Certificate::serial() const {
    const ASN1_INTEGER* const serial = X509_get0_serialNumber(certificate_.get());
    const auto* const octets = reinterpret_cast<const std::byte*>(ASN1_STRING_get0_data(serial));
    return {octets, octets + ASN1_STRING_length(serial)};
}

bool Certificate::is_authority() const {
    const std::uint32_t flags = X509_get_extension_flags(certificate_.get());
    return (flags & EXFLAG_CA) != 0 && (flags & EXFLAG_INVALID) == 0 &&
           (X509_get_key_usage(certificate_.get()) & KU_KEY_CERT_SIGN) != 0;
}

CertificateCheck check_issued(const Certificate& certificate, const Certificate& authority,
                              WallTime now) {
    const std::uint32_t flags = X509_get_extension_flags(certificate.native());
    if (!authority.is_authority()) return CertificateCheck::IssuerNotAuthority;
    // Under a path length of 0 no authority may stand. RFC 5280 Section 4.2.1.9.
    if (certificate.is_authority() && X509_get_pathlen(authority.native()) == 0) {
        return CertificateCheck::IssuerNotAuthority;
    }
    if ((flags & (EXFLAG_INVALID | EXFLAG_CRITICAL)) != 0 ||
        X509_check_issued(authority.native(), certificate.native()) != X509_V_OK ||
        !signed_by(certificate, authority)) {
        return CertificateCheck::NotIssuedByAuthority;
    }
    const CertificateCheck times = check_times(certificate, now);
    return times == CertificateCheck::Good ? check_times(authority, now) : times;
}

CertificateCheck check_self_signed(const Certificate& certificate, WallTime now) {
    if (!signed_by(certificate, certificate)) return CertificateCheck::NotIssuedByAuthority;
    return check_times(certificate, now);
}

}  // namespace stile::crypto
