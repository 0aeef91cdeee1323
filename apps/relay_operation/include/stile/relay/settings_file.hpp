// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/toml_reader.hpp>
#include <stile/relay/settings.hpp>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::relay {

// How peers see the relay addresses.
enum class ExternalSource : std::uint8_t {
    Same,   // as this machine does
    Given,  // behind 1:1 NAT, as the operator says
    Asked,  // as a STUN server says at each start and reload
};

// A secret that lies in a file of its own, outside of the configuration.
struct SecretFile {
    std::size_t tenant = 0;  // index in Settings::tenants
    std::string path;
    turn::SecretDigest digest = turn::SecretDigest::Sha1;
    friend bool operator==(const SecretFile&, const SecretFile&) = default;
};

// A key of an authorization server that lies in a file of its own, in base64.
struct TokenKeyFile {
    std::size_t tenant = 0;  // index in Settings::tenants
    std::string path;
    turn::TokenKey key;  // without its octets
    std::size_t octets = 0;
};

// What a configuration file says. What it leaves to the machine (addresses, certificates, secrets
// that are made at the first start) is filled in by prepare().
struct SettingsFile {
    Settings settings;  // tenants.front() is the default one
    std::string state_directory;
    std::string server_name;  // that clients' turns: addresses have; empty: not known
    std::string certificate_file;
    std::string key_file;
    std::vector<SecretFile> secret_files;
    std::vector<TokenKeyFile> token_key_files;
    ExternalSource external_source = ExternalSource::Same;
    std::vector<IpAddress> external_addresses;
    std::string stun_server;  // "stun.example.org:3478"
    std::optional<SocketAddress> metrics;
    std::string usage_file;  // JSON lines, appended
    std::chrono::seconds drain_deadline = std::chrono::hours{1};
    // Whether the file names listeners; where it does not, a family that the machine lacks is fine.
    enum class Listeners : std::uint8_t { Default, Given };
    Listeners listeners = Listeners::Default;
};

// UDP and TCP on port 3478 of all addresses, one tenant, everything safe.
SettingsFile default_settings_file();

// `name` is how messages call the text. Reads no other file.
std::expected<SettingsFile, app::ConfigError> parse_settings_file(std::string_view text,
                                                                  std::string_view name);

// The keys of [turn], for programs that have more than the relay in their file. `file` must have
// the default tenant with its realm when finish() is called, inside of TomlReader::read.
class TurnSection {
public:
    TurnSection(app::TomlReader& toml, SettingsFile& file) : toml_(toml), file_(file) {}

    std::vector<app::TomlKey> keys();
    // The tables [metrics] and [drain].
    void metrics(app::TomlNode node);
    void drain(app::TomlNode node);
    // The keys of a certificate's file and its private key's, and of the name that it is for.
    std::vector<app::TomlKey> certificate_keys();
    // Relates what may stand in any order: external addresses to relay addresses, accounts to the
    // realm.
    void finish();

    // The keys of one tenant alone: secrets, quotas, peers and what is offered.
    std::vector<app::TomlKey> tenant_keys(std::size_t tenant);
    // A table of name = "password" or { md5 = "...", sha256 = "..." }. After the realm is known.
    void read_accounts(app::TomlNode node, std::size_t tenant);

private:
    Tenant& tenant(std::size_t index) { return file_.settings.tenants.at(index); }
    void secrets(app::TomlNode node, std::size_t index);
    void secret(app::TomlNode node, std::size_t index);
    void oauth(app::TomlNode node, std::size_t index);
    void token_key(app::TomlNode node, std::size_t index);
    void relay_addresses(app::TomlNode node);
    void external_addresses(app::TomlNode node);
    app::TomlKey text(std::string_view name, std::string& target);
    app::TomlKey count(std::string_view name, std::uint64_t most, std::size_t& target);
    app::TomlKey rate(std::string_view name, std::uint64_t least_burst,
                      std::optional<turn::TokenRate>& target);
    app::TomlKey a_minute(std::string_view name, std::optional<std::uint32_t>& target);
    app::TomlKey offer(std::string_view name, turn::Offer& target);
    app::TomlKey prefixes(std::string_view name, std::size_t tenant,
                          bool (turn::PeerPolicy::*add)(const IpPrefix&));

    app::TomlReader& toml_;
    SettingsFile& file_;
    std::optional<app::TomlNode> external_node_;
    std::optional<app::TomlNode> accounts_node_;  // of the default tenant
};

// A key of an authorization server as base64 has it; absent where it has not so many octets.
std::optional<Bytes> parse_token_key(std::string_view base64, std::size_t octets);

// MD5(user:realm:password), and SHA-256 of the same. RFC 8489 Sections 9.2.2 and 18.5.1.
turn::CredentialTable::Keys account_keys(std::string_view user, std::string_view realm,
                                         std::string_view password);

}  // namespace stile::relay
