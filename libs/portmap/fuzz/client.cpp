// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A client and a gateway that says anything: datagrams raw, and made to fit a request that is open;
// time; ports that come and go.
//
// An input is a sequence of steps: one octet of what to do, one of how, one of length, and payload.
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/portmap/client.hpp>

#include <algorithm>

namespace {

using namespace stile;
using namespace stile::portmap;

struct World {
    Instant now{Duration{1'000'000'000}};
    SocketAddress gateway{IpAddress::v4({192, 168, 1, 1}), server_port};
    Client client{{.gateway = gateway.ip, .local = IpAddress::v4({192, 168, 1, 20})},
                  crypto::RandomStream{crypto::seed_from_number(1)}};
    std::vector<MappingId> mappings;
    Bytes last_request;

    void drain() {
        std::size_t sent = 0;
        while (const auto transmit = client.poll_transmit()) {
            last_request = to_bytes(transmit->payload);
            STILE_ASSERT(last_request.size() == 2 || last_request.size() == 12 ||
                         last_request.size() == 60);
            STILE_ASSERT(++sent <= 2 * limits::most_mappings);
        }
        while (client.poll_event()) {
        }
    }

    // An answer to the latest request whose fields are the fuzzer's where they may differ.
    void answer(std::uint8_t how, BytesView payload) {
        if (last_request.size() < 2) return;
        Bytes octets = last_request;
        octets[1] |= std::byte{0x80};
        if (last_request.size() != 60) octets.resize(last_request.size() == 2 ? 12 : 16);
        // Result, lifetime, epoch; then, behind what names the request, what was assigned.
        const std::size_t from = (how & 1U) != 0 ? 2 : (octets.size() == 60 ? 42 : 8);
        for (std::size_t i = 0; i < payload.size() && from + i < octets.size(); ++i) {
            const bool names_request = octets.size() == 60 && from + i >= 24 && from + i < 42;
            if (!names_request) octets[from + i] = payload[i];
        }
        client.handle_datagram(now, gateway, octets);
    }

    void step(std::uint8_t what, std::uint8_t how, BytesView payload) {
        switch (what % 6) {
            case 0:
                if (const auto id = client.map(now, (how & 1U) != 0 ? Protocol::Tcp : Protocol::Udp,
                                               Port{static_cast<std::uint16_t>(1 + how)})) {
                    mappings.push_back(*id);
                }
                break;
            case 1:
                if (!mappings.empty()) client.unmap(now, mappings[how % mappings.size()]);
                break;
            case 2:
                client.handle_datagram(now, gateway, payload);
                break;
            case 3:
                answer(how, payload);
                break;
            case 4:
                now += std::chrono::milliseconds{1} * (1U << (how % 24U));
                client.handle_timeout(now);
                break;
            case 5:
                if (how == 0) client.handle_unreachable(now);
                if (const auto next = client.poll_timeout()) {
                    now = std::max(now, *next);
                    client.handle_timeout(now);
                }
        }
        drain();
        const auto next = client.poll_timeout();
        STILE_ASSERT(!next || *next > now);
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world;
    ByteReader reader{std::as_bytes(std::span{data, size})};
    for (int steps = 0; steps < 256 && reader.remaining() >= 3; ++steps) {
        const std::uint8_t what = reader.u8();
        const std::uint8_t how = reader.u8();
        const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
        world.step(what, how, reader.bytes(length));
    }
    return 0;
}
