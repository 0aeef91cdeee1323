// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/connect/port_prediction.hpp>

#include <set>

namespace stile::connect {
namespace {

using namespace test;

std::vector<Port> ports(std::initializer_list<std::uint16_t> numbers) {
    std::vector<Port> result;
    for (const std::uint16_t number : numbers) result.push_back(Port{number});
    return result;
}
std::optional<std::int32_t> step_of(std::initializer_list<std::uint16_t> numbers) {
    const auto step = port_step(ports(numbers));
    return step ? std::optional{step->step} : std::nullopt;
}

TEST_CASE("port prediction: what counts has a step") {
    CHECK(step_of({5000, 5001}) == 1);
    CHECK(step_of({5000, 5001, 5002, 5003}) == 1);
    CHECK(step_of({5000, 5002}) == 2);
    CHECK(step_of({5000, 5002, 5006}) == 2);
    CHECK(step_of({5000, 5003, 5006}) == 3);
    CHECK(step_of({5006, 5005, 5004}) == -1);
    // Somebody else's mappings came between.
    CHECK(step_of({5000, 5003, 5004}) == 1);
    CHECK(step_of({5000, 5016}) == 16);
}

TEST_CASE("port prediction: one port for all, random ports and a single one have none") {
    CHECK_FALSE(step_of({}));
    CHECK_FALSE(step_of({5000}));
    CHECK_FALSE(step_of({5000, 5000}));
    CHECK_FALSE(step_of({5000, 5001, 5001}));
    CHECK_FALSE(step_of({40123, 1807}));
    CHECK_FALSE(step_of({5000, 5001, 61234}));
    CHECK_FALSE(step_of({5000, 5002, 5001}));
    CHECK_FALSE(step_of({5000, 5017}));
    CHECK_FALSE(step_of({65535, 1024}));
    CHECK_FALSE(step_of({0, 65535}));
}

TEST_CASE("port prediction: of random ports one row in a thousand is taken for counting") {
    crypto::RandomStream stream = random(7);
    std::size_t taken = 0;
    for (int i = 0; i < 10'000; ++i) {
        const std::vector<Port> row{Port{static_cast<std::uint16_t>(stream.below(65'536))},
                                    Port{static_cast<std::uint16_t>(stream.below(65'536))}};
        taken += port_step(row) ? 1U : 0U;
    }
    CHECK(taken <= 20);
}

TEST_CASE("port prediction: the next ones, within the port numbers") {
    CHECK(next_ports(Port{5000}, {1}, 0, 4) == ports({5002, 5001, 5003, 5004}));
    CHECK(next_ports(Port{5000}, {2}, 0, 3) == ports({5004, 5002, 5006}));
    CHECK(next_ports(Port{5000}, {1}, 2, 2) == ports({5004, 5003}));
    CHECK(next_ports(Port{65534}, {1}, 0, 4) == ports({65535}));
    CHECK(next_ports(Port{65535}, {16}, 0, 4).empty());
    CHECK(next_ports(Port{1025}, {-1}, 0, 4) == ports({1024}));
    CHECK(next_ports(Port{5000}, {1}, 0, 0).empty());
}

// Two servers, and what they say of the one socket.
struct Asked {
    Driven driven;

    explicit Asked(std::vector<std::string_view> hosts = {"192.168.1.2:5000"},
                   CandidatePolicy policy = CandidatePolicy::All)
        : driven(two_servers(std::move(hosts), policy)) {
        driven.pass(100ms);
    }
    static ConnectorConfig two_servers(std::vector<std::string_view> hosts,
                                       CandidatePolicy policy) {
        ConnectorConfig config =
            config_with(std::move(hosts), {"198.51.100.1:3478", "198.51.100.2:3478"});
        config.policy = policy;
        return config;
    }
    void answer(std::size_t request, std::string_view mapped) {
        const Sent sent = driven.sent.at(request);
        const auto message = stun::MessageView::parse(BytesView{sent.octets});
        REQUIRE(message);
        stun::MessageBuilder response{stun::Class::SuccessResponse, stun::Method::Binding,
                                      message->id()};
        response.add(stun::XorMappedAddress{at(mapped)});
        driven.receive(sent.path, response.finish());
    }
    std::vector<std::uint16_t> reflexive_ports() const {
        std::vector<std::uint16_t> result;
        for (const auto& candidate : driven.connector.local_description().candidates) {
            if (candidate.type == ice::CandidateType::ServerReflexive) {
                result.push_back(candidate.address.port.value);
            }
        }
        return result;
    }
};

TEST_CASE("connector: behind a NAT that counts the next ports are told, below what servers saw") {
    Asked asked;
    asked.answer(0, "203.0.113.1:7000");
    asked.answer(1, "203.0.113.1:7001");
    CHECK(asked.reflexive_ports() ==
          std::vector<std::uint16_t>{7000, 7001, 7003, 7002, 7004, 7005});
    const auto& candidates = asked.driven.connector.local_description().candidates;
    std::set<std::string> foundations;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        foundations.insert(candidates[i].foundation);
        if (i > 3) CHECK(candidates[i].priority < candidates[i - 1].priority);
    }
    CHECK(foundations.size() == candidates.size());
}

TEST_CASE("connector: answers in another order than the questions are the same row") {
    Asked asked;
    asked.answer(1, "203.0.113.1:7001");
    asked.answer(0, "203.0.113.1:7000");
    CHECK(asked.reflexive_ports().size() == 6);
}

TEST_CASE(
    "connector: nothing is guessed for one port, for random ports, or two outside addresses") {
    for (const char* const second :
         {"203.0.113.1:7000", "203.0.113.1:52001", "203.0.113.9:7001", "192.168.1.2:5000"}) {
        CAPTURE(second);
        Asked asked;
        asked.answer(0, "203.0.113.1:7000");
        asked.answer(1, second);
        CHECK(asked.reflexive_ports().size() <= 2);
    }
}

TEST_CASE("connector: guesses are few, however many sockets there are") {
    Asked asked{{"192.168.1.2:5000", "192.168.1.3:5000", "192.168.1.4:5000"}};
    for (std::size_t i = 0; i < 6; ++i) {
        asked.answer(i, "203.0.113.1:" + std::to_string(7000 + i));
        if (i == 1) asked.driven.pass(limits::first_route_patience);
    }
    CHECK(asked.reflexive_ports().size() == 6 + limits::most_guessed_ports);
}

TEST_CASE("connector: who shows the relay alone tells no guesses") {
    Asked asked{{"192.168.1.2:5000"}, CandidatePolicy::RelayedOnly};
    asked.answer(0, "203.0.113.1:7000");
    asked.answer(1, "203.0.113.1:7001");
    CHECK(asked.driven.connector.local_description().candidates.empty());
}

TEST_CASE("connector: after a restart ports are guessed anew") {
    Asked asked;
    asked.answer(0, "203.0.113.1:7000");
    asked.answer(1, "203.0.113.1:7001");
    const std::size_t before = asked.driven.sent.size();
    asked.driven.connector.restart(asked.driven.now);
    asked.driven.pass(100ms);
    CHECK(asked.reflexive_ports().empty());
    asked.answer(before, "203.0.113.1:8000");
    asked.answer(before + 1, "203.0.113.1:8002");
    CHECK(asked.reflexive_ports() ==
          std::vector<std::uint16_t>{8000, 8002, 8006, 8004, 8008, 8010});
}

}  // namespace
}  // namespace stile::connect
