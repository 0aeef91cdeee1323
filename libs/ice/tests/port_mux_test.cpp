// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "hosts.hpp"

#include <stile/base/drain.hpp>
#include <stile/ice/connectivity_check.hpp>
#include <stile/ice/port_mux.hpp>

#include <map>

namespace stile::ice {
namespace {

using namespace testing;
using Problem = PortMux::Problem;

constexpr HashSeed seed{1, 2};
const Bytes data = to_bytes("\x40 some payload");

Path from(std::string_view remote) { return {at("192.0.2.1:7000"), at(remote)}; }

Bytes request(std::string_view username, std::uint8_t id = 1) {
    return build_check({.octets = {std::byte{id}}}, username,
                       {.priority = 1, .role = Role::Controlling},
                       stun::IntegrityKey::short_term("passwordpasswordpassword"));
}
Bytes answer_to(BytesView wire) {
    return build_success(*stun::MessageView::parse(wire), at("192.0.2.1:7000"),
                         stun::IntegrityKey::short_term("passwordpasswordpassword"));
}
std::vector<MemberId> list(std::span<const MemberId> members) {
    return {members.begin(), members.end()};
}

TEST_CASE("ice mux: requests go by our fragment, answers by what was asked, the rest by the path") {
    PortMux mux{seed};
    const MemberId a = *mux.join("aaaa");
    const MemberId b = *mux.join("bbbb");
    CHECK(list(mux.route(start, from("203.0.113.1:1"), request("aaaa:peer"))) == std::vector{a});
    CHECK(list(mux.route(start, from("203.0.113.1:1"), request("bbbb:peer"))) == std::vector{b});
    // The same prefix, the other order, another name: nobody's.
    for (const char* name : {"aaa:peer", "aaaaa:peer", "peer:aaaa", "aaaa", ":aaaa", ""}) {
        CHECK(mux.route(start, from("203.0.113.1:1"), request(name)).empty());
    }
    const Bytes asked = request("peer:bbbb", 9);
    CHECK(mux.route(start, from("203.0.113.1:1"), answer_to(asked)).empty());
    mux.sent(start, b, from("203.0.113.1:1"), asked);
    // From wherever it comes: whether that is right the agent judges.
    CHECK(list(mux.route(start, from("203.0.113.9:9"), answer_to(asked))) == std::vector{b});
    CHECK(list(mux.route(start, from("203.0.113.1:1"), data)) == std::vector{b});
    CHECK(mux.route(start, from("203.0.113.1:2"), data).empty());
}

TEST_CASE("ice mux: what arrives teaches nothing") {
    PortMux mux{seed};
    REQUIRE(mux.join("aaaa"));
    for (std::uint16_t port = 1; port < 1000; ++port) {
        const Path path{at("192.0.2.1:7000"), {IpAddress::v4({203, 0, 113, 1}), Port{port}}};
        (void)mux.route(start, path, request("aaaa:peer"));
        (void)mux.route(start, path, request("bbbb:peer"));
        (void)mux.route(start, path, data);
        CHECK(mux.route(start, path, data).empty());
    }
    CHECK(mux.paths() == 0);
    CHECK(mux.transactions() == 0);
    CHECK_FALSE(mux.poll_timeout());
}

TEST_CASE("ice mux: a restart adds a name, and both generations' requests arrive") {
    PortMux mux{seed};
    const MemberId a = *mux.join("aaaa");
    const MemberId b = *mux.join("bbbb");
    CHECK(mux.add_fragment(a, "new1"));
    CHECK(list(mux.route(start, from("203.0.113.1:1"), request("aaaa:p"))) == std::vector{a});
    CHECK(list(mux.route(start, from("203.0.113.1:1"), request("new1:p"))) == std::vector{a});
    mux.remove_fragment(b, "aaaa");  // not its own
    CHECK(list(mux.route(start, from("203.0.113.1:1"), request("aaaa:p"))) == std::vector{a});
    mux.remove_fragment(a, "aaaa");
    CHECK(mux.route(start, from("203.0.113.1:1"), request("aaaa:p")).empty());
    CHECK(list(mux.route(start, from("203.0.113.1:1"), request("new1:p"))) == std::vector{a});
}

TEST_CASE("ice mux: a name that is taken is refused, and so are too long ones and too many") {
    PortMux mux{seed};
    const MemberId a = *mux.join("aaaa");
    CHECK(mux.join("aaaa").error() == Problem::FragmentTaken);
    CHECK(mux.members() == 1);
    CHECK(mux.add_fragment(a, "aaaa").error() == Problem::FragmentTaken);
    CHECK(mux.join("").error() == Problem::FragmentTooLong);
    CHECK(mux.join(std::string(limits::most_mux_fragment_size + 1, 'x')).error() ==
          Problem::FragmentTooLong);
    CHECK(mux.join(std::string(limits::most_mux_fragment_size, 'x')));
    for (std::size_t i = 1; i < limits::most_mux_fragments; ++i) {
        CHECK(mux.add_fragment(a, "gen" + std::to_string(i)));
    }
    CHECK(mux.add_fragment(a, "more").error() == Problem::Full);
    CHECK(mux.add_fragment(MemberId{77}, "more").error() == Problem::UnknownMember);
    CHECK(mux.use(start, MemberId{77}, from("203.0.113.1:1")).error() == Problem::UnknownMember);
}

TEST_CASE("ice mux: who has left gets nothing, and its names are free") {
    PortMux mux{seed};
    const MemberId a = *mux.join("aaaa");
    const Bytes asked = request("peer:aaaa", 3);
    mux.sent(start, a, from("203.0.113.1:1"), asked);
    mux.leave(a);
    CHECK(mux.route(start, from("203.0.113.1:1"), request("aaaa:p")).empty());
    CHECK(mux.route(start, from("203.0.113.1:1"), answer_to(asked)).empty());
    CHECK(mux.route(start, from("203.0.113.1:1"), data).empty());
    mux.sent(start, a, from("203.0.113.1:2"), asked);
    const MemberId again = *mux.join("aaaa");
    CHECK(again != a);
    CHECK(mux.route(start, from("203.0.113.1:1"), data).empty());
    CHECK(mux.use(start, again, from("203.0.113.1:1")));
    CHECK(list(mux.route(start, from("203.0.113.1:1"), data)) == std::vector{again});
    mux.handle_timeout(start + 10min);
    CHECK(mux.paths() == 0);
    CHECK(mux.transactions() == 0);
}

TEST_CASE("ice mux: a path is kept while something is sent on it, and then expires") {
    PortMux mux{seed};
    const MemberId a = *mux.join("aaaa");
    REQUIRE(mux.use(start, a, from("203.0.113.1:1")));
    Instant now = start;
    for (int i = 0; i < 100; ++i) {
        now += 5s;
        mux.handle_timeout(now);
        CHECK(list(mux.route(now, from("203.0.113.1:1"), data)) == std::vector{a});
        mux.sent(now, a, from("203.0.113.1:1"), data);
    }
    const Instant end = now + limits::mux_path_lifetime;
    CHECK_FALSE(mux.route(end - 1ns, from("203.0.113.1:1"), data).empty());
    CHECK(mux.route(end, from("203.0.113.1:1"), data).empty());
    // Its memory goes a lifetime later at the latest.
    while (const auto next = mux.poll_timeout()) mux.handle_timeout(now = *next);
    CHECK(mux.paths() == 0);
    CHECK(now <= end + limits::mux_path_lifetime);
}

TEST_CASE("ice mux: a transaction lives as long as its retransmissions") {
    PortMux mux{seed};
    const MemberId a = *mux.join("aaaa");
    const Bytes asked = request("peer:aaaa", 3);
    mux.sent(start, a, from("203.0.113.1:1"), asked);
    mux.sent(start + 30s, a, from("203.0.113.1:1"), asked);
    CHECK(mux.transactions() == 1);
    const Instant end = start + limits::mux_transaction_lifetime;
    CHECK(mux.poll_timeout() == end);
    CHECK_FALSE(mux.route(end - 1ns, from("203.0.113.1:1"), answer_to(asked)).empty());
    CHECK(mux.route(end, from("203.0.113.1:1"), answer_to(asked)).empty());
    mux.handle_timeout(end);
    CHECK(mux.transactions() == 0);
}

TEST_CASE(
    "ice mux: members that share a path are offered what comes, who selected it before others") {
    PortMux mux{seed};
    std::vector<MemberId> members;
    for (std::size_t i = 0; i < limits::most_mux_sharers + 2; ++i) {
        members.push_back(*mux.join("name" + std::to_string(i)));
    }
    const Path path = from("203.0.113.1:1");
    mux.sent(start, members[0], path, data);
    mux.sent(start, members[1], path, data);
    CHECK(list(mux.route(start, path, data)) == std::vector{members[1], members[0]});
    REQUIRE(mux.use(start, members[0], path));
    // A peer's data may come before our own checks have found that this is the way.
    CHECK(list(mux.route(start, path, data)) == std::vector{members[0], members[1]});
    // Those that only try it do not keep out who has selected it.
    for (const MemberId member : members) mux.sent(start, member, path, data);
    CHECK(mux.use(start, members[5], path));
    CHECK(list(mux.route(start, path, data)) ==
          std::vector{members[5], members[0], members[3], members[2]});
    CHECK(mux.use(start, members[4], path));
    CHECK(mux.use(start, members[3], path));
    CHECK(mux.route(start, path, data).size() == limits::most_mux_sharers);
    CHECK(mux.use(start, members[2], path).error() == Problem::Full);
    mux.leave(members[5]);
    CHECK(mux.use(start, members[2], path));
}

TEST_CASE("ice mux: a peer with many candidates cannot make its agent claim without end") {
    PortMux mux{seed};
    const MemberId a = *mux.join("aaaa");
    const MemberId b = *mux.join("bbbb");
    const auto path = [](std::size_t i) {
        return Path{at("192.0.2.1:7000"),
                    {IpAddress::v4(0xCB007100U), Port{static_cast<std::uint16_t>(1000 + i)}}};
    };
    for (std::size_t i = 0; i < 5000; ++i) mux.sent(start, a, path(i), data);
    CHECK(mux.paths() == limits::most_mux_paths);
    CHECK_FALSE(mux.route(start, path(limits::most_mux_paths - 1), data).empty());
    CHECK(mux.route(start, path(limits::most_mux_paths), data).empty());
    // What it selects is its own all the same, and others are not touched.
    CHECK(mux.use(start, a, path(4999)));
    CHECK_FALSE(mux.route(start, path(4999), data).empty());
    mux.sent(start, b, path(4998), data);
    CHECK(list(mux.route(start, path(4998), data)) == std::vector{b});
    // Expired ones make room.
    mux.handle_timeout(start + limits::mux_path_lifetime);
    mux.sent(start + limits::mux_path_lifetime, a, path(1), data);
    CHECK(mux.paths() == 1);
}

TEST_CASE("ice mux: the oldest transactions are forgotten at the limit") {
    PortMux mux{seed};
    const MemberId a = *mux.join("aaaa");
    const auto numbered = [](std::uint32_t number) {
        Bytes wire(20);
        wire[1] = std::byte{1};  // a Binding request without attributes
        const std::array<unsigned, 4> cookie{0x21, 0x12, 0xA4, 0x42};
        for (std::size_t i = 0; i < 4; ++i) wire[4 + i] = static_cast<std::byte>(cookie[i]);
        for (std::size_t i = 0; i < 4; ++i) wire[8 + i] = static_cast<std::byte>(number >> (8 * i));
        return wire;
    };
    for (std::uint32_t i = 0; i <= limits::most_mux_transactions; ++i) {
        mux.sent(start, a, from("203.0.113.1:1"), numbered(i));
    }
    CHECK(mux.transactions() == limits::most_mux_transactions);
    Bytes first = numbered(0);
    first[0] = std::byte{1};  // now a success response
    CHECK(mux.route(start, from("203.0.113.1:1"), first).empty());
    Bytes last = numbered(limits::most_mux_transactions);
    last[0] = std::byte{1};
    CHECK(list(mux.route(start, from("203.0.113.1:1"), last)) == std::vector{a});
}

// Many agents at one address, each with a peer of its own elsewhere, all by one mux and one pacer.
TEST_CASE("ice mux: many sessions on one port connect, restart, and share one pacer") {
    constexpr std::size_t count = 40;
    const SocketAddress shared = at("192.0.2.1:7000");
    PortMux mux{seed};
    Pacer pacer{5ms};
    struct Session {
        Agent server;
        Agent client;
        MemberId member;
        SocketAddress remote;
    };
    std::vector<Session> sessions;
    std::multimap<Instant, std::pair<Path, Bytes>> flying;  // as its receiver sees it
    Instant now = start;

    const auto begin = [&](Session& session) {
        REQUIRE(session.server.add_local_candidate(now, host_candidate(shared)));
        REQUIRE(session.client.add_local_candidate(now, host_candidate(session.remote)));
        REQUIRE(session.server.set_remote_credentials(now, session.client.local_credentials()));
        REQUIRE(session.client.set_remote_credentials(now, session.server.local_credentials()));
        REQUIRE(session.server.add_remote_candidate(now, session.client.local_candidates()[0]));
        REQUIRE(session.client.add_remote_candidate(now, session.server.local_candidates()[0]));
        for (Agent* agent : {&session.server, &session.client}) {
            agent->end_of_local_candidates(now);
            agent->end_of_remote_candidates(now);
        }
    };
    for (std::size_t i = 0; i < count; ++i) {
        Session& session = sessions.emplace_back(Session{
            .server = Agent{start, {}, random_from(i)},
            .client = Agent{start, {.role = Role::Controlled}, random_from(1000 + i)},
            .member = {},
            .remote = {IpAddress::v4(0xCB007101U), Port{static_cast<std::uint16_t>(5000 + i)}}});
        session.member = *mux.join(session.server.local_credentials().fragment);
        begin(session);
    }
    const auto flush = [&](Session& session) {
        const auto fly = [&](const AgentTransmit& transmit) {
            flying.emplace(now + 10ms, std::pair{Path{transmit.path.remote, transmit.path.local},
                                                 to_bytes(transmit.payload)});
        };
        (void)drain(
            session.server,
            [&](const AgentTransmit& transmit) {
                mux.sent(now, session.member, transmit.path, transmit.payload);
                fly(transmit);
            },
            [&](const Event& event) {
                if (const auto* selected = std::get_if<PairSelected>(&event)) {
                    CHECK(mux.use(now, session.member, selected->path));
                }
            });
        (void)drain(session.client, fly, [](const Event&) {});
    };
    const auto run_for = [&](Duration duration) {
        const Instant end = now + duration;
        for (;;) {
            std::optional<Instant> next = mux.poll_timeout();
            for (Session& session : sessions) {
                flush(session);
                next = earlier(next, session.server.poll_timeout());
                next = earlier(next, session.client.poll_timeout());
            }
            if (!flying.empty()) next = earlier(next, flying.begin()->first);
            if (!next || *next > end) break;
            now = std::max(now, *next);
            mux.handle_timeout(now);
            while (!flying.empty() && flying.begin()->first <= now) {
                const auto [path, payload] = std::move(flying.begin()->second);
                flying.erase(flying.begin());
                if (path.local == shared) {
                    const auto members = mux.route(now, path, payload);
                    REQUIRE(members.size() == 1);
                    Session& session = sessions[members[0].value - 1];
                    CHECK(session.server.handle_datagram(now, path, payload) == Verdict::Consumed);
                } else {
                    sessions[path.local.port.value - 5000U].client.handle_datagram(now, path,
                                                                                   payload);
                }
            }
            for (Session& session : sessions) {
                const auto due = session.server.poll_timeout();
                if (due && *due <= now) session.server.handle_timeout(now, pacer);
                const auto other = session.client.poll_timeout();
                if (other && *other <= now) session.client.handle_timeout(now);
            }
        }
        now = end;
    };
    const auto all_connected = [&] {
        for (Session& session : sessions) {
            CHECK(session.server.state() == State::Completed);
            CHECK(session.server.selected() == Path{shared, session.remote});
            const auto members = mux.route(now, {shared, session.remote}, data);
            REQUIRE(members.size() == 1);
            CHECK(members[0] == session.member);
        }
    };
    run_for(5s);
    all_connected();
    run_for(120s);
    all_connected();
    // Every other session restarts; its two names work side by side until the old one is over.
    for (std::size_t i = 0; i < count; i += 2) {
        Session& session = sessions[i];
        const std::string old = session.server.local_credentials().fragment;
        session.server.restart(now);
        session.client.restart(now);
        REQUIRE(mux.add_fragment(session.member, session.server.local_credentials().fragment));
        CHECK(list(mux.route(now, {shared, session.remote}, request(old + ":x"))) ==
              std::vector{session.member});
        begin(session);
    }
    run_for(60s);
    all_connected();
    CHECK(mux.fragments() == count + count / 2);
}

}  // namespace
}  // namespace stile::ice
