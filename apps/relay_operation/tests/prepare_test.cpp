// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "temp_folder.hpp"

#include <stile/relay/prepare.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <algorithm>
#include <filesystem>
#include <string>

using namespace stile;

namespace {

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

struct Folder : relay::testing::TempFolder {
    relay::StateFolder state() const { return *relay::StateFolder::open(path() + "/state"); }
};

relay::Machine machine(std::vector<IpAddress> addresses) {
    return {.addresses = std::move(addresses),
            .ipv6 = relay::Machine::Ipv6::Absent,
            .ask_external_address = [](const std::string&, const IpAddress&)
                -> std::expected<IpAddress, std::string> { return ip("203.0.113.7"); }};
}

relay::SettingsFile parse(std::string_view text) {
    auto file = relay::parse_settings_file(text, "f");
    if (!file) FAIL(file.error().text);
    return *std::move(file);
}

relay::Settings prepare(const relay::SettingsFile& file, const Folder& folder,
                        const relay::Machine& on) {
    auto settings = relay::prepare(file, folder.state(), on);
    if (!settings) FAIL(app::to_text(settings.error()));
    return *std::move(settings);
}

std::string refusal(const relay::SettingsFile& file, const Folder& folder) {
    const auto settings = relay::prepare(file, folder.state(), machine({ip("10.0.0.5")}));
    return settings ? "" : app::to_text(settings.error());
}

}  // namespace

TEST_CASE("prepare: without configuration a secret is made once, readable by its owner alone") {
    const Folder folder;
    const auto first = prepare(relay::default_settings_file(), folder, machine({ip("10.0.0.5")}));
    const auto again = prepare(relay::default_settings_file(), folder, machine({ip("10.0.0.5")}));
    REQUIRE(first.tenants.front().secrets.size() == 1);
    CHECK(first.tenants.front().secrets.front().secret.size() == 64);
    CHECK(first.tenants.front().secrets.front().secret ==
          again.tenants.front().secrets.front().secret);
    CHECK(first.nonce_key == again.nonce_key);
    CHECK(first.nonce_key != decltype(first.nonce_key){});
    for (const char* name : {"secrets", "nonce-key"}) {
        struct stat facts{};
        REQUIRE(::stat((folder.path() + "/state/" + name).c_str(), &facts) == 0);
        CHECK((facts.st_mode & 0777U) == 0600U);
    }
    // A machine without IPv6 does not listen on it.
    CHECK(first.listeners.size() == 2);
}

TEST_CASE("prepare: a new secret comes first, and as many old ones stay as asked for") {
    const Folder folder;
    const auto old = folder.state().secrets();
    const auto fresh = folder.state().add_secret(1);
    const auto both = folder.state().secrets();
    REQUIRE(both);
    REQUIRE(both->size() == 2);
    CHECK((*both)[0].secret == fresh->secret);
    CHECK((*both)[1].secret == old->front().secret);
    (void)folder.state().add_secret(1);
    CHECK(folder.state().secrets()->size() == 2);
    (void)folder.state().add_secret(0);
    CHECK(folder.state().secrets()->size() == 1);
}

TEST_CASE("prepare: a configured secret or account leaves no generated one") {
    const Folder folder;
    const auto settings =
        prepare(parse("[accounts]\nalice = \"wonderland\"\n"), folder, machine({ip("10.0.0.5")}));
    CHECK(settings.tenants.front().secrets.empty());
    CHECK_FALSE(std::filesystem::exists(folder.path() + "/state/secrets"));
}

TEST_CASE("prepare: secrets of files are read, an empty or missing one is named") {
    const Folder folder;
    const std::string good = folder.file("secret", "  deep secret \n");
    const auto file =
        parse("[turn]\nsecrets = [{ file = \"" + good + "\", digest = \"sha256\" }]\n");
    const auto settings = prepare(file, folder, machine({ip("10.0.0.5")}));
    REQUIRE(settings.tenants.front().secrets.size() == 1);
    CHECK(settings.tenants.front().secrets.front().secret == "deep secret");
    CHECK(settings.tenants.front().secrets.front().digest == turn::SecretDigest::Sha256);
    const std::string empty = folder.file("empty", "\n");
    CHECK(refusal(parse("[turn]\nsecrets = [{ file = \"" + empty + "\" }]\n"), folder)
              .find("is empty") != std::string::npos);
    CHECK(refusal(parse("[turn]\nsecrets = [{ file = \"/nonexistent/s\" }]\n"), folder)
              .find("/nonexistent/s") != std::string::npos);
}

TEST_CASE("prepare: keys of access tokens are read from files, for the name that clients know") {
    const Folder folder;
    const std::string good = folder.file("key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n");
    const std::string text =
        "[turn.oauth]\nkeys = [{ kid = \"north\", file = \"" + good + "\" }]\n";
    const auto here = machine({ip("10.0.0.5")});
    const auto settings = prepare(parse("realm = \"a.example\"\n" + text), folder, here);
    const relay::Tenant& tenant = settings.tenants.front();
    REQUIRE(tenant.token_keys.size() == 1);
    CHECK(tenant.token_keys[0].kid == "north");
    CHECK(to_text(tenant.token_keys[0].key) == "01234567890123456789012345678901");
    CHECK(tenant.limits.authentication.third_party == "a.example");
    // Who has tokens needs no generated secret.
    CHECK(tenant.secrets.empty());
    CHECK(prepare(parse("server_name = \"turn.a.example\"\n" + text), folder, here)
              .tenants.front()
              .limits.authentication.third_party == "turn.a.example");
    CHECK(prepare(parse("server_name = \"turn.a.example\"\n"), folder, here)
              .tenants.front()
              .limits.authentication.third_party.empty());
    const std::string bad = folder.file("bad", "c2hvcnQ=\n");
    CHECK(refusal(parse("[turn.oauth]\nkeys = [{ kid = \"x\", file = \"" + bad + "\" }]\n"), folder)
              .find("openssl rand -base64 32") != std::string::npos);
}

TEST_CASE("prepare: TLS needs a certificate and its key") {
    const Folder folder;
    CHECK(refusal(parse("[listen]\ntls = [\"0.0.0.0:443\"]\n"), folder).find("no certificate") !=
          std::string::npos);
    CHECK(refusal(parse("certificate = \"/x\"\n"), folder).find("Only one of") !=
          std::string::npos);
    const std::string chain = folder.file("chain.pem", "chain");
    const std::string key = folder.file("key.pem", "key");
    const auto settings = prepare(parse("certificate = \"" + chain + "\"\nkey = \"" + key + "\"\n"),
                                  folder, machine({ip("10.0.0.5")}));
    CHECK(settings.certificate_pem == "chain");
    CHECK(settings.key_pem == "key");
}

TEST_CASE("prepare: relays open at the best address of each family") {
    const Folder folder;
    const auto chosen = prepare(relay::default_settings_file(), folder,
                                machine({ip("198.51.100.1"), ip("2001:db8::1"), ip("10.0.0.5")}));
    REQUIRE(chosen.relay_addresses.size() == 2);
    CHECK(chosen.relay_addresses[0].local == ip("198.51.100.1"));
    CHECK(chosen.relay_addresses[1].local == ip("2001:db8::1"));
    const auto listened = prepare(parse("[listen]\nudp = [\"10.0.0.5:3478\"]\n"), folder,
                                  machine({ip("198.51.100.1"), ip("10.0.0.5")}));
    REQUIRE(listened.relay_addresses.size() == 1);
    CHECK(listened.relay_addresses[0].local == ip("10.0.0.5"));
}

TEST_CASE("prepare: external addresses are given, or asked for, and are the server's own") {
    const Folder folder;
    const auto given = prepare(parse("[turn]\nrelay_addresses = [\"10.0.0.5\", \"10.0.0.6\"]\n"
                                     "external_addresses = [\"203.0.113.5\", \"203.0.113.6\"]\n"),
                               folder, machine({ip("10.0.0.5"), ip("10.0.0.6")}));
    CHECK(given.relay_addresses[0].external == ip("203.0.113.5"));
    CHECK(given.relay_addresses[1].external == ip("203.0.113.6"));
    CHECK(std::ranges::find(given.own_addresses, ip("203.0.113.6")) != given.own_addresses.end());
    const auto asked =
        parse("[turn]\nexternal_addresses = \"auto\"\nstun_server = \"192.0.2.1:3478\"\n");
    CHECK(prepare(asked, folder, machine({ip("10.0.0.5")})).relay_addresses[0].external ==
          ip("203.0.113.7"));
    // No NAT: the address is the machine's own.
    CHECK_FALSE(prepare(asked, folder, machine({ip("203.0.113.7")})).relay_addresses[0].external);
    auto silent = machine({ip("10.0.0.5")});
    silent.ask_external_address = [](const std::string&,
                                     const IpAddress&) -> std::expected<IpAddress, std::string> {
        return std::unexpected("no answer");
    };
    CHECK_FALSE(relay::prepare(asked, folder.state(), silent));
}

TEST_CASE("prepare: SHA-256 is offered where every account has a key for it") {
    const Folder folder;
    const auto both =
        prepare(parse("[accounts]\nalice = \"wonderland\"\n"), folder, machine({ip("10.0.0.5")}));
    CHECK(both.tenants[0].limits.authentication.algorithms.list().size() == 2);
    const auto md5 =
        prepare(parse("[accounts]\nbob = { md5 = \"000102030405060708090a0b0c0d0e0f\" }\n"), folder,
                machine({ip("10.0.0.5")}));
    CHECK(md5.tenants[0].limits.authentication.algorithms.list().empty());
}
