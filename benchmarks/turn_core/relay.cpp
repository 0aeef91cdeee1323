// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Nanoseconds of the relay's core alone, without a socket: one packet each way over channels, by
// indications, and a whole allocation with its challenge.
#include <stile/stun/long_term_client.hpp>
#include <stile/turn/server.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>

namespace stile::turn {
namespace {

constexpr Instant now{};
const SocketAddress peer{IpAddress::v4({8, 8, 8, 8}), Port{9000}};

ClientFlow flow_of(std::uint32_t number) {
    return {.local = {IpAddress::v4({192, 0, 2, 1}), Port{3478}},
            .remote = {IpAddress::v4(0xC6336400U + number / 50000),
                       Port{static_cast<std::uint16_t>(1024 + number % 50000)}}};
}

// A server with that many allocations, a channel to the same peer in each.
class Relays {
public:
    explicit Relays(std::uint32_t count) {
        if (!server.credentials().set_account("alice", "secret")) std::abort();
        for (std::uint32_t i = 0; i < count; ++i) {
            allocate(i);
            ask(i, stun::Method::ChannelBind, [](stun::MessageBuilder& builder) {
                builder.add(stun::ChannelNumberAttribute{0x4000}).add(stun::XorPeerAddress{peer});
            });
        }
    }
    void allocate(std::uint32_t number) {
        ask(number, stun::Method::Allocate,
            [](stun::MessageBuilder& builder) { builder.add(stun::RequestedTransport{}); });
    }
    void release(std::uint32_t number) {
        ask(number, stun::Method::Refresh,
            [](stun::MessageBuilder& builder) { builder.add(stun::Lifetime{}); });
    }

    Server server{now, WallTime{std::chrono::seconds{1'800'000'000}}, config(),
                  crypto::RandomStream{crypto::seed_from_number(1)}};
    std::vector<RelayId> relays;

private:
    static ServerConfig config() {
        ServerConfig made;
        made.authentication.realm = "example.org";
        made.allocations = 200'000;
        made.relays_per_user = 200'000;
        return made;
    }
    template <class Fill>
    void ask(std::uint32_t number, stun::Method method, Fill&& fill) {
        const ClientFlow flow = flow_of(number);
        stun::LongTermClient credentials{{.username = "alice", .password = "secret"}};
        for (int attempt = 0; attempt < 2; ++attempt) {
            stun::MessageBuilder builder{stun::Class::Request, method,
                                         stun::TransactionId::random(random_)};
            fill(builder);
            credentials.authenticate(builder);
            const Bytes wire = builder.finish();
            (void)server.handle_client(now, flow, wire);
            while (const auto event = server.poll_event()) {
                const auto* wanted = std::get_if<RelayWanted>(&*event);
                if (wanted == nullptr) continue;
                relays.push_back(wanted->relay);
                server.handle_relay_opened(now, wanted->relay, relayed(next_++));
            }
            while (const auto transmit = server.poll_transmit()) {
                const auto answer = stun::MessageView::parse(transmit->message);
                (void)credentials.handle_response(*stun::MessageView::parse(wire), *answer);
            }
        }
    }
    static SocketAddress relayed(std::uint32_t number) {
        return {IpAddress::v4(0xC0000201U + number / 60000 % 100),
                Port{static_cast<std::uint16_t>(1024 + number % 60000)}};
    }

    crypto::RandomStream random_{crypto::seed_from_number(2)};
    std::uint32_t next_ = 0;
};

constexpr std::size_t payload_octets = 172;

void channel_to_peer(benchmark::State& state) {
    const auto count = static_cast<std::uint32_t>(state.range(0));
    Relays relays{count};
    Bytes message = to_bytes(channel_header({0x4000}, payload_octets));
    message.resize(message.size() + payload_octets);
    std::uint32_t at = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(relays.server.handle_client(now, flow_of(at), message));
        at = (at + 7919) % count;
    }
}
BENCHMARK(channel_to_peer)->Arg(100)->Arg(10'000)->Arg(100'000);

void peer_to_channel(benchmark::State& state) {
    const auto count = static_cast<std::uint32_t>(state.range(0));
    Relays relays{count};
    const Bytes payload(payload_octets);
    std::uint32_t at = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(relays.server.handle_peer(now, relays.relays[at], peer, payload));
        at = (at + 7919) % count;
    }
}
BENCHMARK(peer_to_channel)->Arg(100)->Arg(10'000)->Arg(100'000);

void send_indication(benchmark::State& state) {
    Relays relays{100};
    const Bytes payload(payload_octets);
    stun::MessageBuilder builder{stun::Class::Indication, stun::Method::Send, {}};
    builder.add(stun::XorPeerAddress{peer}).add(stun::Data{payload});
    const Bytes message = builder.finish();
    for (auto _ : state) {
        benchmark::DoNotOptimize(relays.server.handle_client(now, flow_of(7), message));
    }
}
BENCHMARK(send_indication);

// With its 401, and its release with another one; client and server together.
void allocation(benchmark::State& state) {
    Relays relays{0};
    for (auto _ : state) {
        relays.allocate(1);
        relays.release(1);
    }
}
BENCHMARK(allocation);

}  // namespace
}  // namespace stile::turn
