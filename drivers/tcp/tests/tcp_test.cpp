// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/drivers/tcp.hpp>

#include <array>
#include <optional>
#include <vector>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;

const SocketAddress any_v4 = *SocketAddress::parse("127.0.0.1:0");
const SocketAddress any_v6 = *SocketAddress::parse("[::1]:0");

// What a stream reported.
struct Seen {
    bool open = false;
    Bytes bytes;
    bool end = false;
    int writable = 0;
    std::optional<Closed> closed;

    StreamHandlers handlers() {
        return {.on_open = [this] { open = true; },
                .on_bytes =
                    [this](BytesView more) { bytes.insert(bytes.end(), more.begin(), more.end()); },
                .on_end = {},
                .on_writable = [this] { ++writable; },
                .on_closed = [this](Closed why) { closed = std::move(why); }};
    }
};

struct Connected {
    explicit Connected(SocketAddress any = any_v4, const TcpOptions& options = {}) {
        auto opened = TcpListener::open(loop, any,
                                        [this](std::unique_ptr<TcpStream> stream) {
                                            server = std::move(stream);
                                            server->set_handlers(at_server.handlers());
                                        },
                                        {.accepted = options});
        REQUIRE(opened.has_value());
        listener = *std::move(opened);
        client = TcpStream::connect(loop, listener->local_address(), options);
        client->set_handlers(at_client.handlers());
        REQUIRE(until([this] { return at_client.open && at_server.open; }));
    }
    bool until(std::move_only_function<bool()> done) {
        return loop.run_until(std::move(done), 10s) == Loop::Outcome::Done;
    }

    Loop loop;
    Seen at_server;
    Seen at_client;
    std::unique_ptr<TcpListener> listener;
    std::unique_ptr<TcpStream> server;
    std::unique_ptr<TcpStream> client;
};

Bytes pattern(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
    return bytes;
}

TEST_CASE("tcp stream: bytes go both ways, IPv4 and IPv6, and both know both addresses") {
    for (const SocketAddress& any : {any_v4, any_v6}) {
        Connected pair{any};
        CHECK(pair.client->write(as_bytes("ping")) == Written::Queued);
        REQUIRE(pair.until([&] { return pair.at_server.bytes.size() == 4; }));
        CHECK(pair.server->write(as_bytes("pong")) == Written::Queued);
        REQUIRE(pair.until([&] { return pair.at_client.bytes == to_bytes("pong"); }));
        CHECK(pair.server->peer_address() == pair.client->local_address());
        CHECK(pair.client->peer_address() == pair.server->local_address());
    }
}

TEST_CASE("tcp stream: what is written before it is connected is sent then") {
    Loop loop;
    Seen seen;
    std::unique_ptr<TcpStream> server;
    const auto listener = TcpListener::open(loop, any_v4, [&](std::unique_ptr<TcpStream> stream) {
        server = std::move(stream);
        server->set_handlers(seen.handlers());
    });
    const auto client = TcpStream::connect(loop, (*listener)->local_address());
    CHECK(client->write(as_bytes("early")) == Written::Queued);
    CHECK(loop.run_until([&] { return seen.bytes == to_bytes("early"); }, 10s) ==
          Loop::Outcome::Done);
}

TEST_CASE("tcp stream: nobody listening is a refusal that names the address") {
    Loop loop;
    SocketAddress closed;
    {
        const auto listener = TcpListener::open(loop, any_v4, [](auto) {});
        closed = (*listener)->local_address();
    }
    Seen seen;
    const auto client = TcpStream::connect(loop, closed);
    client->set_handlers(seen.handlers());
    REQUIRE(loop.run_until([&] { return seen.closed.has_value(); }, 10s) == Loop::Outcome::Done);
    CHECK(seen.closed->reason == CloseReason::Refused);
    CHECK(seen.closed->text.contains(closed.to_string()));
    CHECK_FALSE(seen.open);
    CHECK(client->write(as_bytes("x")) == Written::Closed);
}

TEST_CASE("tcp stream: a connection that is not answered times out") {
    Loop loop;
    Loop idle;
    // A listener whose queue is full leaves further SYNs unanswered.
    const auto listener = TcpListener::open(loop, any_v4, [](auto) {}, {.backlog = 0});
    std::vector<std::unique_ptr<TcpStream>> streams;
    std::vector<std::unique_ptr<Seen>> seen;
    // The loop never gets to accept: everything happens before it runs, except these timeouts.
    const auto target = (*listener)->local_address();
    for (int i = 0; i < 4; ++i) {
        seen.push_back(std::make_unique<Seen>());
        streams.push_back(TcpStream::connect(idle, target, {.connect_timeout = 50ms}));
        streams.back()->set_handlers(seen.back()->handlers());
    }
    REQUIRE(idle.run_until([&] { return seen.back()->closed.has_value(); }, 10s) ==
            Loop::Outcome::Done);
    CHECK(seen.back()->closed->reason == CloseReason::TimedOut);
}

TEST_CASE("tcp stream: close sends what is queued and then reports itself") {
    Connected pair;
    const Bytes data = pattern(3'000'000);
    CHECK(pair.client->write(data) == Written::Queued);
    pair.client->close();
    CHECK(pair.client->write(as_bytes("x")) == Written::Closed);
    REQUIRE(pair.until([&] { return pair.at_server.closed && pair.at_client.closed; }));
    CHECK(pair.at_server.bytes == data);
    CHECK(pair.at_server.closed->reason == CloseReason::PeerClosed);
    CHECK(pair.at_client.closed->reason == CloseReason::Local);
}

TEST_CASE("tcp stream: a destroyed stream is a reset at the peer, and calls nothing back") {
    Connected pair;
    pair.client.reset();
    REQUIRE(pair.until([&] { return pair.at_server.closed.has_value(); }));
    CHECK(pair.at_server.closed->reason == CloseReason::Reset);
    CHECK_FALSE(pair.at_client.closed);
}

TEST_CASE("tcp stream: half-closed, it goes on reading") {
    Connected pair;
    StreamHandlers handlers = pair.at_server.handlers();
    handlers.on_end = [&] { pair.at_server.end = true; };
    pair.server->set_handlers(std::move(handlers));
    handlers = pair.at_client.handlers();
    handlers.on_end = [&] { pair.at_client.end = true; };
    pair.client->set_handlers(std::move(handlers));

    CHECK(pair.client->write(as_bytes("question")) == Written::Queued);
    pair.client->finish();
    REQUIRE(pair.until([&] { return pair.at_server.end; }));
    CHECK(pair.at_server.bytes == to_bytes("question"));
    CHECK(pair.server->write(as_bytes("answer")) == Written::Queued);
    REQUIRE(pair.until([&] { return pair.at_client.bytes == to_bytes("answer"); }));
    CHECK_FALSE(pair.at_client.closed);
    pair.server->finish();
    REQUIRE(pair.until([&] { return pair.at_server.closed && pair.at_client.closed; }));
    CHECK(pair.at_client.closed->reason == CloseReason::PeerClosed);
    CHECK(pair.at_server.closed->reason == CloseReason::PeerClosed);
}

TEST_CASE("tcp stream: after both have finished it ends without lingering") {
    Connected pair;
    pair.client->finish();
    const Instant start = pair.loop.now();
    REQUIRE(pair.until([&] { return pair.at_server.closed && pair.at_client.closed; }));
    CHECK(pair.loop.now() - start < linger_time);
}

TEST_CASE("tcp stream: the queue is bounded, a full one takes nothing, and says when it drained") {
    Connected pair{any_v4, {.most_buffered = 1'000'000}};
    pair.server->set_reading(Reading::Paused);
    const Bytes block = pattern(100'000);
    std::size_t taken = 0;
    while (pair.client->write(block) == Written::Queued) taken += block.size();
    CHECK(pair.client->buffered() <= 1'000'000);
    CHECK(pair.client->buffered() > 900'000);
    CHECK(pair.at_client.writable == 0);
    pair.server->set_reading(Reading::Flowing);
    REQUIRE(pair.until([&] { return pair.at_server.bytes.size() == taken; }));
    CHECK(pair.at_client.writable == 1);
    CHECK(pair.client->buffered() == 0);
    // Exactly the limit fits, one more octet never.
    pair.server->set_reading(Reading::Paused);
    CHECK(pair.client->write(pattern(1'000'001)) == Written::Full);
}

TEST_CASE("tcp stream: a paused stream delivers nothing until it flows again") {
    Connected pair;
    pair.server->set_reading(Reading::Paused);
    CHECK(pair.client->write(as_bytes("waiting")) == Written::Queued);
    CHECK(pair.loop.run_until([&] { return !pair.at_server.bytes.empty(); }, 20ms) ==
          Loop::Outcome::DeadlinePassed);
    pair.server->set_reading(Reading::Flowing);
    CHECK(pair.until([&] { return pair.at_server.bytes == to_bytes("waiting"); }));
}

TEST_CASE("tcp stream: may be destroyed or given new handlers in each of its callbacks") {
    for (int which = 0; which < 3; ++which) {
        CAPTURE(which);
        Connected pair;
        bool called = false;
        StreamHandlers handlers;
        // Larger than what a function object keeps inline, so that freeing it early would show.
        const std::array<char, 200> captured{};
        const auto act = [&, captured, which] {
            if (which == 0) {
                pair.server.reset();
            } else {
                pair.server->set_handlers({});
            }
            called = captured[0] == 0;
        };
        if (which < 2) {
            handlers.on_bytes = [act](BytesView) { act(); };
        } else {
            handlers.on_closed = [act](const Closed&) { act(); };
        }
        pair.server->set_handlers(std::move(handlers));
        CHECK(pair.client->write(as_bytes("x")) == Written::Queued);
        if (which == 2) pair.client->close();
        CHECK(pair.until([&] { return called; }));
    }
}

TEST_CASE("tcp stream: may be owned by a task that never runs") {
    Loop loop;
    const auto listener = TcpListener::open(loop, any_v4, [](auto) {});
    auto stream = TcpStream::connect(loop, (*listener)->local_address());
    loop.post([owned = std::move(stream)] {});
}

TEST_CASE("tcp listener: may be destroyed while it accepts; a taken port is a named error") {
    Loop loop;
    std::unique_ptr<TcpListener> listener;
    int accepted = 0;
    listener = *TcpListener::open(loop, any_v4, [&](std::unique_ptr<TcpStream>) {
        ++accepted;
        listener.reset();
    });
    const auto second = TcpListener::open(loop, listener->local_address(), [](auto) {});
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().text.contains(listener->local_address().to_string()));
    const auto client = TcpStream::connect(loop, listener->local_address());
    CHECK(loop.run_until([&] { return accepted == 1; }, 10s) == Loop::Outcome::Done);
    CHECK_FALSE(listener);
}

TEST_CASE("tcp stream: connections to two peers share one local port") {
    Loop loop;
    const SocketAddress loopback = *SocketAddress::parse("127.0.0.1:0");
    std::vector<std::unique_ptr<TcpStream>> accepted;
    const auto keep = [&](std::unique_ptr<TcpStream> stream) {
        accepted.push_back(std::move(stream));
    };
    const auto one = TcpListener::open(loop, loopback, keep);
    const auto two = TcpListener::open(loop, loopback, keep);
    REQUIRE(one);
    REQUIRE(two);
    const auto first = TcpStream::connect(loop, (*one)->local_address(), {.local = loopback});
    REQUIRE(loop.run_until([&] { return accepted.size() == 1; }, 20s) == Loop::Outcome::Done);
    const auto second =
        TcpStream::connect(loop, (*two)->local_address(), {.local = first->local_address()});
    REQUIRE(loop.run_until([&] { return accepted.size() == 2; }, 20s) == Loop::Outcome::Done);
    CHECK(accepted[0]->peer_address() == accepted[1]->peer_address());
}

TEST_CASE("tcp stream: connects from an address that is listened at") {
    Loop loop;
    int accepted = 0;
    std::vector<std::unique_ptr<TcpStream>> kept;
    const auto keep = [&](std::unique_ptr<TcpStream> stream) {
        ++accepted;
        kept.push_back(std::move(stream));
    };
    const auto own =
        TcpListener::open(loop, any_v4, keep, {.reuse_port = ListenOptions::ReusePort::Yes});
    const auto peer = TcpListener::open(loop, any_v4, keep);
    const auto stream =
        TcpStream::connect(loop, (*peer)->local_address(), {.local = (*own)->local_address()});
    REQUIRE(loop.run_until([&] { return accepted == 1; }, 10s) == Loop::Outcome::Done);
    CHECK(kept[0]->peer_address() == (*own)->local_address());
}

TEST_CASE("tcp stream: a local address that cannot be had is this side's failure") {
    Loop loop;
    const auto shared =
        TcpListener::open(loop, any_v4, [](auto) {}, {.reuse_port = ListenOptions::ReusePort::Yes});
    const auto taken = TcpListener::open(loop, any_v4, [](auto) {});
    std::vector<std::unique_ptr<TcpStream>> kept;
    const auto peer = TcpListener::open(loop, any_v4, [&](std::unique_ptr<TcpStream> stream) {
        kept.push_back(std::move(stream));
    });
    const SocketAddress target = (*peer)->local_address();
    const auto reason = [&](const SocketAddress& local) -> std::optional<CloseReason> {
        Seen seen;
        const auto stream = TcpStream::connect(loop, target, {.local = local});
        stream->set_handlers(seen.handlers());
        (void)loop.run_until([&] { return seen.open || seen.closed; }, 10s);
        return seen.closed ? std::optional{seen.closed->reason} : std::nullopt;
    };
    // Somebody else's port, an address of another machine.
    CHECK(reason((*taken)->local_address()) == CloseReason::Failed);
    CHECK(reason(*SocketAddress::parse("192.0.2.1:0")) == CloseReason::Failed);
    // The very connection is there already.
    const auto first = TcpStream::connect(loop, target, {.local = (*shared)->local_address()});
    CHECK(reason((*shared)->local_address()) == CloseReason::Failed);
    CHECK(reason({any_v4.ip, Port{0}}) == std::nullopt);
}

TEST_CASE("tcp stream: the kernel keeps no more unsent than it is told") {
    const auto taken_by_kernel = [](std::optional<std::uint32_t> most_unsent) {
        Connected pair{any_v4, {.most_unsent = most_unsent}};
        pair.server->set_reading(Reading::Paused);
        const Bytes block = pattern(10'000);
        std::size_t taken = 0;
        while (pair.client->buffered() == 0 && taken < 100'000'000) {
            REQUIRE(pair.client->write(block) == Written::Queued);
            taken += block.size();
        }
        return taken;
    };
    // Beside what the peer's window takes.
    CHECK(taken_by_kernel(16'384) < taken_by_kernel(std::nullopt));
}

TEST_CASE("tcp stream: a released socket goes on in another stream") {
    Connected pair;
    auto released = pair.server->release();
    REQUIRE(released.socket.valid());
    CHECK(released.unsent.empty());
    CHECK(pair.server->write(as_bytes("x")) == Written::Closed);
    CHECK_FALSE(pair.server->release().socket.valid());
    pair.server = TcpStream::adopt(pair.loop, std::move(released.socket));
    CHECK(pair.server->write(as_bytes("still here")) == Written::Queued);
    CHECK(pair.loop.run_until([&] { return pair.at_client.bytes.size() == 10; }, 10s) ==
          Loop::Outcome::Done);
}

TEST_CASE("tcp listener: a released socket goes on accepting elsewhere") {
    Loop loop;
    int first = 0;
    int second = 0;
    const auto listener = TcpListener::open(loop, any_v4, [&](auto) { ++first; });
    const SocketAddress address = (*listener)->local_address();
    const auto client = TcpStream::connect(loop, address);
    const auto adopted = TcpListener::adopt(loop, (*listener)->release(), [&](auto) { ++second; });
    CHECK(loop.run_until([&] { return second == 1; }, 10s) == Loop::Outcome::Done);
    CHECK(first == 0);
    CHECK(adopted->local_address() == address);
}

}  // namespace
}  // namespace stile::drivers
