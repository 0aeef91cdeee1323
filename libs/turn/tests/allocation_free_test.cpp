// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Relayed data costs no memory allocation. The counter is this test program's.
#include "world.hpp"

#include <cstdlib>
#include <new>

namespace {

std::size_t allocations_made = 0;

void* counted(std::size_t size) {
    ++allocations_made;
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) std::abort();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
// As std::stable_sort asks for its buffer.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

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

}  // namespace
}  // namespace stile::turn::test
