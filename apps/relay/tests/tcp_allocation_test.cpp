// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// RFC 6062.
#include "test_relay.hpp"

#include <stile/drivers/native_address.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/relay/handover.hpp>
#include <stile/turn/data_connection.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using drivers::Loop;

namespace {

// A data connection of a client: binds, then is the peer's.
struct Data {
    Data(Loop& loop_of, const SocketAddress& server, turn::DataConnection made,
         std::string_view early_text = {})
        : loop(loop_of),
          core(std::move(made)),
          stream(drivers::TcpStream::connect(loop_of, server)),
          early(to_bytes(early_text)) {
        stream->set_handlers({.on_open = {},
                              .on_bytes =
                                  [this](BytesView bytes) {
                                      heard += as_text(core.handle_octets(loop.now(), bytes));
                                      pump();
                                  },
                              .on_end = [this] { ended = true; },
                              .on_writable = {},
                              .on_closed = [this](drivers::Closed) { closed = true; }});
        pump();
    }
    void pump() {
        while (const auto message = core.poll_transmit()) {
            Bytes octets = to_bytes(*message);
            // Nonces hold for an address: the first request is taken.
            if (++requests == 1) octets.insert(octets.end(), early.begin(), early.end());
            (void)stream->write(octets);
        }
    }

    Loop& loop;
    turn::DataConnection core;
    std::unique_ptr<drivers::Stream> stream;
    Bytes early;
    int requests = 0;
    std::string heard;
    bool ended = false;
    bool closed = false;
};

struct Peer {
    explicit Peer(Loop& loop, std::string_view local = "127.0.0.3:0")
        : listener(*drivers::TcpListener::open(
              loop, at(local),
              [this](std::unique_ptr<drivers::TcpStream> taken) { take(std::move(taken)); })) {}
    void take(std::unique_ptr<drivers::TcpStream> taken) {
        stream = std::move(taken);
        stream->set_handlers({.on_open = [this] { open = true; },
                              .on_bytes = [this](BytesView bytes) { heard += as_text(bytes); },
                              .on_end = [this] { ended = true; },
                              .on_writable = {},
                              .on_closed = [this](drivers::Closed) { closed = true; }});
    }
    // The client may hear of the connection before this end does.
    bool accepts(Loop& loop) {
        return run(loop, [this] { return stream != nullptr; });
    }
    std::unique_ptr<drivers::TcpListener> listener;
    std::unique_ptr<drivers::TcpStream> stream;
    std::string heard;
    bool open = false;
    bool ended = false;
    bool closed = false;
};

struct World {
    explicit World(std::size_t shards = 1) {
        settings = settings_of({{.kind = ListenerKind::Tcp, .address = at("127.0.0.1:0")}});
        settings.shards = shards;
        settings.tenants[0].limits.tcp_relays = turn::Offer::Offered;
        relay = start(settings);
        server = relay->listening()[0];
        auto config = client_config(turn::ClientTransport::Tcp);
        config.protocol = turn::RelayProtocol::Tcp;
        client = std::make_unique<TestClient>(
            loop, stream_wire(drivers::TcpStream::connect(loop, server)), config);
        REQUIRE(run(loop, [&] { return client->find<turn::Client::Allocated>() != nullptr; }));
    }

    template <class Event>
    const Event& await() {
        REQUIRE(run(loop, [&] { return client->find<Event>() != nullptr; }));
        return *client->find<Event>();
    }

    Loop loop;
    Settings settings;
    std::unique_ptr<Relay> relay;
    SocketAddress server;
    std::unique_ptr<TestClient> client;
};

}  // namespace

TEST_CASE("TCP allocation: the client connects to a peer, and octets go both ways") {
    for (const std::size_t shards : {1U, 4U}) {
        World world{shards};
        Peer peer{world.loop};
        (void)world.client->core().connect(world.loop.now(), peer.listener->local_address());
        world.client->pump();
        const auto connected = world.await<turn::Client::Connected>();
        REQUIRE(peer.accepts(world.loop));
        CHECK(peer.stream->peer_address() == world.client->relayed());
        REQUIRE(peer.stream->write(as_bytes("waiting ")) == drivers::Written::Queued);

        Data data{world.loop, world.server,
                  world.client->core().data_connection(world.loop.now(), connected.connection)};
        REQUIRE(run(world.loop, [&] { return data.core.bound(); }));
        REQUIRE(data.stream->write(as_bytes("hello")) == drivers::Written::Queued);
        REQUIRE(peer.stream->write(as_bytes("world")) == drivers::Written::Queued);
        CHECK(run(world.loop,
                  [&] { return peer.heard == "hello" && data.heard == "waiting world"; }));

        // Half of it ends, the other goes on.
        data.stream->finish();
        CHECK(run(world.loop, [&] { return peer.ended; }));
        REQUIRE(peer.stream->write(as_bytes("!")) == drivers::Written::Queued);
        CHECK(run(world.loop, [&] { return data.heard == "waiting world!"; }));
        peer.stream->close();
        CHECK(run(world.loop, [&] { return data.ended && peer.closed; }));
        CHECK(run(world.loop, [&] { return world.relay->sessions().at(0).connections == 0; }));
        CHECK(world.relay->statistics().relay.octets_to_peers == 5);
        CHECK(world.relay->statistics().relay.octets_to_clients == 14);
    }
}

TEST_CASE("TCP allocation: a permitted peer connects to the relay, another is refused") {
    World world;
    Peer permitted{world.loop};
    world.client->permit(at("127.0.0.3:1"));
    REQUIRE(run(world.loop, [&] {
        return world.client->find<turn::Client::PermissionInstalled>() != nullptr;
    }));
    permitted.take(drivers::TcpStream::connect(world.loop, world.client->relayed(),
                                               {.local = at("127.0.0.3:0")}));
    const auto attempt = world.await<turn::Client::ConnectionAttempt>();
    CHECK(attempt.peer == permitted.stream->local_address());
    Data data{world.loop, world.server,
              world.client->core().data_connection(world.loop.now(), attempt.connection)};
    REQUIRE(permitted.stream->write(as_bytes("from outside")) == drivers::Written::Queued);
    CHECK(run(world.loop, [&] { return data.heard == "from outside"; }));

    Peer stranger{world.loop};
    stranger.take(drivers::TcpStream::connect(world.loop, world.client->relayed(),
                                              {.local = at("127.0.0.4:0")}));
    CHECK(run(world.loop, [&] { return stranger.closed; }));
}

TEST_CASE("TCP allocation: what follows a ConnectionBind at once is the peer's") {
    World world;
    Peer peer{world.loop};
    (void)world.client->core().connect(world.loop.now(), peer.listener->local_address());
    world.client->pump();
    const auto connected = world.await<turn::Client::Connected>();
    REQUIRE(peer.accepts(world.loop));
    // RFC 6062 Section 4.3 lets the client send only after the answer; octets that come early are
    // still octets of the connection.
    Data data{world.loop, world.server,
              world.client->core().data_connection(world.loop.now(), connected.connection),
              "early"};
    CHECK(run(world.loop, [&] { return peer.heard == "early"; }));
}

TEST_CASE("TCP allocation: a peer that refuses is a failure of that connection alone") {
    World world;
    SocketAddress nobody;
    {
        Peer gone{world.loop};
        nobody = gone.listener->local_address();
    }
    (void)world.client->core().connect(world.loop.now(), nobody);
    world.client->pump();
    CHECK(world.await<turn::Client::ConnectFailed>().peer == nobody);
    CHECK(world.relay->statistics().allocations == 1);
}

TEST_CASE("TCP allocation: megabytes pass whole through bounded buffers") {
    World world;
    Peer peer{world.loop};
    (void)world.client->core().connect(world.loop.now(), peer.listener->local_address());
    world.client->pump();
    const auto connected = world.await<turn::Client::Connected>();
    REQUIRE(peer.accepts(world.loop));
    Data data{world.loop, world.server,
              world.client->core().data_connection(world.loop.now(), connected.connection)};
    REQUIRE(run(world.loop, [&] { return data.core.bound(); }));
    std::string sent;
    for (std::size_t i = 0; sent.size() < 3'000'000; ++i) sent += std::to_string(i) + ' ';
    // The receiver starts late, so that everything on the way fills.
    peer.stream->set_reading(drivers::Reading::Paused);
    REQUIRE(data.stream->write(as_bytes(sent)) == drivers::Written::Queued);
    data.stream->finish();
    REQUIRE(run(world.loop, [&] { return data.stream->buffered() < sent.size(); }));
    peer.stream->set_reading(drivers::Reading::Flowing);
    REQUIRE(run(world.loop, [&] { return peer.ended; }));
    CHECK(peer.heard == sent);
}

TEST_CASE("TCP allocation: its end closes its connections") {
    World world;
    Peer peer{world.loop};
    (void)world.client->core().connect(world.loop.now(), peer.listener->local_address());
    world.client->pump();
    const auto connected = world.await<turn::Client::Connected>();
    REQUIRE(peer.accepts(world.loop));
    Data data{world.loop, world.server,
              world.client->core().data_connection(world.loop.now(), connected.connection)};
    REQUIRE(run(world.loop, [&] { return data.core.bound(); }));
    world.client.reset();
    CHECK(run(world.loop,
              [&] { return (peer.closed || peer.ended) && (data.closed || data.ended); }));
}

TEST_CASE("TCP allocation: goes on with another relay, joined connections and waiting ones") {
    World world;
    Peer joined{world.loop};
    Peer waiting{world.loop};
    world.client->permit(at("127.0.0.3:1"));
    (void)world.await<turn::Client::PermissionInstalled>();
    for (const Peer* const peer : {&joined, &waiting}) {
        (void)world.client->core().connect(world.loop.now(), peer->listener->local_address());
    }
    world.client->pump();
    const auto connected = [&] {
        std::vector<turn::ConnectionId> all;
        for (const auto& event : world.client->events) {
            const auto* const each = std::get_if<turn::Client::Connected>(&event);
            if (each != nullptr) all.push_back(each->connection);
        }
        return all;
    };
    REQUIRE(run(world.loop, [&] { return connected().size() == 2; }));
    const auto data_of = [&](turn::ConnectionId connection) {
        return std::make_unique<Data>(
            world.loop, world.server,
            world.client->core().data_connection(world.loop.now(), connection));
    };
    const auto first = data_of(connected()[0]);
    REQUIRE(run(world.loop, [&] { return first->core.bound(); }));
    REQUIRE(first->stream->write(as_bytes("be")) == drivers::Written::Queued);
    REQUIRE(run(world.loop, [&] { return joined.heard == "be" || waiting.heard == "be"; }));
    Peer& of_first = joined.heard == "be" ? joined : waiting;
    Peer& other = joined.heard == "be" ? waiting : joined;
    REQUIRE(other.stream->write(as_bytes("I wait")) == drivers::Written::Queued);
    // More than fits on the way: some of it is in the relay.
    std::string bulk;
    while (bulk.size() < 2'000'000) bulk += std::to_string(bulk.size()) + ' ';
    of_first.stream->set_reading(drivers::Reading::Paused);
    REQUIRE(first->stream->write(as_bytes(bulk)) == drivers::Written::Queued);
    REQUIRE(run(world.loop, [&] { return first->stream->buffered() < bulk.size(); }));

    auto handover = world.relay->hand_over();
    REQUIRE(handover);
    auto second = Relay::resume(world.settings, *std::move(handover));
    REQUIRE(second);
    world.relay->leave();
    (*second)->serve();
    of_first.stream->set_reading(drivers::Reading::Flowing);
    REQUIRE(run(world.loop, [&] { return of_first.heard == "be" + bulk; }));
    REQUIRE(of_first.stream->write(as_bytes("back")) == drivers::Written::Queued);
    CHECK(run(world.loop, [&] { return first->heard == "back"; }));

    const auto late = data_of(connected()[1]);
    CHECK(run(world.loop, [&] { return late->heard == "I wait"; }));
    // Peers come and go as before.
    Peer permitted{world.loop};
    permitted.take(drivers::TcpStream::connect(world.loop, world.client->relayed(),
                                               {.local = at("127.0.0.3:0")}));
    const auto attempt = world.await<turn::Client::ConnectionAttempt>();
    CHECK(attempt.peer == permitted.stream->local_address());
    first->stream->finish();
    CHECK(run(world.loop, [&] { return of_first.ended; }));
    CHECK((*second)->statistics().allocations == 1);
    CHECK(world.relay->statistics().allocations == 0);
}

TEST_CASE("TCP allocation: a connect that is under way at a handover fails at once") {
    World world;
    // Takes nobody: the queue is full, and the connect waits.
    const drivers::FileDescriptor full{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto local = drivers::to_native(at("127.0.0.3:0"));
    REQUIRE(::bind(full.get(), local.get(), local.size) == 0);
    REQUIRE(::listen(full.get(), 0) == 0);
    const SocketAddress busy = drivers::bound_address(full.get());
    const auto filler = drivers::TcpStream::connect(world.loop, busy);
    bool filled = false;
    filler->set_handlers({.on_open = [&] { filled = true; },
                          .on_bytes = {},
                          .on_end = {},
                          .on_writable = {},
                          .on_closed = {}});
    REQUIRE(run(world.loop, [&] { return filled; }));
    (void)world.client->core().connect(world.loop.now(), busy);
    world.client->pump();
    REQUIRE(run(world.loop, [&] { return world.relay->sessions().at(0).connections == 1; }));
    auto handover = world.relay->hand_over();
    REQUIRE(handover);
    auto second = Relay::resume(world.settings, *std::move(handover));
    REQUIRE(second);
    world.relay->leave();
    (*second)->serve();
    CHECK(world.await<turn::Client::ConnectFailed>().peer == busy);
}
