// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "test_certificates.hpp"

#include <stile/base/encoding.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/stun/message_builder.hpp>

#include <mutex>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using namespace std::chrono_literals;
using drivers::Loop;
using turn::ClientTransport;

namespace {

const Listener tcp{.kind = ListenerKind::Tcp, .address = at("127.0.0.1:0")};
const Listener tls{.kind = ListenerKind::Tls, .address = at("127.0.0.1:0")};

std::unique_ptr<drivers::Stream> tls_stream(Loop& loop, const SocketAddress& server,
                                            std::vector<std::string> alpn = {}) {
    return std::make_unique<drivers::TlsStream>(loop, drivers::TcpStream::connect(loop, server),
                                                client_context(std::move(alpn)));
}

std::unique_ptr<TestClient> stream_client(Loop& loop, std::unique_ptr<drivers::Stream> stream,
                                          ClientTransport transport) {
    return std::make_unique<TestClient>(loop, stream_wire(std::move(stream)),
                                        client_config(transport));
}

bool allocates(Loop& loop, TestClient& client) {
    return run(loop, [&] { return client.find<turn::Client::Allocated>() != nullptr; });
}

// Data both ways on a channel, of lengths that need padding on a stream.
void check_relaying(Loop& loop, TestClient& client) {
    TestPeer peer{loop, at("127.0.0.3:0")};
    client.bind(peer.address());
    REQUIRE(run(loop, [&] { return client.find<turn::Client::ChannelBound>() != nullptr; }));
    std::size_t count = 0;
    for (const std::string text : {"a", "ab", "abc", "abcd", "abcde"}) {
        ++count;
        client.send(peer.address(), text);
        REQUIRE(run(loop, [&] { return peer.heard.size() == count; }));
        CHECK(peer.heard.back().text == text);
        peer.send(client.relayed(), text);
        REQUIRE(run(loop, [&] { return client.heard.size() == count; }));
        CHECK(client.heard.back().text == text);
    }
}

struct StreamSeen {
    explicit StreamSeen(std::unique_ptr<drivers::Stream> opened) : stream(std::move(opened)) {
        stream->set_handlers({.on_open = [this] { open = true; },
                              .on_bytes = [this](BytesView bytes) { heard += as_text(bytes); },
                              .on_end = {},
                              .on_writable = {},
                              .on_closed = [this](drivers::Closed) { closed = true; }});
    }
    std::unique_ptr<drivers::Stream> stream;
    std::string heard;
    bool open = false;
    bool closed = false;
};

Bytes proxy_header(std::string_view hex) { return *from_hex(hex); }

}  // namespace

TEST_CASE("relay over TCP: allocates and relays") {
    Loop loop;
    const auto relay = start(settings_of({tcp}));
    const auto client = stream_client(
        loop, drivers::TcpStream::connect(loop, relay->listening()[0]), ClientTransport::Tcp);
    REQUIRE(allocates(loop, *client));
    check_relaying(loop, *client);
    CHECK(relay->statistics().stream_clients == 1);
    CHECK(relay->sessions().at(0).flow.transport == ClientTransport::Tcp);
}

TEST_CASE("relay over TCP: the allocation goes with the connection") {
    Loop loop;
    const auto relay = start(settings_of({tcp}));
    auto client = stream_client(loop, drivers::TcpStream::connect(loop, relay->listening()[0]),
                                ClientTransport::Tcp);
    REQUIRE(allocates(loop, *client));
    CHECK(relay->statistics().allocations == 1);
    client.reset();
    CHECK(run(loop, [&] { return relay->statistics().allocations == 0; }));
}

TEST_CASE("relay over TCP: an unreachable peer ends neither the connection nor the allocation") {
    Loop loop;
    Settings settings = settings_of({tcp});
    REQUIRE(settings.tenants[0].limits.peers.open(*IpPrefix::parse("192.0.2.0/24")));
    const auto relay = start(std::move(settings));
    const auto client = stream_client(
        loop, drivers::TcpStream::connect(loop, relay->listening()[0]), ClientTransport::Tcp);
    REQUIRE(allocates(loop, *client));
    SocketAddress nobody;
    {
        TestPeer gone{loop, at("127.0.0.3:0")};
        nobody = gone.address();
    }
    // No route from a loopback address, and a port that answers with ICMP.
    for (const SocketAddress& peer : {at("192.0.2.1:9"), nobody}) {
        client->permit(peer);
        REQUIRE(run(loop, [&] {
            return client->core().send(loop.now(), peer, as_bytes("lost")) ==
                   turn::Client::Sent::Queued;
        }));
        client->pump();
    }
    check_relaying(loop, *client);
    CHECK_FALSE(client->wire().ended());
    CHECK(relay->statistics().send_errors >= 1);
}

TEST_CASE("relay over TCP: a message in pieces, and several in one") {
    Loop loop;
    const auto relay = start(settings_of({tcp}));
    StreamSeen seen{drivers::TcpStream::connect(loop, relay->listening()[0])};
    const Bytes request =
        stun::MessageBuilder{stun::Class::Request, stun::Method::Binding, {}}.finish();
    for (const std::byte octet : request) {
        REQUIRE(seen.stream->write(BytesView{&octet, 1}) == drivers::Written::Queued);
    }
    REQUIRE(run(loop, [&] { return seen.heard.size() >= 32; }));
    const std::size_t one = seen.heard.size();
    Bytes three;
    for (int i = 0; i < 3; ++i) three.insert(three.end(), request.begin(), request.end());
    REQUIRE(seen.stream->write(three) == drivers::Written::Queued);
    CHECK(run(loop, [&] { return seen.heard.size() == 4 * one; }));
}

TEST_CASE("relay over TCP: what is no TURN ends the connection, and silence does, too") {
    Loop loop;
    Settings settings = settings_of({tcp});
    settings.streams.first_message = 50ms;
    const auto relay = start(std::move(settings));
    StreamSeen other{drivers::TcpStream::connect(loop, relay->listening()[0])};
    StreamSeen silent{drivers::TcpStream::connect(loop, relay->listening()[0])};
    REQUIRE(other.stream->write(as_bytes("GET / HTTP/1.1\r\n\r\n")) == drivers::Written::Queued);
    CHECK(run(loop, [&] { return other.closed; }));
    CHECK(run(loop, [&] { return silent.closed; }));
    CHECK(relay->statistics().stream_clients == 0);
}

TEST_CASE("relay over TCP: idle strangers are closed, clients with an allocation are not") {
    Loop loop;
    Settings settings = settings_of({tcp});
    settings.streams.idle = 50ms;
    const auto relay = start(std::move(settings));
    const auto client = stream_client(
        loop, drivers::TcpStream::connect(loop, relay->listening()[0]), ClientTransport::Tcp);
    REQUIRE(allocates(loop, *client));
    StreamSeen stranger{drivers::TcpStream::connect(loop, relay->listening()[0])};
    REQUIRE(stranger.stream->write(
                stun::MessageBuilder{stun::Class::Request, stun::Method::Binding, {}}.finish()) ==
            drivers::Written::Queued);
    REQUIRE(run(loop, [&] { return stranger.closed; }));
    CHECK_FALSE(stranger.heard.empty());
    CHECK_FALSE(client->wire().ended());
    check_relaying(loop, *client);
}

TEST_CASE("relay over TCP: one source has room for some strangers only") {
    Loop loop;
    Settings settings = settings_of({tcp});
    settings.streams.strangers_per_source = 2;
    const auto relay = start(std::move(settings));
    std::vector<std::unique_ptr<StreamSeen>> seen;
    for (int i = 0; i < 3; ++i) {
        seen.push_back(
            std::make_unique<StreamSeen>(drivers::TcpStream::connect(loop, relay->listening()[0])));
        // The one too many may be closed before it is seen to be open.
        REQUIRE(run(loop, [&] { return seen.back()->open || seen.back()->closed; }));
    }
    CHECK(run(loop, [&] { return seen[2]->closed; }));
    CHECK(seen[1]->open);
    CHECK_FALSE(seen[0]->closed);
    // Who leaves makes room.
    seen[0].reset();
    const auto next = stream_client(loop, drivers::TcpStream::connect(loop, relay->listening()[0]),
                                    ClientTransport::Tcp);
    CHECK(run(loop, [&] {
        return next->find<turn::Client::Allocated>() != nullptr || next->wire().ended();
    }));
}

TEST_CASE("relay over TLS: with its ALPN, with none, and on the port of plain TCP") {
    Loop loop;
    const auto relay = start(with_certificate(settings_of({tls, tcp})));
    for (const SocketAddress& server : relay->listening()) {
        for (const auto& alpn : {std::vector<std::string>{"stun.turn"}, {}}) {
            const auto client =
                stream_client(loop, tls_stream(loop, server, alpn), ClientTransport::Tls);
            REQUIRE(allocates(loop, *client));
            check_relaying(loop, *client);
        }
    }
    const auto plain = stream_client(loop, drivers::TcpStream::connect(loop, relay->listening()[1]),
                                     ClientTransport::Tcp);
    CHECK(allocates(loop, *plain));
}

TEST_CASE("relay over TLS: HTTPS shares the port, by ALPN and by its first octets") {
    Loop loop;
    std::mutex mutex;
    std::vector<std::pair<drivers::Loop*, std::unique_ptr<drivers::Stream>>> kept;
    const auto relay = start(
        with_certificate(settings_of({tls})),
        [&](drivers::Loop& home, std::unique_ptr<drivers::Stream> stream, const Bytes& first) {
            drivers::Stream& raw = *stream;
            raw.set_handlers({.on_open = {},
                              .on_bytes = [&raw](BytesView) { (void)raw.write(as_bytes("later")); },
                              .on_end = {},
                              .on_writable = {},
                              .on_closed = {}});
            if (!first.empty()) (void)raw.write(as_bytes("first " + std::string{as_text(first)}));
            const std::lock_guard lock{mutex};
            kept.emplace_back(&home, std::move(stream));
        });
    StreamSeen by_alpn{tls_stream(loop, relay->listening()[0], {"http/1.1"})};
    REQUIRE(by_alpn.stream->write(as_bytes("GET /")) == drivers::Written::Queued);
    CHECK(run(loop, [&] { return by_alpn.heard == "later"; }));
    StreamSeen by_octets{tls_stream(loop, relay->listening()[0])};
    REQUIRE(by_octets.stream->write(as_bytes("GET /")) == drivers::Written::Queued);
    CHECK(run(loop, [&] { return by_octets.heard == "first GET /"; }));
    const auto client =
        stream_client(loop, tls_stream(loop, relay->listening()[0]), ClientTransport::Tls);
    CHECK(allocates(loop, *client));
    // Streams end on the thread of their loop.
    for (auto& [home, stream] : kept) home->post([ended = std::move(stream)] {});
    CHECK(relay->statistics().allocations == 1);
}

TEST_CASE("relay over TLS: without HTTPS another protocol is closed") {
    Loop loop;
    const auto relay = start(with_certificate(settings_of({tls})));
    StreamSeen seen{tls_stream(loop, relay->listening()[0])};
    REQUIRE(seen.stream->write(as_bytes("GET / HTTP/1.1")) == drivers::Written::Queued);
    CHECK(run(loop, [&] { return seen.closed; }));
}

TEST_CASE("relay over TLS: a listener without a certificate is an error that says so") {
    const auto relay = Relay::start(settings_of({tls}));
    REQUIRE_FALSE(relay);
    CHECK(relay.error().cause.find("certificate") != std::string::npos);
    Settings wrong = settings_of({tls});
    wrong.certificate_pem = "no certificate";
    wrong.key_pem = "no key";
    const auto second = Relay::start(std::move(wrong));
    REQUIRE_FALSE(second);
    CHECK(second.error().what.find("certificate") != std::string::npos);
}

TEST_CASE("relay behind a balancer: the client is who the PROXY header names") {
    Loop loop;
    Listener proxied = tcp;
    proxied.proxy_protocol = ProxyProtocol::Required;
    Listener proxied_tls = tls;
    proxied_tls.proxy_protocol = ProxyProtocol::Required;
    const auto relay = start(with_certificate(settings_of({proxied, proxied_tls})));
    const Bytes header = proxy_header("0d0a0d0a000d0a515549540a2111000cc0000201c6336402c35001bb");

    auto plain = drivers::TcpStream::connect(loop, relay->listening()[0]);
    REQUIRE(plain->write(header) == drivers::Written::Queued);
    const auto client = stream_client(loop, std::move(plain), ClientTransport::Tcp);
    REQUIRE(allocates(loop, *client));
    CHECK(client->find<turn::Client::Allocated>()->mapped == at("192.0.2.1:50000"));
    check_relaying(loop, *client);

    auto carried = drivers::TcpStream::connect(loop, relay->listening()[1]);
    REQUIRE(carried->write(header) == drivers::Written::Queued);
    const auto secure = stream_client(
        loop, std::make_unique<drivers::TlsStream>(loop, std::move(carried), client_context()),
        ClientTransport::Tls);
    REQUIRE(allocates(loop, *secure));
    CHECK(secure->find<turn::Client::Allocated>()->mapped == at("192.0.2.1:50000"));
    check_relaying(loop, *secure);

    // Without a header nobody is served.
    StreamSeen direct{drivers::TcpStream::connect(loop, relay->listening()[0])};
    REQUIRE(direct.stream->write(
                stun::MessageBuilder{stun::Class::Request, stun::Method::Binding, {}}.finish()) ==
            drivers::Written::Queued);
    CHECK(run(loop, [&] { return direct.closed; }));
    CHECK(direct.heard.empty());
}

TEST_CASE("relay over TCP: a slow client loses data, and its memory stays bounded") {
    Loop loop;
    Settings settings = settings_of({tcp});
    settings.streams.buffered = 65'536;
    const auto relay = start(std::move(settings));
    auto connection = drivers::TcpStream::connect(loop, relay->listening()[0]);
    drivers::Stream& raw = *connection;
    const auto client = stream_client(loop, std::move(connection), ClientTransport::Tcp);
    REQUIRE(allocates(loop, *client));
    TestPeer peer{loop, at("127.0.0.3:0")};
    client->bind(peer.address());
    REQUIRE(run(loop, [&] { return client->find<turn::Client::ChannelBound>() != nullptr; }));
    raw.set_reading(drivers::Reading::Paused);
    const std::string large(50'000, 'x');
    // Until the kernel's buffers of both sides are full, some ten megabytes.
    for (int i = 0; i < 5000 && relay->statistics().stream_drops == 0; ++i) {
        for (int j = 0; j < 4; ++j) peer.send(client->relayed(), large);
    }
    CHECK(relay->statistics().stream_drops > 0);
    raw.set_reading(drivers::Reading::Flowing);
    // What arrives is whole messages, and the client is served on.
    client->send(peer.address(), "still here");
    REQUIRE(run(loop, [&] { return peer.heard.size() == 1; }));
    for (const auto& heard : client->heard) CHECK(heard.text == large);
}

TEST_CASE("relay over TCP: with several shards every connection of a client finds its shard") {
    Loop loop;
    Settings settings = with_certificate(settings_of({tcp, tls}));
    settings.shards = 4;
    const auto relay = start(std::move(settings));
    for (int i = 0; i < 8; ++i) {
        const auto client = stream_client(
            loop, drivers::TcpStream::connect(loop, relay->listening()[0]), ClientTransport::Tcp);
        REQUIRE(allocates(loop, *client));
        const auto secure =
            stream_client(loop, tls_stream(loop, relay->listening()[1]), ClientTransport::Tls);
        REQUIRE(allocates(loop, *secure));
        check_relaying(loop, *client);
        check_relaying(loop, *secure);
    }
}
