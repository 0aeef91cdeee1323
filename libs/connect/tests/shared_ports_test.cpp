// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <stile/connect/shared_ports.hpp>

#include <map>

namespace stile::connect {
namespace {

using namespace test;

constexpr HashSeed seed{.k0 = 1, .k1 = 2};
constexpr UserId one{1};
constexpr UserId two{2};

ConnectorConfig shared(std::vector<std::string_view> hosts,
                       std::vector<std::string_view> stun_servers = {},
                       std::vector<std::string_view> turn_servers = {}) {
    ConnectorConfig config =
        config_with(std::move(hosts), std::move(stun_servers), std::move(turn_servers));
    config.sockets = Sockets::Shared;
    return config;
}

std::vector<UserId> list(std::span<const UserId> users) { return {users.begin(), users.end()}; }

Path between(std::string_view local, std::string_view remote) { return {at(local), at(remote)}; }

Bytes request_to(std::string_view fragment) {
    stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding, {}};
    builder.add(stun::Username{std::string{fragment} + ":peer"});
    builder.add_integrity(stun::IntegrityKey::short_term("passwordpasswordpassword"),
                          stun::IntegrityKind::Sha1);
    builder.add_fingerprint();
    return builder.finish();
}

Bytes answer(const Sent& request, const SocketAddress& mapped) {
    const auto message = stun::MessageView::parse(BytesView{request.octets});
    REQUIRE(message);
    stun::MessageBuilder builder{stun::Class::SuccessResponse, message->method(), message->id()};
    builder.add(stun::XorMappedAddress{mapped});
    return builder.finish();
}

std::vector<Sent> requests(const Driven& driven, stun::Method method) {
    std::vector<Sent> found;
    for (const Sent& sent : driven.sent) {
        const auto message = stun::MessageView::parse(BytesView{sent.octets});
        if (message && message->method() == method) found.push_back(sent);
    }
    return found;
}

std::size_t reflexive_candidates(const Driven& driven) {
    return static_cast<std::size_t>(
        std::ranges::count(driven.connector.local_description().candidates,
                           ice::CandidateType::ServerReflexive, &ice::Candidate::type));
}

// One side with several connectors on the same socket, and a peer of its own for each elsewhere.
struct Sharing {
    SharedPorts ports{seed};
    std::map<UserId, Driven> users;
    std::map<UserId, Driven> peers;
    std::map<UserId, std::size_t> taken;
    Instant now{};
    std::size_t strays = 0;  // what came for nobody

    void add(UserId id, std::string_view peer) {
        Driven& user =
            users.emplace(id, Driven{shared({"192.0.2.1:7000"}), id.value}).first->second;
        Driven& other =
            peers.emplace(id, Driven{config_with({peer}), id.value + 1000}).first->second;
        user.now = other.now = now;
        follow(id);
    }
    void begin(UserId id) {
        Driven& user = users.at(id);
        Driven& peer = peers.at(id);
        REQUIRE(user.connector.set_remote_description(now, peer.connector.local_description()));
        REQUIRE(peer.connector.set_remote_description(now, user.connector.local_description()));
    }
    void follow(UserId id) { ports.follow(now, id, users.at(id).connector); }
    void arrive(const Path& path, const Bytes& octets) {
        const auto to = list(ports.route(now, path, octets));
        if (to.empty()) ++strays;
        for (const UserId id : to) {
            users.at(id).receive(path, octets);
            follow(id);
        }
    }
    void carry(UserId id) {
        Driven& user = users.at(id);
        Driven& peer = peers.at(id);
        user.settle();
        peer.settle();
        for (std::size_t& i = taken[id]; i < user.sent.size(); ++i) {
            const Sent sent = user.sent[i];
            ports.sent(now, id, {sent.path, sent.octets});
            for (auto& [other, driven] : peers) {
                if (sent.path.remote == driven.connector.hosts().front()) {
                    driven.receive({sent.path.remote, sent.path.local}, sent.octets);
                }
            }
        }
        for (const Sent& sent : std::exchange(peer.sent, {})) {
            arrive({sent.path.remote, sent.path.local}, sent.octets);
        }
    }
    void pass(Duration time) {
        const Instant end = now + time;
        for (;;) {
            for (int i = 0; i < 4; ++i) {
                for (auto& [id, user] : users) carry(id);
            }
            std::optional<Instant> wake = ports.poll_timeout();
            for (auto& [id, user] : users) wake = earlier(wake, user.settle());
            for (auto& [id, peer] : peers) wake = earlier(wake, peer.settle());
            if (!wake || *wake > end) break;
            now = std::max(now, *wake);
            ports.handle_timeout(now);
            for (auto* const side : {&users, &peers}) {
                for (auto& [id, driven] : *side) {
                    driven.now = now;
                    driven.connector.handle_timeout(now);
                }
            }
            for (auto& [id, user] : users) follow(id);
        }
        now = end;
        for (auto* const side : {&users, &peers}) {
            for (auto& [id, driven] : *side) driven.now = now;
        }
    }
};

TEST_CASE("shared ports: several connectors on one socket connect, each with its own peer") {
    Sharing sharing;
    constexpr std::uint64_t count = 20;
    for (std::uint64_t i = 1; i <= count; ++i) {
        sharing.add(UserId{i}, "203.0.113." + std::to_string(i) + ":5000");
        sharing.begin(UserId{i});
    }
    sharing.pass(3s);
    CHECK(sharing.strays == 0);
    for (std::uint64_t i = 1; i <= count; ++i) {
        const auto route = sharing.users.at(UserId{i}).connector.route();
        REQUIRE(route);
        CHECK(route->pair.remote == at("203.0.113." + std::to_string(i) + ":5000"));
        CHECK(list(sharing.ports.route(sharing.now, route->pair, to_bytes("data"))) ==
              std::vector{UserId{i}});
    }
    // Data arrives as long as the path is consented to, and no longer than the user is here.
    sharing.pass(5min);
    const Path path = between("192.0.2.1:7000", "203.0.113.7:5000");
    CHECK(list(sharing.ports.route(sharing.now, path, to_bytes("data"))) == std::vector{UserId{7}});
    sharing.ports.leave(UserId{7});
    CHECK(sharing.ports.route(sharing.now, path, to_bytes("data")).empty());
    CHECK(sharing.ports.users() == count - 1);
}

TEST_CASE("shared ports: strangers find nobody, whatever they send, and leave no trace") {
    Sharing sharing;
    sharing.add(one, "203.0.113.1:5000");
    sharing.begin(one);
    sharing.pass(1s);
    const std::string ours =
        sharing.users.at(one).connector.local_description().credentials.fragment;
    const auto before = sharing.ports.poll_timeout();
    const std::vector<Bytes> sent{
        to_bytes("data"),
        to_bytes("\x40\x00\x00\x04mine"),
        Bytes{},
        Bytes(1500),
        request_to("guess"),
        request_to(ours.substr(0, ours.size() - 1)),
        request_to(ours + "x"),
        request_to(std::string(512, 'x')),
        request_to(""),
    };
    for (std::uint16_t port = 1; port < 200; ++port) {
        const Path path{at("192.0.2.1:7000"), {IpAddress::v4({198, 51, 100, 66}), Port{port}}};
        for (const Bytes& octets : sent)
            CHECK(sharing.ports.route(sharing.now, path, octets).empty());
        // Who knows the fragment is heard, and no more: the integrity is the agent's to check.
        CHECK(list(sharing.ports.route(sharing.now, path, request_to(ours))) == std::vector{one});
        CHECK(sharing.ports.route(sharing.now, path, to_bytes("data")).empty());
    }
    CHECK(sharing.ports.poll_timeout() == before);
}

TEST_CASE("shared ports: a restart adds its fragment, and the oldest gives way at the limit") {
    Sharing sharing;
    sharing.add(one, "203.0.113.1:5000");
    Connector& connector = sharing.users.at(one).connector;
    std::vector<std::string> fragments;
    for (std::size_t i = 0; i < ice::limits::most_mux_fragments + 2; ++i) {
        fragments.push_back(connector.local_description().credentials.fragment);
        connector.restart(sharing.now);
        sharing.follow(one);
    }
    fragments.push_back(connector.local_description().credentials.fragment);
    const Path path = between("192.0.2.1:7000", "203.0.113.1:5000");
    for (std::size_t i = 0; i < fragments.size(); ++i) {
        const bool is_known = i + ice::limits::most_mux_fragments >= fragments.size();
        CHECK(sharing.ports.route(sharing.now, path, request_to(fragments[i])).empty() != is_known);
    }
}

TEST_CASE("shared ports: of two with the same fragment the later waits for the other to leave") {
    SharedPorts ports{seed};
    Driven first{shared({"192.0.2.1:7000"}), 5};
    Driven second{shared({"192.0.2.1:7000"}), 5};  // the same random octets
    const std::string name = first.connector.local_description().credentials.fragment;
    REQUIRE(second.connector.local_description().credentials.fragment == name);
    ports.follow({}, one, first.connector);
    ports.follow({}, two, second.connector);
    const Path path = between("192.0.2.1:7000", "203.0.113.1:5000");
    CHECK(list(ports.route({}, path, request_to(name))) == std::vector{one});
    ports.leave(one);
    ports.follow({}, two, second.connector);
    CHECK(list(ports.route({}, path, request_to(name))) == std::vector{two});
    ports.leave(UserId{77});  // never heard of
    CHECK(ports.users() == 1);
}

TEST_CASE("shared ports: two sessions with one peer's port are offered its data in order") {
    SharedPorts ports{seed};
    Driven first{shared({"192.0.2.1:7000"}), 5};
    Driven second{shared({"192.0.2.1:7000"}), 6};
    ports.follow({}, one, first.connector);
    ports.follow({}, two, second.connector);
    const Path path = between("192.0.2.1:7000", "203.0.113.1:5000");
    ports.sent({}, one, {path, as_bytes("data")});
    ports.sent({}, two, {path, as_bytes("data")});
    CHECK(list(ports.route({}, path, to_bytes("data"))) == std::vector{two, one});
}

TEST_CASE("shared ports: relays are asked by a socket of the connector's own") {
    Driven driven{shared({"192.0.2.1:7000"}, {}, {"198.51.100.1:3478"})};
    driven.pass(50ms);
    const Path own{own_socket_at(at("192.0.2.1:7000")), at("198.51.100.1:3478")};
    const auto allocations = requests(driven, stun::Method::Allocate);
    REQUIRE(allocations.size() == 1);
    CHECK(allocations.front().path == own);
    // The server is asked how the shared socket looks from outside, too.
    const auto asked = requests(driven, stun::Method::Binding);
    REQUIRE(asked.size() == 1);
    CHECK(asked.front().path == between("192.0.2.1:7000", "198.51.100.1:3478"));

    const auto message = stun::MessageView::parse(BytesView{allocations.front().octets});
    stun::MessageBuilder builder{stun::Class::SuccessResponse, message->method(), message->id()};
    builder.add(stun::XorRelayedAddress{at("198.51.100.1:50000")});
    builder.add(stun::XorMappedAddress{at("203.0.113.1:9")});
    builder.add(stun::Lifetime{600s});
    driven.receive(own, builder.finish());
    // Its own socket's mapping is no candidate.
    CHECK(reflexive_candidates(driven) == 0);
    CHECK(std::ranges::count(driven.connector.local_description().candidates,
                             ice::CandidateType::Relayed, &ice::Candidate::type) == 1);
    // What the relay needs later leaves by the same socket, and is no business of SharedPorts.
    driven.sent.clear();
    driven.pass(20s);
    bool kept = false;
    SharedPorts ports{seed};
    ports.follow({}, one, driven.connector);
    for (const Sent& sent : driven.sent) {
        kept = kept || sent.path == own;
        if (sent.path == own) ports.sent({}, one, {sent.path, sent.octets});
    }
    CHECK(kept);
    CHECK_FALSE(ports.poll_timeout());
    // The interface goes, and the relay with it.
    driven.connector.remove_host(driven.now, at("192.0.2.1:7000"));
    driven.settle();
    CHECK(driven.count<RelayFailed>() == 1);
}

TEST_CASE("shared ports: a server that forbids its relays to move is asked for it once") {
    SharedPorts ports{seed};
    Driven first{shared({"192.0.2.1:7000"}, {}, {"198.51.100.1:3478", "198.51.100.2:3478"})};
    std::vector<TurnServer> servers = {{at("198.51.100.1:3478"), "user", "password"},
                                       {at("198.51.100.2:3478"), "user", "password"}};
    ports.follow({}, one, first.connector);
    ports.mark_immobile(servers);
    CHECK(servers[0].mobility == turn::ClientConfig::Mobility::Wanted);
    const auto asked = requests(first, stun::Method::Allocate);
    REQUIRE(asked.size() == 1);
    const auto message = stun::MessageView::parse(BytesView{asked.front().octets});
    stun::MessageBuilder forbidden{stun::Class::ErrorResponse, message->method(), message->id()};
    forbidden.add(stun::error::mobility_forbidden);
    first.receive(asked.front().path, forbidden.finish());
    const auto again = requests(first, stun::Method::Allocate);
    REQUIRE(again.size() == 2);
    const auto without = stun::MessageView::parse(BytesView{again.back().octets});
    stun::MessageBuilder builder{stun::Class::SuccessResponse, without->method(), without->id()};
    builder.add(stun::XorRelayedAddress{at("198.51.100.1:50000")});
    builder.add(stun::XorMappedAddress{at("203.0.113.1:9")});
    builder.add(stun::Lifetime{600s});
    first.receive(asked.front().path, builder.finish());
    ports.follow({}, one, first.connector);
    ports.leave(one);
    ports.mark_immobile(servers);
    CHECK(servers[0].mobility == turn::ClientConfig::Mobility::NotWanted);
    CHECK(servers[1].mobility == turn::ClientConfig::Mobility::Wanted);
}

TEST_CASE("shared ports: what a server said of a socket is known to the next connector at once") {
    SharedPorts ports{seed};
    const SocketAddress mapped = at("203.0.113.50:7000");
    Driven first{shared({"192.0.2.1:7000"}, {"198.51.100.1:3478"})};
    first.pass(20ms);
    const auto asked = requests(first, stun::Method::Binding);
    REQUIRE(asked.size() == 1);
    first.receive(asked.front().path, answer(asked.front(), mapped));
    ports.follow(first.now, one, first.connector);
    const Instant learned = first.now;
    REQUIRE(ports.reflexive(learned).size() == 1);

    ConnectorConfig config = shared({"192.0.2.1:7000"}, {"198.51.100.1:3478"});
    config.reflexive = ports.reflexive(learned);
    Driven second{config, 2};
    CHECK(second.sent.empty());
    CHECK(second.count<GatheringCompleted>() == 1);
    REQUIRE(reflexive_candidates(second) == 1);
    CHECK(second.last<CandidateGathered>().candidate.address == mapped);
    const PathReport report = second.connector.report();
    REQUIRE(report.sources.size() == 1);
    CHECK(report.sources.front().mapped == mapped);
    CHECK(report.sources.front().outcome == SourceReport::Outcome::Answered);
    // A restart asks, and so does whoever comes when it is no longer fresh.
    second.connector.restart(second.now);
    second.settle();
    CHECK(requests(second, stun::Method::Binding).size() == 1);
    CHECK(ports.reflexive(learned + limits::reflexive_lifetime - 1ns).size() == 1);
    CHECK(ports.reflexive(learned + limits::reflexive_lifetime).empty());
    config.reflexive.front().fresh_until = Instant{};
    Driven third{config, 3};
    CHECK(third.sent.size() == 1);
}

TEST_CASE("shared ports: a mapping stays fresh while it is used to the outside") {
    SharedPorts ports{seed};
    Driven first{shared({"192.168.0.2:7000"}, {"198.51.100.1:3478"})};
    first.pass(20ms);
    const auto asked = requests(first, stun::Method::Binding);
    REQUIRE(asked.size() == 1);
    first.receive(asked.front().path, answer(asked.front(), at("203.0.113.50:7000")));
    ports.follow(first.now, one, first.connector);
    Instant now = first.now;
    const auto send = [&](std::string_view local, std::string_view remote) {
        ports.sent(now, one, {between(local, remote), as_bytes("data")});
    };
    for (int i = 0; i < 10; ++i) {
        now += limits::reflexive_lifetime - 1s;
        send("192.168.0.2:7000", "203.0.113.1:5000");
        CHECK(ports.reflexive(now).size() == 1);
    }
    // Neighbours, other sockets, and what comes too late do not count.
    const Instant end = now + limits::reflexive_lifetime;
    now = end - 1s;
    send("192.168.0.2:7000", "192.168.0.9:5000");
    send("192.168.0.2:7001", "203.0.113.1:5000");
    CHECK(ports.reflexive(end).empty());
    now = end;
    send("192.168.0.2:7000", "203.0.113.1:5000");
    CHECK(ports.reflexive(end).empty());
}

TEST_CASE("shared ports: nothing is said of a socket that two servers see differently") {
    for (const std::string_view other : {"203.0.113.50:7000", "203.0.113.50:7001"}) {
        CAPTURE(other);
        SharedPorts ports{seed};
        Driven first{shared({"192.0.2.1:7000"}, {"198.51.100.1:3478", "198.51.100.2:3478"})};
        first.pass(20ms);
        const auto asked = requests(first, stun::Method::Binding);
        REQUIRE(asked.size() == 2);
        first.receive(asked[0].path, answer(asked[0], at("203.0.113.50:7000")));
        first.receive(asked[1].path, answer(asked[1], at(other)));
        ports.follow(first.now, one, first.connector);
        const bool same = other == "203.0.113.50:7000";
        CHECK(ports.reflexive(first.now).size() == (same ? 2 : 0));
        ports.forget_reflexive();
        CHECK(ports.reflexive(first.now).empty());
        ports.follow(first.now, one, first.connector);  // old news
        CHECK(ports.reflexive(first.now).empty());
    }
}

}  // namespace
}  // namespace stile::connect
