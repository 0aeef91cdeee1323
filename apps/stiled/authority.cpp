// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "authority.hpp"

#include <stile/drivers/random.hpp>

namespace stile::stiled {
namespace {

using std::chrono::days;

// An authority that outlives the machine. The server's certificate is made anew at each start, and
// a server may run for years.
constexpr days authority_validity{3650};
constexpr days server_validity{3650};
constexpr days user_validity{365};
// Clocks of clients are behind or ahead.
constexpr days clock_leeway{1};

constexpr std::string_view key_setting = "authority-key";
constexpr std::string_view certificate_setting = "authority-certificate";

crypto::RandomStream fresh_random() { return crypto::RandomStream{drivers::random_seed()}; }

crypto::Validity valid_for(days length, WallTime now) {
    return {.not_before = now - clock_leeway, .not_after = now + length};
}

crypto::CertificateContent content(crypto::CertificateNames names, days length,
                                   crypto::CertificateUse use, WallTime now) {
    return {.names = std::move(names),
            .validity = valid_for(length, now),
            .serial = fresh_random().array<16>(),
            .use = use};
}

crypto::PrivateKey make_key() {
    return crypto::PrivateKey::from_entropy(
        fresh_random().array<crypto::PrivateKey::entropy_octets>());
}

drivers::StoreError damaged() {
    return {drivers::StoreFailure::Damaged,
            "the domain's authority in the store cannot be read; restore a backup of the state "
            "directory (a new authority would lock every user out)"};
}

}  // namespace

std::expected<Authority, drivers::StoreError> Authority::open(drivers::ServerStore& store,
                                                              const std::string& domain,
                                                              WallTime now) {
    const auto key_text = store.find_setting(key_setting);
    if (!key_text) return std::unexpected(key_text.error());
    const auto certificate_text = store.find_setting(certificate_setting);
    if (!certificate_text) return std::unexpected(certificate_text.error());
    if (*key_text && *certificate_text) {
        auto key = crypto::PrivateKey::from_pem(as_text(**key_text));
        auto certificate = crypto::Certificate::from_pem(as_text(**certificate_text));
        if (!key || !certificate) return std::unexpected(damaged());
        return Authority{domain, *std::move(key), *std::move(certificate)};
    }
    if (*key_text || *certificate_text) return std::unexpected(damaged());

    crypto::PrivateKey key = make_key();
    const crypto::Certificate certificate = crypto::make_self_signed(
        key, content({.common_name = domain + " authority"}, authority_validity,
                     crypto::CertificateUse::Authority, now));
    const auto kept = store.put_setting(key_setting, as_bytes(key.pkcs8_pem()));
    if (!kept) return std::unexpected(kept.error());
    const auto shown = store.put_setting(certificate_setting, as_bytes(certificate.pem()));
    if (!shown) return std::unexpected(shown.error());
    return Authority{domain, std::move(key), certificate};
}

Authority::ServerIdentity Authority::make_server_identity(const std::vector<std::string>& hosts,
                                                          const std::vector<IpAddress>& addresses,
                                                          WallTime now) const {
    crypto::CertificateNames names{.common_name = domain_,
                                   .uris = {"sip:" + domain_},
                                   .dns = {domain_},
                                   .addresses = addresses};
    for (const std::string& host : hosts) {
        if (host != domain_) names.dns.push_back(host);
    }
    const crypto::PrivateKey key = make_key();
    const crypto::Certificate certificate = crypto::issue(
        key_, certificate_, key.public_key(),
        content(std::move(names), server_validity, crypto::CertificateUse::SipDomain, now));
    return {.certificate_pem = certificate.pem(), .key_pem = key.pkcs8_pem()};
}

crypto::Certificate Authority::certify(const crypto::PublicKey& key, const std::string& address,
                                       WallTime now) const {
    return crypto::issue(key_, certificate_, key,
                         content({.common_name = address, .uris = {"sip:" + address}},
                                 user_validity, crypto::CertificateUse::Peer, now));
}

bool Authority::is_of_account(const crypto::Certificate& certificate,
                              const drivers::Account& account) {
    return certificate.validity().not_before + clock_leeway >= account.created;
}

std::optional<std::string> Authority::address_of(const crypto::Certificate& certificate) {
    constexpr std::string_view scheme = "sip:";
    for (const std::string& uri : certificate.names().uris) {
        if (uri.starts_with(scheme) && uri.contains('@')) return uri.substr(scheme.size());
    }
    return std::nullopt;
}

std::expected<Bytes, drivers::StoreError> lasting_secret(drivers::ServerStore& store,
                                                         std::string_view name,
                                                         std::size_t octets) {
    auto found = store.find_setting(name);
    if (!found) return std::unexpected(found.error());
    if (*found) return **found;
    Bytes secret = fresh_random().bytes(octets);
    const auto kept = store.put_setting(name, secret);
    if (!kept) return std::unexpected(kept.error());
    return secret;
}

}  // namespace stile::stiled
