// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/tunnel.hpp>

#include <doctest/doctest.h>

#include <array>

namespace stile::drivers {
namespace {

using namespace std::chrono_literals;

const SocketAddress any = *SocketAddress::parse("127.0.0.1:0");
constexpr std::string_view established = "HTTP/1.1 200 Connection established\r\n\r\n";

// A proxy that says what the test wants, and a client of it.
struct Tunnelled {
    explicit Tunnelled(TunnelOptions options = {
                           .proxy = {}, .host = "192.0.2.9", .port = Port{443}}) {
        listener = *TcpListener::open(loop, any, [this](std::unique_ptr<TcpStream> accepted) {
            proxy = std::move(accepted);
            proxy->set_handlers({.on_open = {},
                                 .on_bytes = [this](BytesView bytes) { asked += as_text(bytes); },
                                 .on_end = {},
                                 .on_writable = {},
                                 .on_closed = [this](const Closed&) { proxy_closed = true; }});
        });
        options.proxy.host = "127.0.0.1";
        options.proxy.port = listener->local_address().port;
        stream = std::make_unique<TunnelStream>(
            loop, TcpStream::connect(loop, listener->local_address()), std::move(options));
        stream->set_handlers(handlers());
        REQUIRE(until([this] { return asked.ends_with("\r\n\r\n"); }));
    }
    StreamHandlers handlers() {
        return {.on_open = [this] { open = true; },
                .on_bytes = [this](BytesView bytes) { got += as_text(bytes); },
                .on_end = {},
                .on_writable = {},
                .on_closed = [this](Closed why) { closed = std::move(why); }};
    }
    bool until(std::move_only_function<bool()> done) {
        return loop.run_until(std::move(done), 10s) == Loop::Outcome::Done;
    }
    void answer(std::string_view text) { REQUIRE(proxy->write(as_bytes(text)) == Written::Queued); }

    Loop loop;
    std::unique_ptr<TcpListener> listener;
    std::unique_ptr<TcpStream> proxy;
    std::unique_ptr<TunnelStream> stream;
    std::string asked;
    std::string got;
    bool open = false;
    bool proxy_closed = false;
    std::optional<Closed> closed;
};

TEST_CASE("tunnel: asks as RFC 9110 Section 9.3.6 has it, then carries bytes both ways") {
    Tunnelled tunnel;
    CHECK(tunnel.asked == "CONNECT 192.0.2.9:443 HTTP/1.1\r\nHost: 192.0.2.9:443\r\n\r\n");
    CHECK_FALSE(tunnel.open);
    CHECK(tunnel.stream->peer_address() == *SocketAddress::parse("192.0.2.9:443"));
    tunnel.asked.clear();
    tunnel.answer(established);
    REQUIRE(tunnel.until([&] { return tunnel.open; }));
    CHECK(tunnel.stream->write(as_bytes("ping")) == Written::Queued);
    REQUIRE(tunnel.until([&] { return tunnel.asked == "ping"; }));
    tunnel.answer("pong");
    REQUIRE(tunnel.until([&] { return tunnel.got == "pong"; }));
    tunnel.stream->close();
    REQUIRE(tunnel.until([&] { return tunnel.closed && tunnel.proxy_closed; }));
    CHECK(tunnel.closed->reason == CloseReason::Local);
}

TEST_CASE("tunnel: names and IPv6 addresses are written as a host is, the login by Basic") {
    Tunnelled name{
        {.proxy = {.host = {}, .port = {}, .login = HttpProxy::Login{"Aladdin", "open sesame"}},
         .host = "turn.example.org",
         .port = Port{5349}}};
    // RFC 7617 Section 2.
    CHECK(name.asked ==
          "CONNECT turn.example.org:5349 HTTP/1.1\r\nHost: turn.example.org:5349\r\n"
          "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
    CHECK(name.stream->peer_address() == name.listener->local_address());
    Tunnelled address{{.proxy = {}, .host = "2001:db8::1", .port = Port{443}}};
    CHECK(address.asked.starts_with("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n"));
}

TEST_CASE("tunnel: an answer in single octets, after an interim one, with bytes behind it") {
    Tunnelled tunnel;
    CHECK(tunnel.stream->write(as_bytes("early")) == Written::Queued);
    tunnel.asked.clear();
    // What says that it has a body has none.
    for (const char octet : std::string{"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.0 200 OK\r\n"
                                        "Content-Length: 5\r\n\r\nhello, you"}) {
        tunnel.answer({&octet, 1});
        (void)tunnel.loop.run_until([] { return false; }, 1ms);
    }
    REQUIRE(tunnel.until([&] { return tunnel.got == "hello, you"; }));
    CHECK(tunnel.until([&] { return tunnel.asked == "early"; }));
}

TEST_CASE("tunnel: what comes with the answer waits while reading is paused") {
    Tunnelled tunnel;
    tunnel.stream->set_reading(Reading::Paused);
    tunnel.answer(std::string{established} + "first ");
    REQUIRE(tunnel.until([&] { return tunnel.open; }));
    tunnel.answer("second");
    CHECK(tunnel.loop.run_until([&] { return !tunnel.got.empty(); }, 20ms) ==
          Loop::Outcome::DeadlinePassed);
    tunnel.stream->set_reading(Reading::Flowing);
    CHECK(tunnel.until([&] { return tunnel.got == "first second"; }));
}

TEST_CASE("tunnel: refusals say what is wrong, and the login in none of them") {
    struct Row {
        std::string answer;
        const char* text;
    };
    const std::string basic = "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"a\"\r\n\r\n";
    const std::string ntlm = "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\n\r\n";
    for (const bool with_login : {false, true}) {
        for (const Row& row :
             {Row{basic, with_login ? "does not take the user and password (status 407)"
                                    : "wants a user and a password (status 407)"},
              Row{ntlm, with_login ? "does not take the user and password"
                                   : "wants a login that is not spoken here, Negotiate"},
              Row{"HTTP/1.0 401 Unauthorized\r\n\r\n",
                  with_login ? "does not take the user and password (status 401)"
                             : "wants a user and a password (status 401)"},
              Row{"HTTP/1.1 403 Forbidden\r\n\r\n",
                  "does not connect to 192.0.2.9:443 (status 403)"},
              Row{"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n", "does not connect to"},
              Row{"SSH-2.0-OpenSSH\r\n\r\n", "does not answer as an HTTP proxy does"},
              Row{std::string(20'000, 'a'), "answers without end"}}) {
            CAPTURE(row.text);
            TunnelOptions options{.proxy = {}, .host = "192.0.2.9", .port = Port{443}};
            if (with_login) options.proxy.login = HttpProxy::Login{"user", "secret"};
            Tunnelled tunnel{std::move(options)};
            tunnel.answer(row.answer);
            REQUIRE(tunnel.until([&] { return tunnel.closed.has_value(); }));
            CHECK(tunnel.closed->reason == CloseReason::Proxy);
            CHECK(tunnel.closed->text.contains(row.text));
            CHECK(tunnel.closed->text.contains("127.0.0.1:"));
            CHECK_FALSE(tunnel.closed->text.contains("secret"));
            CHECK_FALSE(tunnel.open);
            CHECK(tunnel.stream->write(as_bytes("x")) == Written::Closed);
        }
    }
}

TEST_CASE("tunnel: a proxy that is not there, says nothing, or hangs up") {
    Loop loop;
    SocketAddress nobody;
    {
        nobody = (*TcpListener::open(loop, any, [](auto) {}))->local_address();
    }
    std::optional<Closed> closed;
    TunnelStream stream{
        loop,
        TcpStream::connect(loop, nobody),
        {.proxy = {"127.0.0.1", nobody.port, {}}, .host = "192.0.2.9", .port = Port{443}}};
    stream.set_handlers({.on_open = {},
                         .on_bytes = {},
                         .on_end = {},
                         .on_writable = {},
                         .on_closed = [&](Closed why) { closed = std::move(why); }});
    REQUIRE(loop.run_until([&] { return closed.has_value(); }, 10s) == Loop::Outcome::Done);
    CHECK(closed->reason == CloseReason::Refused);
    CHECK(closed->text.contains("HTTP proxy"));

    Tunnelled silent{{.proxy = {}, .host = "192.0.2.9", .port = Port{443}, .patience = 20ms}};
    REQUIRE(silent.until([&] { return silent.closed.has_value(); }));
    CHECK(silent.closed->reason == CloseReason::TimedOut);

    Tunnelled gone;
    gone.proxy.reset();
    REQUIRE(gone.until([&] { return gone.closed.has_value(); }));
    CHECK(gone.closed->reason == CloseReason::Proxy);
}

TEST_CASE("tunnel: may be destroyed or given new handlers in each of its callbacks") {
    for (int which = 0; which < 6; ++which) {
        CAPTURE(which);
        Tunnelled tunnel;
        bool called = false;
        const std::array<char, 200> captured{};
        const auto act = [&, captured, which] {
            if (which % 2 == 0) {
                tunnel.stream.reset();
            } else {
                tunnel.stream->set_handlers({});
            }
            called = captured[0] == 0;
        };
        StreamHandlers handlers;
        if (which / 2 == 0) handlers.on_open = [act] { act(); };
        if (which / 2 == 1) handlers.on_bytes = [act](BytesView) { act(); };
        if (which / 2 == 2) handlers.on_closed = [act](const Closed&) { act(); };
        tunnel.stream->set_handlers(std::move(handlers));
        tunnel.answer(which / 2 == 2 ? std::string{"HTTP/1.1 502 x\r\n\r\n"}
                                     : std::string{established} + "more");
        CHECK(tunnel.until([&] { return called; }));
        (void)tunnel.loop.run_until([] { return false; }, 5ms);
    }
}

}  // namespace
}  // namespace stile::drivers
