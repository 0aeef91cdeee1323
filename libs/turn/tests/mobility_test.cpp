// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Clients that move, RFC 8016.
#include "world.hpp"

namespace stile::turn::test {
namespace {

using stun::Method;
using Builder = stun::MessageBuilder;

ServerConfig mobile_config() {
    auto config = server_config();
    config.mobility = Offer::Offered;
    return config;
}

constexpr std::string_view first_place = "198.51.100.9:40000";
constexpr std::string_view second_place = "203.0.113.5:5000";
constexpr std::string_view third_place = "[2a01::7]:777";

struct MobileClient {
    explicit MobileClient(World& world) : world_(world), raw(world) {}

    unsigned allocate() {
        const auto answer = raw.ask(Method::Allocate, [](Builder& builder) {
            builder.add(stun::RequestedTransport{}).add(stun::MobilityTicket{});
        });
        keep_ticket(answer);
        return RawClient::code_of(answer);
    }
    void go_to(std::string_view place) { raw.flow.remote = address(place); }
    unsigned refresh(BytesView with) {
        const auto answer = raw.ask(
            Method::Refresh, [&](Builder& builder) { builder.add(stun::MobilityTicket{with}); });
        keep_ticket(answer);
        return RawClient::code_of(answer);
    }
    unsigned resume() { return refresh(Bytes{ticket}); }
    void keep_ticket(const stun::MessageView& answer) {
        const auto given = answer.get<stun::MobilityTicket>();
        if (given) ticket = to_bytes(given->octets);
    }

    World& world_;
    RawClient raw;
    Bytes ticket;
};

TEST_CASE("turn server, mobility: a ticket in the answer, names its shard and nothing else") {
    auto config = mobile_config();
    config.shard = 9;
    World world{config};
    MobileClient client{world};
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.ticket.size() > 32);
    CHECK(client.ticket.size() < 64);
    CHECK(client.ticket[0] == std::byte{9});
    Builder refresh{stun::Class::Request, Method::Refresh, {}};
    refresh.add(stun::MobilityTicket{client.ticket});
    CHECK(Server::shard_of_request(refresh.finish()) == std::uint8_t{9});
    MobileClient other{world};
    other.go_to(second_place);
    REQUIRE(other.allocate() == 0);
    CHECK(other.ticket != client.ticket);
}

TEST_CASE("turn server, mobility: 405 where it is not offered, 400 for a ticket in Allocate") {
    World world;
    MobileClient client{world};
    CHECK(client.allocate() == 405);
    REQUIRE(client.raw.allocate() == 0);
    client.go_to(second_place);
    CHECK(client.refresh(Bytes(45)) == 405);
    World other{mobile_config()};
    RawClient raw{other};
    CHECK(raw.code(Method::Allocate, [](Builder& builder) {
        builder.add(stun::RequestedTransport{}).add(stun::MobilityTicket{as_bytes("x")});
    }) == 400);
}

TEST_CASE("turn server, mobility: the old 5-tuple serves until data comes from the new one") {
    World world{mobile_config()};
    MobileClient client{world};
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.raw.bind(0x4000, peer_address) == 0);
    const ClientFlow old = client.raw.flow;
    const Bytes first_ticket = client.ticket;
    world.now += 100s;
    client.go_to(second_place);
    CHECK(client.resume() == 0);
    CHECK(client.ticket != first_ticket);
    CHECK(world.server.poll_timeout() == start + 700s);
    const auto flow_of_data = [&] {
        const auto message =
            world.server.handle_peer(world.now, world.id_of(relay_v4), peer_address, as_bytes("x"));
        REQUIRE(message);
        return message->flow;
    };
    CHECK(flow_of_data() == old);
    // Both places may speak; requests of the new one do not settle it.
    RawClient before{world};
    before.send_on(0x4000, "from the old place");
    REQUIRE(client.raw.permit(other_peer) == 0);
    CHECK(flow_of_data() == old);
    CHECK(world.all<Server::AllocationMoved>().empty());
    client.raw.send_on(0x4000, "from the new place");
    CHECK(world.at_peers.size() == 2);
    CHECK(flow_of_data() == client.raw.flow);
    world.run_events();
    const auto moved = world.all<Server::AllocationMoved>();
    REQUIRE(moved.size() == 1);
    CHECK(moved[0].from == old);
    CHECK(moved[0].to == client.raw.flow);
    before.send_on(0x4000, "from the old place");
    CHECK(world.server.dropped(DropReason::NoAllocation) == 1);
    // A Send indication settles a move as well; the old place is free for another allocation.
    REQUIRE(before.allocate() == 0);
    client.go_to(third_place);
    CHECK(client.resume() == 0);
    client.raw.send_indication(other_peer, "y");
    CHECK(flow_of_data() == client.raw.flow);
    CHECK(world.server.allocations() == 2);
}

TEST_CASE("turn server, mobility: moves in a row leave one old place and one new one") {
    World world{mobile_config()};
    MobileClient client{world};
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.raw.bind(0x4000, peer_address) == 0);
    for (int i = 0; i < 200; ++i) {
        client.go_to("203.0.113.5:" + std::to_string(1000 + i));
        REQUIRE(client.resume() == 0);
    }
    CHECK(world.server.allocations() == 1);
    CHECK(world.server.relays() == 1);
    // Places between are nobody's: another may allocate there, and data from there is refused.
    RawClient bob{world, "bob", "hidden", "203.0.113.5:1100"};
    bob.send_on(0x4000, "x");
    CHECK(world.server.dropped(DropReason::NoAllocation) == 1);
    REQUIRE(bob.allocate() == 0);
    REQUIRE(bob.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
    REQUIRE(client.raw.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
    CHECK(world.server.allocations() == 0);
    CHECK_FALSE(world.server.poll_timeout());
    RawClient again{world, "bob", "hidden", "203.0.113.5:1199"};
    CHECK(again.allocate() == 0);
    RawClient first{world, "bob", "hidden", first_place};
    CHECK(first.allocate() == 0);
}

TEST_CASE("turn server, mobility: the quota belongs to the allocation wherever its client is") {
    auto config = mobile_config();
    config.relays_per_user = 1;
    World world{config};
    MobileClient client{world};
    REQUIRE(client.allocate() == 0);
    client.go_to(second_place);
    REQUIRE(client.resume() == 0);
    RawClient more{world};
    more.flow.remote = address("198.51.100.77:1");
    CHECK(more.allocate() == 486);
    REQUIRE(client.raw.code(Method::Refresh, [](Builder& b) { b.add(stun::Lifetime{}); }) == 0);
    CHECK(more.allocate() == 0);
}

TEST_CASE("turn server, mobility: an answer that was lost is given again, and not for long") {
    World world{mobile_config()};
    MobileClient client{world};
    REQUIRE(client.allocate() == 0);
    const Bytes old_ticket = client.ticket;
    client.go_to(second_place);
    REQUIRE(client.resume() == 0);
    const Bytes request = client.raw.last_request();
    const Bytes answer = client.raw.last_answer();
    world.now += 29s;
    REQUIRE(client.raw.send(request));
    CHECK(client.raw.last_answer() == answer);
    // Not from elsewhere, not with another transaction, not after a while.
    CHECK(client.refresh(old_ticket) == 400);
    world.now = start + old_ticket_time;
    REQUIRE(client.raw.send(request));
    CHECK(RawClient::code_of(*client.raw.send(request)) == 400);
}

TEST_CASE("turn server, mobility: what a ticket is refused with, RFC 8016 Section 3.2.2") {
    World world{mobile_config()};
    MobileClient client{world};
    REQUIRE(client.allocate() == 0);
    // From where the allocation is already.
    CHECK(client.resume() == 400);
    client.go_to(second_place);
    for (std::size_t i = 0; i < client.ticket.size(); ++i) {
        Bytes forged = client.ticket;
        forged[i] ^= std::byte{0x40};
        CAPTURE(i);
        CHECK(client.refresh(forged) == 400);
    }
    CHECK(client.refresh({}) == 400);
    CHECK(client.refresh(BytesView{client.ticket}.first(40)) == 400);
    RawClient thief{world, "bob", "hidden", second_place};
    CHECK(thief.code(Method::Refresh,
                     [&](Builder& b) { b.add(stun::MobilityTicket{client.ticket}); }) == 441);
    // Another allocation lives there.
    RawClient bob{world, "bob", "hidden", second_place};
    REQUIRE(bob.allocate() == 0);
    CHECK(client.resume() == 437);
    client.go_to(third_place);
    CHECK(client.resume() == 0);
    world.advance(600s);
    client.go_to(first_place);
    CHECK(client.resume() == 437);
    // A server with another key knows nothing of it.
    auto config = mobile_config();
    config.authentication.nonce_key[0] = std::byte{99};
    World stranger{config};
    MobileClient lost{stranger};
    CHECK(lost.refresh(client.ticket) == 400);
}

TEST_CASE("turn server, mobility: a lifetime of 0 ends it from the new place, too") {
    World world{mobile_config()};
    MobileClient client{world};
    REQUIRE(client.allocate() == 0);
    client.go_to(second_place);
    CHECK(client.raw.code(Method::Refresh, [&](Builder& builder) {
        builder.add(stun::MobilityTicket{client.ticket}).add(stun::Lifetime{});
    }) == 0);
    CHECK(world.server.allocations() == 0);
    CHECK(world.open.empty());
}

TEST_CASE("turn server, mobility: a closed connection does not end it at once") {
    World world{mobile_config()};
    MobileClient client{world};
    client.raw.flow.transport = ClientTransport::Tcp;
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.raw.bind(0x4000, peer_address) == 0);
    const ClientFlow old = client.raw.flow;
    world.server.handle_client_gone(world.now, old);
    world.run_events();
    CHECK(world.server.allocations() == 1);
    CHECK(world.server.poll_timeout() == start + mobile_grace);
    // Who connects from there next has nothing to do with it.
    RawClient other{world, "bob", "hidden", first_place};
    other.flow.transport = ClientTransport::Tcp;
    other.send_on(0x4000, "x");
    CHECK(world.server.dropped(DropReason::NoAllocation) == 1);
    REQUIRE(other.allocate() == 0);
    client.go_to(second_place);
    client.raw.flow.transport = ClientTransport::Udp;
    REQUIRE(client.resume() == 0);
    CHECK(world.server.poll_timeout() == start + 600s);
    client.raw.send_on(0x4000, "y");
    CHECK(world.at_peers.size() == 1);
    REQUIRE(other.bind(0x4001, other_peer) == 0);
    other.send_on(0x4001, "z");
    CHECK(world.at_peers.size() == 2);
    CHECK(world.server.allocations() == 2);
}

TEST_CASE("turn server, mobility: a client comes back by a new connection from the same place") {
    World world{mobile_config()};
    MobileClient client{world};
    client.raw.flow.transport = ClientTransport::Tcp;
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.raw.bind(0x4000, peer_address) == 0);
    world.server.handle_client_gone(world.now, client.raw.flow);
    world.run_events();
    REQUIRE(client.resume() == 0);
    client.raw.send_on(0x4000, "back");
    CHECK(world.at_peers.size() == 1);
    CHECK(world.server.allocations() == 1);
    REQUIRE(client.raw.permit(other_peer) == 0);
}

TEST_CASE("turn server, mobility: a connection that closes while moving settles the move") {
    World world{mobile_config()};
    MobileClient client{world};
    client.raw.flow.transport = ClientTransport::Tcp;
    REQUIRE(client.allocate() == 0);
    const ClientFlow old = client.raw.flow;
    client.go_to(second_place);
    REQUIRE(client.resume() == 0);
    world.server.handle_client_gone(world.now, old);
    world.run_events();
    REQUIRE(world.all<Server::AllocationMoved>().size() == 1);
    CHECK(world.server.sessions(world.now)[0].flow == client.raw.flow);
    // The new one closes before it was used: the old one stays.
    const ClientFlow here = client.raw.flow;
    client.go_to(third_place);
    REQUIRE(client.resume() == 0);
    world.server.handle_client_gone(world.now, client.raw.flow);
    CHECK(world.server.sessions(world.now)[0].flow == here);
    CHECK(world.server.allocations() == 1);
}

TEST_CASE("turn server, mobility: offloaded channels follow, and end where a stream begins") {
    auto config = mobile_config();
    config.offload = Offer::Offered;
    World world{config};
    MobileClient client{world};
    REQUIRE(client.allocate() == 0);
    REQUIRE(client.raw.bind(0x4000, peer_address) == 0);
    client.go_to(second_place);
    REQUIRE(client.resume() == 0);
    client.raw.send_on(0x4000, "x");
    world.run_events();
    auto opened = world.all<ChannelOpened>();
    REQUIRE(opened.size() == 2);
    CHECK(opened[1].flow == client.raw.flow);
    client.go_to(third_place);
    client.raw.flow.transport = ClientTransport::Tls;
    REQUIRE(client.resume() == 0);
    client.raw.send_on(0x4000, "x");
    world.run_events();
    CHECK(world.all<ChannelClosed>().size() == 1);
}

TEST_CASE("turn server, mobility: a TCP relay stays with streams") {
    auto config = mobile_config();
    config.tcp_relays = Offer::Offered;
    World world{config};
    MobileClient client{world};
    client.raw.flow.transport = ClientTransport::Tcp;
    const auto answer = client.raw.ask(Method::Allocate, [](Builder& builder) {
        builder.add(stun::RequestedTransport{6}).add(stun::MobilityTicket{});
    });
    client.keep_ticket(answer);
    client.go_to(second_place);
    client.raw.flow.transport = ClientTransport::Udp;
    CHECK(client.resume() == 400);
    client.raw.flow.transport = ClientTransport::Tls;
    CHECK(client.resume() == 0);
}

}  // namespace
}  // namespace stile::turn::test
