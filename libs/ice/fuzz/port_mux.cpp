// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// One port among its members and what arrives: whatever comes, it goes to members that are there,
// and what is known grows by what leaves alone.
//
// An input is a sequence of steps: one octet of what to do, one of how, one of length, and payload.
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/ice/connectivity_check.hpp>
#include <stile/ice/port_mux.hpp>

#include <set>

namespace {

using namespace stile;
using namespace stile::ice;

struct World {
    Instant now{Duration{1'000'000'000}};
    PortMux mux{HashSeed{1, 2}};
    std::vector<MemberId> members;
    std::set<MemberId> there;

    MemberId member(std::uint8_t how) const {
        return members.empty() ? MemberId{how} : members[how % members.size()];
    }
};

Path path(std::uint8_t how) {
    return {
        .local = {IpAddress::v4({192, 0, 2, 1}), Port{7000}},
        .remote = {IpAddress::v4({203, 0, 113, 1}), Port{static_cast<std::uint16_t>(how / 16)}}};
}

std::string name(std::uint8_t how, BytesView octets) {
    return octets.empty() ? "name" + std::to_string(how % 8) : std::string{as_text(octets)};
}

Bytes request(std::string_view username, std::uint8_t id) {
    return build_check({.octets = {std::byte{id}}}, username,
                       {.priority = 1, .role = Role::Controlling},
                       stun::IntegrityKey::short_term("passwordpasswordpassword"));
}

void route(World& world, std::uint8_t how, BytesView datagram) {
    const std::size_t paths = world.mux.paths();
    const std::size_t transactions = world.mux.transactions();
    const auto found = world.mux.route(world.now, path(how), datagram);
    STILE_ASSERT(found.size() <= limits::most_mux_sharers);
    for (const MemberId member : found) STILE_ASSERT(world.there.contains(member));
    STILE_ASSERT(std::set<MemberId>(found.begin(), found.end()).size() == found.size());
    STILE_ASSERT(world.mux.paths() == paths && world.mux.transactions() == transactions);
}

void step(World& world, std::uint8_t what, std::uint8_t how, BytesView octets) {
    PortMux& mux = world.mux;
    const MemberId member = world.member(how);
    switch (what % 10) {
        case 0:
            if (const auto joined = mux.join(name(how, octets))) {
                world.members.push_back(*joined);
                STILE_ASSERT(world.there.insert(*joined).second);
            }
            break;
        case 1:
            (void)mux.add_fragment(member, name(how, octets));
            break;
        case 2:
            mux.remove_fragment(member, name(how, octets));
            break;
        case 3:
            mux.leave(member);
            world.there.erase(member);
            break;
        case 4:
            mux.sent(world.now, member, path(how), octets);
            break;
        case 5:
            mux.sent(world.now, member, path(how), request("peer:us", how));
            break;
        case 6:
            (void)mux.use(world.now, member, path(how));
            break;
        case 7:
            route(world, how, octets);
            break;
        case 8: {
            const Bytes asked = request(name(how, octets) + ":peer", how);
            route(world, how, asked);
            route(world, how,
                  build_success(*stun::MessageView::parse(asked), path(how).remote,
                                stun::IntegrityKey::short_term("passwordpasswordpassword")));
            break;
        }
        case 9:
            world.now += std::chrono::milliseconds{how * 500};
            mux.handle_timeout(world.now);
            STILE_ASSERT(!mux.poll_timeout() || *mux.poll_timeout() > world.now);
            break;
    }
    STILE_ASSERT(mux.members() == world.there.size());
    STILE_ASSERT(mux.fragments() <= world.there.size() * limits::most_mux_fragments);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world;
    ByteReader reader{std::as_bytes(std::span{data, size})};
    while (reader.remaining() >= 3) {
        const std::uint8_t what = reader.u8();
        const std::uint8_t how = reader.u8();
        const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
        step(world, what, how, reader.bytes(length));
    }
    // In the end all that is not renewed is forgotten.
    for (int i = 0; i < 4; ++i) {
        world.now += limits::mux_path_lifetime;
        world.mux.handle_timeout(world.now);
    }
    STILE_ASSERT(world.mux.paths() == 0);
    STILE_ASSERT(world.mux.transactions() == 0);
    STILE_ASSERT(!world.mux.poll_timeout());
    return 0;
}
