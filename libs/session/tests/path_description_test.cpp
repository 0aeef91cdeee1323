// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/session/path_description.hpp>

#include <doctest/doctest.h>

namespace stile::session {
namespace {

SocketAddress at(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

ice::Candidate candidate(ice::CandidateType type, std::string_view address,
                         std::optional<SocketAddress> related = {}) {
    return {.type = type,
            .component = {1},
            .transport = ice::Transport::Udp,
            .address = at(address),
            .base = at(address),
            .related = related,
            .priority = 1694498815,
            .foundation = "3aF"};
}

ice::Candidate tcp_candidate(ice::CandidateType type, ice::TcpType tcp_type,
                             std::string_view address, std::optional<SocketAddress> related = {}) {
    ice::Candidate made = candidate(type, address, related);
    made.transport = ice::Transport::Tcp;
    made.tcp_type = tcp_type;
    return made;
}

TEST_CASE("path description: a name of multicast DNS stays a name, and ours hide addresses") {
    const std::string name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
    connect::Description ours;
    ours.credentials = {"abcd", "0123456789abcdefghijklmn"};
    ours.candidates = {
        candidate(ice::CandidateType::Host, "192.168.1.2:5000"),
        tcp_candidate(ice::CandidateType::Host, ice::TcpType::Passive, "192.168.1.2:5001"),
        candidate(ice::CandidateType::ServerReflexive, "203.0.113.1:7000", at("192.168.1.2:5000"))};
    ours.concealment = connect::Concealment{{{at("192.168.1.2:0").ip, name}}};
    sdp::CarrierParameters carrier;
    write_path(ours, carrier);
    for (const sdp::Candidate& text : carrier.candidates) {
        const auto value = text.value();
        REQUIRE(value);
        CHECK(value->find("192.168") == std::string::npos);
    }
    const connect::Description theirs = read_path(carrier);
    REQUIRE(theirs.candidates.size() == 1);
    CHECK_FALSE(theirs.candidates.front().related);
    REQUIRE(theirs.named.size() == 2);
    CHECK(theirs.named[0].name == name);
    CHECK(theirs.named[0].candidate.address.port == Port{5000});
    CHECK(theirs.named[1].candidate.tcp_type == ice::TcpType::Passive);
    CHECK(theirs.named[1].candidate.priority == ours.candidates[1].priority);
}

TEST_CASE("path description: every kind of candidate survives the way through SDP text") {
    const SocketAddress base = at("192.168.1.2:5000");
    for (const ice::Candidate& original :
         {candidate(ice::CandidateType::Host, "192.0.2.1:5000"),
          candidate(ice::CandidateType::Host, "[2001:db8::1]:5000"),
          candidate(ice::CandidateType::ServerReflexive, "203.0.113.1:7000", base),
          candidate(ice::CandidateType::PeerReflexive, "203.0.113.1:7001", base),
          candidate(ice::CandidateType::Relayed, "198.51.100.1:49152", at("203.0.113.1:7000")),
          candidate(ice::CandidateType::Relayed, "198.51.100.1:49152"),
          tcp_candidate(ice::CandidateType::Host, ice::TcpType::Active, "192.0.2.1:9"),
          tcp_candidate(ice::CandidateType::Host, ice::TcpType::Passive, "192.0.2.1:5000"),
          tcp_candidate(ice::CandidateType::Host, ice::TcpType::SimultaneousOpen,
                        "[2001:db8::1]:5000"),
          tcp_candidate(ice::CandidateType::ServerReflexive, ice::TcpType::Passive,
                        "203.0.113.1:7000", base)}) {
        CAPTURE(original.address.to_string());
        const auto text = to_sdp(original).value();
        REQUIRE(text);
        CAPTURE(*text);
        const auto parsed = sdp::Candidate::parse(*text);
        REQUIRE(parsed);
        CHECK(to_ice(*parsed) == original);
    }
}

TEST_CASE("path description: a related address that stays private is written as the RFC wants") {
    // RFC 8839 Section 5.1.
    CHECK(to_sdp(candidate(ice::CandidateType::Relayed, "198.51.100.1:49152")).related ==
          at("0.0.0.0:9"));
    CHECK(to_sdp(candidate(ice::CandidateType::Relayed, "[2001:db8::1]:49152")).related ==
          at("[::]:9"));
    CHECK_FALSE(to_sdp(candidate(ice::CandidateType::Host, "192.0.2.1:5000", at("192.0.2.1:5000")))
                    .related);
}

TEST_CASE("path description: candidates over TCP are written as RFC 6544 Section 4.5 has them") {
    using enum ice::TcpType;
    using Type = ice::CandidateType;
    const auto text = [](const ice::Candidate& from) { return to_sdp(from).value().value_or(""); };
    CHECK(text(tcp_candidate(Type::Host, Active, "10.0.1.1:9")) ==
          "3aF 1 TCP 1694498815 10.0.1.1 9 typ host tcptype active");
    CHECK(text(tcp_candidate(Type::Host, Passive, "10.0.1.1:8998")) ==
          "3aF 1 TCP 1694498815 10.0.1.1 8998 typ host tcptype passive");
    CHECK(text(tcp_candidate(Type::ServerReflexive, SimultaneousOpen, "192.0.2.3:45687",
                             at("10.0.1.1:45687"))) ==
          "3aF 1 TCP 1694498815 192.0.2.3 45687 typ srflx raddr 10.0.1.1 rport 45687 tcptype so");
    CHECK(
        text(tcp_candidate(Type::Relayed, Passive, "198.51.100.1:49152", at("192.0.2.3:40000"))) ==
        "3aF 1 TCP 1694498815 198.51.100.1 49152 typ relay raddr 192.0.2.3 rport 40000 "
        "tcptype passive");
    CHECK(text(tcp_candidate(Type::Relayed, Active, "198.51.100.1:9")) ==
          "3aF 1 TCP 1694498815 198.51.100.1 9 typ relay raddr 0.0.0.0 rport 9 tcptype active");
}

TEST_CASE("path description: what ICE cannot use has no ICE form") {
    const auto parsed = sdp::Candidate::parse(
        "1 1 UDP 2130706431 0f5c4a3b-1111-4222-8333-444455556666.local 5000 typ host");
    REQUIRE(parsed);
    CHECK_FALSE(to_ice(*parsed));
    sdp::Candidate untyped = to_sdp(candidate(ice::CandidateType::Host, "192.0.2.1:5000"));
    untyped.transport = sdp::CandidateTransport::Tcp;
    CHECK_FALSE(to_ice(untyped));
}

TEST_CASE("path description: credentials, candidates and their end go both ways") {
    connect::Description path;
    path.credentials = {"8hhY", "asd88fgpdd777uzjYhagZg"};
    path.candidates = {candidate(ice::CandidateType::Host, "192.0.2.1:5000")};
    path.gathering = connect::Gathering::Complete;
    sdp::CarrierParameters carrier;
    write_path(path, carrier);
    CHECK(carrier.end_of_candidates);
    CHECK(read_path(carrier) == path);
}

TEST_CASE("path description: without trickling there is nothing to wait for") {
    sdp::CarrierParameters carrier;
    carrier.ufrag = "8hhY";
    carrier.pwd = "asd88fgpdd777uzjYhagZg";
    CHECK(read_path(carrier).gathering == connect::Gathering::Complete);
    carrier.ice_options = {"ice2", "trickle"};
    CHECK(read_path(carrier).gathering == connect::Gathering::Ongoing);
    carrier.end_of_candidates = true;
    CHECK(read_path(carrier).gathering == connect::Gathering::Complete);
}

TEST_CASE(
    "path description: pacing is said in milliseconds, rounded up, and only where it is known") {
    sdp::Description text;
    write_pacing({}, text);
    CHECK_FALSE(text.attributes.has("ice-pacing"));
    CHECK_FALSE(read_pacing(text));
    write_pacing({.ta = std::chrono::microseconds{5001}}, text);
    CHECK(read_pacing(text) == std::chrono::milliseconds{6});

    const auto other = sdp::Description::parse(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=ice-pacing:x\r\n");
    REQUIRE(other);
    CHECK_FALSE(read_pacing(*other));
}

TEST_CASE("path description: renomination is an ICE option, offered and read") {
    connect::Description path;
    path.credentials = {"8hhY", "asd88fgpdd777uzjYhagZg"};
    sdp::CarrierParameters carrier;
    write_path(path, carrier);
    CHECK(carrier.ice_options == std::vector<std::string>{"ice2"});
    CHECK(read_path(carrier).renomination == ice::Renomination::NotOffered);
    path.renomination = ice::Renomination::Offered;
    write_path(path, carrier);
    CHECK(carrier.ice_options == std::vector<std::string>{"ice2", "renomination"});
    CHECK(read_path(carrier).renomination == ice::Renomination::Offered);
}

TEST_CASE("path description: ice-lite is the session's, and who is lite proposes no pacing") {
    sdp::Description text;
    write_kind({}, text);
    CHECK_FALSE(text.attributes.has("ice-lite"));
    CHECK(read_kind(text) == ice::PeerKind::Full);
    const connect::Description lite{.ta = std::chrono::milliseconds{5},
                                    .kind = ice::PeerKind::Lite};
    write_kind(lite, text);
    write_pacing(lite, text);
    CHECK(text.serialize().find("a=ice-lite\r\n") != std::string::npos);
    CHECK_FALSE(text.attributes.has("ice-pacing"));
    CHECK(read_kind(text) == ice::PeerKind::Lite);
}

}  // namespace
}  // namespace stile::session
