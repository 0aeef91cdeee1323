// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Relayed data costs no memory allocation, and an idle allocation little memory. The counters are
// this test program's.
#include "world.hpp"

#include <malloc.h>
#include <cstdlib>
#include <new>

namespace {

std::size_t allocations_made = 0;
std::size_t live_octets = 0;

// What a heap needs besides, a block.
constexpr std::size_t block_overhead = 16;

void* counted(std::size_t size) {
    ++allocations_made;
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) std::abort();
    live_octets += malloc_usable_size(memory) + block_overhead;
    return memory;
}

void released(void* memory) {
    if (memory == nullptr) return;
    live_octets -= malloc_usable_size(memory) + block_overhead;
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
// As std::stable_sort asks for its buffer.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { released(memory); }
void operator delete[](void* memory) noexcept { released(memory); }
void operator delete(void* memory, std::size_t) noexcept { released(memory); }
void operator delete[](void* memory, std::size_t) noexcept { released(memory); }

namespace stile::turn::test {
namespace {

TEST_CASE("turn server: relaying allocates nothing, on channels and by indications") {
    auto config = server_config();
    config.user_bandwidth = TokenRate{.per_second = 1'000'000'000, .burst = 1'000'000'000};
    World world{config};
    RawClient raw{world};
    REQUIRE(raw.allocate() == 0);
    REQUIRE(raw.bind(0x4000, peer_address) == 0);
    REQUIRE(raw.permit(other_peer) == 0);
    const RelayId relay = world.id_of(relay_v4);
    Bytes channel_data = to_bytes(channel_header({0x4000}, 1200));
    channel_data.resize(1204);
    stun::MessageBuilder builder{stun::Class::Indication, stun::Method::Send, {}};
    builder.add(stun::XorPeerAddress{other_peer}).add(stun::Data{channel_data});
    const Bytes send = builder.finish();
    const Bytes payload(1200);

    const std::size_t before = allocations_made;
    std::size_t relayed = 0;
    for (int i = 0; i < 1000; ++i) {
        relayed += world.server.handle_client(world.now, raw.flow, channel_data) ? 1U : 0U;
        relayed += world.server.handle_client(world.now, raw.flow, send) ? 1U : 0U;
        relayed += world.server.handle_peer(world.now, relay, peer_address, payload) ? 1U : 0U;
        relayed += world.server.handle_peer(world.now, relay, other_peer, payload) ? 1U : 0U;
    }
    CHECK(allocations_made == before);
    CHECK(relayed == 4000);
}

// Users of their own, as time-limited names are; one permission and one channel each.
TEST_CASE("turn server: an idle allocation costs less than 2 kB") {
    constexpr std::size_t count = 1600;  // just after a table has grown to twice its size
    auto config = server_config();
    config.mobility = Offer::Offered;
    World world{config};
    const SharedSecret secret{.secret = "shared"};
    REQUIRE(world.server.credentials().set_shared_secrets({secret}));
    const auto make = [&](std::size_t i, Offer mobility) {
        const auto limited =
            make_time_limited(secret, wall_start + 3600s, "user-number-" + std::to_string(i));
        RawClient raw{world, limited.username, limited.password,
                      "198.51.100.9:" + std::to_string(1000 + i)};
        const auto code = raw.code(stun::Method::Allocate, [&](stun::MessageBuilder& builder) {
            builder.add(stun::RequestedTransport{});
            if (mobility == Offer::Offered) builder.add(stun::MobilityTicket{});
        });
        REQUIRE(code == 0);
        REQUIRE(raw.bind(0x4000, peer_address) == 0);
    };
    make(0, Offer::NotOffered);
    world.told.clear();
    world.wanted.reserve(2 * count);
    // What the test's own driver remembers of a relay, and it alone.
    const auto driver_octets = [&] { return world.open.size() * (sizeof(void*) * 5 + 48); };
    const auto used = [&] { return live_octets - driver_octets(); };
    const std::size_t before = used();
    for (std::size_t i = 1; i <= count; ++i) {
        make(i, Offer::NotOffered);
        world.told.clear();
    }
    world.told.shrink_to_fit();
    const std::size_t each = (used() - before) / count;
    CHECK(each < 2048);
    const std::string figure = std::to_string(each) + " octets an idle allocation";
    MESSAGE(figure);
    CHECK(each > 300);  // or it did not measure
    for (std::size_t i = 1; i <= 100; ++i) make(count + i, Offer::Offered);
    CHECK((used() - before) / (count + 100) < 2048);
}

}  // namespace
}  // namespace stile::turn::test
