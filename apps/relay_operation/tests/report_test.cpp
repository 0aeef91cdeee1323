// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/certificate.hpp>
#include <stile/relay/report.hpp>
#include <stile/relay/self_check.hpp>
#include <stile/relay/trace.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

using namespace stile;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

turn::Session session() {
    turn::Session one;
    one.flow = {at("192.0.2.1:3478"), at("198.51.100.7:50000"), turn::ClientTransport::Tls};
    one.username = "1700000000:alice\x1b[2J";
    one.owner = "alice";
    one.relayed = {at("192.0.2.1:49152"), at("[2001:db8::1]:49153")};
    one.started = Instant{100s};
    one.expires = Instant{700s};
    one.permissions = {{*IpAddress::parse("203.0.113.9"), Instant{400s}}};
    one.channels = {{turn::ChannelNumber{0x4001}, at("203.0.113.9:7"), Instant{650s}}};
    one.traffic = {.packets_to_peers = 3, .octets_to_peers = 300};
    return one;
}

const relay::Clocks clocks{.now = Instant{150s}, .wall = WallTime{1'800'000'000s}};

std::string said(const std::vector<std::string>& lines) {
    std::string all;
    for (const std::string& line : lines) all += line + '\n';
    return all;
}

}  // namespace

TEST_CASE("report: metrics have the same series whatever was served, with a help and a type each") {
    relay::Statistics busy;
    busy.relay.packets_to_peers = 7;
    busy.relay.octets_to_clients = 900;
    busy.relay.dropped.at(static_cast<std::size_t>(turn::DropReason::NoPermission)) = 5;
    busy.relay.refused.count(stun::error::unauthenticated);
    busy.strangers_silenced = 6;
    busy.allocations = 2;
    const relay::ProcessFacts facts{.version = "1", .reloads = 4};
    const std::string text = relay::to_prometheus(busy, facts);
    for (const char* line : {"\nstile_turn_packets_total{direction=\"to_peer\"} 7\n",
                             "\nstile_turn_payload_octets_total{direction=\"to_client\"} 900\n",
                             "\nstile_turn_dropped_total{reason=\"no-permission\"} 5\n",
                             "\nstile_turn_requests_refused_total{code=\"401\"} 1\n",
                             "\nstile_turn_requests_refused_total{code=\"508\"} 0\n",
                             "\nstile_turn_strangers_total{outcome=\"silenced\"} 6\n",
                             "\nstile_turn_allocations 2\n", "\nstile_turn_reloads_total 4\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
    const auto count_lines = [](const std::string& of) { return std::ranges::count(of, '\n'); };
    CHECK(count_lines(text) == count_lines(relay::to_prometheus({}, facts)));
    CHECK(text.find("alice") == std::string::npos);
    std::set<std::string> families;
    std::size_t begin = 0;
    while ((begin = text.find("# TYPE ", begin)) != std::string::npos) {
        begin += 7;
        CHECK(families.insert(text.substr(begin, text.find(' ', begin) - begin)).second);
    }
    CHECK(families.size() > 15);
}

TEST_CASE(
    "report: a session in JSON says who, how, whereto and how long; names cannot drive a "
    "terminal") {
    const json shown = relay::to_json(session(), clocks);
    CHECK(shown["user"] == "1700000000:alice\\x1b[2J");
    CHECK(shown["transport"] == "tls");
    CHECK(shown["client"] == "198.51.100.7:50000");
    CHECK(shown["relayed"].size() == 2);
    CHECK(shown["started"] == 1'799'999'950);
    CHECK(shown["seconds_left"] == 550);
    CHECK(shown["permissions"][0]["peer"] == "203.0.113.9");
    CHECK(shown["channels"][0]["number"] == 0x4001);
    CHECK(shown["traffic"]["octets_to_peers"] == 300);
    CHECK(shown["session"].get<std::string>().size() == 12);
    turn::Session other = session();
    other.flow.remote.port.value = 50001;
    CHECK(relay::session_name(other.flow) != relay::session_name(session().flow));
    const std::string table = relay::sessions_table(json::array({shown}));
    CHECK(table.find("198.51.100.7:50000") != std::string::npos);
    CHECK(relay::sessions_table(json::array()) == "No sessions.\n");
    // Who came with an access token is told from others of its key.
    turn::Session token = session();
    token.username = "north";
    token.owner = "north:00112233445566778899aabbccddeeff";
    CHECK(relay::sessions_table(json::array({relay::to_json(token, clocks)}))
              .find(" north:00112233445566 tls ") != std::string::npos);
}

TEST_CASE("report: a usage record has what accounting needs") {
    const json record = relay::to_json(
        turn::Usage{.session = session(), .why = turn::EndReason::Expired, .ended = Instant{140s}},
        clocks);
    CHECK(record["why"] == "expired");
    CHECK(record["ended"] == 1'799'999'990);
    CHECK(record["owner"] == "alice");
    CHECK_FALSE(record.contains("permissions"));
}

TEST_CASE("report: a trace tells what changed between two looks, and nothing else") {
    const json first = relay::to_json(session(), clocks);
    const std::string begin = said(relay::trace_lines(json{}, first));
    CHECK(begin.find("over tls from 198.51.100.7:50000") != std::string::npos);
    CHECK(begin.find("permission 203.0.113.9 for 250 s") != std::string::npos);
    CHECK(begin.find("channel 0x4001 203.0.113.9:7 for 500 s") != std::string::npos);
    CHECK(relay::trace_lines(first, first).empty());
    turn::Session later = session();
    later.permissions[0].expires = Instant{600s};
    later.channels.clear();
    later.traffic.packets_to_clients = 2;
    later.traffic.octets_to_clients = 50;
    later.flow.remote.port.value = 50001;
    const std::string change = said(relay::trace_lines(first, relay::to_json(later, clocks)));
    CHECK(change.find("moved to 198.51.100.7:50001") != std::string::npos);
    CHECK(change.find("permission 203.0.113.9 refreshed, 450 s") != std::string::npos);
    CHECK(change.find("channel 0x4001 203.0.113.9:7 ended") != std::string::npos);
    CHECK(change.find("2 packets, 50 octets to the client") != std::string::npos);
}

TEST_CASE("self-check: names what is wrong with cause and next step") {
    relay::SettingsFile file = relay::default_settings_file();
    relay::Settings settings = file.settings;
    settings.listeners = {{.kind = relay::ListenerKind::Udp, .address = at("192.0.2.77:3478")}};
    settings.relay_addresses = {{*IpAddress::parse("192.0.2.77"), std::nullopt}};
    settings.certificate_pem = "nonsense";
    const auto findings =
        relay::self_check(file, settings, relay::Ports::Probe, WallTime{1'000'000s});
    const std::string text = relay::to_text(findings);
    CAPTURE(text);
    CHECK(relay::any_fatal(findings));
    for (const char* part : {"Cannot listen at UDP 192.0.2.77:3478", "see 'ip address'",
                             "No relay can be opened at 192.0.2.77", "The system's clock is wrong",
                             "The certificate cannot be used", "Nobody can relay in this realm"}) {
        CAPTURE(part);
        CHECK(text.find(part) != std::string::npos);
    }
}

TEST_CASE("self-check: a machine that is ready has no fatal finding") {
    relay::SettingsFile file = relay::default_settings_file();
    relay::Settings settings = file.settings;
    settings.listeners = {{.kind = relay::ListenerKind::Udp, .address = at("127.0.0.1:0")},
                          {.kind = relay::ListenerKind::Tcp, .address = at("127.0.0.1:0")}};
    settings.relay_addresses = {{*IpAddress::parse("127.0.0.1"), std::nullopt}};
    settings.tenants.front().secrets = {{.secret = "a secret"}};
    const auto findings =
        relay::self_check(file, settings, relay::Ports::Probe, WallTime{1'800'000'000s});
    CAPTURE(relay::to_text(findings));
    CHECK_FALSE(relay::any_fatal(findings));
}

TEST_CASE("self-check: the certificate is compared with the name that clients connect to") {
    const auto key = *crypto::PrivateKey::from_scalar(Bytes(32, std::byte{7}));
    const WallTime now{1'800'000'000s};
    const auto text_for = [&](std::vector<std::string> names, std::string wanted) {
        relay::SettingsFile file = relay::default_settings_file();
        file.server_name = std::move(wanted);
        relay::Settings settings = file.settings;
        settings.listeners.clear();
        crypto::CertificateContent content{};
        content.names.common_name = "x";
        content.names.dns = std::move(names);
        content.validity = {.not_before = now - 24h, .not_after = now + 90 * 24h};
        settings.certificate_pem = crypto::make_self_signed(key, content).pem();
        settings.key_pem = key.pkcs8_pem();
        return relay::to_text(relay::self_check(file, settings, relay::Ports::InUseByUs, now));
    };
    const std::string wrong = text_for({"turn.example.net"}, "turn.example.org");
    CAPTURE(wrong);
    CHECK(wrong.find("Clients of turns:turn.example.org will not accept the certificate") !=
          std::string::npos);
    CHECK(wrong.find("it is for turn.example.net") != std::string::npos);
    CHECK(text_for({}, "turn.example.org").find("it names no host") != std::string::npos);
    for (const char* name : {"turn.example.org", "TURN.example.org", "*.example.org"}) {
        CAPTURE(name);
        CHECK(text_for({name}, "turn.example.org").find("not accept") == std::string::npos);
    }
    for (const char* name : {"*.org", "*.turn.example.org", "*.example.com", "example.org"}) {
        CAPTURE(name);
        CHECK(text_for({name}, "turn.example.org").find("not accept") != std::string::npos);
    }
    CHECK(text_for({"turn.example.net"}, "").find("for turn.example.net until") !=
          std::string::npos);
}
