// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "frames.hpp"

#include <stile/base/byte_reader.hpp>
#include <stile/base/byte_writer.hpp>

#include <algorithm>

namespace stile::drivers::kernel::testing {

namespace {

std::uint16_t sum(BytesView octets, std::uint32_t start = 0) {
    std::uint64_t total = start;
    for (std::size_t i = 0; i < octets.size(); ++i) {
        const auto value = std::to_integer<std::uint32_t>(octets[i]);
        total += i % 2 == 0 ? value << 8U : value;
    }
    while (total > 0xffff) total = (total & 0xffffU) + (total >> 16U);
    return static_cast<std::uint16_t>(total);
}

std::uint16_t pseudo_sum(const IpAddress& from, const IpAddress& to, std::size_t length) {
    return sum(to.octets(), sum(from.octets(), static_cast<std::uint32_t>(length + 17)));
}

void put(Bytes& bytes, std::uint64_t value, std::size_t octets) {
    while (octets-- > 0) bytes.push_back(static_cast<std::byte>(value >> (8 * octets)));
}

void put(Bytes& bytes, BytesView more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

std::uint32_t get(BytesView bytes, std::size_t at, std::size_t octets) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < octets; ++i) {
        value = value << 8U | std::to_integer<std::uint32_t>(bytes[at + i]);
    }
    return value;
}

std::uint16_t inverted(std::uint16_t value) {
    const auto result = static_cast<std::uint16_t>(~value);
    return result == 0 ? 0xffff : result;
}

Bytes make_udp(const SocketAddress& from, const SocketAddress& to, BytesView payload,
               Checksum checksum) {
    Bytes udp;
    put(udp, from.port.value, 2);
    put(udp, to.port.value, 2);
    put(udp, 8 + payload.size(), 2);
    put(udp, 0, 2);
    put(udp, payload);
    const auto pseudo = pseudo_sum(from.ip, to.ip, udp.size());
    std::uint16_t field = 0;
    switch (checksum) {
        case Checksum::Whole:
            field = inverted(sum(udp, pseudo));
            break;
        case Checksum::Partial:
            field = pseudo;
            break;
        case Checksum::None:
            break;
        case Checksum::Wrong:
            field = inverted(sum(udp, pseudo + 1U));
            break;
    }
    udp[6] = static_cast<std::byte>(field >> 8U);
    udp[7] = static_cast<std::byte>(field);
    return udp;
}

}  // namespace

Bytes make_frame(const SocketAddress& from, const SocketAddress& to, BytesView payload,
                 const FrameOptions& options) {
    const auto udp = make_udp(from, to, payload, options.checksum);
    Bytes frame;
    put(frame, 0, 6);  // lo's: frames run in memory come from there
    put(frame, 0x0200'0000'0002, 6);
    if (from.ip.is_v4()) {
        put(frame, 0x0800, 2);
        Bytes ip;
        put(ip, 0x45 + options.ip_options / 4, 1);
        put(ip, options.traffic_class, 1);
        put(ip, 20 + options.ip_options + udp.size(), 2);
        put(ip, 0x1234, 2);
        put(ip, options.fragment, 2);
        put(ip, options.hop_limit, 1);
        put(ip, 17, 1);
        put(ip, 0, 2);
        put(ip, from.ip.octets());
        put(ip, to.ip.octets());
        ip.resize(ip.size() + options.ip_options, std::byte{1});  // no operation
        const auto check = static_cast<std::uint16_t>(~sum(ip));
        ip[10] = static_cast<std::byte>(check >> 8U);
        ip[11] = static_cast<std::byte>(check);
        put(frame, ip);
    } else {
        put(frame, 0x86dd, 2);
        put(frame, 0x6000'0000U | static_cast<std::uint32_t>(options.traffic_class) << 20U, 4);
        put(frame, udp.size(), 2);
        put(frame, 17, 1);
        put(frame, options.hop_limit, 1);
        put(frame, from.ip.octets());
        put(frame, to.ip.octets());
    }
    put(frame, udp);
    frame.resize(frame.size() + options.trailer, std::byte{0xee});
    return frame;
}

std::optional<ReadFrame> read_frame(BytesView frame) {
    ReadFrame read;
    if (frame.size() < 42) return std::nullopt;
    for (std::size_t i = 0; i < 6; ++i) {
        constexpr std::string_view digits = "0123456789abcdef";
        read.next_hop += digits[get(frame, i, 1) >> 4U];
        read.next_hop += digits[get(frame, i, 1) & 15U];
    }
    std::size_t udp = 34;
    std::size_t length = 0;
    if (get(frame, 12, 2) == 0x0800) {
        if (get(frame, 14, 1) != 0x45 || sum(frame.subspan(14, 20)) != 0xffff) return std::nullopt;
        length = get(frame, 16, 2) - 20;
        read.traffic_class = static_cast<std::uint8_t>(get(frame, 15, 1));
        read.fragment = static_cast<std::uint16_t>(get(frame, 20, 2));
        read.hop_limit = static_cast<std::uint8_t>(get(frame, 22, 1));
        if (get(frame, 23, 1) != 17) return std::nullopt;
        read.from.ip = IpAddress::from_octets(frame.subspan(26, 4));
        read.to.ip = IpAddress::from_octets(frame.subspan(30, 4));
    } else {
        if (frame.size() < 62 || get(frame, 12, 2) != 0x86dd) return std::nullopt;
        if (get(frame, 14, 1) >> 4U != 6 || get(frame, 20, 1) != 17) return std::nullopt;
        udp = 54;
        length = get(frame, 18, 2);
        read.traffic_class = static_cast<std::uint8_t>(get(frame, 14, 4) >> 20U);
        read.hop_limit = static_cast<std::uint8_t>(get(frame, 21, 1));
        read.from.ip = IpAddress::from_octets(frame.subspan(22, 16));
        read.to.ip = IpAddress::from_octets(frame.subspan(38, 16));
    }
    if (frame.size() < udp + length || length < 8 || get(frame, udp + 4, 2) != length) {
        return std::nullopt;
    }
    read.from.port.value = static_cast<std::uint16_t>(get(frame, udp, 2));
    read.to.port.value = static_cast<std::uint16_t>(get(frame, udp + 2, 2));
    const auto datagram = frame.subspan(udp, length);
    read.payload.assign(datagram.begin() + 8, datagram.end());
    read.trailer = frame.size() - udp - length;
    const auto pseudo = pseudo_sum(read.from.ip, read.to.ip, length);
    const auto field = get(datagram, 6, 2);
    if (field == 0) {
        read.checksum = Checksum::None;
    } else if (sum(datagram, pseudo) == 0xffff) {
        read.checksum = Checksum::Whole;
    } else if (field == pseudo) {
        read.checksum = Checksum::Partial;
    }
    return read;
}

Bytes channel_data(std::uint16_t number, BytesView payload, std::size_t padding) {
    Bytes bytes;
    put(bytes, number, 2);
    put(bytes, payload.size(), 2);
    put(bytes, payload);
    bytes.resize(bytes.size() + padding, std::byte{0xdd});
    return bytes;
}

Bytes sample(std::size_t octets, std::uint8_t seed) {
    Bytes bytes(octets);
    for (std::size_t i = 0; i < octets; ++i) {
        bytes[i] = static_cast<std::byte>(i * 7 + seed + octets);
    }
    return bytes;
}

}  // namespace stile::drivers::kernel::testing
