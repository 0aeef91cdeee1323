// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/turn/discovery.hpp>

#include <map>

namespace stile::turn {
namespace {

using enum ClientTransport;
using Kind = ServerResolution::Question::Kind;

constexpr ClientTransport everything[] = {Udp, Tcp, Dtls, Tls};

// A DNS of the test's, and what was asked of it.
struct Dns {
    std::map<std::string, std::vector<NaptrAnswer>> naptr;
    std::map<std::string, std::vector<SrvAnswer>> srv;
    std::map<std::string, std::vector<IpAddress>> addresses;
    std::vector<std::string> asked;

    void step(ServerResolution& resolution) {
        const auto question = *resolution.poll_question();
        switch (question.kind) {
            case Kind::Naptr:
                asked.push_back("NAPTR " + question.name);
                if (!naptr.contains(question.name)) return resolution.handle_nothing();
                return resolution.handle_naptr(naptr[question.name]);
            case Kind::Srv:
                asked.push_back("SRV " + question.name);
                if (!srv.contains(question.name)) return resolution.handle_nothing();
                return resolution.handle_srv(srv[question.name]);
            case Kind::Addresses:
                asked.push_back("A " + question.name);
                if (!addresses.contains(question.name)) return resolution.handle_nothing();
                return resolution.handle_addresses(addresses[question.name]);
        }
    }
    std::vector<std::string> resolve(std::string_view uri,
                                     std::span<const ClientTransport> supported = everything,
                                     std::uint64_t seed = 1) {
        asked.clear();
        ServerResolution resolution{TurnUri::parse(uri).value(), supported,
                                    crypto::RandomStream{crypto::seed_from_number(seed)}};
        while (!resolution.finished()) step(resolution);
        std::vector<std::string> found;
        static constexpr const char* names[] = {"udp ", "dtls ", "tcp ", "tls "};
        for (const ServerAddress& server : resolution.servers()) {
            found.push_back(names[static_cast<std::size_t>(server.transport)] +
                            server.address.to_string());
        }
        return found;
    }
};

using Lines = std::vector<std::string>;
IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

// RFC 7350 Appendix A.
Dns example() {
    Dns dns;
    dns.naptr["example.net"] = {{.order = 200,
                                 .preference = 10,
                                 .service = "RELAY:turn.tcp:turn.tls",
                                 .replacement = "stream.example.net"},
                                {.order = 100,
                                 .preference = 10,
                                 .service = "RELAY:turn.udp:turn.dtls",
                                 .replacement = "datagram.example.net"}};
    dns.naptr["datagram.example.net"] = {{.order = 100,
                                          .preference = 10,
                                          .flags = "S",
                                          .service = "RELAY:turn.udp",
                                          .replacement = "_turn._udp.example.net"},
                                         {.order = 200,
                                          .preference = 10,
                                          .flags = "S",
                                          .service = "RELAY:turn.dtls",
                                          .replacement = "_turns._udp.example.net"}};
    dns.naptr["stream.example.net"] = {{.order = 100,
                                        .preference = 10,
                                        .flags = "S",
                                        .service = "RELAY:turn.tcp",
                                        .replacement = "_turn._tcp.example.net"},
                                       {.order = 200,
                                        .preference = 10,
                                        .flags = "A",
                                        .service = "RELAY:turn.tls",
                                        .replacement = "a.example.net"}};
    dns.srv["_turn._udp.example.net"] = {{.port = {3478}, .target = "a.example.net"}};
    dns.srv["_turns._udp.example.net"] = {{.port = {5349}, .target = "a.example.net"}};
    dns.srv["_turn._tcp.example.net"] = {{.port = {5000}, .target = "a.example.net"}};
    dns.addresses["a.example.net"] = {ip("192.0.2.1")};
    return dns;
}

TEST_CASE("turn resolution: the example of RFC 7350, by NAPTR, SRV and address") {
    Dns dns = example();
    CHECK(dns.resolve("turn:example.net") == Lines{"udp 192.0.2.1:3478", "tcp 192.0.2.1:5000"});
    CHECK(dns.asked == Lines{"NAPTR example.net", "NAPTR datagram.example.net",
                             "SRV _turn._udp.example.net", "A a.example.net",
                             "NAPTR stream.example.net", "SRV _turn._tcp.example.net",
                             "A a.example.net"});
    CHECK(dns.resolve("turns:example.net") == Lines{"dtls 192.0.2.1:5349", "tls 192.0.2.1:5349"});
    const ClientTransport streams[] = {Tls, Tcp};
    CHECK(dns.resolve("turns:example.net", streams) == Lines{"tls 192.0.2.1:5349"});
}

TEST_CASE("turn resolution: an address needs no question") {
    Dns dns;
    CHECK(dns.resolve("turn:192.0.2.7") == Lines{"udp 192.0.2.7:3478", "tcp 192.0.2.7:3478"});
    CHECK(dns.resolve("turns:192.0.2.7") == Lines{"dtls 192.0.2.7:5349", "tls 192.0.2.7:5349"});
    CHECK(dns.resolve("turn:[2001:db8::1]:9?transport=tcp") == Lines{"tcp [2001:db8::1]:9"});
    CHECK(dns.asked.empty());
}

TEST_CASE("turn resolution: a port needs no SRV, each transport is tried at it") {
    Dns dns = example();
    dns.addresses["example.net"] = {ip("2001:db8::1"), ip("192.0.2.2")};
    CHECK(dns.resolve("turn:example.net:99") == Lines{"udp [2001:db8::1]:99", "udp 192.0.2.2:99",
                                                      "tcp [2001:db8::1]:99", "tcp 192.0.2.2:99"});
    CHECK(dns.asked == Lines{"A example.net"});
}

TEST_CASE("turn resolution: a transport needs no NAPTR; without SRV the default port is tried") {
    Dns dns = example();
    dns.addresses["example.net"] = {ip("192.0.2.2")};
    CHECK(dns.resolve("turn:example.net?transport=tcp") == Lines{"tcp 192.0.2.1:5000"});
    CHECK(dns.resolve("turns:example.net?transport=tcp") == Lines{"tls 192.0.2.2:5349"});
    CHECK(dns.asked == Lines{"SRV _turns._tcp.example.net", "A example.net"});
}

TEST_CASE("turn resolution: without NAPTR every transport's SRV is asked for") {
    Dns dns = example();
    dns.naptr.clear();
    CHECK(dns.resolve("turn:example.net") == Lines{"udp 192.0.2.1:3478", "tcp 192.0.2.1:5000"});
    CHECK(dns.asked.front() == "NAPTR example.net");
    dns.srv.clear();
    dns.addresses["example.net"] = {ip("192.0.2.2")};
    CHECK(dns.resolve("turn:example.net") == Lines{"udp 192.0.2.2:3478", "tcp 192.0.2.2:3478"});
    CHECK(dns.asked == Lines{"NAPTR example.net", "SRV _turn._udp.example.net",
                             "SRV _turn._tcp.example.net", "A example.net"});
}

TEST_CASE("turn resolution: what cannot be done or does not exist gives nothing") {
    Dns dns;
    CHECK(dns.resolve("turn:example.net").empty());
    const ClientTransport udp_only[] = {Udp};
    CHECK(dns.resolve("turns:192.0.2.7", udp_only).empty());
    CHECK(dns.resolve("turn:192.0.2.7?transport=tcp", udp_only).empty());
    CHECK(dns.resolve("turn:192.0.2.7?transport=udp", {}).empty());
    CHECK(dns.asked.empty());
}

TEST_CASE("turn resolution: records of other services and unknown flags are passed over") {
    Dns dns = example();
    dns.naptr["example.net"] = {
        {.flags = "s", .service = "SIP+D2U", .replacement = "_sip._udp.example.net"},
        {.flags = "u", .service = "RELAY:turn.udp", .replacement = "_turn._udp.example.net"},
        {.flags = "s", .service = "RELAY:turn.udp", .regexp = "!x!y!", .replacement = "z"},
        {.flags = "s", .service = "RELAY", .replacement = "_turn._udp.example.net"},
        {.flags = "s", .service = "relay:TURN.UDP", .replacement = "_turn._udp.example.net"}};
    CHECK(dns.resolve("turn:example.net") == Lines{"udp 192.0.2.1:3478"});
    dns.srv["_turn._udp.example.net"] = {{.port = {1}, .target = "."}, {.port = {1}, .target = ""}};
    CHECK(dns.resolve("turn:example.net?transport=udp").empty());
}

TEST_CASE("turn resolution: priorities in order, weights by chance") {
    Dns dns;
    dns.srv["_turn._udp.example.net"] = {
        {.priority = 20, .weight = 5, .port = {1}, .target = "c"},
        {.priority = 10, .weight = 90, .port = {1}, .target = "a"},
        {.priority = 10, .weight = 10, .port = {1}, .target = "b"}};
    dns.addresses = {{"a", {ip("192.0.2.1")}}, {"b", {ip("192.0.2.2")}}, {"c", {ip("192.0.2.3")}}};
    int a_first = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        const auto found = dns.resolve("turn:example.net?transport=udp", everything, seed);
        REQUIRE(found.size() == 3);
        CHECK(found[2] == "udp 192.0.2.3:1");
        a_first += found[0] == "udp 192.0.2.1:1" ? 1 : 0;
    }
    CHECK(a_first > 850);
    CHECK(a_first < 950);
}

TEST_CASE("turn resolution: circles and floods of records end at the limits") {
    Dns circle;
    circle.naptr["example.net"] = {{.service = "RELAY:turn.udp", .replacement = "example.net"},
                                   {.service = "RELAY:turn.udp", .replacement = "example.net"}};
    CHECK(circle.resolve("turn:example.net").empty());
    CHECK(circle.asked.size() == most_resolution_questions);

    Dns line;
    std::string name = "example.net";
    for (unsigned depth = 0; depth <= most_naptr_depth; ++depth) {
        const std::string next = "n" + std::to_string(depth);
        line.naptr[name] = {{.service = "RELAY:turn.udp", .replacement = next}};
        name = next;
    }
    line.naptr[name] = {{.flags = "a", .service = "RELAY:turn.udp", .replacement = "a"}};
    line.addresses["a"] = {ip("192.0.2.1")};
    CHECK(line.resolve("turn:example.net").empty());
    line.naptr["n4"] = {{.flags = "a", .service = "RELAY:turn.udp", .replacement = "a"}};
    CHECK(line.resolve("turn:example.net").size() == 1);

    Dns flood;
    for (std::uint16_t i = 0; i < 1000; ++i) {
        flood.srv["_turn._udp.example.net"].push_back(
            {.port = {i}, .target = "t" + std::to_string(i)});
        flood.addresses["example.net"].push_back(IpAddress::v4(0x08000000U + i));
    }
    CHECK(flood.resolve("turn:example.net:1").size() == most_resolved_servers);
    CHECK(flood.resolve("turn:example.net?transport=udp").size() == most_resolved_servers);
    CHECK(flood.asked.size() <= most_resolution_questions);
}

TEST_CASE("turn discovery: the domain of a person, RFC 8155 Section 4.1.2") {
    CHECK(domain_of_identity("sip:alice@example.com") == "example.com");
    CHECK(domain_of_identity("alice@example.com") == "example.com");
    CHECK(domain_of_identity("sips:alice@example.com:5061;transport=tcp") == "example.com");
    CHECK(domain_of_identity("xmpp:alice@example.com/desk") == "example.com");
    CHECK_FALSE(domain_of_identity("alice"));
    CHECK_FALSE(domain_of_identity("alice@"));
    CHECK_FALSE(domain_of_identity("alice@192.0.2.1"));
    CHECK_FALSE(domain_of_identity("alice@exa mple"));
}

TEST_CASE("turn discovery: the anycast addresses, RFC 8155 Section 6") {
    const auto v4 = anycast_servers(AddressFamily::V4, everything);
    REQUIRE(v4.size() == 2);
    CHECK(v4[0].transport == Udp);
    CHECK(v4[0].address.to_string() == "192.0.0.10:3478");
    CHECK(v4[1].transport == Tcp);
    const auto v6 = anycast_servers(AddressFamily::V6, everything);
    REQUIRE(v6.size() == 2);
    CHECK(v6[0].address.to_string() == "[2001:1::2]:3478");
}

}  // namespace
}  // namespace stile::turn
