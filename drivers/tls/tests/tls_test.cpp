// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "test_authority.hpp"

#include <doctest/doctest.h>
#include <stile/base/encoding.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/tls.hpp>

#include <array>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;
using testing::CertificateWish;
using testing::Issued;
using testing::TestAuthority;
using ClientCertificate = TlsServerConfig::ClientCertificate;

const SocketAddress any = *SocketAddress::parse("127.0.0.1:0");

struct Seen {
    bool open = false;
    Bytes bytes;
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

// One connection between a server and a client of the given configurations.
struct Connection {
    Connection(const TlsServerConfig& server_config, const TlsClientConfig& client_config) {
        auto server_context = TlsContext::server(server_config);
        REQUIRE_MESSAGE(server_context.has_value(),
                        (server_context ? "" : server_context.error().text));
        auto client_context = TlsContext::client(client_config);
        REQUIRE_MESSAGE(client_context.has_value(),
                        (client_context ? "" : client_context.error().text));
        listener = *TcpListener::open(
            loop, any, [this, context = *server_context](std::unique_ptr<TcpStream> transport) {
                server = std::make_unique<TlsStream>(loop, std::move(transport), context);
                server->set_handlers(at_server.handlers());
            });
        client = std::make_unique<TlsStream>(
            loop, TcpStream::connect(loop, listener->local_address()), *client_context);
        client->set_handlers(at_client.handlers());
    }
    bool until(std::move_only_function<bool()> done) {
        return loop.run_until(std::move(done), 20s) == Loop::Outcome::Done;
    }
    bool opens() {
        return until([this] { return at_client.open && at_server.open; });
    }

    Loop loop;
    Seen at_server;
    Seen at_client;
    std::unique_ptr<TcpListener> listener;
    std::unique_ptr<TlsStream> server;
    std::unique_ptr<TlsStream> client;
};

TlsServerConfig server_with(const Issued& issued) {
    return {.certificate_pem = issued.certificate_pem, .key_pem = issued.key_pem};
}

const TestAuthority& authority() {
    static const TestAuthority shared;
    return shared;
}
const Issued& example() {
    static const Issued shared =
        authority().issue({.alternative_names = "DNS:example.org,DNS:*.wild.org,IP:127.0.0.1"});
    return shared;
}
TlsClientConfig trusting(const std::string& host) {
    return {.host = host, .ca_pem = authority().pem()};
}

Bytes pattern(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
    return bytes;
}

TEST_CASE("tls stream: bytes go both ways, 1.3 is spoken, the SNI arrives") {
    Connection connection{server_with(example()), trusting("example.org")};
    CHECK(connection.client->write(as_bytes("early ")) == Written::Queued);
    REQUIRE(connection.opens());
    CHECK(connection.client->write(as_bytes("ping")) == Written::Queued);
    CHECK(connection.server->write(as_bytes("pong")) == Written::Queued);
    REQUIRE(connection.until([&] {
        return connection.at_server.bytes == to_bytes("early ping") &&
               connection.at_client.bytes == to_bytes("pong");
    }));
    CHECK(connection.client->version() == "TLSv1.3");
    CHECK(connection.server->server_name() == "example.org");
    CHECK(connection.client->peer_certificate()->pem == example().certificate_pem);
    CHECK_FALSE(connection.server->peer_certificate());
}

TEST_CASE("tls stream: names that the certificate is for, and names that it is not for") {
    struct Row {
        std::string host;
        NameRules rules;
        bool accepted;
    };
    for (const Row& row : std::vector<Row>{
             {"example.org", NameRules::Web, true},
             {"EXAMPLE.org", NameRules::Web, true},
             {"a.wild.org", NameRules::Web, true},
             {"a.b.wild.org", NameRules::Web, false},
             {"wild.org", NameRules::Web, false},
             {"127.0.0.1", NameRules::Web, true},
             {"127.0.0.2", NameRules::Web, false},
             {"example.com", NameRules::Web, false},
             {"test", NameRules::Web, false},  // the subject's common name
             {"example.org", NameRules::Sip, true},
             {"a.wild.org", NameRules::Sip, false},  // RFC 5922 Section 7.2: no wildcards
             {"127.0.0.1", NameRules::Sip, true},
         }) {
        CAPTURE(row.host);
        CAPTURE(row.accepted);
        TlsClientConfig config = trusting(row.host);
        config.names = row.rules;
        Connection connection{server_with(example()), config};
        REQUIRE(connection.until(
            [&] { return connection.at_client.open || connection.at_client.closed; }));
        CHECK(connection.at_client.open == row.accepted);
        if (!row.accepted) {
            CHECK(connection.at_client.closed->reason == CloseReason::WrongName);
            CHECK(connection.at_client.closed->text.contains(row.host));
            REQUIRE(connection.until([&] { return connection.at_server.closed.has_value(); }));
            CHECK(connection.at_server.closed->reason == CloseReason::RejectedByPeer);
        }
    }
}

TEST_CASE("tls stream: SIP URIs in a certificate decide over its DNS names") {
    const Issued issued = authority().issue(
        {.alternative_names = "URI:sip:sip.example.org,URI:sip:bob@user.org,DNS:dns.example.org"});
    for (const auto& [host, accepted] : std::vector<std::pair<std::string, bool>>{
             {"sip.example.org", true}, {"dns.example.org", false}, {"user.org", false}}) {
        CAPTURE(host);
        TlsClientConfig config = trusting(host);
        config.names = NameRules::Sip;
        Connection connection{server_with(issued), config};
        REQUIRE(connection.until(
            [&] { return connection.at_client.open || connection.at_client.closed; }));
        CHECK(connection.at_client.open == accepted);
    }
}

TEST_CASE("tls stream: an authority that is not known is told as untrusted") {
    const TestAuthority other{"another authority"};
    Connection connection{server_with(example()), {.host = "example.org", .ca_pem = other.pem()}};
    REQUIRE(connection.until([&] { return connection.at_client.closed.has_value(); }));
    CHECK(connection.at_client.closed->reason == CloseReason::Untrusted);
    CHECK(connection.at_client.closed->text.contains("certificate"));
    CHECK_FALSE(connection.at_client.open);
}

TEST_CASE("tls stream: certificates before and after their time are told as not valid now") {
    for (const auto& wish : {CertificateWish{.alternative_names = "DNS:example.org",
                                             .valid_from_seconds = -7200,
                                             .valid_to_seconds = -3600},
                             CertificateWish{.alternative_names = "DNS:example.org",
                                             .valid_from_seconds = 3600,
                                             .valid_to_seconds = 7200}}) {
        Connection connection{server_with(authority().issue(wish)), trusting("example.org")};
        REQUIRE(connection.until([&] { return connection.at_client.closed.has_value(); }));
        CHECK(connection.at_client.closed->reason == CloseReason::Expired);
    }
}

TEST_CASE("tls stream: a pinned authority is trusted where it is presented, another is not") {
    const auto der_digest = [](const std::string& pem) {
        const auto begin = pem.find('\n') + 1;
        std::string base64 = pem.substr(begin, pem.find("-----END") - begin);
        std::erase(base64, '\n');
        return crypto::digest(crypto::DigestAlgorithm::Sha256, *from_base64(base64));
    };
    TlsServerConfig config = server_with(example());
    config.certificate_pem += authority().pem();
    const TestAuthority other{"another authority"};
    struct Row {
        std::string pinned;
        CloseReason reason;
        std::string host;
    };
    // Local stands for "accepted".
    for (const Row& row :
         std::vector<Row>{{authority().pem(), CloseReason::Local, "example.org"},
                          {example().certificate_pem, CloseReason::Local, "example.org"},
                          {authority().pem(), CloseReason::WrongName, "example.com"},
                          {other.pem(), CloseReason::Untrusted, "example.org"}}) {
        Connection connection{config,
                              {.host = row.host, .ca_fingerprints = {der_digest(row.pinned)}}};
        REQUIRE(connection.until(
            [&] { return connection.at_client.open || connection.at_client.closed; }));
        CHECK(connection.at_client.open == (row.reason == CloseReason::Local));
        if (!connection.at_client.open) {
            CHECK(connection.at_client.closed->reason == row.reason);
        }
    }
}

TEST_CASE("tls stream: a client's certificate is verified and shown") {
    const Issued alice = authority().issue({.subject = "alice"});
    TlsServerConfig server_config = server_with(example());
    server_config.client_certificate = ClientCertificate::Optional;
    server_config.client_ca_pem = authority().pem();
    TlsClientConfig client_config = trusting("example.org");
    client_config.certificate_pem = alice.certificate_pem;
    client_config.key_pem = alice.key_pem;
    Connection connection{server_config, client_config};
    REQUIRE(connection.opens());
    const auto shown = connection.server->peer_certificate();
    REQUIRE(shown.has_value());
    CHECK(shown->pem == alice.certificate_pem);
    CHECK(shown->sha256 == crypto::digest(crypto::DigestAlgorithm::Sha256, shown->der));
}

TEST_CASE("tls stream: an optional client certificate may be absent, a required one may not") {
    for (const auto wanted : {ClientCertificate::Optional, ClientCertificate::Required}) {
        TlsServerConfig server_config = server_with(example());
        server_config.client_certificate = wanted;
        server_config.client_ca_pem = authority().pem();
        Connection connection{server_config, trusting("example.org")};
        if (wanted == ClientCertificate::Optional) {
            REQUIRE(connection.opens());
            CHECK_FALSE(connection.server->peer_certificate());
            continue;
        }
        REQUIRE(connection.until(
            [&] { return connection.at_client.closed && connection.at_server.closed; }));
        CHECK(connection.at_server.closed->reason == CloseReason::Untrusted);
        CHECK(connection.at_client.closed->reason == CloseReason::RejectedByPeer);
    }
}

TEST_CASE("tls stream: a client certificate of another authority is refused") {
    const TestAuthority other{"another authority"};
    const Issued mallory = other.issue({.subject = "alice"});
    TlsServerConfig server_config = server_with(example());
    server_config.client_certificate = ClientCertificate::Optional;
    server_config.client_ca_pem = authority().pem();
    TlsClientConfig client_config = trusting("example.org");
    client_config.certificate_pem = mallory.certificate_pem;
    client_config.key_pem = mallory.key_pem;
    Connection connection{server_config, client_config};
    REQUIRE(connection.until([&] { return connection.at_server.closed.has_value(); }));
    CHECK(connection.at_server.closed->reason == CloseReason::Untrusted);
    CHECK_FALSE(connection.at_server.open);
}

TEST_CASE("tls stream: ALPN agrees on the server's preference; nothing in common ends it") {
    TlsServerConfig server_config = server_with(example());
    server_config.alpn = {"h2", "http/1.1"};
    TlsClientConfig client_config = trusting("example.org");
    client_config.alpn = {"http/1.1", "h2"};
    Connection agreed{server_config, client_config};
    REQUIRE(agreed.opens());
    CHECK(agreed.client->alpn() == "h2");
    CHECK(agreed.server->alpn() == "h2");

    client_config.alpn = {"sip"};
    Connection refused{server_config, client_config};
    REQUIRE(refused.until([&] { return refused.at_client.closed.has_value(); }));
    CHECK(refused.at_client.closed->reason == CloseReason::RejectedByPeer);
}

TEST_CASE("tls stream: what is not TLS is a protocol error on either side") {
    auto context = TlsContext::server(server_with(example()));
    auto client_context = TlsContext::client(trusting("example.org"));
    Loop loop;
    Seen at_server;
    std::unique_ptr<TlsStream> server;
    const auto listener = *TcpListener::open(loop, any, [&](std::unique_ptr<TcpStream> transport) {
        server = std::make_unique<TlsStream>(loop, std::move(transport), *context);
        server->set_handlers(at_server.handlers());
    });
    const auto plain = TcpStream::connect(loop, listener->local_address());
    CHECK(plain->write(as_bytes("GET / HTTP/1.1\r\n\r\n")) == Written::Queued);
    REQUIRE(loop.run_until([&] { return at_server.closed.has_value(); }, 20s) ==
            Loop::Outcome::Done);
    CHECK(at_server.closed->reason == CloseReason::Protocol);

    std::unique_ptr<TcpStream> plain_server;
    const auto plain_listener =
        *TcpListener::open(loop, any, [&](std::unique_ptr<TcpStream> stream) {
            plain_server = std::move(stream);
            CHECK(plain_server->write(as_bytes("220 mail.example.org ready\r\n")) ==
                  Written::Queued);
        });
    Seen at_client;
    TlsStream client{loop, TcpStream::connect(loop, plain_listener->local_address()),
                     *client_context};
    client.set_handlers(at_client.handlers());
    REQUIRE(loop.run_until([&] { return at_client.closed.has_value(); }, 20s) ==
            Loop::Outcome::Done);
    CHECK(at_client.closed->reason == CloseReason::Protocol);
}

TEST_CASE("tls stream: a handshake that does not go on times out, on either side") {
    TlsServerConfig server_config = server_with(example());
    server_config.handshake_timeout = 30ms;
    TlsClientConfig client_config = trusting("example.org");
    client_config.handshake_timeout = 30ms;
    auto context = *TlsContext::server(server_config);
    auto client_context = *TlsContext::client(client_config);
    Loop loop;
    std::vector<std::unique_ptr<TcpStream>> silent;
    const auto mute = *TcpListener::open(
        loop, any, [&](std::unique_ptr<TcpStream> stream) { silent.push_back(std::move(stream)); });
    Seen at_client;
    TlsStream client{loop, TcpStream::connect(loop, mute->local_address()), client_context};
    client.set_handlers(at_client.handlers());

    Seen at_server;
    std::unique_ptr<TlsStream> server;
    const auto listener = *TcpListener::open(loop, any, [&](std::unique_ptr<TcpStream> transport) {
        server = std::make_unique<TlsStream>(loop, std::move(transport), context);
        server->set_handlers(at_server.handlers());
    });
    const auto mute_client = TcpStream::connect(loop, listener->local_address());
    REQUIRE(loop.run_until([&] { return at_client.closed && at_server.closed; }, 20s) ==
            Loop::Outcome::Done);
    CHECK(at_client.closed->reason == CloseReason::TimedOut);
    CHECK(at_server.closed->reason == CloseReason::TimedOut);
}

TEST_CASE("tls stream: a large transfer with back pressure, then an orderly end") {
    Connection connection{server_with(example()), trusting("example.org")};
    REQUIRE(connection.opens());
    const Bytes block = pattern(300'000);
    const std::size_t blocks = 40;
    std::size_t written = 0;
    bool refused = false;
    const auto push = [&] {
        while (written < blocks) {
            if (connection.client->write(block) != Written::Queued) {
                refused = true;
                return;
            }
            ++written;
        }
        connection.client->close();
    };
    StreamHandlers handlers = connection.at_client.handlers();
    handlers.on_writable = push;
    connection.client->set_handlers(std::move(handlers));
    connection.server->set_reading(Reading::Paused);
    push();
    CHECK(refused);
    CHECK(connection.client->buffered() < 8'000'000);
    connection.server->set_reading(Reading::Flowing);
    REQUIRE(connection.until(
        [&] { return connection.at_server.closed && connection.at_client.closed; }));
    CHECK(connection.at_server.bytes.size() == blocks * block.size());
    CHECK(std::equal(block.begin(), block.end(),
                     connection.at_server.bytes.end() - std::ssize(block)));
    CHECK(connection.at_server.closed->reason == CloseReason::PeerClosed);
    CHECK(connection.at_client.closed->reason == CloseReason::Local);
}

TEST_CASE("tls stream: half-closed, it goes on reading") {
    Connection connection{server_with(example()), trusting("example.org")};
    REQUIRE(connection.opens());
    bool server_saw_end = false;
    StreamHandlers handlers = connection.at_server.handlers();
    handlers.on_end = [&] { server_saw_end = true; };
    connection.server->set_handlers(std::move(handlers));
    bool client_saw_end = false;
    handlers = connection.at_client.handlers();
    handlers.on_end = [&] { client_saw_end = true; };
    connection.client->set_handlers(std::move(handlers));
    CHECK(connection.client->write(as_bytes("question")) == Written::Queued);
    connection.client->finish();
    REQUIRE(connection.until([&] { return server_saw_end; }));
    CHECK(connection.server->write(as_bytes("answer")) == Written::Queued);
    REQUIRE(connection.until([&] { return connection.at_client.bytes == to_bytes("answer"); }));
    connection.server->finish();
    REQUIRE(connection.until(
        [&] { return connection.at_server.closed && connection.at_client.closed; }));
    CHECK(client_saw_end);
    CHECK(connection.at_client.closed->reason == CloseReason::PeerClosed);
}

// Ends the transport without a word of TLS, as someone on the way can.
TEST_CASE("tls stream: an end without close_notify is told as cut off") {
    auto context = *TlsContext::server(server_with(example()));
    auto client_context = *TlsContext::client(trusting("example.org"));
    Loop loop;
    Seen at_client;
    TcpStream* transport = nullptr;
    std::unique_ptr<TlsStream> server;
    const auto listener = *TcpListener::open(loop, any, [&](std::unique_ptr<TcpStream> stream) {
        transport = stream.get();
        server = std::make_unique<TlsStream>(loop, std::move(stream), context);
    });
    TlsStream client{loop, TcpStream::connect(loop, listener->local_address()), client_context};
    client.set_handlers(at_client.handlers());
    REQUIRE(loop.run_until([&] { return at_client.open; }, 20s) == Loop::Outcome::Done);
    transport->finish();
    REQUIRE(loop.run_until([&] { return at_client.closed.has_value(); }, 20s) ==
            Loop::Outcome::Done);
    CHECK(at_client.closed->reason == CloseReason::Truncated);
}

TEST_CASE("tls stream: a paused stream delivers nothing until it flows again") {
    Connection connection{server_with(example()), trusting("example.org")};
    REQUIRE(connection.opens());
    connection.server->set_reading(Reading::Paused);
    CHECK(connection.client->write(as_bytes("waiting")) == Written::Queued);
    CHECK(connection.loop.run_until([&] { return !connection.at_server.bytes.empty(); }, 20ms) ==
          Loop::Outcome::DeadlinePassed);
    connection.server->set_reading(Reading::Flowing);
    CHECK(connection.until([&] { return connection.at_server.bytes == to_bytes("waiting"); }));
}

TEST_CASE("tls stream: may be destroyed in each of its callbacks") {
    for (int which = 0; which < 3; ++which) {
        CAPTURE(which);
        Connection connection{server_with(example()), trusting("example.org")};
        bool called = false;
        const std::array<char, 200> captured{};
        const auto act = [&, captured] {
            connection.client.reset();
            called = captured[0] == 0;
        };
        StreamHandlers handlers;
        if (which == 0) handlers.on_open = act;
        if (which == 1) handlers.on_bytes = [act](BytesView) { act(); };
        if (which == 2) handlers.on_closed = [act](const Closed&) { act(); };
        connection.client->set_handlers(std::move(handlers));
        REQUIRE(connection.until([&] { return connection.server != nullptr; }));
        CHECK(connection.server->write(as_bytes("x")) == Written::Queued);
        if (which == 2) connection.server->close();
        CHECK(connection.until([&] { return called; }));
    }
}

TEST_CASE("tls context: configurations that cannot work say what is wrong") {
    const Issued other = authority().issue({});
    TlsServerConfig config = server_with(example());
    config.key_pem = other.key_pem;
    auto mismatch = TlsContext::server(config);
    REQUIRE_FALSE(mismatch.has_value());
    CHECK(mismatch.error().text.contains("does not belong"));

    config = server_with(example());
    config.certificate_pem = "nonsense";
    CHECK(TlsContext::server(config).error().text.contains("certificate"));
    config = server_with(example());
    config.key_pem = "nonsense";
    CHECK(TlsContext::server(config).error().text.contains("private key"));
    config = server_with(example());
    config.client_certificate = ClientCertificate::Optional;
    CHECK(TlsContext::server(config).error().text.contains("authorities"));
    CHECK_FALSE(TlsContext::client({}).has_value());
}

}  // namespace
}  // namespace stile::drivers
