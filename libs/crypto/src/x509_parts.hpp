// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/certificate.hpp>
#include "openssl_handles.hpp"

namespace stile::crypto {

using GeneralNames = Handle<GENERAL_NAMES, &GENERAL_NAMES_free>;
using DistinguishedName = Handle<X509_NAME, &X509_NAME_free>;

// Whether the limits and the character set of CertificateNames are kept.
bool within_limits(const CertificateNames& names);

DistinguishedName make_subject(const CertificateNames& names);
// Empty when there is no alternative name.
GeneralNames make_alternative_names(const CertificateNames& names);

// Names that are too many, too long or hold octets that are not printable ASCII are left out.
CertificateNames read_names(const X509_NAME* subject, const GENERAL_NAMES* alternatives);

// The public key in a SubjectPublicKeyInfo.
std::expected<PublicKey, KeyError> read_public_key(X509_PUBKEY* key);

// ecdsa-with-SHA256. RFC 5758 Section 3.2.
void set_signature_algorithm(X509_ALGOR* algorithm);

// SEQUENCE { what is signed, algorithm, BIT STRING }: a certificate. RFC 5280 Section 4.1.
Bytes assemble_signed(BytesView to_be_signed, BytesView algorithm, const Es256Signature& signature);

}  // namespace stile::crypto
