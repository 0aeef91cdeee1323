// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/mdns/resolver.hpp>
#include <stile/mdns/responder.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace stile::mdns {
namespace {

using namespace std::chrono_literals;

const HostName name = *HostName::parse("1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
const HostName other = *HostName::parse("2f4712db-ea17-4bcf-a596-105139dfd8bf.local");
const IpAddress four = IpAddress::v4({192, 168, 1, 7});
const IpAddress six = *IpAddress::parse("2001:db8::7");
const SocketAddress neighbour{IpAddress::v4({192, 168, 1, 8}), port};
constexpr Link lan{2};

Message answer(std::vector<AddressRecord> records) {
    Message message;
    message.kind = Message::Kind::Response;
    message.answers = std::move(records);
    return message;
}

Message query(const HostName& wanted, RecordType type = RecordType::A,
              Question::Reply reply = Question::Reply::Multicast) {
    Message message;
    message.questions = {{wanted, type, reply}};
    return message;
}

std::vector<Message> sent(Resolver& resolver) {
    std::vector<Message> messages;
    while (const auto octets = resolver.poll_transmit()) {
        messages.push_back(*Message::parse(*octets));
    }
    return messages;
}

TEST_CASE("mdns resolver: each family is asked for by a query of its own, and the answer is told") {
    Resolver resolver;
    Instant now{};
    resolver.resolve(now, name);
    resolver.resolve(now, name);  // once is enough
    const auto queries = sent(resolver);
    REQUIRE(queries.size() == 2);
    CHECK(queries[0] == query(name, RecordType::A));
    CHECK(queries[1] == query(name, RecordType::Aaaa));
    resolver.handle_response(now, answer({{other, six}}));
    resolver.handle_response(now, answer({{name, four, 0s}}));  // taken back
    resolver.handle_response(now, query(name));
    CHECK_FALSE(resolver.poll_event());
    resolver.handle_response(now, answer({{name, four}}));
    const auto event = resolver.poll_event();
    REQUIRE(event);
    CHECK(std::get<Resolver::Resolved>(*event).address == four);
    CHECK_FALSE(resolver.poll_timeout());
    resolver.handle_response(now, answer({{name, six}}));
    CHECK_FALSE(resolver.poll_event());
}

TEST_CASE("mdns resolver: a name with two addresses is of no use") {
    Resolver resolver;
    resolver.resolve(Instant{}, name);
    resolver.handle_response(Instant{}, answer({{name, four}, {name, six}}));
    const auto event = resolver.poll_event();
    REQUIRE(event);
    CHECK(std::get<Resolver::Failed>(*event).why == Resolver::Failure::Ambiguous);
    CHECK_FALSE(resolver.poll_timeout());
}

TEST_CASE("mdns resolver: queries leave ever more rarely, and after the last there is silence") {
    Resolver resolver;
    const Instant start{};
    resolver.resolve(start, name);
    std::vector<Duration> at;
    Instant now = start;
    while (const auto next = resolver.poll_timeout()) {
        if (!sent(resolver).empty()) at.push_back(now - start);
        now = *next;
        resolver.handle_timeout(now);
    }
    CHECK(at == std::vector<Duration>{0s, 1s, 3s});
    CHECK(now - start == 4s);
    const auto event = resolver.poll_event();
    REQUIRE(event);
    CHECK(std::get<Resolver::Failed>(*event).why == Resolver::Failure::Silent);
    // It may be asked for again.
    resolver.resolve(now, name);
    CHECK(sent(resolver).size() == 2);
}

TEST_CASE("mdns resolver: a late wake-up asks once, not for each time that has passed") {
    Resolver resolver;
    resolver.resolve(Instant{}, name);
    (void)sent(resolver);
    resolver.handle_timeout(Instant{} + 60s);
    CHECK(sent(resolver).size() == 2);
}

TEST_CASE("mdns resolver: names beyond the limit fail at once") {
    crypto::RandomStream random{crypto::seed_from_number(1)};
    Resolver resolver;
    for (std::size_t i = 0; i < limits::most_wanted; ++i) {
        resolver.resolve(Instant{}, HostName::random(random));
    }
    CHECK_FALSE(resolver.poll_event());
    resolver.resolve(Instant{}, name);
    const auto event = resolver.poll_event();
    REQUIRE(event);
    CHECK(std::get<Resolver::Failed>(*event).why == Resolver::Failure::TooMany);
}

TEST_CASE("mdns responder: answers for its names on their link alone, and for their family") {
    Responder responder;
    REQUIRE(responder.publish(name, four, lan));
    const Instant now{};
    responder.handle_query(now, Link{3}, neighbour, query(name));
    responder.handle_query(now, lan, neighbour, query(other));
    responder.handle_query(now, lan, neighbour, query(name, RecordType::Aaaa));
    CHECK_FALSE(responder.poll_transmit());
    responder.handle_query(now, lan, neighbour, query(name));
    const auto out = responder.poll_transmit();
    REQUIRE(out);
    CHECK(out->link == lan);
    CHECK_FALSE(out->to);
    CHECK(*Message::parse(out->octets) == answer({{name, four}}));
    CHECK_FALSE(responder.poll_transmit());
}

TEST_CASE("mdns responder: nobody is told of a name but who asks") {
    Responder responder;
    REQUIRE(responder.publish(name, four, lan));
    CHECK_FALSE(responder.poll_transmit());
    responder.withdraw(name);
    CHECK_FALSE(responder.poll_transmit());
}

TEST_CASE("mdns responder: within a second one answer to the group, and the next when it is over") {
    Responder responder;
    REQUIRE(responder.publish(name, four, lan));
    Instant now{};
    const auto ask = [&] { responder.handle_query(now, lan, neighbour, query(name)); };
    ask();
    REQUIRE(responder.poll_transmit());
    now += 100ms;
    ask();
    ask();
    CHECK_FALSE(responder.poll_transmit());
    CHECK(responder.poll_timeout() == Instant{} + 1s);
    now = Instant{} + 1s;
    responder.handle_timeout(now);
    CHECK(responder.poll_transmit());
    CHECK_FALSE(responder.poll_transmit());
    CHECK_FALSE(responder.poll_timeout());
}

TEST_CASE("mdns responder: who wants it alone, or knows only DNS, is answered alone and at once") {
    Responder responder;
    REQUIRE(responder.publish(name, four, lan));
    const Instant now{};
    responder.handle_query(now, lan, neighbour,
                           query(name, RecordType::Any, Question::Reply::Unicast));
    auto out = responder.poll_transmit();
    REQUIRE(out);
    CHECK(out->to == neighbour);
    Message by_dns = query(name);
    by_dns.id = 77;
    const SocketAddress resolver{neighbour.ip, Port{40'000}};
    responder.handle_query(now, lan, resolver, by_dns);
    out = responder.poll_transmit();
    REQUIRE(out);
    CHECK(out->to == resolver);
    const auto message = Message::parse(out->octets);
    REQUIRE(message);
    CHECK(message->id == 77);
    CHECK(message->questions == by_dns.questions);
    CHECK(message->answers == std::vector<AddressRecord>{{name, four, 10s}});
}

TEST_CASE("mdns responder: what the asker knows is not said again") {
    Responder responder;
    REQUIRE(responder.publish(name, four, lan));
    Message known = query(name);
    known.answers = {{name, four, 60s}};
    responder.handle_query(Instant{}, lan, neighbour, known);
    CHECK_FALSE(responder.poll_transmit());
    known.answers = {{name, four, 59s}};
    responder.handle_query(Instant{}, lan, neighbour, known);
    CHECK(responder.poll_transmit());
}

TEST_CASE("mdns responder: what was told is taken back") {
    Responder responder;
    REQUIRE(responder.publish(name, four, lan));
    responder.handle_query(Instant{}, lan, neighbour, query(name));
    REQUIRE(responder.poll_transmit());
    responder.withdraw(name);
    const auto out = responder.poll_transmit();
    REQUIRE(out);
    CHECK(*Message::parse(out->octets) == answer({{name, four, 0s}}));
    responder.handle_query(Instant{} + 5s, lan, neighbour, query(name));
    CHECK_FALSE(responder.poll_transmit());
}

TEST_CASE("mdns responder: names are published up to the limit") {
    crypto::RandomStream random{crypto::seed_from_number(2)};
    Responder responder;
    for (std::size_t i = 0; i < limits::most_published; ++i) {
        REQUIRE(responder.publish(HostName::random(random), four, lan));
    }
    CHECK_FALSE(responder.publish(name, four, lan));
}

TEST_CASE("mdns: a resolver finds what a responder publishes") {
    Resolver resolver;
    Responder responder;
    REQUIRE(responder.publish(name, six, lan));
    const Instant now{};
    resolver.resolve(now, name);
    for (const Message& message : sent(resolver)) {
        responder.handle_query(now, lan, neighbour, message);
    }
    while (const auto out = responder.poll_transmit()) {
        resolver.handle_response(now, *Message::parse(out->octets));
    }
    const auto event = resolver.poll_event();
    REQUIRE(event);
    CHECK(std::get<Resolver::Resolved>(*event).address == six);
}

}  // namespace
}  // namespace stile::mdns
