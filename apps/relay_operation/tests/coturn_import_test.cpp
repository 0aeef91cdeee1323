// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/coturn_import.hpp>
#include <stile/relay/settings_file.hpp>

#include <stile/base/encoding.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace stile;
using Kind = relay::ImportNote::Kind;

namespace {

relay::SettingsFile accepted(const relay::CoturnImport& import) {
    INFO(import.toml);
    auto file = relay::parse_settings_file(import.toml, "imported.toml");
    if (!file) FAIL(file.error().text);
    return *std::move(file);
}

const relay::ImportNote* note_of(const relay::CoturnImport& import, std::string_view option) {
    const auto found = std::ranges::find(import.notes, option, &relay::ImportNote::option);
    return found == import.notes.end() ? nullptr : &*found;
}

turn::PeerPolicy::Verdict judge(const relay::SettingsFile& file, std::string_view peer) {
    return file.settings.tenants.front().limits.peers.judge(*IpAddress::parse(peer));
}

using enum turn::PeerPolicy::Verdict;

}  // namespace

TEST_CASE("coturn import: an installation as Jitsi, Matrix and Nextcloud describe it") {
    const auto import = relay::import_coturn(R"(
# a home server's
use-auth-secret
static-auth-secret=abcdefghijklmnop
realm=turn.example.org
cert=/etc/letsencrypt/live/turn.example.org/fullchain.pem
pkey=/etc/letsencrypt/live/turn.example.org/privkey.pem
listening-port=3478
tls-listening-port=443
fingerprint
no-multicast-peers
no-cli
no-tlsv1
no-tlsv1_1
no-tcp-relay
denied-peer-ip=10.0.0.0-10.255.255.255
denied-peer-ip=192.168.0.0-192.168.255.255
denied-peer-ip=172.16.0.0-172.31.255.255
allowed-peer-ip=10.0.0.1
user-quota=12
total-quota=1200
external-ip=203.0.113.7/10.0.0.5
syslog
)");
    const auto file = accepted(import);
    const relay::Tenant& tenant = file.settings.tenants.front();
    CHECK(tenant.realm == "turn.example.org");
    REQUIRE(tenant.secrets.size() == 1);
    CHECK(tenant.secrets[0].secret == "abcdefghijklmnop");
    CHECK(tenant.limits.relays_per_user == 12);
    CHECK(tenant.limits.allocations == 1200);
    CHECK(tenant.limits.tcp_relays == turn::Offer::NotOffered);
    CHECK(file.certificate_file.ends_with("fullchain.pem"));
    CHECK(file.settings.listeners.size() == 8);
    CHECK(std::ranges::count(file.settings.listeners, Port{443},
                             [](const auto& listener) { return listener.address.port; }) == 4);
    REQUIRE(file.settings.relay_addresses.size() == 1);
    CHECK(file.settings.relay_addresses[0].external == IpAddress::parse("203.0.113.7"));
    // There the allowed address wins over the denied range, and so it does here.
    CHECK(judge(file, "10.0.0.1") == Allowed);
    CHECK(judge(file, "10.0.0.2") == Denied);
    CHECK(judge(file, "192.168.1.1") == Denied);
    for (const relay::ImportNote& note : import.notes) CHECK(note.kind != Kind::NotTaken);
    CHECK(note_of(import, "syslog")->kind == Kind::NotNeeded);
}

TEST_CASE("coturn import: each line that cannot be taken is named") {
    const auto import = relay::import_coturn(
        "no-auth\n"
        "psql-userdb=\"host=x\"\n"
        "made-up=1\n"
        "external-ip=turn.example.org\n"
        "channel-lifetime=900\n"
        "user=broken\n"
        "static-auth-secret=short\n");
    accepted(import);
    const std::string said = to_text(import.notes, "turnserver.conf");
    for (const char* line :
         {"turnserver.conf:1: no-auth: not taken", "turnserver.conf:2: psql-userdb: not taken",
          "turnserver.conf:3: made-up: not taken: this option is not known here",
          "turnserver.conf:4: external-ip: not taken", "turnserver.conf:5: channel-lifetime: not",
          "turnserver.conf:6: user: not taken", "fewer than 8 characters"}) {
        CAPTURE(line);
        CAPTURE(said);
        CHECK(said.find(line) != std::string::npos);
    }
}

TEST_CASE("coturn import: passwords, keys and the database's users of several realms") {
    relay::CoturnUsers users;
    users.accounts = {{"example.org", "db", "00112233445566778899aabbccddeeff"},
                      {"other.example", "carol", "ffeeddccbbaa99887766554433221100"},
                      {"example.org", "plain", "not a key"}};
    users.secrets = {{"other.example", "a secret of theirs"}};
    users.denied = {{"", "198.41.0.0-198.41.0.255"}};
    const auto import = relay::import_coturn(
        "realm=example.org\nlt-cred-mech\nuserdb=/var/lib/turn/turndb\n"
        "user=alice:won\"der\\land\nuser=bob:0xBC807EE29DF3C9FFA736523FB2C4E8EE\n",
        users);
    CHECK(import.userdb == "/var/lib/turn/turndb");
    const auto file = accepted(import);
    REQUIRE(file.settings.tenants.size() == 2);
    const auto& accounts = file.settings.tenants[0].accounts;
    REQUIRE(accounts.size() == 3);
    CHECK(accounts[0].username == "alice");
    CHECK(accounts[0].keys.md5 ==
          relay::account_keys("alice", "example.org", "won\"der\\land").md5);
    CHECK(to_hex(accounts[1].keys.md5) == "bc807ee29df3c9ffa736523fb2c4e8ee");
    CHECK(accounts[2].username == "db");
    CHECK(file.settings.tenants[1].realm == "other.example");
    CHECK(file.settings.tenants[1].secrets.size() == 1);
    CHECK(judge(file, "198.41.0.4") == Denied);
    const auto* const note = note_of(import, "userdb");
    REQUIRE(note != nullptr);
    CHECK(note->reason.find("'plain'") != std::string::npos);
}

TEST_CASE("coturn import: every option of its documented file is known") {
    const auto import = relay::import_coturn(R"(
listening-device=eth0
listening-port=3478
tls-listening-port=5349
alt-listening-port=0
alt-tls-listening-port=0
tcp-proxy-port=5555
listening-ip=172.17.19.101
listening-ip=172.17.19.102
aux-server=172.17.19.110:33478
aux-server=[2607:f0d0:1002:51::4]:33478
udp-self-balance
relay-device=eth1
relay-ip=172.17.19.105
external-ip=60.70.80.91
relay-threads=2
min-port=50000
max-port=50999
verbose
fingerprint
lt-cred-mech
no-auth
prometheus
use-auth-secret
static-auth-secret=north-north
server-name=blackdow.carleon.gov
oauth
user=username1:key1
userdb=/var/db/turndb
psql-userdb="host=h"
mysql-userdb="host=h"
secret-key-file=/path/
mongo-userdb="mongodb://h"
redis-userdb="ip=h"
redis-statsdb="ip=h"
realm=mycompany.org
check-origin-consistency
user-quota=0
total-quota=0
max-bps=1000000
bps-capacity=0
no-udp-relay
stale-nonce=600
max-allocate-lifetime=3600
channel-lifetime=600
permission-lifetime=300
cert=/usr/local/etc/turn_server_cert.pem
pkey=/usr/local/etc/turn_server_pkey.pem
pkey-pwd=secret
cipher-list="DEFAULT"
ec-curve-name=prime256v1
dh566
dh1066
dh-file=/x
no-stdout-log
log-file=/var/tmp/turn.log
syslog
syslog-facility="LOG_LOCAL1"
simple-log
new-log-timestamp
new-log-timestamp-format "%FT%T%z"
log-binding
alternate-server=1.2.3.4:5678
tls-alternate-server=1.2.3.4:5678
stun-only
no-software-attribute
no-stun
rest-api-separator=:
allow-loopback-peers
no-multicast-peers
max-allocate-timeout=60
denied-peer-ip=83.166.64.0-83.166.95.255
allowed-peer-ip=83.166.68.45
pidfile="/var/run/turnserver.pid"
secure-stun
mobility
keep-address-family
allocation-default-address-family="ipv4"
proc-user=turn
proc-group=turn
no-cli
cli-ip=127.0.0.1
cli-port=5766
cli-password=qwerty
web-admin
web-admin-ip=127.0.0.1
web-admin-port=8080
web-admin-listen-on-workers
acme-redirect=http://r/
server-relay
cli-max-output-sessions
ne=3
no-tlsv1
no-tlsv1_1
no-tlsv1_2
no-stun-backward-compatibility
response-origin-only-with-rfc5780
)");
    for (const relay::ImportNote& note : import.notes) {
        CAPTURE(note.option);
        CHECK(note.reason != "this option is not known here");
    }
    const auto file = accepted(import);
    CHECK(file.settings.alternate == SocketAddress::parse("172.17.19.102:3479"));
    CHECK(file.settings.shards == 2);
    CHECK(file.settings.ports == relay::PortRange{50000, 50999});
    CHECK(file.metrics == SocketAddress::parse("127.0.0.1:9641"));
    CHECK(file.settings.tenants[0].limits.mobility == turn::Offer::Offered);
    CHECK(judge(file, "83.166.68.45") == Allowed);
    CHECK(judge(file, "83.166.68.46") == Denied);
    CHECK(judge(file, "83.166.96.0") == Allowed);
}

TEST_CASE("coturn import: what stiled takes has its own names") {
    relay::CoturnUsers users;
    users.accounts = {{"other.example", "carol", "ffeeddccbbaa99887766554433221100"}};
    const auto import = relay::import_coturn(
        "realm=example.org\nuser=alice:wonderland\ncert=/c.pem\npkey=/k.pem\nno-dtls\n"
        "listening-ip=192.0.2.1\ntcp-proxy-port=5555\n",
        users, relay::ImportTarget::Stiled);
    for (const char* line :
         {"domain = \"example.org\"\n", "turn = [\"192.0.2.1:3478\"]\n",
          "turns = [\"192.0.2.1:5349\"]\n", "[turn.accounts]\n\"alice\" = \"wonderland\"\n",
          "certificate = \"/c.pem\"\n"}) {
        CAPTURE(line);
        CAPTURE(import.toml);
        CHECK(import.toml.find(line) != std::string::npos);
    }
    CHECK(import.toml.find("tenants") == std::string::npos);
    CHECK(note_of(import, "no-dtls")->kind == Kind::NotTaken);
    CHECK(note_of(import, "tcp-proxy-port")->kind == Kind::NotTaken);
    CHECK(note_of(import, "userdb")->kind == Kind::NotTaken);
}

TEST_CASE("coturn import: keys of access tokens come with their algorithm and expiry") {
    relay::CoturnUsers users;
    // As coturn's clients have them: 33 octets, of which 32 count.
    users.token_keys = {
        {"", "north", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK", "A256GCM", 1'700'000'000, 99},
        {"b.example", "union", "MTIzNDU2Nzg5MDEyMzQ1Ngo=", "A128GCM", 0, 0},
        {"", "short", "AAAA", "", 0, 0},
        {"", "other", "MDEy", "A256CBC-HS512", 0, 0}};
    const auto import =
        relay::import_coturn("realm=a.example\noauth\nserver-name=turn.a.example\n", users);
    const auto file = accepted(import);
    const relay::Tenant& tenant = file.settings.tenants.front();
    REQUIRE(tenant.token_keys.size() == 1);
    CHECK(tenant.token_keys[0].kid == "north");
    CHECK(to_text(tenant.token_keys[0].key) == "01234567890123456789012345678901");
    CHECK(tenant.token_keys[0].expires->time_since_epoch().count() == 1'700'000'099);
    CHECK(tenant.limits.authentication.third_party == "turn.a.example");
    REQUIRE(file.settings.tenants.size() == 2);
    CHECK(to_text(file.settings.tenants[1].token_keys.at(0).key) == "1234567890123456");
    const std::string said = to_text(import.notes, "f");
    CHECK(said.find("f: userdb: not taken: token key 'short' is too short") != std::string::npos);
    CHECK(said.find("token key 'other' is of another algorithm") != std::string::npos);
    CHECK(note_of(import, "oauth")->kind == Kind::Differs);

    const auto without = relay::import_coturn("oauth\n");
    const std::string what = to_text(without.notes, "f");
    CHECK(what.find("f:1: oauth: not taken: its keys") != std::string::npos);
    CHECK(what.find("oauth = { server_name") != std::string::npos);
    // Switched off, its keys are nobody's.
    const auto off = relay::import_coturn("realm=a.example\n", users);
    CHECK(accepted(off).settings.tenants.front().token_keys.empty());
}
