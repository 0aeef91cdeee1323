// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "../../tls/tests/test_authority.hpp"

#include <doctest/doctest.h>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/web_client.hpp>
#include <stile/drivers/web_server.hpp>

#include <random>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;

const SocketAddress any = *SocketAddress::parse("127.0.0.1:0");

// A server whose handler a test supplies, and raw clients of it.
struct Web {
    explicit Web(WebServer::Handler handler, WebTimeouts timeouts = {})
        : server(std::make_unique<WebServer>(loop, std::move(handler), timeouts)) {
        listener = *TcpListener::open(loop, any, [this](std::unique_ptr<TcpStream> stream) {
            server->serve(std::move(stream));
        });
    }
    bool until(std::move_only_function<bool()> done) {
        return loop.run_until(std::move(done), 20s) == Loop::Outcome::Done;
    }

    Loop loop;
    std::unique_ptr<WebServer> server;
    std::unique_ptr<TcpListener> listener;
};

// Sends text as it is and collects what comes.
struct RawClient {
    explicit RawClient(Web& web)
        : stream(TcpStream::connect(web.loop, web.listener->local_address())) {
        stream->set_handlers({.on_open = {},
                              .on_bytes = [this](BytesView bytes) { text += as_text(bytes); },
                              .on_end = {},
                              .on_writable = {},
                              .on_closed = [this](const Closed& why) { closed = why; }});
    }
    RawClient& say(std::string_view bytes) {
        CHECK(stream->write(as_bytes(bytes)) == Written::Queued);
        return *this;
    }
    std::unique_ptr<TcpStream> stream;
    std::string text;
    std::optional<Closed> closed;
};

std::string ask(Web& web, std::string_view request) {
    RawClient client{web};
    client.say(request);
    CHECK(web.until([&] { return client.closed.has_value(); }));
    return client.text;
}

std::string body_of(const std::string& answer) {
    const auto end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "" : answer.substr(end + 4);
}

// Answers with what it was asked.
void mirror(std::shared_ptr<Exchange> exchange) {
    exchange->respond({.status = 200, .fields = {{"Content-Type", "text/plain"}}},
                      exchange->request().method + " " + exchange->request().target);
}

// Answers with the request's body.
void echo_body(std::shared_ptr<Exchange> exchange) {
    auto body = std::make_shared<Bytes>();
    exchange->read_body(
        {.on_bytes =
             [body](BytesView more) { body->insert(body->end(), more.begin(), more.end()); },
         .on_end =
             [body, exchange](BodyEnd how) {
                 if (how == BodyEnd::Complete) exchange->respond({}, *body);
             }});
}

std::string pattern(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    return text;
}

TEST_CASE("web server: answers a request, and closes where it is asked to") {
    Web web{mirror};
    const std::string answer =
        ask(web, "GET /path?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.contains("\r\nContent-Length: 13\r\n"));
    CHECK(answer.contains("\r\nConnection: close\r\n"));
    CHECK(answer.contains("\r\nDate: "));
    CHECK(body_of(answer) == "GET /path?x=1");
    CHECK(web.until([&] { return web.server->connections() == 0; }));
}

TEST_CASE("web server: keeps the connection, answers pipelined requests in their order") {
    Web web{mirror};
    const std::string answer = ask(web,
                                   "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "HEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const auto first = answer.find("GET /1");
    const auto third = answer.find("GET /3");
    REQUIRE(first != std::string::npos);
    REQUIRE(third != std::string::npos);
    CHECK(first < third);
    // To HEAD the length is told and the body is left out.
    CHECK(answer.contains("Content-Length: 7\r\n"));
    CHECK_FALSE(answer.contains("HEAD /2"));
}

TEST_CASE("web server: a request in pieces of one octet is the same request") {
    Web web{echo_body};
    RawClient client{web};
    REQUIRE(web.until([&] { return web.server->connections() == 1; }));
    for (const char c :
         std::string_view{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                          "Connection: close\r\n\r\n"
                          "3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nT: r\r\n\r\n"}) {
        client.say({&c, 1});
        web.loop.run_until([] { return false; }, 200us);
    }
    REQUIRE(web.until([&] { return client.closed.has_value(); }));
    CHECK(body_of(client.text) == "abc0123456789");
}

TEST_CASE("web server: HTTP/1.0 gets a closed connection, or keeps it where it asks to") {
    Web web{mirror};
    CHECK(body_of(ask(web, "GET /old HTTP/1.0\r\n\r\n")) == "GET /old");
    RawClient client{web};
    client.say("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    REQUIRE(web.until([&] { return client.text.ends_with("GET /old"); }));
    CHECK(client.text.contains("Connection: keep-alive\r\n"));
    client.say("GET /new HTTP/1.0\r\n\r\n");
    CHECK(web.until([&] { return client.closed.has_value(); }));
}

TEST_CASE("web server: malformed requests get the right refusal and the end") {
    struct Row {
        std::string request;
        std::string status;
    };
    const std::string many(most_head_octets, 'x');
    for (const Row& row : std::vector<Row>{
             {"nonsense\r\n\r\n", "400"},
             {"\x16\x03\x01\x02\x00", "400"},    // a TLS ClientHello
             {"GET / HTTP/1.1\r\n\r\n", "400"},  // no Host
             {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
             {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
             {"GET / HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n", "400"},
             {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
             {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
             {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
             {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: "
              "chunked\r\n\r\n",
              "400"},
             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
              "5\r\n\r\n",
              "400"},
             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
             {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"},
             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "400"},
             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "400"},
             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\r\n", "400"},
             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
              "11111111111111111\r\n",
              "400"},
             {"GET / HTTP/1.1\r\nHost: a\r\nExpect: miracle\r\n\r\n", "417"},
             {"GET /" + many + " HTTP/1.1\r\n", "414"},
             {"GET / HTTP/1.1\r\nHost: a\r\nX: " + many, "431"},
         }) {
        CAPTURE(row.request.substr(0, 100));
        Web web{echo_body};
        const std::string answer = ask(web, row.request);
        CHECK(answer.starts_with("HTTP/1.1 " + row.status + " "));
        CHECK(answer.contains("Connection: close\r\n"));
        // One refusal, whatever followed.
        CHECK(answer.find("HTTP/1.1", 1) == std::string::npos);
        CHECK(web.until([&] { return web.server->connections() == 0; }));
    }
}

TEST_CASE("web server: a head of exactly the limit is taken, one octet more is not") {
    const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ";
    const std::string end = "\r\n\r\n";
    const std::string fill(most_head_octets - begin.size() - end.size(), 'x');
    Web web{mirror};
    CHECK(ask(web, begin + fill + end).starts_with("HTTP/1.1 200 "));
    CHECK(ask(web, begin + fill + "x" + end).starts_with("HTTP/1.1 431 "));
}

TEST_CASE("web server: random octets never get more than refusals") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    Web web{mirror};
    for (int i = 0; i < 100; ++i) {
        RawClient client{web};
        std::string noise = i % 2 == 0 ? "GET / HTTP/1.1\r\nHost: a\r\n" : "";
        for (int n = 0; n < 60; ++n) noise += static_cast<char>(random());
        noise += "\r\n\r\n";
        client.say(noise);
        client.stream->finish();
        REQUIRE(web.until([&] { return client.closed.has_value(); }));
    }
    CHECK(web.until([&] { return web.server->connections() == 0; }));
}

TEST_CASE("web server: a body that nobody reads is read over, the next request is answered") {
    Web web{mirror};
    const std::string answer = ask(web,
                                   "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                                   "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(answer.contains("POST /a"));
    CHECK(answer.contains("GET /b"));
}

TEST_CASE("web server: 100 (Continue) is sent when the body is wanted, and only then") {
    Web wants{echo_body};
    RawClient client{wants};
    client.say(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: "
        "close\r\n\r\n");
    REQUIRE(wants.until([&] { return client.text.contains("\r\n\r\n"); }));
    CHECK(client.text == "HTTP/1.1 100 Continue\r\n\r\n");
    client.say("hello");
    REQUIRE(wants.until([&] { return client.closed.has_value(); }));
    CHECK(client.text.ends_with("\r\n\r\nhello"));

    Web refuses{[](std::shared_ptr<Exchange> exchange) {
        exchange->respond({.status = 413}, std::string_view{});
    }};
    const std::string answer = ask(refuses,
                                   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "
                                   "5\r\nExpect: 100-continue\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 413 Content Too Large\r\n"));
}

TEST_CASE(
    "web server: a response of unknown length is chunked; for HTTP/1.0 it ends with the "
    "connection") {
    const auto stream = [](std::shared_ptr<Exchange> exchange) {
        exchange->start({.status = 200});
        CHECK(exchange->write(as_bytes("hello ")) == Written::Queued);
        CHECK(exchange->write(as_bytes("world, again")) == Written::Queued);
        exchange->finish();
    };
    Web web{stream};
    const std::string chunked = ask(web, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(chunked.contains("Transfer-Encoding: chunked\r\n"));
    CHECK(body_of(chunked) == "6\r\nhello \r\nc\r\nworld, again\r\n0\r\n\r\n");
    const std::string old = ask(web, "GET / HTTP/1.0\r\n\r\n");
    CHECK_FALSE(old.contains("Transfer-Encoding"));
    CHECK(body_of(old) == "hello world, again");
}

TEST_CASE("web server: fields that would break the head, or its framing, are not passed on") {
    Web web{[](std::shared_ptr<Exchange> exchange) {
        exchange->respond({.status = 200,
                           .fields = {{"X-Split", "a\r\nSet-Cookie: evil=1"},
                                      {"Bad Name", "b"},
                                      {"Content-Length", "999"},
                                      {"Transfer-Encoding", "chunked"},
                                      {"X-Good", "yes"}}},
                          std::string_view{"ok"});
    }};
    const std::string answer = ask(web, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK_FALSE(answer.contains("evil"));
    CHECK_FALSE(answer.contains("Bad Name"));
    CHECK_FALSE(answer.contains("999"));
    CHECK_FALSE(answer.contains("chunked"));
    CHECK(answer.contains("X-Good: yes\r\n"));
}

TEST_CASE("web server: a large response waits for a slow client and arrives whole") {
    constexpr std::size_t total = 64'000'000;
    const std::string block = pattern(100'000);
    struct Source {
        std::shared_ptr<Exchange> exchange;
        std::size_t sent = 0;
        std::size_t most_buffered = 0;
        int refused = 0;
    } source;
    const auto push = [&] {
        while (source.sent < total) {
            if (source.exchange->write(as_bytes(block)) != Written::Queued) {
                ++source.refused;
                return;
            }
            source.sent += block.size();
            source.most_buffered = std::max(source.most_buffered, source.exchange->buffered());
        }
        source.exchange->finish();
        source.exchange.reset();
    };
    Web web{[&](std::shared_ptr<Exchange> exchange) {
        source.exchange = std::move(exchange);
        source.exchange->start({.status = 200, .fields = {}, .length = total});
        source.exchange->on_writable(push);
        push();
    }};
    RawClient client{web};
    std::size_t received = 0;
    bool intact = true;
    std::string head;
    client.stream->set_handlers({.on_open = {},
                                 .on_bytes =
                                     [&](BytesView bytes) {
                                         std::string_view text = as_text(bytes);
                                         if (!head.ends_with("\r\n\r\n")) {
                                             const auto end = text.find("\r\n\r\n");
                                             REQUIRE(end != std::string_view::npos);
                                             head = text.substr(0, end + 4);
                                             text.remove_prefix(end + 4);
                                         }
                                         for (const char c : text)
                                             intact &= c == block[received++ % block.size()];
                                     },
                                 .on_end = {},
                                 .on_writable = {},
                                 .on_closed = {}});
    client.stream->set_reading(Reading::Paused);
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(web.until([&] { return source.refused > 0; }));
    client.stream->set_reading(Reading::Flowing);
    REQUIRE(web.until([&] { return received == total; }));
    CHECK(intact);
    CHECK(source.most_buffered < 8'000'000);
}

TEST_CASE("web server: a large request body waits for a slow handler") {
    const std::string body = pattern(8'000'000);
    std::size_t received = 0;
    std::shared_ptr<Exchange> held;
    Web web{[&](std::shared_ptr<Exchange> exchange) {
        held = exchange;
        exchange->read_body({.on_bytes =
                                 [&](BytesView bytes) {
                                     received += bytes.size();
                                     if (received > 100'000) held->set_reading(Reading::Paused);
                                 },
                             .on_end =
                                 [&](BodyEnd how) {
                                     CHECK(how == BodyEnd::Complete);
                                     held->respond({}, std::string_view{"thanks"});
                                 }});
    }};
    RawClient client{web};
    const std::string head = "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " +
                             std::to_string(body.size()) + "\r\n\r\n";
    client.say(head);
    std::size_t sent = 0;
    while (sent < body.size() &&
           client.stream->write(as_bytes(body.substr(sent, 500'000))) == Written::Queued) {
        sent += 500'000;
    }
    REQUIRE(web.until([&] { return received > 100'000; }));
    const std::size_t stopped_at = received;
    CHECK(web.loop.run_until([&] { return received > stopped_at; }, 20ms) ==
          Loop::Outcome::DeadlinePassed);
    received = 0;
    std::size_t more = stopped_at;
    // From here on every callback pauses again; the handler lets it flow from outside.
    while (!client.closed) {
        held->set_reading(Reading::Flowing);
        if (sent < body.size() &&
            client.stream->write(as_bytes(body.substr(sent, 500'000))) == Written::Queued) {
            sent += 500'000;
        }
        REQUIRE(web.until([&] { return received > 0 || client.closed; }));
        more += std::exchange(received, 0);
    }
    CHECK(more == body.size());
    CHECK(client.text.ends_with("thanks"));
}

TEST_CASE("web server: tells a handler that its client has gone") {
    bool aborted = false;
    std::shared_ptr<Exchange> held;
    Web web{[&](std::shared_ptr<Exchange> exchange) {
        held = exchange;
        exchange->on_aborted([&] { aborted = true; });
    }};
    auto client = std::make_unique<RawClient>(web);
    client->say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(web.until([&] { return held != nullptr; }));
    client.reset();
    REQUIRE(web.until([&] { return aborted; }));
    // Late calls do nothing.
    held->respond({}, std::string_view{"nobody"});
    CHECK(held->write(as_bytes("x")) == Written::Closed);
    CHECK_FALSE(held->take_over({.status = 101}));
}

TEST_CASE("web server: a client that goes in mid-body ends the body as aborted") {
    std::optional<BodyEnd> end;
    std::shared_ptr<Exchange> held;
    Web web{[&](std::shared_ptr<Exchange> exchange) {
        held = exchange;
        exchange->read_body({.on_bytes = {}, .on_end = [&](BodyEnd how) { end = how; }});
    }};
    auto client = std::make_unique<RawClient>(web);
    client->say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    REQUIRE(web.until([&] { return held != nullptr; }));
    client.reset();
    REQUIRE(web.until([&] { return end.has_value(); }));
    CHECK(*end == BodyEnd::Aborted);
}

TEST_CASE("web server: an aborted or short response is never taken for a whole one") {
    for (const bool chunked : {false, true}) {
        CAPTURE(chunked);
        Web web{[chunked](std::shared_ptr<Exchange> exchange) {
            HttpResponse response{.status = 200};
            if (!chunked) response.length = 100;
            exchange->start(response);
            CHECK(exchange->write(as_bytes("part")) == Written::Queued);
            if (chunked) {
                exchange->abort();
            } else {
                exchange->finish();  // 96 octets too early
            }
        }};
        RawClient client{web};
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        REQUIRE(web.until([&] { return client.closed.has_value(); }));
        // Either the reset overtakes the bytes, or they are there without their end.
        CHECK_FALSE(body_of(client.text).ends_with("0\r\n\r\n"));
        CHECK(body_of(client.text).size() < 100);
        CHECK(client.closed->reason == CloseReason::Reset);
    }
}

TEST_CASE("web server: a handler that forgets to answer makes a 500") {
    Web web{[](const std::shared_ptr<Exchange>&) {}};
    CHECK(ask(web, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 500 "));
}

TEST_CASE("web server: slow heads, idle connections and stuck bodies end in time") {
    const WebTimeouts quick{.head = 30ms, .keep_alive = 30ms, .body = 30ms};
    Web web{echo_body, quick};
    CHECK(ask(web, "GET / HT").starts_with("HTTP/1.1 408 "));
    CHECK(ask(web, "").empty());
    CHECK(ask(web, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhal")
              .starts_with("HTTP/1.1 408 "));
    // Answered, then idle.
    const std::string answer =
        ask(web, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
    CHECK(answer.starts_with("HTTP/1.1 200 "));
    CHECK(answer.ends_with("ok"));
}

TEST_CASE("web server: a client that takes nothing is given up") {
    bool aborted = false;
    Web web{[&](std::shared_ptr<Exchange> exchange) {
                exchange->on_aborted([&] { aborted = true; });
                exchange->start({.status = 200});
                while (exchange->write(as_bytes(pattern(1'000'000))) == Written::Queued) {
                }
                exchange->on_writable([exchange] {});  // keeps it
            },
            {.body = 50ms}};
    RawClient client{web};
    client.stream->set_reading(Reading::Paused);
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(web.until([&] { return aborted; }));
    CHECK(web.server->connections() == 0);
}

TEST_CASE("web server: hands a connection over, with what came after the request") {
    std::optional<Exchange::TakenOver> taken;
    Web web{[&](std::shared_ptr<Exchange> exchange) {
        CHECK(exchange->request().fields.has_token("Connection", "upgrade"));
        taken = exchange->take_over(
            {.status = 101, .fields = {{"Upgrade", "echo"}, {"Connection", "Upgrade"}}});
    }};
    RawClient client{web};
    client.say(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: keep-alive, "
        "Upgrade\r\n\r\nearly");
    REQUIRE(web.until([&] { return client.text.contains("\r\n\r\n"); }));
    REQUIRE(taken.has_value());
    CHECK(client.text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    CHECK(client.text.contains("Upgrade: echo\r\n"));
    CHECK(taken->received == to_bytes("early"));
    CHECK(web.server->connections() == 0);
    CHECK(taken->stream->write(as_bytes("from the new owner")) == Written::Queued);
    CHECK(web.until([&] { return client.text.ends_with("from the new owner"); }));
    taken.reset();  // before the loop
}

TEST_CASE("web server: draining closes idle connections and finishes busy ones") {
    std::shared_ptr<Exchange> held;
    Web web{[&](std::shared_ptr<Exchange> exchange) {
        if (exchange->request().target == "/slow") {
            held = std::move(exchange);
        } else {
            mirror(std::move(exchange));
        }
    }};
    RawClient idle{web};
    idle.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    RawClient busy{web};
    busy.say("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(web.until([&] { return held && !idle.text.empty(); }));
    web.server->drain();
    REQUIRE(web.until([&] { return idle.closed.has_value(); }));
    CHECK_FALSE(busy.closed);
    held->respond({}, std::string_view{"done"});
    REQUIRE(web.until([&] { return busy.closed.has_value(); }));
    CHECK(busy.text.ends_with("done"));
}

TEST_CASE("web server: may be destroyed by its handler, and with requests under way") {
    std::shared_ptr<Exchange> held;
    Web web{[&](std::shared_ptr<Exchange> exchange) {
        held = std::move(exchange);
        web.server.reset();
    }};
    RawClient client{web};
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(web.until([&] { return client.closed.has_value(); }));
    held->respond({}, std::string_view{"late"});
    CHECK(client.text.empty());
}

TEST_CASE("web client: gets over TLS what the server answers, in every framing") {
    const testing::TestAuthority authority;
    const auto issued = authority.issue({.alternative_names = "DNS:example.org"});
    const auto server_context =
        *TlsContext::server({.certificate_pem = issued.certificate_pem, .key_pem = issued.key_pem});
    const auto client_context =
        *TlsContext::client({.host = "example.org", .ca_pem = authority.pem()});
    Loop loop;
    const std::string large = pattern(500'000);
    WebServer server{loop, [&](std::shared_ptr<Exchange> exchange) {
                         CHECK(exchange->security() == Exchange::Security::Tls);
                         CHECK(exchange->request().fields.find("Host") == "example.org");
                         if (exchange->request().target == "/chunked") {
                             exchange->start({});
                             CHECK(exchange->write(as_bytes(large)) == Written::Queued);
                             exchange->finish();
                         } else if (exchange->request().target == "/login") {
                             echo_body(std::move(exchange));
                         } else {
                             exchange->respond({.status = 404}, large);
                         }
                     }};
    const auto listener = *TcpListener::open(loop, any, [&](std::unique_ptr<TcpStream> stream) {
        server.serve(std::make_unique<TlsStream>(loop, std::move(stream), server_context));
    });
    const auto call = [&](HttpClientRequest request) {
        std::optional<std::expected<HttpAnswer, HttpClientError>> result;
        request.host = "example.org";
        const HttpClientCall running{
            loop,
            std::make_unique<TlsStream>(loop, TcpStream::connect(loop, listener->local_address()),
                                        client_context),
            std::move(request), [&](auto got) { result = std::move(got); }};
        REQUIRE(loop.run_until([&] { return result.has_value(); }, 20s) == Loop::Outcome::Done);
        return *std::move(result);
    };
    const auto chunked = call({.target = "/chunked"});
    REQUIRE(chunked.has_value());
    CHECK(chunked->status == 200);
    CHECK(chunked->body == to_bytes(large));
    const auto posted = call({.method = "POST", .target = "/login", .body = to_bytes("secret")});
    CHECK(posted->body == to_bytes("secret"));
    CHECK(call({.target = "/none"})->status == 404);
    CHECK(call({.method = "HEAD", .target = "/none"})->body.empty());
    const auto too_large = call({.target = "/chunked", .most_body = 499'999});
    REQUIRE_FALSE(too_large.has_value());
    CHECK(too_large.error().text.contains("larger"));
}

TEST_CASE("web client: says what is wrong with an answer, and when none comes") {
    struct Row {
        std::string answer;
        CloseReason reason;
    };
    for (const Row& row : std::vector<Row>{
             {"SSH-2.0-OpenSSH\r\n\r\n", CloseReason::Protocol},
             {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", CloseReason::Truncated},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", CloseReason::Protocol},
             {"", CloseReason::Truncated},
         }) {
        CAPTURE(row.answer);
        Loop loop;
        std::unique_ptr<TcpStream> server;
        const auto listener = *TcpListener::open(loop, any, [&](std::unique_ptr<TcpStream> stream) {
            server = std::move(stream);
            CHECK(server->write(as_bytes(row.answer)) == Written::Queued);
            server->close();
        });
        std::optional<std::expected<HttpAnswer, HttpClientError>> result;
        const HttpClientCall call{loop,
                                  TcpStream::connect(loop, listener->local_address()),
                                  {.host = "a"},
                                  [&](auto got) { result = std::move(got); }};
        REQUIRE(loop.run_until([&] { return result.has_value(); }, 20s) == Loop::Outcome::Done);
        REQUIRE_FALSE(result->has_value());
        CHECK(result->error().reason == row.reason);
    }
    Loop loop;
    std::optional<std::expected<HttpAnswer, HttpClientError>> result;
    std::unique_ptr<TcpStream> kept;
    const auto mute = *TcpListener::open(
        loop, any, [&](std::unique_ptr<TcpStream> stream) { kept = std::move(stream); });
    const HttpClientCall call{loop,
                              TcpStream::connect(loop, mute->local_address()),
                              {.host = "a", .deadline = 30ms},
                              [&](auto got) { result = std::move(got); }};
    REQUIRE(loop.run_until([&] { return result.has_value(); }, 20s) == Loop::Outcome::Done);
    CHECK(result->error().reason == CloseReason::TimedOut);
}

TEST_CASE("web client: a connection that has ended already is told at once, with its reason") {
    Loop loop;
    SocketAddress nobody;
    {
        const auto gone = *TcpListener::open(loop, any, [](auto) {});
        nobody = gone->local_address();
    }
    const auto listener = *TcpListener::open(loop, any, [](auto) {});
    const auto outcome = [&](std::unique_ptr<Stream> stream) {
        std::optional<std::expected<HttpAnswer, HttpClientError>> result;
        const HttpClientCall call{
            loop, std::move(stream), {.host = "a"}, [&](auto got) { result = std::move(got); }};
        REQUIRE(loop.run_until([&] { return result.has_value(); }, 5s) == Loop::Outcome::Done);
        REQUIRE_FALSE(result->has_value());
        return result->error().reason;
    };
    // Nobody was told when it ended.
    auto closed = TcpStream::connect(loop, listener->local_address());
    closed->close();
    CHECK(outcome(std::move(closed)) == CloseReason::Local);
    auto refused = TcpStream::connect(loop, nobody);
    bool waited = false;
    Timer timer{loop, [&] { waited = true; }};
    timer.arm_after(50ms);
    REQUIRE(loop.run_until([&] { return waited; }, 5s) == Loop::Outcome::Done);
    CHECK(outcome(std::move(refused)) == CloseReason::Reset);
    // One that ends before the request was written.
    TcpOptions nowhere;
    nowhere.local = *SocketAddress::parse("192.0.2.1:0");
    CHECK(outcome(TcpStream::connect(loop, nobody, nowhere)) == CloseReason::Failed);
}

TEST_CASE("http date: the example of RFC 9110 Section 5.6.7") {
    CHECK(http_date(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace stile::drivers
