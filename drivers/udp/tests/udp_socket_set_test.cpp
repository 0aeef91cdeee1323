// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/udp_limits.hpp>
#include <stile/drivers/udp_socket_set.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace stile;
using namespace stile::drivers;
using namespace std::chrono_literals;

namespace {

using Set = UdpSocketSet;

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

struct Heard {
    std::uint64_t tag;
    Path path;
    std::string text;
    std::size_t merged;  // datagrams in the same arrival
};

// A set that remembers what it hears.
struct Listening {
    explicit Listening(Loop& loop)
        : set(loop,
              {.on_arrivals =
                   [this](Set::Id id, std::uint64_t tag, std::span<const Set::Arrival> all) {
                       for (const Set::Arrival& arrival : all) take(tag, arrival);
                       if (then) then(id, all);
                   },
               .on_icmp_error = [this](Set::Id, std::uint64_t tag,
                                       const IcmpError& error) { errors.emplace_back(tag, error); },
               .on_round = [this] { ++rounds; }}) {}

    void take(std::uint64_t tag, const Set::Arrival& arrival) {
        const std::size_t size = std::max<std::size_t>(arrival.segment_size, 1);
        const std::size_t merged = (arrival.payload.size() + size - 1) / size;
        BytesView rest = arrival.payload;
        do {
            const BytesView one = rest.first(std::min(size, rest.size()));
            rest = rest.subspan(one.size());
            heard.push_back({tag, arrival.path, std::string{as_text(one)}, merged});
        } while (!rest.empty());
    }

    std::vector<Heard> heard;
    std::vector<std::pair<std::uint64_t, IcmpError>> errors;
    int rounds = 0;
    std::move_only_function<void(Set::Id, std::span<const Set::Arrival>)> then;
    Set set;
};

bool run(Loop& loop, std::move_only_function<bool()> done) {
    return loop.run_until(std::move(done), 5s) == Loop::Outcome::Done;
}

Bytes octets(std::size_t size, char fill) { return Bytes(size, static_cast<std::byte>(fill)); }

}  // namespace

TEST_CASE("udp socket set: each arrival says which socket it came to") {
    Loop loop;
    Listening all{loop};
    std::vector<Set::Id> ids;
    for (std::uint64_t tag = 0; tag < 50; ++tag) {
        ids.push_back(*all.set.open(at("127.0.0.1:0"), {.tag = tag}));
    }
    CHECK(all.set.size() == 50);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::string text = std::to_string(i);
        all.set.send({.from = ids[0],
                      .path = {{}, all.set.local_address(ids[i])},
                      .prefix = {},
                      .payload = as_bytes(text)});
        all.set.flush();
    }
    REQUIRE(run(loop, [&] { return all.heard.size() == 50; }));
    for (const Heard& heard : all.heard) {
        CHECK(heard.text == std::to_string(heard.tag));
        CHECK(heard.path.remote == all.set.local_address(ids[0]));
        CHECK(heard.path.local == all.set.local_address(ids[heard.tag]));
    }
    CHECK(all.rounds > 0);
    CHECK(all.set.counters().received == 50);
}

TEST_CASE("udp socket set: a header goes in front of what arrived, in place or not") {
    Loop loop;
    Listening all{loop};
    const auto relay = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto client = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    const auto peer = *all.set.open(at("127.0.0.1:0"), {.tag = 3});
    all.then = [&](Set::Id id, std::span<const Set::Arrival> arrivals) {
        if (id != relay) return;
        const BytesView payload = arrivals[0].payload;
        const Path path{{}, all.set.local_address(client)};
        all.set.send({relay, path, as_bytes("whole "), payload});
        all.set.flush();
        all.set.send({relay, path, as_bytes("part "), payload.subspan(1)});
    };
    all.set.send({peer, {{}, all.set.local_address(relay)}, {}, as_bytes("payload")});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 3; }));
    CHECK(all.heard[1].text == "whole payload");
    CHECK(all.heard[2].text == "part ayload");
}

TEST_CASE("udp socket set: padding is zero octets after the payload") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto to = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    all.set.send({.from = from,
                  .path = {{}, all.set.local_address(to)},
                  .prefix = as_bytes("a"),
                  .payload = as_bytes("b"),
                  .padding = 3});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 1; }));
    CHECK(all.heard[0].text == std::string("ab\0\0\0", 5));
}

TEST_CASE("udp socket set: neighbours of one destination and size leave together") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto to = *all.set.open(at("127.0.0.1:0"), {.senders = Set::Senders::Many, .tag = 2});
    const Path path{{}, all.set.local_address(to)};
    const Bytes long_one = octets(1000, 'a');
    const Bytes short_one = octets(500, 'b');
    for (int i = 0; i < 10; ++i) all.set.send({from, path, as_bytes("head"), long_one});
    all.set.send({from, path, as_bytes("head"), short_one});  // closes the first run
    all.set.send({from, path, as_bytes("head"), short_one});
    all.set.flush();
    CHECK(all.set.counters().sent == 12);
    CHECK(all.set.counters().sent_messages == 2);
    CHECK(all.set.counters().send_calls == 1);
    REQUIRE(run(loop, [&] { return all.heard.size() == 12; }));
    for (std::size_t i = 0; i < 12; ++i) {
        CHECK(all.heard[i].text ==
              (i < 10 ? "head" + std::string(1000, 'a') : "head" + std::string(500, 'b')));
    }
    // Merged by the kernel again, where it can.
    CHECK((all.heard[0].merged == 11 || all.heard[0].merged == 1));
}

TEST_CASE("udp socket set: one header a buffer is written in place, the others beside it") {
    Loop loop;
    Listening all{loop};
    const auto relay = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto client = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    const auto peer = *all.set.open(at("127.0.0.1:0"), {.tag = 3});
    all.then = [&](Set::Id id, std::span<const Set::Arrival> arrivals) {
        if (id != relay) return;
        const Path path{{}, all.set.local_address(client)};
        all.set.send({relay, path, as_bytes("first "), arrivals[0].payload});
        all.set.send({relay, path, as_bytes("second "), arrivals[0].payload});
    };
    all.set.send({peer, {{}, all.set.local_address(relay)}, {}, as_bytes("payload")});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 3; }));
    CHECK(all.heard[1].text == "first payload");
    CHECK(all.heard[2].text == "second payload");
}

TEST_CASE("udp socket set: flows that come by turns keep their order") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 9});
    std::vector<Path> paths;
    for (std::uint64_t tag = 0; tag < 4; ++tag) {
        const auto to =
            *all.set.open(at("127.0.0.1:0"), {.senders = Set::Senders::Many, .tag = tag});
        paths.push_back({{}, all.set.local_address(to)});
    }
    // A shorter one ends a run; what comes after it must not overtake it.
    const std::vector<std::string> texts{"aaaa", "bbbb", "cc", "dddd", "eeee"};
    for (const std::string& text : texts) {
        for (const Path& path : paths) all.set.send({from, path, {}, as_bytes(text)});
    }
    all.set.flush();
    CHECK(all.set.counters().sent == 20);
    CHECK(all.set.counters().sent_messages >= 8);
    REQUIRE(run(loop, [&] { return all.heard.size() == 20; }));
    for (std::uint64_t tag = 0; tag < 4; ++tag) {
        std::vector<std::string> got;
        for (const Heard& heard : all.heard) {
            if (heard.tag == tag) got.push_back(heard.text);
        }
        CHECK(got == texts);
    }
}

TEST_CASE("udp socket set: what waits leaves by itself after the round") {
    Loop loop;
    Listening all{loop};
    const auto one = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto two = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    all.then = [&](Set::Id id, std::span<const Set::Arrival> arrivals) {
        if (id == one) all.set.send({one, {{}, arrivals[0].path.remote}, {}, arrivals[0].payload});
    };
    all.set.send({two, {{}, all.set.local_address(one)}, {}, as_bytes("ping")});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 2; }));
    CHECK(all.heard[1].tag == 2);
}

TEST_CASE("udp socket set: copies are the set's own, however many") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto to = *all.set.open(at("127.0.0.1:0"), {.senders = Set::Senders::Many, .tag = 2});
    Bytes text;
    for (int i = 0; i < 300; ++i) {
        text = octets(1000, static_cast<char>('a' + i % 26));
        all.set.send_copy({from, {{}, all.set.local_address(to)}, as_bytes("head"), text});
    }
    text.clear();
    all.set.flush();
    CHECK(all.set.counters().sent == 300);
    REQUIRE(run(loop, [&] { return all.heard.size() == 300; }));
    for (int i = 0; i < 300; ++i) {
        CHECK(all.heard[static_cast<std::size_t>(i)].text ==
              "head" + std::string(1000, static_cast<char>('a' + i % 26)));
    }
}

TEST_CASE("udp socket set: more than a round takes arrives whole and in order") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto to = *all.set.open(
        at("127.0.0.1:0"),
        {.senders = Set::Senders::Many, .offload = UdpOptions::Offload::Off, .tag = 2});
    const auto back = *all.set.open(at("127.0.0.1:0"), {.senders = Set::Senders::Many, .tag = 3});
    const Path path{{}, all.set.local_address(to)};
    const std::size_t count = most_messages_a_round + 7;
    all.then = [&](Set::Id id, std::span<const Set::Arrival> arrivals) {
        if (id != to) return;
        for (const Set::Arrival& arrival : arrivals) {
            all.set.send({to, {{}, all.set.local_address(back)}, as_bytes("x"), arrival.payload});
        }
    };
    for (std::size_t i = 0; i < count; ++i) {
        all.set.send_copy({from, path, {}, as_bytes(std::to_string(i))});
    }
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 2 * count; }));
    std::size_t next = 0;
    for (const Heard& heard : all.heard) {
        if (heard.tag == 3) CHECK(heard.text == "x" + std::to_string(next++));
    }
    CHECK(next == count);
}

TEST_CASE("udp socket set: closing a socket sends what waits at it first") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto to = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    all.set.send({from, {{}, all.set.local_address(to)}, {}, as_bytes("last words")});
    all.set.close(from);
    REQUIRE(run(loop, [&] { return all.heard.size() == 1; }));
    CHECK(all.heard[0].text == "last words");
}

TEST_CASE("udp socket set: a run ends at the kernel's limit of segments") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto to = *all.set.open(at("127.0.0.1:0"), {
                                                         .tag = 2,
                                                     });
    const Path path{{}, all.set.local_address(to)};
    const Bytes payload = octets(100, 'x');
    for (int i = 0; i < 65; ++i) all.set.send({from, path, {}, payload});
    all.set.flush();
    CHECK(all.set.counters().sent_messages == 2);
    REQUIRE(run(loop, [&] { return all.heard.size() == 65; }));
}

TEST_CASE("udp socket set: without offload every datagram is sent alone") {
    Loop loop;
    Listening all{loop};
    const auto from =
        *all.set.open(at("127.0.0.1:0"), {.offload = UdpOptions::Offload::Off, .tag = 1});
    const auto to = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    const Bytes payload = octets(100, 'x');
    for (int i = 0; i < 3; ++i) {
        all.set.send({from, {{}, all.set.local_address(to)}, {}, payload});
    }
    all.set.flush();
    CHECK(all.set.counters().sent_messages == 3);
    REQUIRE(run(loop, [&] { return all.heard.size() == 3; }));
}

TEST_CASE("udp socket set: an empty datagram arrives as one") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto to = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    all.set.send({from, {{}, all.set.local_address(to)}, {}, {}});
    all.set.send({from, {{}, all.set.local_address(to)}, {}, {}});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 2; }));
    CHECK(all.heard[0].text.empty());
}

TEST_CASE("udp socket set: a place is used again, an id is not") {
    Loop loop;
    Listening all{loop};
    const auto first = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto other = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    all.set.close(first);
    const auto second = *all.set.open(at("127.0.0.1:0"), {.tag = 3});
    CHECK(second.place == first.place);
    CHECK(second != first);
    CHECK(all.set.local_address(first) == SocketAddress{});
    all.set.send({first, {{}, all.set.local_address(other)}, {}, as_bytes("lost")});
    all.set.flush();
    CHECK(all.set.counters().send_errors == 1);
    all.set.close(first);  // changes nothing
    CHECK(all.set.size() == 2);
}

TEST_CASE("udp socket set: a socket closed in a callback is not served any more") {
    Loop loop;
    Listening all{loop};
    const auto one = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto two = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    const auto from = *all.set.open(at("127.0.0.1:0"), {.tag = 3});
    all.then = [&](Set::Id, std::span<const Set::Arrival>) {
        all.set.close(one);
        all.set.close(two);
    };
    all.set.send({from, {{}, all.set.local_address(one)}, {}, as_bytes("x")});
    all.set.send({from, {{}, all.set.local_address(two)}, {}, as_bytes("x")});
    all.set.flush();
    const auto last = *all.set.open(at("127.0.0.1:0"), {.tag = 4});
    REQUIRE(run(loop, [&] { return !all.heard.empty(); }));
    all.set.send({from, {{}, all.set.local_address(last)}, {}, as_bytes("x")});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 2; }));
    CHECK(all.heard[1].tag == 4);
}

TEST_CASE("udp socket set: what ICMP says is reported and stops nothing") {
    Loop loop;
    Listening all{loop};
    const auto from =
        *all.set.open(at("127.0.0.1:0"), {.setup = Set::Setup::AtFirstUse,
                                          .icmp_errors = UdpOptions::IcmpErrors::Reported,
                                          .tag = 7});
    const auto to = *all.set.open(at("127.0.0.1:0"), {.tag = 8});
    const auto gone = *all.set.open(at("127.0.0.1:0"), {.tag = 9});
    const SocketAddress nobody = all.set.local_address(gone);
    all.set.close(gone);
    all.set.send({from, {{}, nobody}, {}, as_bytes("into the void")});
    all.set.flush();
    // The kernel tells this send of the error of the one before; it leaves all the same.
    all.set.send({from, {{}, all.set.local_address(to)}, {}, as_bytes("alive")});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 1 && all.errors.size() == 1; }));
    CHECK(all.heard[0].text == "alive");
    CHECK(all.errors[0].first == 7);
    CHECK(all.errors[0].second.destination == nobody);
    CHECK(all.errors[0].second.type == 3);
    CHECK(all.errors[0].second.code == 3);
}

TEST_CASE("udp socket set: an unreachable destination is counted, and the next one is reached") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"),
                                    {.icmp_errors = UdpOptions::IcmpErrors::Reported, .tag = 1});
    const auto to = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    // From a loopback address no other host can be reached.
    all.set.send({from, {{}, at("192.0.2.1:9")}, {}, as_bytes("lost")});
    all.set.send({from, {{}, all.set.local_address(to)}, {}, as_bytes("alive")});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 1; }));
    CHECK(all.heard[0].text == "alive");
    CHECK(all.set.counters().send_errors == 1);
}

TEST_CASE("udp socket set: DF is a matter of each datagram") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("127.0.0.1:0"), {
                                                           .tag = 1,
                                                       });
    const auto to = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    const Path path{{}, all.set.local_address(to)};
    const Bytes payload = octets(65507, 'x');  // more than the 65,536 octets of loopback's MTU
    all.set.send({from, path, {}, payload, Set::Fragmentation::Forbidden});
    all.set.send({from, path, {}, payload, Set::Fragmentation::Allowed});
    all.set.flush();
    const bool fits = all.set.counters().send_errors == 0;
    REQUIRE(run(loop, [&] { return all.heard.size() == (fits ? 2U : 1U); }));
    for (const Heard& heard : all.heard) CHECK(heard.text.size() == payload.size());
}

TEST_CASE("udp socket set: on a wildcard the answer leaves from the address that was asked") {
    Loop loop;
    Listening all{loop};
    const auto server = *all.set.open(
        at("0.0.0.0:0"),
        {.senders = Set::Senders::Many, .reuse_port = UdpOptions::ReusePort::Yes, .tag = 1});
    const auto client = *all.set.open(at("127.0.0.1:0"), {.tag = 2});
    all.then = [&](Set::Id id, std::span<const Set::Arrival> arrivals) {
        if (id == server) all.set.send({server, arrivals[0].path, {}, arrivals[0].payload});
    };
    SocketAddress asked = all.set.local_address(server);
    asked.ip = at("127.0.0.9:0").ip;
    all.set.send({client, {{}, asked}, {}, as_bytes("ping")});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 2; }));
    CHECK(all.heard[0].path.local == asked);
    CHECK(all.heard[1].path.remote == asked);
}

TEST_CASE("udp socket set: a released socket goes on in another set with what waits in it") {
    Loop loop;
    Listening first{loop};
    Listening second{loop};
    const auto id = *first.set.open(at("127.0.0.1:0"), {.tag = 1});
    const SocketAddress address = first.set.local_address(id);
    const auto from = *first.set.open(at("127.0.0.1:0"), {.tag = 2});
    first.set.send({from, {{}, address}, {}, as_bytes("waiting")});
    first.set.flush();
    auto adopted = second.set.adopt(first.set.release(id), {.tag = 3});
    REQUIRE(adopted);
    CHECK(second.set.local_address(*adopted) == address);
    REQUIRE(run(loop, [&] { return second.heard.size() == 1; }));
    CHECK(second.heard[0].tag == 3);
    CHECK(first.heard.empty());
    CHECK_FALSE(second.set.adopt(FileDescriptor{}, {}));
}

TEST_CASE("udp socket set: IPv6") {
    Loop loop;
    Listening all{loop};
    const auto from = *all.set.open(at("[::1]:0"), {.tag = 1});
    const auto to =
        *all.set.open(at("[::]:0"), {.icmp_errors = UdpOptions::IcmpErrors::Reported, .tag = 2});
    SocketAddress asked = all.set.local_address(to);
    asked.ip = at("[::1]:0").ip;
    all.set.send(
        {from, {{}, asked}, as_bytes("he"), as_bytes("llo"), Set::Fragmentation::Forbidden});
    all.set.flush();
    REQUIRE(run(loop, [&] { return all.heard.size() == 1; }));
    CHECK(all.heard[0].text == "hello");
    CHECK(all.heard[0].path == Path{asked, all.set.local_address(from)});
}

TEST_CASE("udp socket set: an address in use is an error with its cause") {
    Loop loop;
    Listening all{loop};
    const auto first = *all.set.open(at("127.0.0.1:0"), {.tag = 1});
    const auto second = all.set.open(all.set.local_address(first), {.tag = 2});
    REQUIRE_FALSE(second);
    CHECK(second.error().code == EADDRINUSE);
    CHECK(all.set.size() == 1);
}
