// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/settings_file.hpp>

#include <stile/base/encoding.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace stile;
using relay::SettingsFile;

namespace {

SettingsFile read(std::string_view text) {
    auto file = relay::parse_settings_file(text, "turnd.toml");
    INFO(std::string{text});
    if (!file) FAIL(file.error().text);
    return *std::move(file);
}

std::string refusal(std::string_view text) {
    const auto file = relay::parse_settings_file(text, "turnd.toml");
    return file ? "" : file.error().text;
}

bool says(std::string_view text, std::string_view part) {
    const std::string said = refusal(text);
    INFO(said);
    return said.find(part) != std::string::npos;
}

SocketAddress address(std::string_view text) { return *SocketAddress::parse(text); }
IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

turn::PeerPolicy::Verdict judge(const SettingsFile& file, std::string_view peer) {
    return file.settings.tenants.front().limits.peers.judge(ip(peer));
}

using enum turn::PeerPolicy::Verdict;

}  // namespace

TEST_CASE("settings file: an empty file is safe: port 3478, nobody may relay, no inner addresses") {
    const SettingsFile file = read("");
    REQUIRE(file.settings.listeners.size() == 4);
    for (const relay::Listener& listener : file.settings.listeners) {
        CHECK(listener.address.port.value == 3478);
        CHECK(listener.address.ip.is_unspecified());
    }
    REQUIRE(file.settings.tenants.size() == 1);
    const relay::Tenant& tenant = file.settings.tenants.front();
    CHECK(tenant.secrets.empty());
    CHECK(tenant.accounts.empty());
    CHECK(tenant.limits.relays_per_user == 10);
    CHECK(tenant.limits.channel_range == turn::ChannelRange::Rfc8656);
    CHECK(file.settings.kernel_path == relay::KernelPath::Off);
    CHECK_FALSE(file.metrics);
    CHECK(file.listeners == SettingsFile::Listeners::Default);
    for (const char* inner : {"127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"}) {
        CHECK(judge(file, inner) == Denied);
    }
    CHECK(judge(file, "198.41.0.4") == Allowed);
}

TEST_CASE("settings file: each option of the file's first level is read") {
    const SettingsFile file = read(R"(
realm = "example.org"
state_directory = "/var/lib/x"
certificate = "/etc/x/chain.pem"
key = "/etc/x/key.pem"
nonce_key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
[metrics]
listen = "127.0.0.1:9641"
usage_file = "/var/log/usage.jsonl"
[drain]
redirect = "192.0.2.9:3478"
redirect_domain = "Other.example.org"
deadline = "30m"
)");
    CHECK(file.settings.tenants.front().realm == "example.org");
    CHECK(file.state_directory == "/var/lib/x");
    CHECK(file.certificate_file == "/etc/x/chain.pem");
    CHECK(file.key_file == "/etc/x/key.pem");
    CHECK(file.settings.nonce_key[1] == std::byte{0x11});
    CHECK(file.metrics == address("127.0.0.1:9641"));
    CHECK(file.usage_file == "/var/log/usage.jsonl");
    CHECK(file.settings.redirect == address("192.0.2.9:3478"));
    CHECK(file.settings.redirect_domain == "other.example.org");
    CHECK(file.drain_deadline == std::chrono::minutes{30});
}

TEST_CASE("settings file: listeners of each kind, with tenant and PROXY protocol") {
    const SettingsFile file = read(R"(
realm = "a.example"
[listen]
udp = ["192.0.2.1:3478", { address = "[2001:db8::1]:3479", tenant = "b.example" }]
tcp = [{ address = "0.0.0.0:3478", proxy_protocol = true }]
tls = ["0.0.0.0:443"]
dtls = ["0.0.0.0:5349"]
alternate = "192.0.2.2:3480"
[tenants."b.example"]
)");
    using relay::ListenerKind;
    // By name of the kind, as the tables of a file are sorted.
    const std::vector<relay::Listener> wanted{
        {.kind = ListenerKind::Dtls, .address = address("0.0.0.0:5349")},
        {.kind = ListenerKind::Tcp,
         .address = address("0.0.0.0:3478"),
         .proxy_protocol = relay::ProxyProtocol::Required},
        {.kind = ListenerKind::Tls, .address = address("0.0.0.0:443")},
        {.kind = ListenerKind::Udp, .address = address("192.0.2.1:3478")},
        {.kind = ListenerKind::Udp, .address = address("[2001:db8::1]:3479"), .tenant = 1},
    };
    CHECK(file.settings.listeners == wanted);
    CHECK(file.settings.alternate == address("192.0.2.2:3480"));
    CHECK(file.listeners == SettingsFile::Listeners::Given);
}

TEST_CASE("settings file: each option of [turn] is read") {
    const SettingsFile file = read(R"(
realm = "example.org"
[turn]
relay_addresses = ["10.0.0.5", { local = "10.0.0.6", external = "203.0.113.6" }]
external_addresses = ["203.0.113.7"]
stun_server = "stun.example.org:3478"
relay_ports = "50000-50999"
shards = 3
answers_per_second_per_network = 5000
answer_octets_per_second = 0
kernel_path = "tc"
secrets = ["north-and-south", { secret = "another secret", digest = "sha256" }, { file = "/etc/s" }]
allocations = 500
allocations_per_user = 7
permissions_per_allocation = 20
channels_per_allocation = 21
connections_per_allocation = 22
octets_per_second_per_user = 1000000
packets_per_second_per_user = 10
new_peers_per_minute_per_user = 30
connects_per_minute_per_user = 0
tcp_relays = true
mobility = true
username_anonymity = true
allow_peers = ["10.0.0.0/24"]
deny_peers = ["198.41.0.0/24"]
rfc5766_channels = true
longest_lifetime = "30m"
expired_credentials = "end-allocations"
nonce_lifetime = "10m"
software = "relay"
accounts = { alice = "wonderland" }
)");
    const relay::Settings& settings = file.settings;
    const std::vector<relay::RelayAddress> relays{{ip("10.0.0.5"), {}},
                                                  {ip("10.0.0.6"), ip("203.0.113.6")}};
    CHECK(settings.relay_addresses == relays);
    CHECK(file.external_source == relay::ExternalSource::Given);
    CHECK(file.external_addresses == std::vector{ip("203.0.113.7")});
    CHECK(file.stun_server == "stun.example.org:3478");
    CHECK(settings.ports == relay::PortRange{50000, 50999});
    CHECK(settings.shards == 3);
    CHECK(settings.replies.rate == turn::TokenRate{.per_second = 5000, .burst = 20000});
    CHECK_FALSE(settings.replies.octets);
    CHECK(settings.kernel_path == relay::KernelPath::Tc);
    const relay::Tenant& tenant = settings.tenants.front();
    REQUIRE(tenant.secrets.size() == 2);
    CHECK(tenant.secrets[0].secret == "north-and-south");
    CHECK(tenant.secrets[0].digest == turn::SecretDigest::Sha1);
    CHECK(tenant.secrets[1].digest == turn::SecretDigest::Sha256);
    CHECK(file.secret_files ==
          std::vector<relay::SecretFile>{{0, "/etc/s", turn::SecretDigest::Sha1}});
    CHECK(tenant.limits.allocations == 500);
    CHECK(tenant.limits.relays_per_user == 7);
    CHECK(tenant.limits.permissions == 20);
    CHECK(tenant.limits.channels == 21);
    REQUIRE(tenant.limits.user_bandwidth);
    CHECK(tenant.limits.user_bandwidth->per_second == 1'000'000);
    CHECK(tenant.limits.user_bandwidth->burst == 1'000'000);
    CHECK(tenant.limits.connections == 22);
    REQUIRE(tenant.limits.user_packets);
    CHECK(tenant.limits.user_packets->per_second == 10);
    CHECK(tenant.limits.user_packets->burst == 64);
    CHECK(tenant.limits.user_new_peers == 30);
    CHECK_FALSE(tenant.limits.user_connects);
    CHECK(tenant.limits.tcp_relays == turn::Offer::Offered);
    CHECK(tenant.limits.mobility == turn::Offer::Offered);
    CHECK(tenant.limits.authentication.anonymity == stun::LongTermServer::Anonymity::Offered);
    CHECK(judge(file, "10.0.0.9") == Allowed);
    CHECK(judge(file, "10.0.1.9") == Denied);
    CHECK(judge(file, "198.41.0.4") == Denied);
    CHECK(tenant.limits.channel_range == turn::ChannelRange::Rfc5766);
    CHECK(tenant.limits.longest_lifetime == std::chrono::minutes{30});
    CHECK(tenant.limits.expired_credential == turn::ExpiredCredential::EndsAllocations);
    CHECK(tenant.limits.authentication.nonce_lifetime == std::chrono::minutes{10});
    CHECK(tenant.limits.authentication.software == "relay");
    REQUIRE(tenant.accounts.size() == 1);
    CHECK(tenant.accounts[0].username == "alice");
}

TEST_CASE("settings file: the keys of accounts are those of RFC 8489 Sections 9.2.2 and 18.5.1") {
    const SettingsFile file = read(R"(
realm = "example.org"
[accounts]
alice = "wonderland"
bob = { md5 = "000102030405060708090a0b0c0d0e0f" }
)");
    const auto& accounts = file.settings.tenants.front().accounts;
    REQUIRE(accounts.size() == 2);
    // printf 'alice:example.org:wonderland' | md5sum
    CHECK(to_hex(accounts[0].keys.md5) == "72f86f2053703faa0f521ce71cfe6f59");
    CHECK(accounts[0].keys.sha256.size() == 32);
    CHECK(to_hex(accounts[1].keys.md5) == "000102030405060708090a0b0c0d0e0f");
    CHECK(accounts[1].keys.sha256.empty());
}

TEST_CASE("settings file: a tenant starts from [turn] and has users of its own") {
    const SettingsFile file = read(R"(
[turn]
allocations_per_user = 3
secrets = ["the default one"]
allow_peers = ["10.0.0.0/8"]
[tenants."blue.example"]
secrets = ["the secret of blue"]
allocations = 9
[tenants."blue.example".accounts]
carol = "red"
)");
    REQUIRE(file.settings.tenants.size() == 2);
    const relay::Tenant& blue = file.settings.tenants[1];
    CHECK(blue.realm == "blue.example");
    REQUIRE(blue.secrets.size() == 1);
    CHECK(blue.secrets[0].secret == "the secret of blue");
    CHECK(blue.limits.relays_per_user == 3);
    CHECK(blue.limits.allocations == 9);
    CHECK(blue.limits.peers.judge(ip("10.1.1.1")) == Allowed);
    REQUIRE(blue.accounts.size() == 1);
    CHECK(file.settings.tenants[0].accounts.empty());
    CHECK(file.settings.tenants[0].limits.allocations == 16'000);
}

TEST_CASE("settings file: keys of access tokens, several at once for rotation, of each tenant") {
    const SettingsFile file = read(R"(
server_name = "turn.example.org"
[turn.oauth]
server_name = "blackdow.carleon.gov"
keys = [
  { kid = "north", key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", expires = 2027-01-01 },
  { kid = "union", key = "MTIzNDU2Nzg5MDEyMzQ1Ng==", algorithm = "A128GCM" },
  { kid = "file", file = "/etc/stile/oauth" },
]
[tenants."blue.example"]
oauth = { keys = [{ kid = "north", file = "/etc/stile/blue" }] }
[tenants."red.example"]
)");
    CHECK(file.server_name == "turn.example.org");
    const relay::Tenant& tenant = file.settings.tenants.front();
    CHECK(tenant.limits.authentication.third_party == "blackdow.carleon.gov");
    REQUIRE(tenant.token_keys.size() == 2);
    CHECK(to_text(tenant.token_keys[0].key) == "01234567890123456789012345678901");
    CHECK(tenant.token_keys[0].expires->time_since_epoch().count() == 1'798'761'600);
    CHECK(tenant.token_keys[1].key.size() == 16);
    CHECK_FALSE(tenant.token_keys[1].expires);
    REQUIRE(file.token_key_files.size() == 2);
    CHECK(file.token_key_files[0].key.kid == "file");
    CHECK(file.token_key_files[0].octets == 32);
    CHECK(file.token_key_files[1].tenant == 1);
    // A tenant offers no tokens for which it has no key.
    CHECK(file.settings.tenants[2].limits.authentication.third_party.empty());

    const auto key = [](std::string_view fields) {
        return "[turn.oauth]\nkeys = [{ " + std::string{fields} + " }]\n";
    };
    CHECK(says("[turn.oauth]\n", "turnd.toml:1:1: 'keys' is missing here"));
    CHECK(says(key("file = '/x'"), "a key needs its 'kid'"));
    CHECK(says(key("kid = 'a'"), "either 'key' or 'file'"));
    CHECK(says(key("kid = 'a', file = '/x', key = 'AA=='"), "either 'key' or 'file'"));
    CHECK(says(key("kid = 'a', key = 'AA=='"), "turnd.toml:2:"));
    CHECK(says(key("kid = 'a', key = 'AA=='"), "openssl rand -base64 32"));
    CHECK(says(key("kid = 'a', algorithm = 'A256CBC', file = '/x'"), "one of: A256GCM, A128GCM"));
    CHECK(says(key("kid = 'a', file = '/x', expires = '2027-01-01'"), "without quotation marks"));
    CHECK(says(key("kid = 'a', file = '/x' }, { kid = 'a', file = '/y'"),
               "there is a key 'a' already"));
    std::string many;
    for (int i = 0; i < 64; ++i) many += "{ kid = 'k" + std::to_string(i) + "', file = '/x' }, ";
    CHECK(refusal("[turn.oauth]\nkeys = [" + many + "]\n").empty());
    CHECK(says("[turn.oauth]\nkeys = [" + many + "{ kid = 'x', file = '/x' }]\n", "too many keys"));
}

TEST_CASE("settings file: the external address can be found at the start") {
    const SettingsFile file =
        read("[turn]\nexternal_addresses = \"auto\"\nstun_server = \"192.0.2.1:3478\"\n");
    CHECK(file.external_source == relay::ExternalSource::Asked);
    CHECK(says("[turn]\nexternal_addresses = \"auto\"\n", "needs a server to ask"));
}

TEST_CASE("settings file: mistakes are named with their place and a way out") {
    CHECK(refusal("[turn]\nrelay_port = \"1024-2000\"\n") ==
          "turnd.toml:2:1: unknown key 'relay_port' in [turn]\n"
          "    2 | relay_port = \"1024-2000\"\n"
          "      | ^ did you mean 'relay_ports'?\n");
    CHECK(says("realm = \"\"\n", "this is no realm"));
    CHECK(says("nonce_key = \"00\"\n", "64 hexadecimal digits"));
    CHECK(says("[listen]\nudp = []\n", "nothing would be listened to"));
    CHECK(says("[listen]\nudp = [{ address = \"0.0.0.0:1\", proxy_protocol = true }]\n",
               "for tcp and tls only"));
    CHECK(says("[listen]\nudp = [{ tenant = \"x\" }]\n", "'address' is missing"));
    CHECK(says("[listen]\nudp = [{ address = \"0.0.0.0:1\", tenant = \"x\" }]\n",
               "there is no tenant 'x'"));
    CHECK(says("[listen]\nudp = [\"0.0.0.0:1\"]\nalternate = \"192.0.2.1:2\"\n",
               "another address and another port"));
    CHECK(says("[turn]\nkernel_path = \"xpd\"\n", "one of: off, automatic"));
    CHECK(says("[turn]\nsecrets = [\"short\"]\n", "at least 8 characters"));
    CHECK(says("[turn]\nsecrets = [{ secret = \"long enough\", file = \"/x\" }]\n", "a secret of"));
    CHECK(says("[turn]\nrelay_addresses = [\"0.0.0.0\"]\n", "an address of this machine"));
    CHECK(says("[turn]\nrelay_addresses = [{ local = \"10.0.0.1\", external = \"2001:db8::1\" }]\n",
               "one family"));
    CHECK(says("[turn]\nexternal_addresses = [\"203.0.113.1\", \"203.0.113.2\"]\n",
               "as many relay_addresses"));
    CHECK(says("[turn]\nlongest_lifetime = 60\n", "a time from 600 to 3600"));
    CHECK(says("[accounts]\nalice = \"\"\n", "needs a name and a password"));
    CHECK(says("[accounts]\nalice = { md5 = \"00\" }\n", "32 hexadecimal digits"));
    CHECK(says("realm = \"x\"\n[tenants.x]\n", "the default tenant's already"));
    CHECK(says("[drain]\ndeadline = \"8d\"\n", "a time from 0 to"));
}

TEST_CASE("settings file: eight secrets are taken, nine are not") {
    std::string list;
    for (int i = 0; i < 8; ++i) list += "\"secret number " + std::to_string(i) + "\", ";
    CHECK(refusal("[turn]\nsecrets = [" + list + "]\n").empty());
    CHECK(says("[turn]\nsecrets = [" + list + "\"one too many\"]\n", "too many secrets"));
}
