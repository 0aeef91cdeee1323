// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/encoding.hpp>
#include <stile/portmap/epoch.hpp>
#include <stile/portmap/nat_pmp.hpp>
#include <stile/portmap/pcp.hpp>

#include <doctest/doctest.h>

using namespace stile;
using namespace stile::portmap;
using namespace std::chrono_literals;

namespace {

const std::string pcp_header =
    "0281"
    "0000"
    "00000e10"
    "00000064"
    "000000000000000000000000";
const std::string pcp_map =
    "0102030405060708090a0b0c"
    "11000000"
    "1388"
    "9c40"
    "00000000000000000000ffffcb007107";

Bytes octets(const std::string& hex) { return *from_hex(hex); }

}  // namespace

TEST_CASE("portmap wire: a PCP MAP request is as RFC 6887 Sections 7.1 and 11.1 draw it") {
    pcp::MapRequest request{.client = IpAddress::v4({192, 168, 1, 20}),
                            .lifetime = 7200s,
                            .protocol = Protocol::Tcp,
                            .internal = Port{80},
                            .suggested = {}};
    request.nonce.fill(std::byte{0xAB});
    CHECK(to_hex(request.to_bytes()) ==
          "0201"
          "0000"
          "00001c20"
          "00000000000000000000ffffc0a80114"
          "abababababababababababab"
          "06000000"
          "0050"
          "0000"
          "00000000000000000000ffff00000000");
}

TEST_CASE("portmap wire: NAT-PMP requests are as RFC 6886 Sections 3.2 and 3.3 draw them") {
    CHECK(to_hex(nat_pmp::address_request()) == "0000");
    CHECK(to_hex(nat_pmp::MapRequest{Protocol::Udp, Port{5000}, Port{40000}, 7200s}.to_bytes()) ==
          "0001"
          "0000"
          "1388"
          "9c40"
          "00001c20");
    CHECK(to_hex(nat_pmp::MapRequest{Protocol::Tcp, Port{80}, Port{0}, 0s}.to_bytes()) ==
          "0002"
          "0000"
          "0050"
          "0000"
          "00000000");
}

TEST_CASE("portmap wire: a PCP MAP response is read field by field, options ignored") {
    for (const std::string options : {"", "80000000", "01000004deadbeef"}) {
        const auto response = pcp::parse_response(octets(pcp_header + pcp_map + options));
        REQUIRE(response);
        const auto& mapped = std::get<pcp::MapResponse>(*response);
        CHECK(mapped.result == pcp::ResultCode::Success);
        CHECK(mapped.lifetime == 3600s);
        CHECK(mapped.epoch == 100s);
        CHECK(to_hex(mapped.nonce) == "0102030405060708090a0b0c");
        CHECK(mapped.protocol == Protocol::Udp);
        CHECK(mapped.internal == Port{5000});
        CHECK(mapped.external == SocketAddress::parse("203.0.113.7:40000"));
    }
}

TEST_CASE("portmap wire: malformed PCP responses are refused with the reason") {
    const std::pair<std::string, ParseError> table[] = {
        {"", ParseError::TooShort},
        {"028100", ParseError::TooShort},
        {"02810000", ParseError::TooShort},
        {"0201000000000000", ParseError::NotAResponse},
        {"0381000000000000", ParseError::OtherVersion},
        {pcp_header, ParseError::TooShort},
        {pcp_header + pcp_map.substr(2), ParseError::BadLength},
        {pcp_header + pcp_map.substr(8), ParseError::TooShort},
        {"0282" + pcp_header.substr(4) + pcp_map, ParseError::NotAResponse},  // PEER
        {pcp_header +
             "0102030405060708090a0b0c"
             "84000000" +
             pcp_map.substr(32),
         ParseError::NotAResponse},  // SCTP
    };
    for (const auto& [hex, error] : table) {
        CAPTURE(hex);
        const auto response = pcp::parse_response(octets(hex));
        REQUIRE(!response);
        CHECK(response.error() == error);
    }
    // RFC 6887 Section 7: at most 1,100 octets.
    CHECK(pcp::parse_response(octets(pcp_header + pcp_map + std::string(2 * 1040, '0'))));
    CHECK(pcp::parse_response(octets(pcp_header + pcp_map + std::string(2 * 1044, '0'))).error() ==
          ParseError::BadLength);
}

TEST_CASE(
    "portmap wire: an announcement and a refusal of the version are told apart from mappings") {
    const auto announced = pcp::parse_response(octets("0280" + pcp_header.substr(4)));
    REQUIRE(announced);
    CHECK(std::get<pcp::Announcement>(*announced).epoch == 100s);
    const auto refused = pcp::parse_response(octets("0081000100000000"));
    REQUIRE(refused);
    CHECK(std::get<pcp::VersionRefused>(*refused).supported == 0);
}

TEST_CASE("portmap wire: NAT-PMP responses are read, and short ones are not") {
    const auto address =
        nat_pmp::parse_response(octets("0080"
                                       "0000"
                                       "00000064"
                                       "cb007107"));
    REQUIRE(address);
    CHECK(std::get<nat_pmp::AddressResponse>(*address).external == IpAddress::parse("203.0.113.7"));
    const auto refused =
        nat_pmp::parse_response(octets("0080"
                                       "0003"
                                       "00000064"));
    REQUIRE(refused);
    CHECK(std::get<nat_pmp::AddressResponse>(*refused).result ==
          nat_pmp::ResultCode::NetworkFailure);
    const auto mapped =
        nat_pmp::parse_response(octets("0082"
                                       "0000"
                                       "00000064"
                                       "1388"
                                       "9c40"
                                       "00001c20"));
    REQUIRE(mapped);
    CHECK(std::get<nat_pmp::MapResponse>(*mapped).protocol == Protocol::Tcp);
    CHECK(std::get<nat_pmp::MapResponse>(*mapped).external == Port{40000});
    for (const std::string hex : {"00", "0080", "0080000000000064", "00800000", "0081000000000064",
                                  "00810000000000641388", "0083000000000064"}) {
        CAPTURE(hex);
        CHECK(!nat_pmp::parse_response(octets(hex)));
    }
}

TEST_CASE("portmap epoch: PCP's rule finds a restart and forgives clocks") {
    struct Row {
        std::chrono::seconds client, server;
        Epoch::Finding finding;
    };
    const Row table[] = {
        {100s, 100s, Epoch::Finding::Plausible}, {100s, 96s, Epoch::Finding::Plausible},
        {100s, 92s, Epoch::Finding::Plausible},  {100s, 91s, Epoch::Finding::Restarted},
        {100s, 108s, Epoch::Finding::Plausible}, {100s, 111s, Epoch::Finding::Restarted},
        {0s, -1s, Epoch::Finding::Plausible},    {0s, -2s, Epoch::Finding::Restarted},
        {3600s, 5s, Epoch::Finding::Restarted},
    };
    for (const Row& row : table) {
        CAPTURE(row.client.count());
        CAPTURE(row.server.count());
        Epoch epoch;
        CHECK(epoch.see(Instant{}, 1000s, Epoch::Rule::Pcp) == Epoch::Finding::Plausible);
        CHECK(epoch.see(Instant{} + row.client, 1000s + row.server, Epoch::Rule::Pcp) ==
              row.finding);
    }
}

TEST_CASE("portmap epoch: NAT-PMP's rule forgives a slow clock and minds a restart alone") {
    Epoch epoch;
    CHECK(epoch.see(Instant{}, 1000s, Epoch::Rule::NatPmp) == Epoch::Finding::Plausible);
    CHECK(epoch.see(Instant{} + 800s, 1698s, Epoch::Rule::NatPmp) == Epoch::Finding::Plausible);
    CHECK(epoch.see(Instant{} + 1600s, 2395s, Epoch::Rule::NatPmp) == Epoch::Finding::Restarted);
    CHECK(epoch.see(Instant{} + 1601s, 9999s, Epoch::Rule::NatPmp) == Epoch::Finding::Plausible);
}
