// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "test_authority.hpp"

#include <doctest/doctest.h>
#include <stile/crypto/random_stream.hpp>
#include <stile/drivers/dtls.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;
using testing::Issued;
using testing::TestAuthority;
using ClientCertificate = TlsServerConfig::ClientCertificate;

const SocketAddress any = *SocketAddress::parse("127.0.0.1:0");

const TestAuthority& authority() {
    static const TestAuthority shared;
    return shared;
}
const Issued& example() {
    static const Issued shared =
        authority().issue({.alternative_names = "DNS:example.org,IP:127.0.0.1"});
    return shared;
}
TlsServerConfig server_config() {
    return {.certificate_pem = example().certificate_pem, .key_pem = example().key_pem};
}
TlsClientConfig trusting(const std::string& host = "example.org") {
    return {.host = host, .ca_pem = authority().pem()};
}
TlsContext server_context(const TlsServerConfig& config) {
    auto made = TlsContext::server(config, TlsCarrier::Datagrams);
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().text));
    return *made;
}
TlsContext client_context(const TlsClientConfig& config) {
    auto made = TlsContext::client(config, TlsCarrier::Datagrams);
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().text));
    return *made;
}

// What a server tells and whom it told it of.
struct Server {
    explicit Server(const TlsServerConfig& config = server_config(),
                    const DtlsServerOptions& options = {})
        : server(loop, server_context(config), options,
                 {.on_output =
                      [this](const Path& path, BytesView datagram) {
                          sent.push_back(to_bytes(datagram));
                          if (drop && drop(datagram)) return;
                          if (socket) socket->send(Transmit{path, datagram});
                      },
                  .on_opened =
                      [this](DtlsSessionId id, const Path& path) {
                          opened.push_back(id);
                          paths.push_back(path);
                      },
                  .on_data =
                      [this](DtlsSessionId id, MutableBytes data) {
                          received.emplace_back(id, to_text(data));
                          if (on_data) on_data(id);
                      },
                  .on_closed = [this](DtlsSessionId id,
                                      Closed why) { closed.emplace_back(id, std::move(why)); }}) {
        socket = *UdpSocket::open(loop, any);
        socket->on_datagrams([this](std::span<const Datagram> batch) {
            for (const Datagram& datagram : batch) {
                if (drop_incoming && drop_incoming(datagram.payload)) continue;
                server.handle_datagram(datagram.path, datagram.payload);
            }
        });
    }
    bool until(std::move_only_function<bool()> done) {
        return loop.run_until(std::move(done), 20s) == Loop::Outcome::Done;
    }

    Loop loop;
    std::unique_ptr<UdpSocket> socket;
    std::vector<Bytes> sent;
    std::vector<DtlsSessionId> opened;
    std::vector<Path> paths;
    std::vector<std::pair<DtlsSessionId, std::string>> received;
    std::vector<std::pair<DtlsSessionId, Closed>> closed;
    std::move_only_function<void(DtlsSessionId)> on_data;
    std::move_only_function<bool(BytesView)> drop;
    std::move_only_function<bool(BytesView)> drop_incoming;
    DtlsServer server;
};

struct Client {
    explicit Client(Server& server, const TlsClientConfig& config = trusting(),
                    const DtlsOptions& options = {}, SocketAddress local = any)
        : client(server.loop, *UdpSocket::open(server.loop, local), server.socket->local_address(),
                 client_context(config), options) {
        client.set_handlers(
            {.on_open = [this] { open = true; },
             .on_data = [this](MutableBytes data) { received.push_back(to_text(data)); },
             .on_closed = [this](Closed why) { closed = std::move(why); }});
    }
    bool open = false;
    std::vector<std::string> received;
    std::optional<Closed> closed;
    DtlsClient client;
};

TEST_CASE("dtls: datagrams go both ways, each as one") {
    Server server;
    Client client{server};
    CHECK(client.client.send(as_bytes("early")) == DtlsSent::NotOpen);
    REQUIRE(server.until([&] { return client.open && server.opened.size() == 1; }));
    CHECK(client.client.version() == "DTLSv1.2");
    CHECK(client.client.cipher() == server.server.cipher(server.opened[0]));
    CHECK(client.client.peer_certificate()->pem == example().certificate_pem);
    CHECK(client.client.send(as_bytes("one")) == DtlsSent::Sent);
    CHECK(client.client.send(as_bytes("three"), as_bytes("two, ")) == DtlsSent::Sent);
    REQUIRE(server.until([&] { return server.received.size() == 2; }));
    CHECK(server.received[0].second == "one");
    CHECK(server.received[1].second == "two, three");
    CHECK(server.server.send(server.opened[0], as_bytes("back")) == DtlsSent::Sent);
    REQUIRE(server.until([&] { return !client.received.empty(); }));
    CHECK(client.received[0] == "back");
    CHECK(server.server.path(server.opened[0])->remote == client.client.local_address());
}

TEST_CASE("dtls: the largest datagram arrives whole, one octet more does not leave") {
    Server server;
    Client client{server};
    REQUIRE(server.until([&] { return client.open; }));
    const std::string largest(most_dtls_octets, 'x');
    CHECK(client.client.send(as_bytes(largest)) == DtlsSent::Sent);
    CHECK(client.client.send(as_bytes(largest + "x")) == DtlsSent::TooLong);
    CHECK(client.client.send(as_bytes(largest), as_bytes("x")) == DtlsSent::TooLong);
    REQUIRE(server.until([&] { return !server.received.empty(); }));
    CHECK(server.received[0].second == largest);
}

TEST_CASE("dtls: ALPN agrees on the server's preference, or fails") {
    TlsServerConfig config = server_config();
    config.alpn = {"stun.turn", "stun.nat-discovery"};
    Server server{config};
    TlsClientConfig wish = trusting();
    wish.alpn = {"stun.nat-discovery"};
    Client client{server, wish};
    REQUIRE(server.until([&] { return client.open && !server.opened.empty(); }));
    CHECK(client.client.alpn() == "stun.nat-discovery");
    CHECK(server.server.alpn(server.opened[0]) == "stun.nat-discovery");
    wish.alpn = {"other"};
    Client stranger{server, wish};
    REQUIRE(server.until([&] { return stranger.closed.has_value(); }));
    CHECK(stranger.closed->reason == CloseReason::RejectedByPeer);
    CHECK(server.opened.size() == 1);
}

TEST_CASE("dtls client: certificates that it must not take, each with its reason") {
    const TestAuthority other{"another authority"};
    struct Row {
        TlsClientConfig client;
        Issued server;
        CloseReason reason;
    };
    const std::vector<Row> rows = {
        {trusting("example.com"), example(), CloseReason::WrongName},
        {trusting("127.0.0.2"), example(), CloseReason::WrongName},
        {trusting(), other.issue({.alternative_names = "DNS:example.org"}), CloseReason::Untrusted},
        {trusting(),
         authority().issue({.alternative_names = "DNS:example.org", .valid_to_seconds = -10}),
         CloseReason::Expired},
    };
    for (const Row& row : rows) {
        Server server{
            {.certificate_pem = row.server.certificate_pem, .key_pem = row.server.key_pem}};
        Client client{server, row.client};
        REQUIRE(server.until([&] { return client.open || client.closed; }));
        REQUIRE_FALSE(client.open);
        CAPTURE(client.closed->text);
        CHECK(client.closed->reason == row.reason);
    }
}

TEST_CASE("dtls: the server may want a certificate of the client's") {
    const Issued own = authority().issue({.subject = "client"});
    TlsServerConfig config = server_config();
    config.client_certificate = ClientCertificate::Required;
    config.client_ca_pem = authority().pem();
    Server server{config};
    TlsClientConfig proving = trusting();
    proving.certificate_pem = own.certificate_pem;
    proving.key_pem = own.key_pem;
    Client good{server, proving};
    REQUIRE(server.until([&] { return good.open && !server.opened.empty(); }));
    CHECK(server.server.peer_certificate(server.opened[0])->pem == own.certificate_pem);
    Client bare{server};
    REQUIRE(server.until([&] { return bare.closed.has_value(); }));
    CHECK(bare.closed->reason == CloseReason::RejectedByPeer);
    CHECK(server.server.counters().failed == 1);
}

TEST_CASE("dtls: a handshake survives the loss of any one of its datagrams") {
    for (int lost = 0; lost < 8; ++lost) {
        for (const bool towards_server : {true, false}) {
            CAPTURE(lost);
            CAPTURE(towards_server);
            const DtlsOptions quick{.mtu = 600, .first_retransmission = 30ms};
            DtlsServerOptions options;
            static_cast<DtlsOptions&>(options) = quick;
            Server server{server_config(), options};
            int number = 0;
            const auto lose = [&](BytesView) { return number++ == lost; };
            if (towards_server) {
                server.drop_incoming = lose;
            } else {
                server.drop = lose;
            }
            Client client{server, trusting(), quick};
            REQUIRE(server.until([&] { return client.open && !server.opened.empty(); }));
            CHECK(client.client.send(as_bytes("a")) == DtlsSent::Sent);
            CHECK(client.client.send(as_bytes("b")) == DtlsSent::Sent);
            CHECK(server.until([&] { return !server.received.empty(); }));
            CHECK(server.opened.size() == 1);
        }
    }
}

TEST_CASE("dtls: a handshake with half of all datagrams lost is done in the end") {
    const DtlsOptions quick{.mtu = 600, .first_retransmission = 20ms};
    DtlsServerOptions options;
    static_cast<DtlsOptions&>(options) = quick;
    Server server{server_config(), options};
    crypto::RandomStream random{crypto::seed_from_number(7)};
    server.drop = [&](BytesView) { return random.below(2) == 0; };
    server.drop_incoming = [&](BytesView) { return random.below(2) == 0; };
    Client client{server, trusting(), quick};
    REQUIRE(server.until([&] { return client.open || client.closed; }));
    CHECK(client.open);
}

TEST_CASE("dtls: handshake datagrams keep to the MTU, both ways") {
    const TestAuthority long_names{std::string(60, 'n')};
    DtlsOptions small{.mtu = 300};
    DtlsServerOptions options;
    options.mtu = 300;
    Server server{server_config(), options};
    std::size_t longest = 0;
    server.drop_incoming = [&](BytesView datagram) {
        longest = std::max(longest, datagram.size());
        return false;
    };
    Client client{server, trusting(), small};
    REQUIRE(server.until([&] { return client.open; }));
    for (const Bytes& datagram : server.sent) CHECK(datagram.size() <= 300);
    CHECK(longest <= 300);
}

// ---- before the cookie ------------------------------------------------------------------------

// The first datagram of a client.
Bytes first_hello() {
    Server server;
    Bytes hello;
    server.drop_incoming = [&](BytesView datagram) {
        if (hello.empty()) hello = to_bytes(datagram);
        return true;
    };
    Client client{server};
    REQUIRE(server.until([&] { return !hello.empty(); }));
    return hello;
}

TEST_CASE("dtls server: nothing is kept of ten thousand hellos, and answers are smaller") {
    const Bytes hello = first_hello();
    Server server;
    server.socket.reset();
    const SocketAddress local = *SocketAddress::parse("127.0.0.1:3478");
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        const Path path{
            local,
            {IpAddress::v4(0x0A000000U + i), Port{static_cast<std::uint16_t>(1024 + i % 50'000)}}};
        server.server.handle_datagram(path, hello);
        REQUIRE(server.sent.size() == 1);
        REQUIRE(server.sent[0].size() < hello.size());
        REQUIRE(server.sent[0].size() == 44);  // less than the least ClientHello, which has 67
        server.sent.clear();
    }
    CHECK(server.server.handshakes() == 0);
    CHECK(server.server.sessions() == 0);
    CHECK(server.server.counters().hellos == 10'000);
}

TEST_CASE("dtls server: a cookie is good for its own path and its own time alone") {
    Server server;
    Bytes second;  // the hello with the cookie
    int number = 0;
    server.drop_incoming = [&](BytesView datagram) {
        if (++number == 2) second = to_bytes(datagram);
        return number >= 2;
    };
    Client client{server};
    REQUIRE(server.until([&] { return !second.empty(); }));
    const Path own{server.socket->local_address(), client.client.local_address()};
    Path other = own;
    other.remote.ip = *IpAddress::parse("127.0.0.9");
    server.server.handle_datagram(other, second);
    CHECK(server.server.handshakes() == 0);
    Bytes altered = second;
    altered[13 + 12 + 2 + 32 + 1 + 1] ^= std::byte{1};  // no session id, then the cookie
    server.server.handle_datagram(own, altered);
    CHECK(server.server.handshakes() == 0);
    server.server.handle_datagram(own, second);
    CHECK(server.server.handshakes() == 1);
    // Another server of ours has another secret.
    Server restarted;
    restarted.server.handle_datagram(own, second);
    CHECK(restarted.server.handshakes() == 0);
}

TEST_CASE("dtls server: what is no handshake, or a broken one, is dropped and changes nothing") {
    const Bytes hello = first_hello();
    Server server;
    crypto::RandomStream random{crypto::seed_from_number(3)};
    const Path path{server.socket->local_address(), *SocketAddress::parse("192.0.2.1:1000")};
    for (std::size_t size = 0; size < hello.size(); ++size) {
        server.server.handle_datagram(path, BytesView{hello}.first(size));
    }
    for (int i = 0; i < 5'000; ++i) {
        Bytes broken = hello;
        for (std::uint64_t flips = random.below(4) + 1; flips > 0; --flips) {
            broken[random.below(broken.size())] =
                std::byte{static_cast<std::uint8_t>(random.u32())};
        }
        server.server.handle_datagram(path, broken);
    }
    for (int i = 0; i < 5'000; ++i) {
        Bytes noise = random.bytes(random.below(200));
        if (!noise.empty()) noise[0] = std::byte{static_cast<std::uint8_t>(20 + random.below(44))};
        server.server.handle_datagram(path, noise);
    }
    for (const Bytes& datagram : server.sent) CHECK(datagram.size() <= 60);
    CHECK(server.server.handshakes() == 0);
    Client client{server};
    CHECK(server.until([&] { return client.open; }));
}

// ---- a client that began again ----------------------------------------------------------------

TEST_CASE("dtls server: a forged hello does not end a session, a client that began again does") {
    const Bytes hello = first_hello();
    Server server;
    auto client = std::make_unique<Client>(server);
    REQUIRE(server.until([&] { return client->open && server.opened.size() == 1; }));
    const SocketAddress local = client->client.local_address();
    server.server.handle_datagram(server.paths[0], hello);
    CHECK(server.server.sessions() == 1);
    CHECK(client->client.send(as_bytes("still here")) == DtlsSent::Sent);
    REQUIRE(server.until([&] { return server.received.size() == 1; }));
    // It dies without a word, and another begins at the same address.
    client.reset();
    Client again{server, trusting(), {}, local};
    REQUIRE(server.until([&] { return again.open && server.opened.size() == 2; }));
    REQUIRE(server.closed.size() == 1);
    CHECK(server.closed[0].first == server.opened[0]);
    CHECK(server.server.sessions() == 1);
    CHECK(server.server.send(server.opened[0], as_bytes("x")) == DtlsSent::NotOpen);
    CHECK(server.server.send(server.opened[1], as_bytes("x")) == DtlsSent::Sent);
    CHECK(server.until([&] { return !again.received.empty(); }));
}

TEST_CASE("dtls server: noise inside a session, and a replay, are dropped") {
    Server server;
    std::vector<Bytes> seen;
    server.drop_incoming = [&](BytesView datagram) {
        seen.push_back(to_bytes(datagram));
        return false;
    };
    Client client{server};
    REQUIRE(server.until([&] { return client.open && !server.opened.empty(); }));
    CHECK(client.client.send(as_bytes("once")) == DtlsSent::Sent);
    REQUIRE(server.until([&] { return server.received.size() == 1; }));
    crypto::RandomStream random{crypto::seed_from_number(5)};
    for (const Bytes& replayed : seen) server.server.handle_datagram(server.paths[0], replayed);
    for (int i = 0; i < 2'000; ++i) {
        Bytes noise = i % 2 == 0 ? seen.back() : random.bytes(1 + random.below(100));
        if (i % 2 == 0) noise[13 + random.below(noise.size() - 13)] ^= std::byte{1};
        if (i % 2 != 0) noise[0] = std::byte{static_cast<std::uint8_t>(20 + random.below(4))};
        server.server.handle_datagram(server.paths[0], noise);
    }
    CHECK(server.received.size() == 1);
    CHECK(server.closed.empty());
    CHECK(client.client.send(as_bytes("twice")) == DtlsSent::Sent);
    CHECK(server.until([&] { return server.received.size() == 2; }));
}

// ---- ends -------------------------------------------------------------------------------------

TEST_CASE("dtls: each side says goodbye, and the other hears it") {
    Server server;
    Client first{server};
    Client second{server};
    REQUIRE(server.until([&] { return server.opened.size() == 2 && first.open && second.open; }));
    const DtlsSessionId of_first = server.paths[0].remote == first.client.local_address()
                                       ? server.opened[0]
                                       : server.opened[1];
    server.server.close(of_first);
    CHECK(server.server.send(of_first, as_bytes("x")) == DtlsSent::NotOpen);
    REQUIRE(server.until([&] { return first.closed.has_value(); }));
    CHECK(first.closed->reason == CloseReason::PeerClosed);
    second.client.close();
    REQUIRE(server.until([&] { return server.closed.size() == 1; }));
    CHECK(server.closed[0].second.reason == CloseReason::PeerClosed);
    CHECK(server.server.sessions() == 0);
}

TEST_CASE("dtls server: a session may be closed, and the server sent to, from its own callback") {
    Server server;
    server.on_data = [&](DtlsSessionId id) {
        CHECK(server.server.send(id, as_bytes("bye")) == DtlsSent::Sent);
        server.server.close(id);
    };
    Client client{server};
    REQUIRE(server.until([&] { return client.open; }));
    CHECK(client.client.send(as_bytes("x")) == DtlsSent::Sent);
    REQUIRE(server.until([&] { return client.closed.has_value(); }));
    CHECK(client.received == std::vector<std::string>{"bye"});
    CHECK(server.closed.empty());
}

TEST_CASE("dtls server: silence ends a session, an unfinished handshake its place") {
    DtlsServerOptions options;
    options.idle_timeout = 150ms;
    TlsServerConfig config = server_config();
    config.handshake_timeout = 100ms;
    Server server{config, options};
    Client client{server};
    REQUIRE(server.until([&] { return client.open && !server.opened.empty(); }));
    REQUIRE(server.until([&] { return client.closed.has_value() && server.closed.size() == 1; }));
    CHECK(server.closed[0].second.reason == CloseReason::TimedOut);
    int hellos = 0;
    server.drop_incoming = [&](BytesView datagram) {
        return datagram[0] != std::byte{22} || ++hellos > 2;
    };
    Client mute{server};
    REQUIRE(server.until([&] { return server.server.handshakes() == 1; }));
    REQUIRE(server.until([&] { return server.server.handshakes() == 0; }));
    CHECK(server.server.counters().failed == 1);
}

TEST_CASE("dtls server: sessions at the limit and one past it") {
    DtlsServerOptions options;
    options.most_sessions = 2;
    Server server{server_config(), options};
    Client first{server};
    Client second{server};
    REQUIRE(server.until([&] { return first.open && second.open && server.opened.size() == 2; }));
    TlsClientConfig hasty = trusting();
    hasty.handshake_timeout = 200ms;
    Client third{server, hasty};
    REQUIRE(server.until([&] { return third.open || third.closed; }));
    CHECK(third.closed->reason == CloseReason::TimedOut);
    CHECK(server.server.counters().refused_for_room >= 1);
    first.client.close();
    REQUIRE(server.until([&] { return server.server.sessions() == 1; }));
    Client fourth{server};
    CHECK(server.until([&] { return fourth.open; }));
}

TEST_CASE("dtls server: handshakes of one address at the limit and one past it") {
    DtlsServerOptions options;
    options.most_handshakes_an_address = 2;
    Server server{server_config(), options};
    // Each client's first two datagrams come, and then no more.
    std::size_t most = 0;
    server.drop = [&](BytesView) {
        most = std::max(most, server.server.handshakes());
        return server.server.handshakes() > 0;
    };
    std::deque<Client> clients;
    for (int i = 0; i < 5; ++i) clients.emplace_back(server);
    REQUIRE(server.until([&] { return server.server.counters().refused_for_room >= 3; }));
    CHECK(most == 2);
    CHECK(server.server.handshakes() == 2);
}

TEST_CASE("dtls server: a new certificate is for new sessions, old ones go on") {
    Server server;
    Client first{server};
    REQUIRE(server.until([&] { return first.open && !server.opened.empty(); }));
    const Issued renewed = authority().issue({.alternative_names = "DNS:example.org"});
    server.server.set_context(
        server_context({.certificate_pem = renewed.certificate_pem, .key_pem = renewed.key_pem}));
    Client second{server};
    REQUIRE(server.until([&] { return second.open; }));
    CHECK(second.client.peer_certificate()->pem == renewed.certificate_pem);
    CHECK(first.client.send(as_bytes("on")) == DtlsSent::Sent);
    CHECK(server.until([&] { return !server.received.empty(); }));
}

TEST_CASE(
    "dtls client: nobody there is refused or too late, and may be destroyed in its callback") {
    Loop loop;
    SocketAddress nobody;
    {
        nobody = (*UdpSocket::open(loop, any))->local_address();
    }
    UdpOptions reporting;
    reporting.icmp_errors = UdpOptions::IcmpErrors::Reported;
    auto client = std::make_unique<DtlsClient>(loop, *UdpSocket::open(loop, any, reporting), nobody,
                                               client_context(trusting()));
    std::optional<Closed> closed;
    client->set_handlers({.on_open = {}, .on_data = {}, .on_closed = [&](Closed why) {
                              closed = std::move(why);
                              client.reset();
                          }});
    REQUIRE(loop.run_until([&] { return closed.has_value(); }, 20s) == Loop::Outcome::Done);
    CHECK(closed->reason == CloseReason::Refused);
    CHECK_FALSE(client);
}

TEST_CASE("dtls server: a foreign client shakes hands and talks") {
    if (std::system("command -v openssl > /dev/null") != 0) {
        MESSAGE("openssl is not installed");
        return;
    }
    for (const char* suites : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
        CAPTURE(suites);
        Server server;
        server.on_data = [&](DtlsSessionId id) {
            CHECK(server.server.send(id, as_bytes("from stile")) == DtlsSent::Sent);
            server.server.close(id);
        };
        const std::string command =
            "echo 'from openssl' | openssl s_client -dtls1_2 -quiet -cipher " +
            std::string{suites} + " -connect " + server.socket->local_address().to_string() +
            " 2> /dev/null";
        FILE* client = ::popen(command.c_str(), "r");
        REQUIRE(client != nullptr);
        REQUIRE(server.until([&] { return !server.received.empty(); }));
        CHECK(server.received[0].second == "from openssl\n");
        CHECK(server.server.cipher(server.opened[0]).empty());  // it is closed
        std::array<char, 100> said{};
        const std::size_t count = std::fread(said.data(), 1, said.size(), client);
        CHECK(std::string_view{said.data(), count} == "from stile");
        ::pclose(client);
    }
}

TEST_CASE("dtls: the first octet tells DTLS from its neighbours") {
    for (unsigned octet = 0; octet < 256; ++octet) {
        const std::array datagram{static_cast<std::byte>(octet)};
        CHECK(looks_like_dtls(datagram) == (octet >= 20 && octet <= 63));
    }
    CHECK_FALSE(looks_like_dtls({}));
}

}  // namespace
}  // namespace stile::drivers
