// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/portmap/client.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace stile::portmap {

// A home router as a script of answers: it grants, refuses, forgets, or keeps silent.
struct Gateway {
    enum class Speaks : std::uint8_t { Nothing, NatPmp, Both };

    Speaks speaks = Speaks::Both;
    SocketAddress address{IpAddress::v4({192, 168, 1, 1}), server_port};
    IpAddress external = IpAddress::v4({203, 0, 113, 7});
    std::chrono::seconds lifetime{7200};
    std::uint8_t pcp_result = 0;
    std::uint16_t nat_pmp_result = 0;
    std::chrono::seconds error_lifetime{30};
    Instant started{};
    std::map<std::pair<std::uint8_t, std::uint16_t>, std::uint16_t> ports;  // IANA protocol, inside

    // Every request that came, as it came.
    std::vector<Bytes> requests;

    std::optional<Bytes> answer(Instant now, BytesView request) {
        requests.push_back(to_bytes(request));
        if (speaks == Speaks::Nothing || request.empty()) return std::nullopt;
        if (request[0] == std::byte{0}) return answer_nat_pmp(now, request);
        if (speaks == Speaks::Both) return answer_pcp(now, request);
        return Bytes{std::byte{0}, request[1] | std::byte{0x80},
                     std::byte{0}, std::byte{1},
                     std::byte{0}, std::byte{0},
                     std::byte{0}, std::byte{0}};
    }

    void restart(Instant now) {
        started = now;
        ports.clear();
    }

private:
    std::uint32_t epoch(Instant now) const {
        return static_cast<std::uint32_t>(
            std::chrono::floor<std::chrono::seconds>(now - started).count());
    }

    std::uint16_t keep(std::uint8_t protocol, std::uint16_t internal, std::uint16_t suggested,
                       std::uint32_t wanted) {
        if (wanted == 0) {
            ports.erase({protocol, internal});
            return 0;
        }
        const auto fresh =
            static_cast<std::uint16_t>(suggested != 0 ? suggested : 40'000 + ports.size());
        return ports.try_emplace({protocol, internal}, fresh).first->second;
    }

    Bytes answer_nat_pmp(Instant now, BytesView request) {
        ByteReader reader{request};
        reader.skip(1);
        const std::uint8_t operation = reader.u8();
        Bytes octets;
        ByteWriter writer{octets};
        writer.u8(0);
        writer.u8(operation | 0x80U);
        writer.u16(nat_pmp_result);
        writer.u32(epoch(now));
        if (operation == 0) {
            writer.bytes(external.octets());
            return octets;
        }
        reader.skip(2);
        const std::uint16_t internal = reader.u16();
        const std::uint16_t suggested = reader.u16();
        const std::uint32_t wanted = reader.u32();
        writer.u16(internal);
        writer.u16(nat_pmp_result != 0
                       ? std::uint16_t{0}
                       : keep(operation == 1 ? 17 : 6, internal, suggested, wanted));
        writer.u32(wanted == 0 ? 0 : static_cast<std::uint32_t>(lifetime.count()));
        return octets;
    }

    Bytes answer_pcp(Instant now, BytesView request) {
        ByteReader reader{request};
        reader.skip(1);
        const std::uint8_t operation = reader.u8();
        reader.skip(2);
        const std::uint32_t wanted = reader.u32();
        reader.skip(16);
        const BytesView nonce = reader.bytes(12);
        const std::uint8_t protocol = reader.u8();
        reader.skip(3);
        const std::uint16_t internal = reader.u16();
        const std::uint16_t suggested = reader.u16();
        Bytes octets;
        ByteWriter writer{octets};
        writer.u8(2);
        writer.u8(operation | 0x80U);
        writer.u8(0);
        writer.u8(pcp_result);
        const auto granted = wanted == 0 ? std::chrono::seconds{0} : lifetime;
        writer.u32(
            static_cast<std::uint32_t>((pcp_result != 0 ? error_lifetime : granted).count()));
        writer.u32(epoch(now));
        writer.zeros(12);
        writer.bytes(nonce);
        writer.u8(protocol);
        writer.zeros(3);
        writer.u16(internal);
        writer.u16(pcp_result != 0 ? suggested : keep(protocol, internal, suggested, wanted));
        if (external.is_v4()) {
            writer.zeros(10);
            writer.u16(0xFFFF);
        }
        writer.bytes(external.octets());
        return octets;
    }
};

// A client and its gateway, with time between them and no delay.
struct Home {
    Instant now{std::chrono::hours{1}};
    Gateway gateway;
    Client client;
    std::vector<Client::Event> events;

    explicit Home(Gateway router = {}, IpAddress local = IpAddress::v4({192, 168, 1, 20}))
        : gateway(std::move(router)),
          client({.gateway = gateway.address.ip, .local = local},
                 crypto::RandomStream{crypto::seed_from_number(1)}) {}

    void exchange() {
        while (const auto request = client.poll_transmit()) {
            const auto answer = gateway.answer(now, request->payload);
            if (answer) client.handle_datagram(now, gateway.address, *answer);
        }
        while (const auto event = client.poll_event()) events.push_back(*event);
    }

    // Everything that is due until then, each at its time.
    void run_for(Duration duration) {
        const Instant end = now + duration;
        exchange();
        for (auto next = client.poll_timeout(); next && *next <= end;
             next = client.poll_timeout()) {
            now = std::max(now, *next);
            client.handle_timeout(now);
            exchange();
        }
        now = end;
    }

    MappingId map(Protocol protocol = Protocol::Udp, std::uint16_t port = 5000) {
        const auto id = client.map(now, protocol, Port{port});
        exchange();
        return *id;
    }

    template <class Event>
    std::size_t count() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            events, [](const auto& event) { return std::holds_alternative<Event>(event); }));
    }
    template <class Event>
    const Event& last() const {
        REQUIRE(!events.empty());
        REQUIRE(std::holds_alternative<Event>(events.back()));
        return std::get<Event>(events.back());
    }
};

}  // namespace stile::portmap
