// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/portmap/mapping.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace stile::drivers::test {

// A router at a loopback address of its own: it grants what PCP asks for, or only listens.
struct FakeRouter {
    enum class Manner : std::uint8_t { Grants, Silent };

    IpAddress address;
    Manner manner;
    IpAddress external = IpAddress::v4({203, 0, 113, 7});
    std::unique_ptr<UdpSocket> socket;
    // By protocol and inside port, as PCP has them: the outside port.
    std::map<std::pair<std::uint8_t, std::uint16_t>, std::uint16_t> ports{};
    std::size_t requests = 0;

    FakeRouter(Loop& loop, std::uint8_t last_octet, Manner how = Manner::Grants)
        : address(IpAddress::v4({127, 53, 51, last_octet})), manner(how) {
        auto opened = UdpSocket::open(loop, {address, portmap::server_port});
        REQUIRE(opened);
        socket = *std::move(opened);
        socket->on_datagrams([this](std::span<const Datagram> batch) {
            for (const Datagram& datagram : batch) {
                ++requests;
                if (manner == Manner::Grants) answer(datagram);
            }
        });
    }

    // RFC 6887 Sections 7.2 and 11.1.
    void answer(const Datagram& request) {
        ByteReader reader{request.payload};
        if (reader.u8() != 2) return;
        const std::uint8_t operation = reader.u8();
        reader.skip(2);
        const std::uint32_t lifetime = reader.u32();
        reader.skip(16);
        const BytesView nonce = reader.bytes(12);
        const std::uint8_t protocol = reader.u8();
        reader.skip(3);
        const std::uint16_t inside = reader.u16();
        if (lifetime == 0) {
            ports.erase({protocol, inside});
        } else {
            ports.emplace(std::pair{protocol, inside},
                          static_cast<std::uint16_t>(40'000 + ports.size()));
        }
        Bytes octets;
        ByteWriter writer{octets};
        writer.u8(2);
        writer.u8(operation | 0x80U);
        writer.u16(0);
        writer.u32(lifetime);
        writer.u32(1000);
        writer.zeros(12);
        writer.bytes(nonce);
        writer.u8(protocol);
        writer.zeros(3);
        writer.u16(inside);
        writer.u16(lifetime == 0 ? std::uint16_t{0} : ports.at({protocol, inside}));
        writer.zeros(10);
        writer.u16(0xFFFF);
        writer.bytes(external.octets());
        socket->send(Transmit{{socket->local_address(), request.path.remote}, octets});
    }
};

}  // namespace stile::drivers::test
