// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Whatever a server sends: the machines of RFC 5780 end in bounded time and never break. The first
// octet says which one, then pieces with a length octet arrive as datagrams, with time between.
#include <stile/base/assert.hpp>
#include <stile/stun/behavior_discovery.hpp>
#include <stile/stun/behavior_server.hpp>
#include <stile/stun/binding_answer.hpp>
#include <stile/stun/connection_mapping_discovery.hpp>
#include <stile/stun/hairpin_discovery.hpp>
#include <stile/stun/lifetime_discovery.hpp>
#include <stile/stun/redirect.hpp>

#include <algorithm>

using namespace stile;
using namespace stile::stun;
using namespace std::chrono_literals;

namespace {

const SocketAddress here{IpAddress::v4(0x0A000001), Port{4000}};
const SocketAddress also_here{IpAddress::v4(0x0A000001), Port{4001}};
const SocketAddress server{IpAddress::v4(0xC0000201), Port{3478}};

crypto::RandomStream fixed_random() { return crypto::RandomStream{crypto::seed_from_number(1)}; }

// The next datagram; one that is long enough gets the transaction id that is waited for.
Bytes next_piece(BytesView& data, BytesView request) {
    const std::size_t size =
        std::min<std::size_t>(std::to_integer<std::size_t>(data[0]), data.size() - 1);
    Bytes piece = to_bytes(data.subspan(1, size));
    data = data.subspan(1 + size);
    if (piece.size() >= header_octets && request.size() >= header_octets) {
        std::copy_n(request.begin() + 4, 16, piece.begin() + 4);
        piece[2] = static_cast<std::byte>((piece.size() - header_octets) >> 8U);
        piece[3] = static_cast<std::byte>(piece.size() - header_octets);
    }
    return piece;
}

template <class M>
void run(M machine, BytesView data) {
    Instant now{};
    Bytes request;
    bool told = false;
    for (int steps = 0; !told; ++steps) {
        STILE_ASSERT(steps < 20'000);
        while (const auto transmit = machine.poll_transmit()) request = to_bytes(transmit->payload);
        while (machine.poll_event()) told = !machine.poll_timeout();
        if (told) break;
        const auto wake = machine.poll_timeout();
        STILE_ASSERT(wake);
        if (data.size() > 1) {
            const bool at_first = (std::to_integer<unsigned>(data.back()) & 1U) != 0;
            const Bytes piece = next_piece(data, request);
            machine.handle_datagram(now, {at_first ? here : also_here, server}, piece);
        } else {
            now = std::max(now, *wake);
            machine.handle_timeout(now);
        }
    }
}

void run_connections(BytesView data) {
    ConnectionMappingDiscovery machine{Instant{}, {.server = server}, fixed_random()};
    Bytes request;
    while (data.size() > 1) {
        if (machine.poll_event()) return;
        const auto target = machine.poll_connect();
        if (target) machine.handle_connected(Instant{}, *target);
        while (const auto transmit = machine.poll_transmit()) request = to_bytes(transmit->payload);
        machine.handle_bytes(Instant{}, target.value_or(server), next_piece(data, request));
    }
    machine.handle_timeout(Instant{} + 1h);
    STILE_ASSERT(machine.poll_event().has_value());
}

void serve(BytesView data) {
    const BehaviorServer responder{.primary = server.ip,
                                   .alternate = also_here.ip,
                                   .primary_port = server.port,
                                   .alternate_port = Port{3479},
                                   .software = "fuzz"};
    const auto request = MessageView::parse(data, MagicCookie::Optional);
    if (!request) return;
    const Path path{.local = server, .remote = here};
    if (const auto answer = responder.respond(*request, path)) {
        STILE_ASSERT(MessageView::parse(answer->response, MagicCookie::Optional));
        STILE_ASSERT(answer->response.size() <= data.size() + 120);
        STILE_ASSERT(answer->path.remote.ip == here.ip);
    }
    if (const auto answer = responder.respond_on_connection(*request, path)) {
        STILE_ASSERT(MessageView::parse(*answer, MagicCookie::Optional));
    }
    if (is_response(request->message_class())) {
        (void)read_binding_answer(*request);
        RedirectMemory memory;
        memory.sent(Instant{}, server);
        (void)memory.follow(Instant{}, *request, server);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
    if (size == 0) return 0;
    const BytesView data{reinterpret_cast<const std::byte*>(octets) + 1, size - 1};
    switch (octets[0] % 5) {
        case 0:
            run(
                BehaviorDiscovery{
                    Instant{}, {.local = here, .server = server, .padding = 100}, fixed_random()},
                data);
            break;
        case 1:
            run(LifetimeDiscovery{Instant{},
                                  {.kept = here,
                                   .asker = also_here,
                                   .server = server,
                                   .first_wait = 1s,
                                   .longest_wait = 60s,
                                   .budget = 10min},
                                  fixed_random()},
                data);
            break;
        case 2:
            run(HairpinDiscovery{Instant{},
                                 {.first = here, .second = also_here, .server = server},
                                 fixed_random()},
                data);
            break;
        case 3:
            run_connections(data);
            break;
        case 4:
            serve(data);
            break;
    }
    return 0;
}
