// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "pair.hpp"

#include <doctest/doctest.h>
#include <stile/quic/limits.hpp>

namespace stile::quic {
namespace {

RequestHead get(std::string path) {
    return {.method = "GET", .scheme = "https", .authority = "bob", .path = std::move(path)};
}

TEST_CASE("quic transfer: heads, bodies and trailers arrive as they were sent, both ways") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    Connection& client = *pair.client.connection;
    Connection& server = *pair.server.connection;
    const RequestHead asked{.method = "POST",
                            .scheme = "https",
                            .authority = "bob.example.org",
                            .path = "/in?x=1",
                            .fields = {{"content-type", "text/plain"}, {"x-empty", ""}}};
    const auto stream = client.request(asked, More::Yes);
    REQUIRE(stream);
    CHECK(client.push_body(*stream, to_bytes("hello, ")) == SendResult::Taken);
    CHECK(client.push_borrowed(*stream, as_bytes("world")) == SendResult::Taken);
    CHECK(client.end_body(*stream, {{"content-digest", "sha-256=:x:"}}) == SendResult::Taken);
    CHECK(client.end_body(*stream) == SendResult::Gone);
    CHECK(client.push_body(*stream, to_bytes("more")) == SendResult::Gone);
    pair.run_for(50ms);

    const auto* request = pair.server.find<event::RequestReceived>();
    REQUIRE(request != nullptr);
    CHECK(request->head == asked);
    CHECK(as_text(server.body(request->stream)) == "hello, world");
    const auto* trailers = pair.server.find<event::TrailersReceived>();
    REQUIRE(trailers != nullptr);
    CHECK(trailers->fields == std::vector<Field>{{"content-digest", "sha-256=:x:"}});
    CHECK(pair.server.count<event::StreamEnded>() == 1);
    server.consume(request->stream, 12);

    CHECK(server.respond(request->stream, {.status = 103, .fields = {{"link", "</x>"}}},
                         More::Yes) == SendResult::Taken);
    const ResponseHead answered{.status = 404, .fields = {{"content-length", "4"}}};
    CHECK(server.respond(request->stream, answered, More::Yes) == SendResult::Taken);
    CHECK(server.respond(request->stream, answered, More::Yes) == SendResult::Gone);
    CHECK(server.push_body(request->stream, to_bytes("gone")) == SendResult::Taken);
    CHECK(server.end_body(request->stream) == SendResult::Taken);
    pair.run_for(50ms);
    CHECK(pair.client.count<event::ResponseReceived>() == 2);
    CHECK(pair.client.find<event::ResponseReceived>()->head.status == 103);
    CHECK(as_text(client.body(*stream)) == "gone");
    CHECK(pair.client.count<event::StreamClosed>() == 0);  // not before all is read
    client.consume(*stream, 4);
    pair.run_for(50ms);
    CHECK(pair.client.count<event::StreamClosed>() == 1);
    CHECK(pair.server.count<event::StreamClosed>() == 1);
}

TEST_CASE("quic transfer: 10 MB arrive whole, and the sender holds no more than its bound") {
    Pair pair{{}};
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    constexpr std::size_t size = 10'000'000;
    const auto stream = client.get(size);
    REQUIRE(stream);
    REQUIRE(pair.run_until([&] { return client.closed == 1; }));
    CHECK(client.received[*stream] == size);
    CHECK(client.wrong == 0);
    CHECK(server.most_pushed_at_once <= most_unsent_octets + 100'000);
}

TEST_CASE("quic transfer: a reader that does not consume holds the sender back at the window") {
    PairConfig config;
    config.client.first_window = 200'000;
    config.client.most_window = 200'000;
    Pair pair{config};
    BodyServer server{pair};
    BodyClient client{pair};
    client.reading = false;
    REQUIRE(pair.connect());
    const auto stream = client.get(5'000'000);
    REQUIRE(stream);
    pair.run_for(10s);
    const std::size_t unread = pair.client.connection->body(*stream).size();
    CHECK(unread > 190'000);
    CHECK(unread <= 200'000);

    client.reading = true;
    client.read(*stream);
    REQUIRE(pair.run_until([&] { return client.closed == 1; }));
    CHECK(client.received[*stream] == 5'000'000);
    CHECK(client.wrong == 0);
}

TEST_CASE("quic transfer: a hundred requests at once") {
    Pair pair{{}};
    BodyServer server{pair};
    BodyClient client{pair};
    REQUIRE(pair.connect());
    for (std::size_t i = 0; i < 100; ++i) REQUIRE(client.get(1'000 + i));
    REQUIRE(pair.run_until([&] { return client.closed == 100; }));
    CHECK(client.wrong == 0);
    std::size_t i = 0;
    for (const auto& [stream, octets] : client.received) CHECK(octets == 1'000 + i++);
    CHECK(pair.now - Instant{} < 500ms);
}

TEST_CASE("quic transfer: whole through loss and reordering, whatever the seed") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        PairConfig config;
        config.seed = seed;
        config.link = {.delay = 10ms, .jitter = 5ms, .loss_per_mille = 30};
        config.client.congestion =
            seed % 2 == 0 ? CongestionControl::Bbr : CongestionControl::Cubic;
        config.server.congestion = config.client.congestion;
        Pair pair{config};
        BodyServer server{pair};
        BodyClient client{pair};
        REQUIRE(pair.connect());
        const auto stream = client.get(300'000);
        REQUIRE(client.get(50'000));
        REQUIRE(stream);
        REQUIRE(pair.run_until([&] { return client.closed == 2; }));
        CHECK(client.received[*stream] == 300'000);
        CHECK(client.wrong == 0);
    }
}

TEST_CASE("quic transfer: a request may leave as soon as the client has completed") {
    Pair pair{{}};
    BodyServer server{pair};
    BodyClient reader{pair};
    const auto inner = pair.client.application;
    pair.client.application = [&](Event& event) {
        if (std::holds_alternative<event::Completed>(event)) CHECK(reader.get(10));
        inner(event);
    };
    CHECK(pair.run_until([&] { return reader.ended == 1; }, 45ms));  // two round trips of 20 ms
}

TEST_CASE("quic transfer: at most so many requests at a time, and word when there is room") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    Connection& client = *pair.client.connection;
    for (std::size_t i = 0; i < most_parallel_requests; ++i) {
        REQUIRE(client.request(get("/"), More::No));
    }
    CHECK(client.request(get("/"), More::No).error() == RequestError::TooMany);
    pair.run_for(100ms);
    CHECK(pair.server.count<event::RequestReceived>() == most_parallel_requests);
    CHECK(client.request(get("/"), More::No).error() == RequestError::TooMany);
    CHECK(pair.server.connection->respond(pair.server.find<event::RequestReceived>()->stream,
                                          {.status = 204}, More::No) == SendResult::Taken);
    pair.run_for(100ms);
    CHECK(pair.client.count<event::RequestsPossible>() == 1);
    CHECK(client.request(get("/"), More::No));
}

TEST_CASE("quic transfer: heads that HTTP/3 cannot say are refused before anything is sent") {
    Pair pair{{}};
    CHECK(pair.client.connection->request(get("/"), More::No).error() == RequestError::NotReady);
    REQUIRE(pair.connect());
    Connection& client = *pair.client.connection;
    const auto error = [&](RequestHead head) {
        const auto result = client.request(head, More::No);
        return result ? std::optional<RequestError>{} : result.error();
    };
    const auto with = [](Field field) {
        RequestHead head = get("/");
        head.fields.push_back(std::move(field));
        return head;
    };
    CHECK(error(with({"Upper", "x"})) == RequestError::Invalid);
    CHECK(error(with({":path", "/"})) == RequestError::Invalid);
    CHECK(error(with({"", "x"})) == RequestError::Invalid);
    CHECK(error(with({"a", "x\r\ny: z"})) == RequestError::Invalid);
    CHECK(error(with({"a", " x"})) == RequestError::Invalid);
    CHECK(error(get("")) == RequestError::Invalid);
    CHECK(error({.method = "GET /", .scheme = "https", .authority = "a", .path = "/"}) ==
          RequestError::Invalid);
    CHECK(error({.method = "CONNECT", .scheme = "https", .authority = "a:1", .path = "/"}) ==
          RequestError::Invalid);
    CHECK_FALSE(error({.method = "CONNECT", .authority = "a:1"}));

    RequestHead many = get("/");
    for (std::size_t i = 0; i < most_fields; ++i) many.fields.push_back({"a", "b"});
    CHECK_FALSE(error(many));
    many.fields.push_back({"a", "b"});
    CHECK(error(many) == RequestError::Invalid);
    CHECK_FALSE(error(with({"a", std::string(most_field_section_octets - 33, 'v')})));
    CHECK(error(with({"a", std::string(most_field_section_octets - 32, 'v')})) ==
          RequestError::Invalid);
    CHECK(pair.server.connection->request(get("/"), More::No).error() == RequestError::NotClient);
}

TEST_CASE("quic transfer: a head beyond the limits of the receiver resets its stream alone") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    Connection& client = *pair.client.connection;
    // Pseudo-header fields count too, so that what may just be sent is just too much to take.
    const auto big =
        client.request({.method = "GET",
                        .scheme = "https",
                        .authority = "bob",
                        .path = "/",
                        .fields = {{"a", std::string(most_field_section_octets - 33, 'v')}}},
                       More::No);
    const auto small = client.request(get("/1"), More::No);
    REQUIRE(big);
    REQUIRE(small);
    pair.run_for(200ms);
    CHECK(pair.server.count<event::RequestReceived>() == 1);
    const auto* reset = pair.client.find<event::StreamReset>();
    REQUIRE(reset != nullptr);
    CHECK(reset->stream == *big);
    CHECK(reset->code == excessive_load);
    CHECK(pair.client.count<event::StreamClosed>() == 1);
}

TEST_CASE("quic transfer: informational responses without end are cut off") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    REQUIRE(pair.client.connection->request(get("/"), More::No));
    pair.run_for(50ms);
    const StreamId stream = pair.server.find<event::RequestReceived>()->stream;
    for (std::size_t i = 0; i <= most_informational_responses; ++i) {
        CHECK(pair.client.count<event::StreamClosed>() == 0);
        CHECK(pair.client.count<event::ResponseReceived>() == i);
        CHECK(pair.server.connection->respond(stream, {.status = 103}, More::Yes) ==
              SendResult::Taken);
        pair.run_for(100ms);
    }
    CHECK(pair.client.count<event::ResponseReceived>() == most_informational_responses);
    CHECK(pair.server.count<event::StreamReset>() == 1);
    CHECK(pair.client.count<event::StreamClosed>() == 1);
}

TEST_CASE("quic transfer: a reset ends both messages, on both sides") {
    for (const bool by_client : {true, false}) {
        CAPTURE(by_client);
        Pair pair{{}};
        BodyServer server{pair};
        BodyClient client{pair};
        REQUIRE(pair.connect());
        const auto stream = client.get(50'000'000);
        REQUIRE(stream);
        pair.run_for(100ms);
        Pair::Side& resetting = by_client ? pair.client : pair.server;
        Pair::Side& told = by_client ? pair.server : pair.client;
        resetting.connection->reset_stream(*stream, request_cancelled);
        pair.run_for(500ms);
        REQUIRE(told.count<event::StreamReset>() == 1);
        CHECK(resetting.count<event::StreamReset>() == 0);
        CHECK(told.find<event::StreamReset>()->code == request_cancelled);
        CHECK(told.count<event::StreamClosed>() == 1);
        CHECK(resetting.count<event::StreamClosed>() == 1);
        CHECK(resetting.count<event::Closed>() == 0);
        // The connection's window was given back: another body still gets through.
        const auto next = client.get(3'000'000);
        REQUIRE(next);
        REQUIRE(pair.run_until([&] { return client.received[*next] == 3'000'000; }));
        CHECK(client.wrong == 0);
    }
}

TEST_CASE("quic transfer: consuming what a reset took away does no harm") {
    Pair pair{{}};
    BodyServer server{pair};
    BodyClient client{pair};
    client.reading = false;
    REQUIRE(pair.connect());
    const auto stream = client.get(50'000'000);
    REQUIRE(stream);
    pair.run_for(100ms);
    const std::size_t seen = pair.client.connection->body(*stream).size();
    CHECK(seen > 0);
    pair.server.connection->reset_stream(*stream, internal_error);
    pair.run_for(100ms);
    CHECK(pair.client.connection->body(*stream).empty());
    pair.client.connection->consume(*stream, seen);
    pair.client.connection->consume({4'000}, seen);
    client.reading = true;
    const auto next = client.get(3'000'000);
    REQUIRE(next);
    CHECK(pair.run_until([&] { return client.received[*next] == 3'000'000; }));
}

TEST_CASE(
    "quic transfer: what is pushed is taken up to the bound, and word comes when there is room") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    Connection& client = *pair.client.connection;
    const auto stream = client.request(
        {.method = "PUT", .scheme = "https", .authority = "bob", .path = "/"}, More::Yes);
    REQUIRE(stream);
    CHECK(client.push_body(*stream, Bytes(most_unsent_octets - 1)) == SendResult::Taken);
    CHECK(client.push_body(*stream, Bytes(2)) == SendResult::Taken);
    CHECK(client.push_body(*stream, Bytes(1)) == SendResult::Full);
    CHECK(client.push_borrowed(*stream, as_bytes("x")) == SendResult::Full);
    pair.server.application = [&](Event& event) {
        if (const auto* body = std::get_if<event::BodyReceived>(&event)) {
            Connection& server = *pair.server.connection;
            server.consume(body->stream, server.body(body->stream).size());
        }
    };
    REQUIRE(pair.run_until([&] { return pair.client.count<event::BodyWritable>() == 1; }));
    CHECK(client.push_body(*stream, Bytes(1)) == SendResult::Taken);
}

TEST_CASE("quic transfer: largest chunks, each at the limit") {
    PairConfig config;
    config.link.delay = 1ms;
    Pair pair{config};
    REQUIRE(pair.connect());
    Connection& client = *pair.client.connection;
    const auto stream = client.request(
        {.method = "PUT", .scheme = "https", .authority = "bob", .path = "/"}, More::Yes);
    REQUIRE(stream);
    CHECK(client.push_body(*stream, Bytes(most_chunk_octets)) == SendResult::Taken);
    CHECK(client.push_body(*stream, Bytes(most_chunk_octets)) == SendResult::Full);
    CHECK(client.end_body(*stream) == SendResult::Taken);
    std::size_t received = 0;
    pair.server.application = [&](Event& event) {
        if (const auto* body = std::get_if<event::BodyReceived>(&event)) {
            Connection& server = *pair.server.connection;
            received += server.body(body->stream).size();
            server.consume(body->stream, server.body(body->stream).size());
        }
    };
    CHECK(pair.run_until([&] { return received == most_chunk_octets; }));
}

TEST_CASE("quic transfer: an empty body and an empty chunk are no trouble") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    Connection& client = *pair.client.connection;
    const auto stream = client.request(
        {.method = "PUT", .scheme = "https", .authority = "bob", .path = "/"}, More::Yes);
    REQUIRE(stream);
    CHECK(client.push_body(*stream, {}) == SendResult::Taken);
    CHECK(client.end_body(*stream) == SendResult::Taken);
    pair.run_for(50ms);
    CHECK(pair.server.count<event::StreamEnded>() == 1);
    CHECK(pair.server.count<event::BodyReceived>() == 0);
}

TEST_CASE("quic transfer: a tunnel carries octets both ways until one side ends it") {
    Pair pair{{}};
    REQUIRE(pair.connect());
    Connection& client = *pair.client.connection;
    Connection& server = *pair.server.connection;
    const auto stream =
        client.request({.method = "CONNECT", .authority = "localhost:22"}, More::Yes);
    REQUIRE(stream);
    pair.run_for(50ms);
    const auto* request = pair.server.find<event::RequestReceived>();
    REQUIRE(request != nullptr);
    CHECK(request->head == RequestHead{.method = "CONNECT", .authority = "localhost:22"});
    CHECK(server.respond(request->stream, {.status = 200}, More::Yes) == SendResult::Taken);
    for (int round = 0; round < 3; ++round) {
        CHECK(client.push_body(*stream, to_bytes("ping")) == SendResult::Taken);
        pair.run_for(50ms);
        CHECK(as_text(server.body(*stream)) == "ping");
        server.consume(*stream, 4);
        CHECK(server.push_body(*stream, to_bytes("pong")) == SendResult::Taken);
        pair.run_for(50ms);
        CHECK(as_text(client.body(*stream)) == "pong");
        client.consume(*stream, 4);
    }
    CHECK(client.end_body(*stream) == SendResult::Taken);
    CHECK(server.end_body(*stream) == SendResult::Taken);
    pair.run_for(100ms);
    CHECK(pair.client.count<event::StreamClosed>() == 1);
    CHECK(pair.server.count<event::StreamClosed>() == 1);
}

}  // namespace
}  // namespace stile::quic
