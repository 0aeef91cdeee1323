// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Another relay goes on; or does not, and nothing has happened.
#include "test_certificates.hpp"

#include <stile/base/encoding.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/relay/handover.hpp>
#include <stile/stun/message_builder.hpp>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using drivers::Loop;

namespace {

const Listener udp{.kind = ListenerKind::Udp, .address = at("127.0.0.1:0")};
const Listener tcp{.kind = ListenerKind::Tcp, .address = at("127.0.0.1:0")};
const Listener tls{.kind = ListenerKind::Tls, .address = at("127.0.0.1:0")};
const Listener proxied{.kind = ListenerKind::Tcp,
                       .address = at("127.0.0.1:0"),
                       .proxy_protocol = ProxyProtocol::Required};

// A client at 192.0.2.1:50000 or the port after it, says the balancer.
Bytes proxy_header(std::uint8_t port = 0) {
    Bytes header = *from_hex("0d0a0d0a000d0a515549540a2111000cc0000201c6336402c35001bb");
    header[25] |= std::byte{port};
    return header;
}

Bytes binding_request() {
    return stun::MessageBuilder{stun::Class::Request, stun::Method::Binding, {}}.finish();
}

std::unique_ptr<Relay> resume(const Settings& settings, Handover handover) {
    auto made = Relay::resume(settings, std::move(handover));
    REQUIRE_MESSAGE(made, (made ? "" : made.error().what + made.error().cause));
    return *std::move(made);
}

// As two processes do it.
std::unique_ptr<Relay> continued(const Settings& settings, Relay& first) {
    auto handover = first.hand_over();
    REQUIRE(handover);
    auto second = resume(settings, *std::move(handover));
    first.leave();
    second->serve();
    return second;
}

struct Seen {
    explicit Seen(std::unique_ptr<drivers::Stream> made) : stream(std::move(made)) {
        stream->set_handlers(
            {.on_open = [this] { open = true; },
             .on_bytes =
                 [this](BytesView bytes) { heard.insert(heard.end(), bytes.begin(), bytes.end()); },
             .on_end = {},
             .on_writable = {},
             .on_closed = [this](drivers::Closed why) { closed = why.reason; }});
    }
    bool answered() const { return heard.size() >= 20 && heard[0] == std::byte{1}; }

    std::unique_ptr<drivers::Stream> stream;
    Bytes heard;
    bool open = false;
    std::optional<drivers::CloseReason> closed;
};

struct Clients {
    Clients(Loop& loop, const Relay& relay)
        : over_udp(udp_client(loop, relay.listening()[0])),
          over_tcp(loop, stream_wire(drivers::TcpStream::connect(loop, relay.listening()[1])),
                   client_config(turn::ClientTransport::Tcp)),
          over_tls(
              loop,
              stream_wire(std::make_unique<drivers::TlsStream>(
                  loop, drivers::TcpStream::connect(loop, relay.listening()[2]), client_context())),
              client_config(turn::ClientTransport::Tls)),
          peer(loop, at("127.0.0.3:0")) {
        for (TestClient* const client : all()) {
            REQUIRE(run(loop, [&] { return client->find<turn::Client::Allocated>() != nullptr; }));
            bind_channel(loop, *client, peer.address());
        }
    }
    std::array<TestClient*, 3> all() { return {over_udp.get(), &over_tcp, &over_tls}; }

    std::unique_ptr<TestClient> over_udp;
    TestClient over_tcp;
    TestClient over_tls;
    TestPeer peer;
};

}  // namespace

TEST_CASE("handover: clients over UDP and TCP go on with another relay, TLS stays") {
    Loop loop;
    Settings settings = with_certificate(settings_of({udp, tcp, tls}));
    settings.shards = 2;
    const auto first = start(settings);
    Clients clients{loop, *first};
    const auto second = continued(settings, *first);
    CHECK(second->listening() == first->listening());
    CHECK(second->statistics().allocations == 2);
    CHECK(first->statistics().allocations == 1);
    for (TestClient* const client : clients.all()) check_relaying(loop, *client, clients.peer);
    CHECK(first->statistics().relay.packets_to_peers == 1);
    // New ones are the second's.
    const auto late = udp_client(loop, second->listening()[0]);
    CHECK(second->statistics().allocations == 3);
}

TEST_CASE("handover: without a successor everything goes on, and what came meanwhile is there") {
    Loop loop;
    Settings settings = with_certificate(settings_of({udp, tcp, tls}));
    settings.shards = 2;
    const auto first = start(settings);
    Clients clients{loop, *first};
    for (int attempt = 0; attempt < 2; ++attempt) {
        const std::size_t before = clients.peer.heard.size();
        {
            auto handover = first->hand_over();
            REQUIRE(handover);
            // One that dies when it has everything in place.
            const auto second = resume(settings, *std::move(handover));
            for (TestClient* const client : clients.all()) {
                client->send(clients.peer.address(), "meanwhile");
            }
        }
        first->stay();
        CHECK(run(loop, [&] { return clients.peer.heard.size() == before + 3; }));
        for (TestClient* const client : clients.all()) check_relaying(loop, *client, clients.peer);
        CHECK(first->statistics().allocations == 3);
    }
    const auto second = continued(settings, *first);
    for (TestClient* const client : clients.all()) check_relaying(loop, *client, clients.peer);
}

TEST_CASE("handover: TCP connections without an allocation go on in the middle of a message") {
    Loop loop;
    const Settings settings = settings_of({tcp, proxied});
    const auto first = start(settings);
    const Bytes request = binding_request();
    const BytesView whole{request};
    const Bytes header = proxy_header();
    const BytesView whole_header{header};
    Seen silent{drivers::TcpStream::connect(loop, first->listening()[0])};
    Seen halfway{drivers::TcpStream::connect(loop, first->listening()[0])};
    Seen in_header{drivers::TcpStream::connect(loop, first->listening()[1])};
    Seen after_header{drivers::TcpStream::connect(loop, first->listening()[1])};
    (void)halfway.stream->write(whole.first(7));
    (void)in_header.stream->write(whole_header.first(9));
    (void)after_header.stream->write(proxy_header(1));
    // A whole exchange on a connection made later: all of the above was read.
    Seen last{drivers::TcpStream::connect(loop, first->listening()[0])};
    (void)last.stream->write(request);
    REQUIRE(run(loop, [&] { return last.answered() && after_header.open; }));

    const auto second = continued(settings, *first);
    (void)silent.stream->write(request);
    (void)halfway.stream->write(whole.subspan(7));
    (void)in_header.stream->write(whole_header.subspan(9));
    (void)in_header.stream->write(request);
    (void)after_header.stream->write(request);
    last.heard.clear();
    (void)last.stream->write(request);
    for (Seen* const seen : {&silent, &halfway, &in_header, &after_header, &last}) {
        CHECK(run(loop, [&] { return seen->answered(); }));
        CHECK_FALSE(seen->closed);
    }
    CHECK(second->statistics().stream_clients == 5);
    CHECK(first->statistics().stream_clients == 0);
}

TEST_CASE("handover: a client behind a balancer goes on") {
    Loop loop;
    const Settings settings = settings_of({proxied});
    const auto first = start(settings);
    auto stream = drivers::TcpStream::connect(loop, first->listening()[0]);
    (void)stream->write(proxy_header());
    TestClient client{loop, stream_wire(std::move(stream)),
                      client_config(turn::ClientTransport::Tcp)};
    REQUIRE(run(loop, [&] { return client.find<turn::Client::Allocated>() != nullptr; }));
    TestPeer peer{loop, at("127.0.0.3:0")};
    bind_channel(loop, client, peer.address());
    const auto second = continued(settings, *first);
    check_relaying(loop, client, peer);
    CHECK(second->sessions().at(0).flow.remote == at("192.0.2.1:50000"));
    CHECK(first->statistics().allocations == 0);
}

TEST_CASE("handover: over TLS without an allocation, the connection ends at once and in order") {
    Loop loop;
    const Settings settings = with_certificate(settings_of({tls}));
    const auto first = start(settings);
    Seen client{std::make_unique<drivers::TlsStream>(
        loop, drivers::TcpStream::connect(loop, first->listening()[0]), client_context())};
    (void)client.stream->write(binding_request());
    REQUIRE(run(loop, [&] { return client.answered(); }));
    const auto second = continued(settings, *first);
    REQUIRE(run(loop, [&] { return client.closed.has_value(); }));
    CHECK(*client.closed == drivers::CloseReason::PeerClosed);
}

TEST_CASE("handover: the successor's settings say what is listened on, and for whom") {
    Loop loop;
    Settings settings = settings_of({udp, tcp});
    const auto first = start(settings);
    settings.listeners = {tcp};
    settings.listeners[0].address = first->listening()[1];
    settings.listeners[0].proxy_protocol = ProxyProtocol::Required;
    const auto second = continued(settings, *first);
    Seen client{drivers::TcpStream::connect(loop, second->listening()[0])};
    (void)client.stream->write(proxy_header());
    (void)client.stream->write(binding_request());
    CHECK(run(loop, [&] { return client.answered(); }));
    // Nobody holds the port of the listener that is gone.
    CHECK(drivers::UdpSocket::open(loop, first->listening()[0]));
}
