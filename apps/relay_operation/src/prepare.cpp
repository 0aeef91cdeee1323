// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/prepare.hpp>

#include <stile/base/text.hpp>
#include <stile/base/try.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/interfaces.hpp>
#include <stile/relay/external_address.hpp>

#include <fmt/format.h>
#include <sys/socket.h>
#include <algorithm>
#include <array>

namespace stile::relay {
namespace {

int rank(const IpAddress& address) {
    if (address.is_loopback()) return 2;
    return address.is_private() ? 1 : 0;
}

bool needs_certificate(const Listener& listener) {
    return listener.kind == ListenerKind::Tls || listener.kind == ListenerKind::Dtls;
}

std::expected<void, app::Problem> read_certificate(const SettingsFile& file, Settings& settings) {
    // A program that has them already keeps them.
    if (file.certificate_file.empty() && !settings.certificate_pem.empty()) return {};
    if (file.certificate_file.empty() != file.key_file.empty()) {
        return std::unexpected(app::Problem{
            app::ExitCode::BadConfiguration, "Only one of certificate and key is configured",
            "TLS needs the certificate and its private key", "",
            "name both files, the certificate with its intermediates"});
    }
    if (!file.certificate_file.empty()) {
        settings.certificate_pem = STILE_TRY(read_file(file.certificate_file, "The certificate"));
        settings.key_pem = STILE_TRY(read_file(file.key_file, "The certificate's private key"));
    } else if (std::ranges::any_of(settings.listeners, needs_certificate)) {
        return std::unexpected(
            app::Problem{app::ExitCode::BadConfiguration,
                         "TLS or DTLS is to be listened for, but "
                         "there is no certificate",
                         "neither certificate nor key is configured", "",
                         "name both files, or remove tls and dtls from [listen]"});
    }
    return {};
}

// Editors end a line where a secret has none.
std::string_view first_line(std::string_view text) { return trim(take_until(text, '\n')); }

std::expected<void, app::Problem> read_secrets(const SettingsFile& file, const StateFolder& state,
                                               Settings& settings) {
    for (const SecretFile& secret : file.secret_files) {
        const std::string text = STILE_TRY(read_file(secret.path, "A shared secret"));
        const std::string_view value = first_line(text);
        if (value.empty()) {
            return std::unexpected(app::Problem{app::ExitCode::BadConfiguration,
                                                "A shared secret is empty", "", secret.path,
                                                "write the secret into it"});
        }
        settings.tenants.at(secret.tenant)
            .secrets.push_back({.secret = std::string{value}, .digest = secret.digest});
    }
    for (const TokenKeyFile& from : file.token_key_files) {
        const std::string text = STILE_TRY(read_file(from.path, "A key of access tokens"));
        auto octets = parse_token_key(first_line(text), from.octets);
        if (!octets) {
            return std::unexpected(app::Problem{
                app::ExitCode::BadConfiguration, "A key of access tokens cannot be used",
                fmt::format("key '{}' needs {} octets in base64", from.key.kid, from.octets),
                from.path, fmt::format("make one: openssl rand -base64 {}", from.octets)});
        }
        turn::TokenKey& key = settings.tenants.at(from.tenant).token_keys.emplace_back(from.key);
        key.key = *std::move(octets);
    }
    for (Tenant& tenant : settings.tenants) {
        std::string& name = tenant.limits.authentication.third_party;
        if (tenant.token_keys.empty()) {
            name.clear();
        } else if (name.empty()) {
            name = file.server_name.empty() ? tenant.realm : file.server_name;
        }
    }
    Tenant& first = settings.tenants.front();
    if (first.secrets.empty() && first.accounts.empty() && first.token_keys.empty()) {
        first.secrets = STILE_TRY(state.secrets());
    }
    if (std::ranges::all_of(settings.nonce_key,
                            [](std::byte octet) { return octet == std::byte{}; })) {
        settings.nonce_key = STILE_TRY(state.nonce_key());
    }
    return {};
}

// One address a family, the best of those that are listened on, or of the machine's.
std::vector<RelayAddress> choose_relay_addresses(const Settings& settings, const Machine& machine) {
    std::vector<IpAddress> candidates;
    for (const Listener& listener : settings.listeners) {
        if (!listener.address.ip.is_unspecified()) candidates.push_back(listener.address.ip);
    }
    if (candidates.empty()) candidates = machine.addresses;
    std::vector<RelayAddress> chosen;
    for (const IpAddress& address : candidates) {
        const bool there = std::ranges::any_of(chosen, [&](const RelayAddress& other) {
            return other.local.family() == address.family();
        });
        if (!there) chosen.push_back({address, std::nullopt});
    }
    return chosen;
}

std::expected<void, app::Problem> find_external(const SettingsFile& file, const Machine& machine,
                                                std::vector<RelayAddress>& addresses) {
    std::string failure;
    bool found = false;
    std::array<std::size_t, 2> next{};
    for (RelayAddress& address : addresses) {
        if (address.external || file.external_source == ExternalSource::Same) continue;
        if (file.external_source == ExternalSource::Asked) {
            const auto seen = machine.ask_external_address(file.stun_server, address.local);
            if (!seen) {
                failure = seen.error();
                continue;
            }
            found = true;
            if (*seen != address.local) address.external = *seen;
            continue;
        }
        std::vector<IpAddress> fitting;
        std::ranges::copy_if(
            file.external_addresses, std::back_inserter(fitting),
            [&](const IpAddress& external) { return external.family() == address.local.family(); });
        if (fitting.empty()) continue;
        std::size_t& index = next.at(address.local.is_v6() ? 1 : 0);
        address.external = fitting.at(std::min(index, fitting.size() - 1));
        ++index;
    }
    if (file.external_source == ExternalSource::Asked && !found && !failure.empty()) {
        return std::unexpected(app::Problem{
            app::ExitCode::NoPath, "The external address cannot be found", failure,
            file.stun_server,
            "check that UDP gets out, or write the address: external_addresses = [\"...\"]"});
    }
    return {};
}

void set_algorithms(Tenant& tenant) {
    const auto lacks = [&](Bytes turn::CredentialTable::Keys::* key) {
        return std::ranges::any_of(
            tenant.accounts, [key](const Account& account) { return (account.keys.*key).empty(); });
    };
    // An account with the MD5 key alone cannot answer the challenge for the other: then none is
    // offered, which is what RFC 5389 had. Unless others have no MD5 key.
    using Keys = turn::CredentialTable::Keys;
    auto& algorithms = tenant.limits.authentication.algorithms;
    algorithms = {};
    if (!lacks(&Keys::sha256) || lacks(&Keys::md5)) {
        algorithms.add(stun::PasswordAlgorithm::Sha256);
        algorithms.add(stun::PasswordAlgorithm::Md5);
    }
}

}  // namespace

std::vector<IpAddress> machine_addresses() {
    std::vector<IpAddress> addresses;
    const auto local = drivers::local_addresses();
    if (local) {
        for (const drivers::LocalAddress& address : *local) {
            if (!address.link_local && !address.deprecated) addresses.push_back(address.ip);
        }
    }
    if (addresses.empty()) addresses.push_back(IpAddress::v4({127, 0, 0, 1}));
    // IPv4 before IPv6 of the same rank: a relay of the wrong family helps nobody yet.
    std::ranges::stable_sort(addresses, {}, [](const IpAddress& address) {
        return std::pair{rank(address), address.family()};
    });
    return addresses;
}

Machine Machine::this_one() {
    const drivers::FileDescriptor probe{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    return {.addresses = machine_addresses(),
            .ipv6 = probe.valid() ? Ipv6::Present : Ipv6::Absent,
            .ask_external_address = [](const std::string& server, const IpAddress& local) {
                return relay::ask_external_address(server, local);
            }};
}

std::expected<Settings, app::Problem> prepare(const SettingsFile& file, const StateFolder& state,
                                              const Machine& machine) {
    Settings settings = file.settings;
    if (file.listeners == SettingsFile::Listeners::Default &&
        machine.ipv6 == Machine::Ipv6::Absent) {
        std::erase_if(settings.listeners,
                      [](const Listener& listener) { return listener.address.ip.is_v6(); });
    }
    if (const auto read = read_certificate(file, settings); !read) {
        return std::unexpected(read.error());
    }
    if (const auto read = read_secrets(file, state, settings); !read) {
        return std::unexpected(read.error());
    }
    for (Tenant& tenant : settings.tenants) set_algorithms(tenant);
    if (settings.relay_addresses.empty()) {
        settings.relay_addresses = choose_relay_addresses(settings, machine);
    }
    if (const auto found = find_external(file, machine, settings.relay_addresses); !found) {
        return std::unexpected(found.error());
    }
    const auto add_own = [&](const IpAddress& address) {
        // Loopback is refused as such; where it is opened, that is what was meant.
        if (address.is_loopback() || address.is_unspecified()) return;
        if (std::ranges::find(settings.own_addresses, address) == settings.own_addresses.end()) {
            settings.own_addresses.push_back(address);
        }
    };
    for (const IpAddress& address : machine.addresses) add_own(address);
    for (const IpAddress& address : file.external_addresses) add_own(address);
    for (const RelayAddress& address : settings.relay_addresses) {
        add_own(address.local);
        if (address.external) add_own(*address.external);
    }
    return settings;
}

}  // namespace stile::relay
