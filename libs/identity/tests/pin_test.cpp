// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/crypto/random_stream.hpp>
#include <stile/identity/pin.hpp>
#include <stile/identity/standing.hpp>

namespace stile::identity {
namespace {

using namespace std::chrono_literals;
using crypto::Certificate;
using crypto::CertificateUse;

constexpr WallTime start{std::chrono::seconds{1'800'000'000}};

crypto::PrivateKey key_of(std::uint64_t seed) {
    return crypto::PrivateKey::from_entropy(
        crypto::RandomStream{crypto::seed_from_number(seed)}.array<48>());
}

crypto::CertificateContent content(CertificateUse use) {
    return {.names = {.common_name = "alice", .uris = {"sip:alice@example.org"}},
            .validity = {.not_before = start, .not_after = start + 24h},
            .serial = {},
            .use = use};
}

// Alice's long-lived key, its certificate, and a device that it certified.
struct Alice {
    crypto::PrivateKey key = key_of(1);
    Certificate address = make_self_signed(key, content(CertificateUse::AddressAuthority));
    Certificate device = device_of(2);

    Certificate device_of(std::uint64_t seed) const {
        return issue(key, address, key_of(seed).public_key(), content(CertificateUse::Peer));
    }
    Met met() const { return meet(std::vector{device, address}, start).value(); }
};

const Address alice_address = Address::parse("sip:alice@example.org").value();

std::vector<Fingerprint> told(const Certificate& certificate) {
    return {Fingerprint::of(certificate)};
}

TEST_CASE("presented: a device's certificate leads to the key of its address") {
    const Alice alice;
    CHECK(alice.met().address_key == alice.key.public_key());
    CHECK(alice.met().device == alice.device);
}

TEST_CASE("presented: a single certificate is its own address's, whatever its dates") {
    const auto only = make_self_signed(key_of(3), content(CertificateUse::Peer));
    CHECK(meet(std::vector{only}, start + 9999h)->address_key == key_of(3).public_key());
}

TEST_CASE("presented: what is refused, and why") {
    const Alice alice;
    const auto error = [](std::vector<Certificate> list, WallTime now) {
        return meet(list, now).error();
    };
    const auto stranger = make_self_signed(key_of(9), content(CertificateUse::AddressAuthority));
    const auto peer = make_self_signed(alice.key, content(CertificateUse::Peer));
    CHECK(error({}, start) == PresentedError::Nothing);
    CHECK(error({alice.device, alice.address, alice.address}, start) == PresentedError::TooMany);
    CHECK(error({alice.device, stranger}, start) == PresentedError::NotCertified);
    CHECK(error({alice.device, peer}, start) == PresentedError::NotCertified);
    CHECK(error({alice.device, alice.device}, start) == PresentedError::NotCertified);
    CHECK(error({alice.device, alice.address}, start - 1s) == PresentedError::NotYetValid);
    CHECK(error({alice.device, alice.address}, start + 24h + 1s) == PresentedError::Expired);
}

TEST_CASE("pin: first contact, then the same key on another device") {
    const Alice alice;
    const auto first = decide(std::nullopt, told(alice.device), alice.met());
    CHECK(first == Decision::FirstContact);
    const Pin pin =
        remember(std::nullopt, first, alice_address, alice.met(), Proof::NotVerified, start);
    CHECK(pin.key == alice.key.public_key().thumbprint());

    const Certificate tablet = alice.device_of(5);
    const Met met = meet(std::vector{tablet, alice.address}, start + 1h).value();
    CHECK(decide(pin, told(tablet), met) == Decision::Match);
    const Pin later =
        remember(pin, Decision::Match, alice_address, met, Proof::CodeCompared, start + 1h);
    CHECK(later.first_met == start);
    CHECK(later.last_met == start + 1h);
    CHECK(later.proof == Proof::CodeCompared);
    CHECK(remember(later, Decision::Match, alice_address, met, Proof::NotVerified, start) == later);
}

TEST_CASE("pin: another key for the address is a mismatch, though the signalling vouches for it") {
    const Alice alice;
    const Pin pin = remember(std::nullopt, Decision::FirstContact, alice_address, alice.met(),
                             Proof::NotVerified, start);
    const auto other = make_self_signed(key_of(66), content(CertificateUse::Peer));
    const Met met = meet(std::vector{other}, start).value();
    CHECK(decide(pin, told(other), met) == Decision::PinMismatch);
}

TEST_CASE("pin: a certificate that was not told of is refused before any pin is looked at") {
    const Alice alice;
    const Pin pin = remember(std::nullopt, Decision::FirstContact, alice_address, alice.met(),
                             Proof::NotVerified, start);
    const auto said = told(alice.device_of(5));
    CHECK(decide(pin, said, alice.met()) == Decision::FingerprintMismatch);
    CHECK(decide(std::nullopt, said, alice.met()) == Decision::FingerprintMismatch);
    CHECK(decide(pin, {}, alice.met()) == Decision::FingerprintMismatch);
}

TEST_CASE("standing: nothing unproven is shown as more") {
    CHECK(standing_of(Decision::FirstContact, Proof::NotVerified) == Standing::NotVerified);
    CHECK(standing_of(Decision::FirstContact, Proof::DomainSigned) == Standing::Proven);
    CHECK(standing_of(Decision::Match, Proof::NotVerified) == Standing::Pinned);
    CHECK(standing_of(Decision::PinMismatch, Proof::CodeCompared) == Standing::Refused);
    CHECK(standing_of(Decision::FingerprintMismatch, Proof::CodeCompared) == Standing::Refused);
    CHECK(to_text(Standing::NotVerified) == "not-verified");
    CHECK(to_text(Decision::PinMismatch) == "pin-mismatch");
    CHECK(to_text(Proof::CodeCompared) == "code-compared");
}

}  // namespace
}  // namespace stile::identity
