// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Sources of candidates and interfaces that lead nowhere must not delay the first route.
#include "support.hpp"

#include <set>

namespace stile::connect {
namespace {

using namespace test;

const SocketAddress stun_server{IpAddress::v4({198, 51, 100, 1}), Port{3478}};
// Gathering is through by then.
constexpr Duration introduction = 2s;

SocketAddress left_host(std::uint8_t number) {
    return {IpAddress::v4({10, 0, number, 2}), Port{5000}};
}
const SocketAddress right_host{IpAddress::v4({203, 0, 113, 1}), Port{6000}};

ConnectorConfig left_config(const std::vector<SocketAddress>& hosts) {
    ConnectorConfig config;
    config.hosts = hosts;
    config.stun_servers = {stun_server};
    config.ice.role = ice::Role::Controlling;
    return config;
}

// Two connectors, one STUN server that answers, and addresses that lead nowhere.
struct Network {
    Driven left;
    Driven right;
    std::set<SocketAddress> dead{};
    std::size_t left_taken = 0;
    std::size_t right_taken = 0;

    Network(ConnectorConfig ours, std::set<SocketAddress> nowhere)
        : left(std::move(ours), 1), right(right_config(), 2), dead(std::move(nowhere)) {}

    static ConnectorConfig right_config() {
        ConnectorConfig config;
        config.hosts = {right_host};
        config.ice.role = ice::Role::Controlled;
        return config;
    }
    void carry(Driven& to, const Sent& sent) {
        if (dead.contains(sent.path.local) || dead.contains(sent.path.remote)) return;
        if (sent.path.remote == stun_server) {
            const auto request = stun::MessageView::parse(BytesView{sent.octets});
            stun::MessageBuilder response{stun::Class::SuccessResponse, stun::Method::Binding,
                                          request->id()};
            response.add(stun::XorMappedAddress{sent.path.local});
            left.receive(sent.path, response.finish());
        } else {
            to.receive({sent.path.remote, sent.path.local}, sent.octets);
        }
    }
    bool is_host(const Driven& side, const SocketAddress& address) const {
        return &side == &right ? address == right_host : address.ip.octets()[0] == std::byte{10};
    }
    void deliver() {
        do {
            left.settle();
            right.settle();
            for (; left_taken < left.sent.size(); ++left_taken) {
                const Sent sent = left.sent[left_taken];
                if (is_host(right, sent.path.remote) || sent.path.remote == stun_server) {
                    carry(right, sent);
                }
            }
            for (; right_taken < right.sent.size(); ++right_taken) {
                const Sent sent = right.sent[right_taken];
                if (is_host(left, sent.path.remote)) carry(left, sent);
            }
        } while (left_taken < left.sent.size() || right_taken < right.sent.size());
    }
    // Until `done` or the time is over; when it was.
    template <class Done>
    std::optional<Instant> run(Duration at_most, Done done) {
        const Instant end = left.now + at_most;
        for (;;) {
            deliver();
            if (done()) return left.now;
            const auto wake = earlier(left.settle(), right.settle());
            if (!wake || *wake > end) break;
            left.now = right.now = std::max(left.now, *wake);
            left.connector.handle_timeout(left.now);
            right.connector.handle_timeout(right.now);
        }
        left.now = right.now = end;
        return std::nullopt;
    }
    void introduce() {
        run(introduction, [] { return false; });
        REQUIRE(
            left.connector.set_remote_description(left.now, right.connector.local_description()));
        REQUIRE(
            right.connector.set_remote_description(right.now, left.connector.local_description()));
    }
    // From the exchange of candidates to the first route of each.
    struct FirstRoutes {
        Duration left;
        Duration right;
        friend bool operator==(const FirstRoutes&, const FirstRoutes&) = default;
    };
    FirstRoutes first_routes() {
        introduce();
        const Instant start = left.now;
        std::optional<Instant> of_left;
        std::optional<Instant> of_right;
        run(60s, [&] {
            if (!of_left && left.connector.route()) of_left = left.now;
            if (!of_right && right.connector.route()) of_right = right.now;
            return of_left && of_right;
        });
        REQUIRE(of_left);
        REQUIRE(of_right);
        return {*of_left - start, *of_right - start};
    }
};

TEST_CASE("connector: a dead TURN server and a silent STUN server do not delay the first route") {
    ConnectorConfig config = left_config({left_host(1)});
    const auto without = Network{config, {}}.first_routes();
    config.stun_servers.insert(config.stun_servers.begin(), at("198.51.100.9:3478"));
    config.turn_servers = {{at("198.51.100.8:3478"), "user", "password"}};
    CHECK(Network{config, {}}.first_routes() == without);
}

TEST_CASE("connector: twelve dead interfaces of sixteen do not delay the first route") {
    std::vector<SocketAddress> live;
    std::vector<SocketAddress> all;
    std::set<SocketAddress> dead;
    for (std::uint8_t number = 0; number < 16; ++number) {
        // The dead ones first: as bad as the order can be.
        all.push_back(left_host(number));
        if (number < 12) {
            dead.insert(left_host(number));
        } else {
            live.push_back(left_host(number));
        }
    }
    const auto without = Network{left_config(live), {}}.first_routes();
    const auto with = Network{left_config(all), dead}.first_routes();
    CHECK(with.left == without.left);
    // The peer cannot know: its one check that is under way goes nowhere, the next is triggered.
    CHECK(with.right <= without.right + ice::AgentConfig{}.ta);
}

TEST_CASE("connector: a socket that no server answered on is checked from all the same, at last") {
    // The peer is reachable by the second socket alone, where no server is.
    const std::set<SocketAddress> dead{left_host(1)};
    Network network{left_config({left_host(1), left_host(2)}), {}};
    // The server answers on the first; then the first dies.
    network.left.pass(0s);
    network.deliver();
    network.run(introduction, [] { return false; });
    network.dead = dead;
    CHECK(network.first_routes().left < 1s);
    CHECK(network.left.connector.route()->pair.local == left_host(2));
}

TEST_CASE("connector: what is set aside is told, keeps its priority, and comes back when heard") {
    Network network{left_config({left_host(1), left_host(2)}), {left_host(1)}};
    const Description before = network.left.connector.local_description();
    network.introduce();
    REQUIRE(network.left.connector.local_description().candidates.size() == 2);
    CHECK(network.left.connector.local_description().candidates == before.candidates);
    network.run(5s, [] { return false; });
    const auto pairs = network.left.connector.pairs();
    const auto from_silent = std::ranges::find_if(
        pairs, [](const ice::PairReport& pair) { return pair.path.local == left_host(1); });
    REQUIRE(from_silent != pairs.end());
    CHECK(from_silent->local == left_host(1));
    // Its priority is the higher still.
    CHECK(from_silent == pairs.begin());
}

}  // namespace
}  // namespace stile::connect
