// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace test;

const std::string name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";

ice::Candidate candidate_at(std::string_view address) {
    return {.type = ice::CandidateType::Host,
            .component = {1},
            .transport = ice::Transport::Udp,
            .address = at(address),
            .base = at(address),
            .related = {},
            .priority = 2'130'706'431,
            .foundation = "1",
            .tcp_type = {}};
}

NamedCandidate named(std::string_view port, std::string_view text = name) {
    return {std::string{text}, candidate_at("0.0.0.0:" + std::string{port})};
}

Description remote_with(std::vector<NamedCandidate> candidates) {
    Description remote;
    remote.credentials = {"abcd", "0123456789abcdefghijklmn"};
    remote.named = std::move(candidates);
    return remote;
}

bool knows(const Driven& driven, std::string_view address) {
    return std::ranges::any_of(driven.connector.report().remote, [&](const ice::Candidate& one) {
        return one.address == at(address);
    });
}

TEST_CASE(
    "connector: a name of the peer's is wanted once, and its candidates come when it is found") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    REQUIRE(driven.connector.set_remote_description(driven.now,
                                                    remote_with({named("6000"), named("6001")})));
    driven.settle();
    CHECK(driven.count<NameWanted>() == 1);
    CHECK(driven.last<NameWanted>().name == name);
    CHECK(driven.connector.report().remote.empty());
    driven.connector.handle_name(driven.now, name, at("192.168.1.9:0").ip);
    CHECK(knows(driven, "192.168.1.9:6000"));
    CHECK(knows(driven, "192.168.1.9:6001"));
    CHECK(driven.connector.report().unresolved.empty());
    // Nobody asked for these.
    driven.connector.handle_name(driven.now, name, at("192.168.1.10:0").ip);
    driven.connector.handle_name(driven.now, "x.local", at("192.168.1.10:0").ip);
    CHECK(driven.connector.report().remote.size() == 2);
}

TEST_CASE("connector: a name that is not found is told, and keeps the end from nothing") {
    for (const bool answered : {true, false}) {
        CAPTURE(answered);
        Driven driven{config_with({"192.168.1.2:5000"})};
        Description remote = remote_with({named("6000")});
        remote.gathering = Gathering::Complete;
        REQUIRE(driven.connector.set_remote_description(driven.now, remote));
        driven.settle();
        CHECK(driven.count<PathFailed>() == 0);
        if (answered) {
            driven.connector.handle_name(driven.now, name, std::nullopt);
            driven.settle();
        } else {
            driven.pass(limits::name_patience);
        }
        CHECK(driven.connector.report().unresolved == std::vector<std::string>{name});
        driven.pass(120s);
        CHECK(driven.count<PathFailed>() == 1);
    }
}

TEST_CASE("connector: names delay no candidate that has an address") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    Description remote = remote_with({named("6000")});
    remote.candidates = {candidate_at("192.168.1.7:7000")};
    REQUIRE(driven.connector.set_remote_description(driven.now, remote));
    driven.pass(100ms);
    CHECK(knows(driven, "192.168.1.7:7000"));
    CHECK(std::ranges::any_of(
        driven.sent, [](const Sent& sent) { return sent.path.remote == at("192.168.1.7:7000"); }));
}

TEST_CASE("connector: candidates with names are hosts', and taken up to the limit") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    REQUIRE(driven.connector.set_remote_description(driven.now, remote_with({})));
    NamedCandidate relayed = named("6000");
    relayed.candidate.type = ice::CandidateType::Relayed;
    CHECK_FALSE(driven.connector.add_remote_candidate(driven.now, relayed));
    for (std::size_t i = 0; i < limits::most_named; ++i) {
        CHECK(driven.connector.add_remote_candidate(driven.now, named(std::to_string(6000 + i))));
    }
    CHECK(driven.connector.add_remote_candidate(driven.now, named("6000")));  // the same once more
    CHECK_FALSE(driven.connector.add_remote_candidate(driven.now, named("7000")));
    driven.settle();
    CHECK(driven.count<NameWanted>() == 1);
}

TEST_CASE("connector: a restart forgets the names of the generation before") {
    Driven driven{config_with({"192.168.1.2:5000"})};
    REQUIRE(driven.connector.set_remote_description(driven.now, remote_with({named("6000")})));
    driven.connector.restart(driven.now);
    driven.connector.handle_name(driven.now, name, at("192.168.1.9:0").ip);
    CHECK(driven.connector.report().remote.empty());
}

TEST_CASE("connector: concealed hosts are told by name, others not at all") {
    ConnectorConfig config = config_with({"192.168.1.2:5000", "10.0.0.2:5000"});
    config.concealment = Concealment{{{at("192.168.1.2:0").ip, name}}};
    Driven driven{config};
    const Description& local = driven.connector.local_description();
    REQUIRE(local.concealment);
    REQUIRE(local.candidates.size() == 1);
    CHECK(*local.concealment->name_of(local.candidates.front().address.ip) == name);
    // One more address, with its name.
    Concealment more = *config.concealment;
    more.names.push_back({at("10.1.0.2:0").ip, "2f4712db-ea17-4bcf-a596-105139dfd8bf.local"});
    driven.connector.set_concealment(more);
    CHECK(driven.connector.add_host(driven.now, at("10.1.0.2:5000")));
    CHECK(driven.connector.local_description().candidates.size() == 2);
    CHECK(driven.connector.local_description().concealment == more);
}

TEST_CASE(
    "connector: a concealed host that a server sees as it is, is told as the server sees it") {
    ConnectorConfig config = config_with({"203.0.113.5:5000"}, {"198.51.100.1:3478"});
    config.concealment = Concealment{{{at("203.0.113.5:0").ip, name}}};
    Driven driven{config};
    const Sent sent = driven.sent.back();
    const auto request = stun::MessageView::parse(BytesView{sent.octets});
    REQUIRE(request);
    stun::MessageBuilder response{stun::Class::SuccessResponse, stun::Method::Binding,
                                  request->id()};
    response.add(stun::XorMappedAddress{at("203.0.113.5:5000")});
    driven.receive(sent.path, response.finish());
    driven.settle();
    const auto& told = driven.connector.local_description().candidates;
    REQUIRE(told.size() == 2);
    CHECK(told[1].type == ice::CandidateType::ServerReflexive);
    CHECK(told[1].address == at("203.0.113.5:5000"));
    CHECK(told[1].priority < told[0].priority);
    CHECK(told[1].foundation != told[0].foundation);
}

}  // namespace
}  // namespace stile::connect
