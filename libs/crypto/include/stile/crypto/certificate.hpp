// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>
#include <stile/base/time.hpp>
#include <stile/crypto/p256.hpp>

struct x509_st;

namespace stile::crypto {

// Reading a certificate or a request.
enum class CertificateError : std::uint8_t {
    Malformed,  // not DER of the kind, octets after its end, or no such block in the PEM text
    TooLong,    // longer than most_certificate_octets
};

// What the names of a certificate say about its subject.
struct CertificateNames {
    std::string common_name;        // at most most_common_name_octets; "" is no common name
    std::vector<std::string> uris;  // such as sip:alice@example.org
    std::vector<std::string> dns;
    std::vector<IpAddress> addresses;

    friend bool operator==(const CertificateNames&, const CertificateNames&) = default;
};

// Both ends belong to it. RFC 5280 Section 4.1.2.5.
struct Validity {
    WallTime not_before;
    WallTime not_after;

    friend bool operator==(const Validity&, const Validity&) = default;
};

enum class CertificateUse : std::uint8_t {
    Peer,              // either end of TLS between two peers
    Server,            // a TLS server
    Client,            // a TLS client, such as a user's registration
    SipDomain,         // a SIP server of a domain, RFC 5924; also a TLS server and client
    Authority,         // signs other certificates
    AddressAuthority,  // a person's long-lived key: signs certificates of devices, no authorities
};

// Random octets make it unguessable; the first bit is cleared. RFC 5280 Section 4.1.2.2.
using CertificateSerial = std::array<std::byte, 16>;

// Requires: every name within the limits, ASCII, and not_before <= not_after.
struct CertificateContent {
    CertificateNames names;
    Validity validity;
    CertificateSerial serial;
    CertificateUse use = CertificateUse::Peer;
};

// An X.509 certificate that parsed. It is not therefore valid or trusted. Copies share OpenSSL's
// object, which never changes.
class Certificate {
public:
    [[nodiscard]] static std::expected<Certificate, CertificateError> from_der(BytesView der);
    // The first CERTIFICATE block of the text.
    [[nodiscard]] static std::expected<Certificate, CertificateError> from_pem(
        std::string_view pem);

    Certificate(const Certificate& other);
    Certificate& operator=(const Certificate& other);
    Certificate(Certificate&&) noexcept = default;
    Certificate& operator=(Certificate&&) noexcept = default;
    ~Certificate() = default;

    BytesView der() const& { return der_; }
    BytesView der() const&& = delete;
    std::string pem() const;
    // SHA-256 over the DER, the value of SDP's a=fingerprint:sha-256. RFC 8122 Section 5.
    Digest fingerprint() const;

    // An error for certificates with other kinds of keys.
    [[nodiscard]] std::expected<PublicKey, KeyError> public_key() const;
    // At most most_certificate_names; names that are too long or hold a NUL are left out.
    CertificateNames names() const;
    Validity validity() const;
    Bytes serial() const;
    bool is_authority() const;

    friend bool operator==(const Certificate& left, const Certificate& right) {
        return left.der_ == right.der_;
    }

    // OpenSSL's view, for this library and for TLS drivers. Not owned.
    x509_st* native() const { return certificate_.get(); }

private:
    struct Free {
        void operator()(x509_st* certificate) const;
    };
    using NativeHandle = std::unique_ptr<x509_st, Free>;

    Certificate(Bytes der, NativeHandle certificate)
        : der_(std::move(der)), certificate_(std::move(certificate)) {}

    Bytes der_;
    NativeHandle certificate_;
};

// Signed by its own key: a peer's certificate, or an authority's.
Certificate make_self_signed(const PrivateKey& key, const CertificateContent& content);

// Signed by an authority for somebody else's key. Requires: authority's public key is that of
// `key`.
Certificate issue(const PrivateKey& key, const Certificate& authority, const PublicKey& subject,
                  const CertificateContent& content);

// What is wrong first with a certificate, in the order in which it is looked at.
enum class CertificateCheck : std::uint8_t {
    Good,
    NotIssuedByAuthority,  // names, key identifiers or the signature do not fit
    IssuerNotAuthority,    // the issuer may not sign certificates, or not this kind
    NotYetValid,           // the certificate's or the issuer's time has not begun
    Expired,               // the certificate's or the issuer's time is over
};

// Whether `certificate` was signed by `authority`, which the caller trusts, and both are valid now.
// A certificate with a critical extension that is not understood was not issued as far as this
// goes.
CertificateCheck check_issued(const Certificate& certificate, const Certificate& authority,
                              WallTime now);

// Whether the certificate's own signature is that of its own key, and it is valid now.
CertificateCheck check_self_signed(const Certificate& certificate, WallTime now);

}  // namespace stile::crypto
