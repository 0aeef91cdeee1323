// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What HTTP/3 between two peers costs without a network: two connections in one thread, a datagram
// arrives as soon as it is sent. One core does both sides' work.
#include <stile/quic/connection.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>

namespace stile::quic {
namespace {

constexpr std::size_t body_octets = 1'000'000'000;
constexpr std::size_t chunk_octets = 262'144;
constexpr int rounds = 5;
constexpr int handshakes = 300;

struct Person {
    crypto::PrivateKey key;
    crypto::Certificate certificate;
};

Person person(std::uint64_t number) {
    crypto::RandomStream random{crypto::seed_from_number(number)};
    const auto key = crypto::PrivateKey::from_entropy(random.array<48>());
    return {.key = key,
            .certificate = crypto::make_self_signed(
                key, {.names = {.common_name = "peer"}, .serial = random.array<16>()})};
}

Config config_of(const Person& own, const Person& other) {
    return {.credentials = {.key = own.key,
                            .chain = {own.certificate},
                            .expected = {identity::Fingerprint::of(other.certificate)}},
            .initial_rtt = std::chrono::microseconds{100}};
}

struct Pair {
    Config client_config;
    Config server_config;
    crypto::RandomStream random{crypto::seed_from_number(3)};
    Instant now{};
    Connection client{now, client_config, random.fork()};
    std::optional<Connection> server;

    void hand_over(Connection& to, const Batch& batch) const {
        for (BytesView rest = batch.payload; !rest.empty();) {
            const auto one = rest.first(std::min(rest.size(), batch.segment_octets));
            to.handle_datagram(now, one, batch.ecn);
            rest = rest.subspan(one.size());
        }
    }

    // One wake-up of both sides, `step` later than the last.
    void turn(Duration step) {
        now += step;
        client.handle_timeout(now);
        while (const auto batch = client.poll_transmit(now)) {
            if (!server) {
                server.emplace(now, server_config, *read_initial(batch->payload), random.fork());
            }
            hand_over(*server, *batch);
        }
        if (!server) return;
        server->handle_timeout(now);
        while (const auto batch = server->poll_transmit(now)) hand_over(client, *batch);
    }
};

// Processor time, not the clock on the wall: other programs may be running.
double seconds_since(std::clock_t start) {
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

bool connect(Pair& pair) {
    for (int turns = 0; turns < 1'000; ++turns) {
        pair.turn(std::chrono::microseconds{100});
        while (const auto event = pair.client.poll_event()) {
            if (std::holds_alternative<event::Confirmed>(*event)) return true;
        }
    }
    return false;
}

enum class Memory : std::uint8_t { Moved, Borrowed };

// Mbit/s of one GET; 0 when something went wrong.
double transfer(const Config& client_config, const Config& server_config, Memory memory) {
    static const Bytes shared(chunk_octets, std::byte{0x5A});
    Pair pair{.client_config = client_config, .server_config = server_config};
    if (!connect(pair)) return 0;
    const auto request = pair.client.request(
        {.method = "GET", .scheme = "https", .authority = "peer", .path = "/"}, More::No);
    if (!request) return 0;
    const StreamId stream = *request;
    const std::clock_t start = std::clock();
    std::size_t pushed = 0;
    std::size_t received = 0;
    bool begun = false;
    while (received < body_octets) {
        pair.turn(std::chrono::microseconds{50});
        while (const auto event = pair.server->poll_event()) {
            if (std::holds_alternative<event::RequestReceived>(*event)) {
                begun =
                    pair.server->respond(stream, {.status = 200}, More::Yes) == SendResult::Taken;
            }
        }
        while (begun && pushed < body_octets) {
            const std::size_t size = std::min(chunk_octets, body_octets - pushed);
            const BytesView chunk = BytesView{shared}.first(size);
            const auto result = memory == Memory::Borrowed
                                    ? pair.server->push_borrowed(stream, chunk)
                                    : pair.server->push_body(stream, to_bytes(chunk));
            if (result != SendResult::Taken) break;
            pushed += size;
        }
        while (const auto event = pair.client.poll_event()) {
            if (std::holds_alternative<event::Closed>(*event)) return 0;
            const std::size_t size = pair.client.body(stream).size();
            received += size;
            pair.client.consume(stream, size);
        }
    }
    return static_cast<double>(received) * 8 / 1e6 / seconds_since(start);
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

int run() {
    const Person alice = person(1);
    const Person bob = person(2);
    const Config client = config_of(alice, bob);
    const Config server = config_of(bob, alice);

    const std::clock_t start = std::clock();
    for (int i = 0; i < handshakes; ++i) {
        Pair pair{.client_config = client, .server_config = server};
        if (!connect(pair)) return 1;
    }
    const double each = seconds_since(start) / handshakes;
    std::printf("handshake, both certificates, both sides' work: %.2f ms (%.0f a second)\n",
                each * 1e3, 1 / each);

    for (const Memory memory : {Memory::Moved, Memory::Borrowed}) {
        std::vector<double> results;
        for (int round = 0; round < rounds; ++round) {
            results.push_back(transfer(client, server, memory));
            if (results.back() == 0) return 1;
        }
        std::printf("1 GB in memory, %s chunks, both sides on one core: %.0f Mbit/s (best %.0f)\n",
                    memory == Memory::Moved ? "copied" : "borrowed", median(results),
                    *std::ranges::max_element(results));
    }
    return 0;
}

}  // namespace
}  // namespace stile::quic

int main() { return stile::quic::run(); }
