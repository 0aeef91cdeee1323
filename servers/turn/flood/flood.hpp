// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a flood of strangers costs. Included once in a program: it counts all memory.

#include <doctest/doctest.h>
#include <stile/stun/attributes.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/turn_server/service.hpp>

#include <malloc.h>
#include <cstdlib>
#include <new>

namespace stile::turn_server::flood {

inline std::size_t live_octets = 0;

inline void* take(std::size_t size) {
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) std::abort();
    live_octets += malloc_usable_size(memory);
    return memory;
}
inline void give_back(void* memory) {
    if (memory == nullptr) return;
    live_octets -= malloc_usable_size(memory);
    std::free(memory);
}

}  // namespace stile::turn_server::flood

void* operator new(std::size_t size) { return stile::turn_server::flood::take(size); }
void* operator new[](std::size_t size) { return stile::turn_server::flood::take(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return stile::turn_server::flood::take(size);
}
void operator delete(void* memory) noexcept { stile::turn_server::flood::give_back(memory); }
void operator delete[](void* memory) noexcept { stile::turn_server::flood::give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept {
    stile::turn_server::flood::give_back(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    stile::turn_server::flood::give_back(memory);
}

namespace stile::turn_server::flood {

// As strangers send them: a plain Binding, an Allocate without and with a guessed credential, one
// with a nonce that was made up, a Send and a ChannelData of nobody, octets.
inline std::vector<Bytes> requests() {
    using stun::Class;
    using stun::Method;
    std::vector<Bytes> all;
    stun::MessageBuilder binding{Class::Request, Method::Binding, {}};
    all.push_back(binding.finish());
    stun::MessageBuilder allocate{Class::Request, Method::Allocate, {}};
    allocate.add(stun::RequestedTransport{});
    all.push_back(allocate.finish());
    stun::MessageBuilder guess{Class::Request, Method::Allocate, {}};
    guess.add(stun::RequestedTransport{}).add(stun::Username{"alice"});
    guess.add(stun::Realm{"example.org"}).add(stun::Nonce{"obMatJos2AAADmade-up-by-somebody"});
    guess.add_integrity(stun::IntegrityKey::long_term("alice", "example.org", "guess"),
                        stun::IntegrityKind::Sha1);
    all.push_back(guess.finish());
    stun::MessageBuilder refresh{Class::Request, Method::Refresh, {}};
    all.push_back(refresh.finish());
    stun::MessageBuilder send{Class::Indication, Method::Send, {}};
    send.add(stun::XorPeerAddress{SocketAddress::parse("8.8.8.8:53").value()});
    send.add(stun::Data{as_bytes("query")});
    all.push_back(send.finish());
    all.push_back(to_bytes("\x40\x00\x00\x04text"));
    all.push_back(Bytes(40, std::byte{0xC5}));
    return all;
}

struct Outcome {
    std::uint64_t octets_in = 0;
    std::uint64_t octets_out = 0;
    std::uint64_t answers = 0;
    std::size_t growth = 0;  // of live memory, at its highest
};

// At 100,000 requests a second, from sources that are spread over all of IPv4.
inline Outcome run(std::uint32_t count, std::uint32_t sources) {
    ServiceConfig config;
    config.relay.authentication.realm = "example.org";
    config.own_addresses = {IpAddress::v4({192, 0, 2, 1})};
    Instant now{};
    Service service{now, WallTime{std::chrono::seconds{1'800'000'000}}, config,
                    crypto::RandomStream{crypto::seed_from_number(1)}};
    REQUIRE(service.credentials().set_account("alice", "secret"));
    const std::vector<Bytes> messages = requests();
    const auto send = [&](std::uint32_t i, Outcome& outcome) {
        now += std::chrono::microseconds{10};
        const std::uint32_t source = i % sources;
        const turn::ClientFlow flow{
            .local = {.ip = IpAddress::v4({192, 0, 2, 1}), .port = {3478}},
            .remote = {.ip = IpAddress::v4(0x0B000000U + source * 2654435761U % 0xC0000000U),
                       .port = {static_cast<std::uint16_t>(1024 + i % 60000)}}};
        const Bytes& message = messages[i % messages.size()];
        outcome.octets_in += message.size();
        CHECK_FALSE(service.handle_client(now, flow, message).has_value());
        while (const auto answer = service.poll_transmit()) {
            outcome.octets_out += answer->message.size();
            ++outcome.answers;
        }
        while (service.poll_event()) FAIL("an event for a stranger");
    };
    Outcome warm_up;
    for (std::uint32_t i = 0; i < 1000; ++i) send(i, warm_up);
    const std::size_t before = live_octets;
    Outcome outcome;
    for (std::uint32_t i = 0; i < count; ++i) {
        send(i, outcome);
        if (live_octets > before) outcome.growth = std::max(outcome.growth, live_octets - before);
    }
    CHECK(service.allocations() == 0);
    CHECK(service.relays() == 0);
    return outcome;
}

}  // namespace stile::turn_server::flood
