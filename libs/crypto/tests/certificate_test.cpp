// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/crypto/certificate.hpp>
#include <stile/crypto/limits.hpp>
#include <stile/crypto/random_stream.hpp>

namespace stile::crypto {
namespace {

using namespace std::chrono_literals;

constexpr WallTime start{std::chrono::seconds{1'800'000'000}};  // 2027-01-15
constexpr Validity a_month{.not_before = start, .not_after = start + 720h};

PrivateKey key_of(std::uint64_t seed) {
    return PrivateKey::from_entropy(RandomStream{seed_from_number(seed)}.array<48>());
}

CertificateContent content(CertificateNames names, CertificateUse use,
                           Validity validity = a_month) {
    return {
        .names = std::move(names), .validity = validity, .serial = {std::byte{0x81}}, .use = use};
}

const CertificateNames alice{
    .common_name = "Alice",
    .uris = {"sip:alice@example.org"},
    .dns = {"example.org", "www.example.org"},
    .addresses = {IpAddress::v4(0xC0000201), IpAddress::parse("2001:db8::1").value()}};

struct Authority {
    PrivateKey key = key_of(1);
    Certificate certificate = make_self_signed(
        key, content({.common_name = "a local authority"}, CertificateUse::Authority));
};

TEST_CASE("certificate: one signed by itself says what it was given") {
    const PrivateKey key = key_of(2);
    const Certificate made = make_self_signed(key, content(alice, CertificateUse::Peer));
    CHECK(made.names() == alice);
    CHECK(made.validity() == a_month);
    CHECK(made.public_key() == key.public_key());
    CHECK(made.serial().size() == 16);
    CHECK_FALSE(made.is_authority());
    CHECK(check_self_signed(made, start) == CertificateCheck::Good);
    CHECK(made.fingerprint() == digest(DigestAlgorithm::Sha256, made.der()));
}

TEST_CASE("certificate: the same inputs give the same octets") {
    const auto once = make_self_signed(key_of(2), content(alice, CertificateUse::Peer));
    CHECK(once == make_self_signed(key_of(2), content(alice, CertificateUse::Peer)));
}

TEST_CASE("certificate: survives DER and PEM") {
    const Certificate made = make_self_signed(key_of(2), content(alice, CertificateUse::Peer));
    CHECK(Certificate::from_der(made.der()).value() == made);
    CHECK(Certificate::from_pem("text before\n" + made.pem()).value() == made);
}

TEST_CASE("certificate: validity includes both ends, also beyond 2050") {
    const Authority authority;
    const auto made = issue(authority.key, authority.certificate, key_of(2).public_key(),
                            content(alice, CertificateUse::Client,
                                    {.not_before = start + 1h, .not_after = start + 2h}));
    const auto check = [&](WallTime now) { return check_issued(made, authority.certificate, now); };
    CHECK(check(start + 1h - 1s) == CertificateCheck::NotYetValid);
    CHECK(check(start + 1h) == CertificateCheck::Good);
    CHECK(check(start + 2h) == CertificateCheck::Good);
    CHECK(check(start + 2h + 1s) == CertificateCheck::Expired);

    constexpr Validity far{.not_before = WallTime{std::chrono::seconds{0}},
                           .not_after = WallTime{std::chrono::seconds{4'102'444'800}}};  // 2100
    CHECK(make_self_signed(key_of(2), content(alice, CertificateUse::Peer, far)).validity() == far);
}

TEST_CASE("certificate: the authority's own time counts too") {
    const PrivateKey key = key_of(1);
    const auto authority =
        make_self_signed(key, content({.common_name = "short"}, CertificateUse::Authority,
                                      {.not_before = start, .not_after = start + 1h}));
    const auto made =
        issue(key, authority, key_of(2).public_key(), content(alice, CertificateUse::Client));
    CHECK(check_issued(made, authority, start + 1h) == CertificateCheck::Good);
    CHECK(check_issued(made, authority, start + 2h) == CertificateCheck::Expired);
}

TEST_CASE("certificate: an authority of the same name with another key did not issue it") {
    const Authority real;
    const Certificate impostor = make_self_signed(
        key_of(66), content({.common_name = "a local authority"}, CertificateUse::Authority));
    const auto made = issue(real.key, real.certificate, key_of(2).public_key(),
                            content(alice, CertificateUse::Client));
    CHECK(check_issued(made, real.certificate, start) == CertificateCheck::Good);
    CHECK(check_issued(made, impostor, start) == CertificateCheck::NotIssuedByAuthority);
}

TEST_CASE("certificate: a changed octet of what is signed is noticed") {
    const Authority authority;
    const auto made = issue(authority.key, authority.certificate, key_of(2).public_key(),
                            content(alice, CertificateUse::Client));
    std::string text{as_text(made.der())};
    const auto at = text.find("alice");
    REQUIRE(at != std::string::npos);
    text[at] = 'b';
    const auto forged = Certificate::from_der(as_bytes(text));
    REQUIRE(forged);
    CHECK(forged->names().uris.front() == "sip:blice@example.org");
    CHECK(check_issued(*forged, authority.certificate, start) ==
          CertificateCheck::NotIssuedByAuthority);
    CHECK(check_self_signed(*forged, start) == CertificateCheck::NotIssuedByAuthority);
}

TEST_CASE("certificate: a peer's certificate is no authority, whatever it signs") {
    const PrivateKey key = key_of(2);
    const auto peer = make_self_signed(key, content(alice, CertificateUse::Peer));
    const auto made =
        issue(key, peer, key_of(3).public_key(), content(alice, CertificateUse::Client));
    CHECK(check_issued(made, peer, start) == CertificateCheck::IssuerNotAuthority);
}

TEST_CASE("certificate: an address key signs devices but no authorities") {
    const PrivateKey key = key_of(2);
    const auto address = make_self_signed(key, content(alice, CertificateUse::AddressAuthority));
    const auto device = issue(key, address, key_of(3).public_key(),
                              content({.common_name = "phone"}, CertificateUse::Peer));
    const auto authority = issue(key, address, key_of(4).public_key(),
                                 content({.common_name = "x"}, CertificateUse::Authority));
    CHECK(check_issued(device, address, start) == CertificateCheck::Good);
    CHECK(check_issued(authority, address, start) == CertificateCheck::IssuerNotAuthority);
}

TEST_CASE("certificate: names at the limit are kept") {
    CertificateNames names;
    names.common_name = std::string(most_common_name_octets, 'c');
    names.uris.push_back("sip:" + std::string(most_name_octets - 4, 'u'));
    for (std::size_t i = 1; i < most_certificate_names; ++i) names.dns.emplace_back("a.example");
    const auto made = make_self_signed(key_of(2), content(names, CertificateUse::Server));
    CHECK(made.names() == names);
}

TEST_CASE("certificate: one without a common name has critical alternative names and parses") {
    const CertificateNames names{.uris = {"sip:bob@example.org"}};
    const Authority authority;
    const auto made = issue(authority.key, authority.certificate, key_of(2).public_key(),
                            content(names, CertificateUse::SipDomain));
    CHECK(made.names() == names);
    CHECK(check_issued(made, authority.certificate, start) == CertificateCheck::Good);
}

TEST_CASE("certificate: malformed input and what each is called") {
    const Certificate made = make_self_signed(key_of(2), content(alice, CertificateUse::Peer));
    Bytes longer = to_bytes(made.der());
    longer.push_back(std::byte{0});
    CHECK(Certificate::from_der({}).error() == CertificateError::Malformed);
    CHECK(Certificate::from_der(longer).error() == CertificateError::Malformed);
    CHECK(Certificate::from_der(made.der().first(100)).error() == CertificateError::Malformed);
    CHECK(Certificate::from_der(Bytes(most_certificate_octets)).error() ==
          CertificateError::Malformed);
    CHECK(Certificate::from_der(Bytes(most_certificate_octets + 1)).error() ==
          CertificateError::TooLong);
    CHECK(Certificate::from_pem("").error() == CertificateError::Malformed);
    CHECK(Certificate::from_pem("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----")
              .error() == CertificateError::Malformed);
    CHECK(Certificate::from_pem(std::string(most_pem_octets + 1, ' ')).error() ==
          CertificateError::TooLong);
}

TEST_CASE("certificate: every cut and every changed octet parses or is refused, never worse") {
    const Certificate made = make_self_signed(key_of(2), content(alice, CertificateUse::Peer));
    for (std::size_t i = 0; i < made.der().size(); ++i) {
        CAPTURE(i);
        (void)Certificate::from_der(made.der().first(i));
        Bytes changed = to_bytes(made.der());
        changed[i] ^= std::byte{0xFF};
        const auto parsed = Certificate::from_der(changed);
        if (!parsed) continue;
        (void)parsed->names();
        (void)parsed->validity();
        (void)parsed->public_key();
        CHECK(check_self_signed(*parsed, start) != CertificateCheck::Good);
    }
}

}  // namespace
}  // namespace stile::crypto
