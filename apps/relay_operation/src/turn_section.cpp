// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/settings_file.hpp>

#include <stile/base/encoding.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/turn/limits.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace stile::relay {
namespace {

using app::TomlKey;
using app::TomlNode;

constexpr std::uint64_t most_users_relays = 10'000;
constexpr std::uint64_t most_rate = 1ULL << 32U;  // as TokenRate
constexpr std::uint64_t most_drain_seconds = 7 * 86'400;
constexpr std::uint64_t most_shards = 128;
// A burst of one second, but never less than one packet with room: a small rate is no deadlock.
constexpr std::uint64_t octet_burst = 256 * 1024;
constexpr std::uint64_t packet_burst = 64;
constexpr std::uint64_t least_nonce_seconds = 60;
constexpr std::uint64_t most_nonce_seconds = 86'400;
constexpr std::uint64_t most_a_minute = 1'000'000;
constexpr std::uint64_t most_answers = 10'000'000;
constexpr std::uint64_t answer_burst = 4;      // seconds' worth, for those who come together
constexpr std::size_t most_name_octets = 508;  // USERNAME, RFC 8489 Section 14.3
constexpr std::size_t least_secret_octets = 8;

Bytes octets_of(const crypto::Digest& digest) {
    const BytesView bytes = digest.bytes();
    return {bytes.begin(), bytes.end()};
}

}  // namespace

turn::CredentialTable::Keys account_keys(std::string_view user, std::string_view realm,
                                         std::string_view password) {
    const std::string text = fmt::format("{}:{}:{}", user, realm, password);
    return {.md5 = octets_of(crypto::digest(crypto::DigestAlgorithm::Md5, as_bytes(text))),
            .sha256 = octets_of(crypto::digest(crypto::DigestAlgorithm::Sha256, as_bytes(text)))};
}

std::vector<TomlKey> TurnSection::keys() {
    Settings& settings = file_.settings;
    std::vector<TomlKey> keys = tenant_keys(0);
    const std::vector<TomlKey> more{
        {"relay_addresses", [this](TomlNode node) { relay_addresses(node); }},
        {"external_addresses", [this](TomlNode node) { external_addresses(node); }},
        text("stun_server", file_.stun_server),
        {"relay_ports",
         [this, &settings](TomlNode node) {
             if (const auto ports = toml_.ports(node)) settings.ports = {ports->first, ports->last};
         }},
        {"answers_per_second_per_network",
         [this, &settings](TomlNode node) {
             if (const auto count = toml_.number(node, 1, most_answers)) {
                 settings.replies.rate = {.per_second = *count, .burst = answer_burst * *count};
             }
         }},
        rate("answer_octets_per_second", octet_burst, settings.replies.octets),
        {"shards",
         [this, &settings](TomlNode node) {
             if (const auto count = toml_.number(node, 0, most_shards)) settings.shards = *count;
         }},
        {"kernel_path",
         [this, &settings](TomlNode node) {
             const auto path =
                 toml_.choice(node, {"off", "automatic", "xdp-native", "tc", "xdp-generic"});
             constexpr std::array values{KernelPath::Off, KernelPath::Automatic,
                                         KernelPath::XdpNative, KernelPath::Tc,
                                         KernelPath::XdpGeneric};
             if (path) settings.kernel_path = values.at(*path);
         }},
        {"accounts", [this](TomlNode node) { accounts_node_ = node; }},
    };
    keys.insert(keys.end(), more.begin(), more.end());
    return keys;
}

std::vector<TomlKey> TurnSection::tenant_keys(std::size_t index) {
    turn::ServerConfig& limits = tenant(index).limits;
    return {
        {"secrets", [this, index](TomlNode node) { secrets(node, index); }},
        {"oauth", [this, index](TomlNode node) { oauth(node, index); }},
        count("allocations", turn::most_allocations, limits.allocations),
        count("allocations_per_user", most_users_relays, limits.relays_per_user),
        count("permissions_per_allocation", turn::most_permissions, limits.permissions),
        count("channels_per_allocation", turn::most_channels, limits.channels),
        count("connections_per_allocation", turn::most_connections, limits.connections),
        rate("octets_per_second_per_user", octet_burst, limits.user_bandwidth),
        rate("packets_per_second_per_user", packet_burst, limits.user_packets),
        a_minute("new_peers_per_minute_per_user", limits.user_new_peers),
        a_minute("connects_per_minute_per_user", limits.user_connects),
        offer("tcp_relays", limits.tcp_relays),
        offer("mobility", limits.mobility),
        {"username_anonymity",
         [this, &limits](TomlNode node) {
             using Anonymity = stun::LongTermServer::Anonymity;
             if (const auto offered = toml_.boolean(node)) {
                 limits.authentication.anonymity =
                     *offered ? Anonymity::Offered : Anonymity::NotOffered;
             }
         }},
        prefixes("allow_peers", index, &turn::PeerPolicy::open),
        prefixes("deny_peers", index, &turn::PeerPolicy::deny),
        {"rfc5766_channels",
         [this, &limits](TomlNode node) {
             if (const auto all = toml_.boolean(node)) {
                 limits.channel_range =
                     *all ? turn::ChannelRange::Rfc5766 : turn::ChannelRange::Rfc8656;
             }
         }},
        {"longest_lifetime",
         [this, &limits](TomlNode node) {
             if (const auto time =
                     toml_.seconds(node, static_cast<std::uint64_t>(turn::default_lifetime.count()),
                                   static_cast<std::uint64_t>(turn::most_lifetime.count()))) {
                 limits.longest_lifetime = std::chrono::seconds{*time};
             }
         }},
        {"nonce_lifetime",
         [this, &limits](TomlNode node) {
             if (const auto time = toml_.seconds(node, least_nonce_seconds, most_nonce_seconds)) {
                 limits.authentication.nonce_lifetime = std::chrono::seconds{*time};
             }
         }},
        {"expired_credentials",
         [this, &limits](TomlNode node) {
             const auto choice = toml_.choice(node, {"keep-allocations", "end-allocations"});
             if (choice) {
                 limits.expired_credential = *choice == 0
                                                 ? turn::ExpiredCredential::KeepsAllocations
                                                 : turn::ExpiredCredential::EndsAllocations;
             }
         }},
        {"software",
         [this, &limits](TomlNode node) {
             if (auto text = toml_.text(node)) limits.authentication.software = *std::move(text);
         }},
    };
}

TomlKey TurnSection::text(std::string_view name, std::string& target) {
    return {name, [this, &target](TomlNode node) {
                if (auto value = toml_.text(node)) target = *std::move(value);
            }};
}

std::vector<TomlKey> TurnSection::certificate_keys() {
    return {text("certificate", file_.certificate_file),
            text("key", file_.key_file),
            {"server_name", [this](TomlNode node) {
                 if (auto name = toml_.domain_name(node)) file_.server_name = *std::move(name);
             }}};
}

void TurnSection::metrics(TomlNode node) {
    toml_.table(
        node, "[metrics]",
        {{"listen", [this](TomlNode value) { file_.metrics = toml_.socket_address(value); }},
         text("usage_file", file_.usage_file)});
}

void TurnSection::drain(TomlNode node) {
    Settings& settings = file_.settings;
    toml_.table(
        node, "[drain]",
        {{"redirect", [&](TomlNode value) { settings.redirect = toml_.socket_address(value); }},
         {"redirect_domain",
          [&](TomlNode value) {
              if (auto name = toml_.domain_name(value)) settings.redirect_domain = *name;
          }},
         {"deadline", [this](TomlNode value) {
              if (const auto time = toml_.seconds(value, 0, most_drain_seconds)) {
                  file_.drain_deadline = std::chrono::seconds{*time};
              }
          }}});
}

TomlKey TurnSection::count(std::string_view name, std::uint64_t most, std::size_t& target) {
    return {name, [this, most, &target](TomlNode node) {
                if (const auto value = toml_.number(node, 1, most)) target = *value;
            }};
}

TomlKey TurnSection::rate(std::string_view name, std::uint64_t least_burst,
                          std::optional<turn::TokenRate>& target) {
    return {name, [this, least_burst, &target](TomlNode node) {
                const auto value = toml_.number(node, 0, most_rate);
                if (!value) return;
                target.reset();
                if (*value != 0) {
                    target = turn::TokenRate{.per_second = *value,
                                             .burst = std::max(*value, least_burst)};
                }
            }};
}

TomlKey TurnSection::a_minute(std::string_view name, std::optional<std::uint32_t>& target) {
    return {name, [this, &target](TomlNode node) {
                const auto value = toml_.number(node, 0, most_a_minute);
                if (!value) return;
                target.reset();
                if (*value != 0) target = static_cast<std::uint32_t>(*value);
            }};
}

TomlKey TurnSection::offer(std::string_view name, turn::Offer& target) {
    return {name, [this, &target](TomlNode node) {
                if (const auto offered = toml_.boolean(node)) {
                    target = *offered ? turn::Offer::Offered : turn::Offer::NotOffered;
                }
            }};
}

TomlKey TurnSection::prefixes(std::string_view name, std::size_t index,
                              bool (turn::PeerPolicy::*add)(const IpPrefix&)) {
    return {name, [this, index, add](TomlNode node) {
                turn::PeerPolicy& policy = tenant(index).limits.peers;
                for (const IpPrefix& prefix : toml_.prefixes(node)) {
                    if (!(policy.*add)(prefix)) {
                        return toml_.complain(node, "these are too many ranges",
                                              fmt::format("at most {}, with the server's own",
                                                          turn::most_policy_prefixes));
                    }
                }
            }};
}

void TurnSection::secrets(TomlNode node, std::size_t index) {
    tenant(index).secrets.clear();
    std::erase_if(file_.secret_files,
                  [&](const SecretFile& secret) { return secret.tenant == index; });
    toml_.list(node, [&](TomlNode element) { secret(element, index); });
    const auto files = static_cast<std::size_t>(
        std::ranges::count(file_.secret_files, index, &SecretFile::tenant));
    if (tenant(index).secrets.size() + files > turn::most_shared_secrets) {
        toml_.complain(node, "these are too many secrets",
                       fmt::format("at most {}", turn::most_shared_secrets));
    }
}

void TurnSection::secret(TomlNode node, std::size_t index) {
    turn::SharedSecret secret;
    std::string path;
    if (toml_.is_table(node)) {
        toml_.table(
            node, "a secret",
            {{"secret", [&](TomlNode value) { secret.secret = toml_.text(value).value_or(""); }},
             {"file", [&](TomlNode value) { path = toml_.text(value).value_or(""); }},
             {"digest", [&](TomlNode value) {
                  if (const auto digest = toml_.choice(value, {"sha1", "sha256"})) {
                      secret.digest =
                          *digest == 0 ? turn::SecretDigest::Sha1 : turn::SecretDigest::Sha256;
                  }
              }}});
    } else {
        secret.secret = toml_.text(node).value_or("");
    }
    if (toml_.failed()) return;
    if (!path.empty() && secret.secret.empty()) {
        file_.secret_files.push_back({index, path, secret.digest});
    } else if (path.empty() && secret.secret.size() >= least_secret_octets) {
        tenant(index).secrets.push_back(std::move(secret));
    } else {
        toml_.complain(node,
                       fmt::format("a secret of at least {} characters, or a file with one, "
                                   "is wanted here",
                                   least_secret_octets),
                       "such as { file = \"/etc/stile/secret\", digest = \"sha256\" }");
    }
}

void TurnSection::read_accounts(TomlNode node, std::size_t index) {
    constexpr std::size_t md5_octets = 16;
    constexpr std::size_t sha256_octets = 32;
    tenant(index).accounts.clear();
    toml_.names(node, [&](std::string_view name, TomlNode value) {
        Account account{std::string{name}, {}};
        const auto key = [&](std::string_view key_name, std::size_t octets, Bytes& target) {
            return TomlKey{key_name, [this, octets, &target](TomlNode text) {
                               const auto hex = from_hex(toml_.text(text).value_or(""));
                               if (hex && hex->size() == octets) {
                                   target = *hex;
                               } else {
                                   toml_.complain(text,
                                                  fmt::format("{} hexadecimal digits are wanted "
                                                              "here",
                                                              2 * octets));
                               }
                           }};
        };
        std::optional<std::string> password;
        if (toml_.is_table(value)) {
            toml_.table(value, "an account",
                        {{"password", [&](TomlNode text) { password = toml_.text(text); }},
                         key("md5", md5_octets, account.keys.md5),
                         key("sha256", sha256_octets, account.keys.sha256)});
        } else {
            password = toml_.text(value);
        }
        if (toml_.failed()) return;
        if (password) account.keys = account_keys(name, tenant(index).realm, *password);
        const bool sound = !name.empty() && name.size() <= most_name_octets &&
                           (!password || !password->empty()) &&
                           !(account.keys.md5.empty() && account.keys.sha256.empty());
        if (!sound) {
            return toml_.complain(value, "an account needs a name and a password or its keys",
                                  "such as alice = \"password\"");
        }
        tenant(index).accounts.push_back(std::move(account));
    });
    if (tenant(index).accounts.size() > turn::most_accounts) {
        toml_.complain(node, "these are too many accounts");
    }
}

void TurnSection::relay_addresses(TomlNode node) {
    auto& addresses = file_.settings.relay_addresses;
    addresses.clear();
    toml_.list(node, [&](TomlNode element) {
        RelayAddress address;
        if (toml_.is_table(element)) {
            std::optional<IpAddress> local;
            toml_.table(element, "a relay address",
                        {{"local", [&](TomlNode value) { local = toml_.ip_address(value); }},
                         {"external",
                          [&](TomlNode value) { address.external = toml_.ip_address(value); }}});
            if (!toml_.failed() && !local) toml_.complain(element, "'local' is missing here");
            if (toml_.failed()) return;
            address.local = *local;
            if (address.external && address.external->family() != local->family()) {
                return toml_.complain(element, "both addresses must be of one family");
            }
        } else {
            const auto local = toml_.ip_address(element);
            if (!local) return;
            address.local = *local;
        }
        if (address.local.is_unspecified()) {
            return toml_.complain(element, "relays need an address of this machine",
                                  "leave the key out to have one chosen");
        }
        addresses.push_back(address);
    });
}

void TurnSection::external_addresses(TomlNode node) {
    external_node_ = node;
    if (toml_.is_text(node)) {
        if (toml_.choice(node, {"auto"})) file_.external_source = ExternalSource::Asked;
        return;
    }
    file_.external_addresses = toml_.ip_addresses(node);
    file_.external_source =
        file_.external_addresses.empty() ? ExternalSource::Same : ExternalSource::Given;
}

void TurnSection::finish() {
    if (file_.external_source == ExternalSource::Asked && file_.stun_server.empty()) {
        return toml_.complain(*external_node_, "\"auto\" needs a server to ask",
                              "add stun_server = \"HOST:PORT\" to [turn]");
    }
    if (file_.external_source == ExternalSource::Given) {
        for (const auto family : {AddressFamily::V4, AddressFamily::V6}) {
            const auto count = [family](const auto& list, auto projection) {
                return std::ranges::count_if(list, [&](const auto& entry) {
                    return std::invoke(projection, entry).family() == family;
                });
            };
            const auto given = count(file_.external_addresses, std::identity{});
            const auto local = count(file_.settings.relay_addresses, &RelayAddress::local);
            if (given > 1 && given != local) {
                return toml_.complain(*external_node_,
                                      "several external addresses need as many relay_addresses",
                                      "one for all, or one each in the same order");
            }
        }
    }
    if (accounts_node_) read_accounts(*accounts_node_, 0);
}

}  // namespace stile::relay
