// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace stile::drivers::kernel::testing {

// Ethernet frames with one UDP datagram, written and read without the code that is tested.
enum class Checksum : std::uint8_t {
    Whole,
    Partial,  // of the pseudo header, as between virtual interfaces
    None,     // IPv4 only
    Wrong,
};

struct FrameOptions {
    Checksum checksum = Checksum::Whole;
    std::uint8_t hop_limit = 64;
    std::uint8_t traffic_class = 0;
    std::uint16_t fragment = 0x4000;  // flags and offset of IPv4
    std::size_t ip_options = 0;       // octets, a multiple of four
    std::size_t trailer = 0;          // octets after the datagram: an Ethernet frame is padded
};

Bytes make_frame(const SocketAddress& from, const SocketAddress& to, BytesView payload,
                 const FrameOptions& options = {});

struct ReadFrame {
    SocketAddress from;
    SocketAddress to;
    Bytes payload;
    std::string next_hop;  // the destination's Ethernet address in hex
    std::uint8_t hop_limit = 0;
    std::uint8_t traffic_class = 0;
    std::uint16_t fragment = 0;
    Checksum checksum = Checksum::Wrong;
    std::size_t trailer = 0;
};

// Empty where a header is wrong.
std::optional<ReadFrame> read_frame(BytesView frame);

Bytes channel_data(std::uint16_t number, BytesView payload, std::size_t padding = 0);
// A payload that tells its length and its number.
Bytes sample(std::size_t octets, std::uint8_t seed = 1);

}  // namespace stile::drivers::kernel::testing
