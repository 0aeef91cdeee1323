// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "two_endpoints.hpp"

#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

namespace stile::session {
namespace {

using namespace test;

struct Shared : TwoEndpoints {
    Shared() { is_shared = true; }

    // One session more between the two.
    std::pair<SessionId, SessionId> begin() {
        bob.session.reset();
        alice.session = alice.endpoint.fetch(now, "bob@example.org", path(alice)).value();
        run(10ms);
        REQUIRE(bob.session);
        bob.endpoint.accept(now, *bob.session, path(bob));
        run(12s);
        return {*alice.session, *bob.session};
    }
    std::vector<SessionId> receivers_at_bob(const Path& path, std::string_view payload) {
        const auto found = bob.endpoint.receivers(now, path, as_bytes(payload));
        return {found.begin(), found.end()};
    }
};

// As Bob sees it.
const Path from_alice{{IpAddress::v4({203, 0, 113, 1}), Port{5000}},
                      {IpAddress::v4({192, 0, 2, 1}), Port{5000}}};

TEST_CASE("endpoint: sessions that share their sockets connect, and end one by one") {
    Shared world;
    std::vector<std::pair<SessionId, SessionId>> sessions;
    for (int i = 0; i < 3; ++i) sessions.push_back(world.begin());
    for (const auto& [ours, theirs] : sessions) {
        REQUIRE(world.alice.endpoint.find(ours) != nullptr);
        REQUIRE(world.bob.endpoint.find(theirs) != nullptr);
        CHECK(world.alice.endpoint.find(ours)->route()->pair.remote == at("203.0.113.1:5000"));
        CHECK(world.bob.endpoint.find(theirs)->route()->pair == from_alice);
    }
    // Data by the common pair of ports may be any one's: their carriers tell.
    CHECK(world.receivers_at_bob(from_alice, "data").size() == 3);
    for (std::size_t left = 3; left > 0; --left) {
        world.alice.endpoint.end(world.now, sessions[left - 1].first);
        world.run(1min);
        CHECK(world.bob.endpoint.sessions() == left - 1);
        CHECK(world.receivers_at_bob(from_alice, "data").size() == left - 1);
        for (std::size_t i = 0; i + 1 < left; ++i) {
            CHECK(world.bob.endpoint.find(sessions[i].second)->route());
        }
    }
}

TEST_CASE("endpoint: strangers' datagrams on a shared socket are nobody's") {
    Shared world;
    CHECK(world.receivers_at_bob(from_alice, "data").empty());  // nothing is shared yet
    world.begin();
    const Path stranger{at("203.0.113.1:5000"), at("198.51.100.66:5000")};
    stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding, {}};
    builder.add(stun::Username{"guessed:name"});
    CHECK(world.receivers_at_bob(stranger, as_text(builder.finish())).empty());
    CHECK(world.receivers_at_bob(stranger, "data").empty());
    CHECK(world.receivers_at_bob({at("203.0.113.2:5000"), from_alice.remote}, "data").empty());
    CHECK(world.receivers_at_bob(from_alice, "data") == std::vector{*world.bob.session});
}

TEST_CASE("endpoint: a session on shared sockets restarts, by either side's new socket") {
    for (const bool caller_moves : {true, false}) {
        CAPTURE(caller_moves);
        Shared world;
        world.begin();
        Person& mover = caller_moves ? world.alice : world.bob;
        Person& other = caller_moves ? world.bob : world.alice;
        const std::string old_socket = mover.host + ":5000";
        const std::string new_socket = caller_moves ? "192.0.2.9:5000" : "203.0.113.9:5000";
        world.add_host(mover, new_socket);
        world.remove_host(mover, old_socket);
        world.run(20s);
        REQUIRE(other.has_route());
        CHECK(other.its().route()->pair.remote == at(new_socket));
        CHECK(mover.its().route()->pair.local == at(new_socket));
        CHECK(mover.its().generation() > 0);
        world.run(2min);
        CHECK(mover.has_route());
    }
}

TEST_CASE("endpoint: what a server said of a shared socket is in the next session's first offer") {
    Shared world;
    const SocketAddress server = at("198.51.100.1:3478");
    connect::ConnectorConfig path = world.path(world.alice);
    path.stun_servers = {server};
    const auto fetch = [&] {
        const auto session = world.alice.endpoint.fetch(world.now, "bob@example.org", path);
        REQUIRE(session);
        world.alice.settle();
        return *session;
    };
    const SessionId first = fetch();
    world.alice.endpoint.handle_timeout(world.now);
    world.alice.settle();
    REQUIRE(world.alice.datagrams.size() == 1);
    const auto asked = stun::MessageView::parse(BytesView{world.alice.datagrams.front().second});
    REQUIRE(asked);
    stun::MessageBuilder builder{stun::Class::SuccessResponse, asked->method(), asked->id()};
    builder.add(stun::XorMappedAddress{at("203.0.113.50:5000")});
    const Bytes answer = builder.finish();
    const Path from_server{at("192.0.2.1:5000"), server};
    const auto receivers = world.alice.endpoint.receivers(world.now, from_server, answer);
    REQUIRE(receivers.size() == 1);
    CHECK(receivers.front() == first);
    (void)world.alice.endpoint.handle_datagram(world.now, first, from_server, answer);
    world.alice.settle();

    const auto is_told = [&](SessionId session) {
        const auto& told = world.alice.endpoint.find(session)->path().local_description();
        return std::ranges::find(told.candidates, ice::CandidateType::ServerReflexive,
                                 &ice::Candidate::type) != told.candidates.end();
    };
    world.alice.log.clear();
    CHECK(is_told(fetch()));
    CHECK(world.alice.log.find("203.0.113.50 5000 typ srflx") != std::string::npos);
    world.alice.endpoint.handle_network_changed();
    CHECK_FALSE(is_told(fetch()));
}

}  // namespace
}  // namespace stile::session
