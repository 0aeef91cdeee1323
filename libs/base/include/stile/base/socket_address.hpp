// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>

#include <functional>

namespace stile {

// A UDP or TCP port number. 0 means "not chosen yet" only where a comment says so.
struct Port {
    std::uint16_t value = 0;
    friend constexpr auto operator<=>(Port, Port) = default;
};

struct SocketAddress {
    IpAddress ip;
    Port port;

    // "192.0.2.1:3478" or "[2001:db8::1]:3478".
    static std::optional<SocketAddress> parse(std::string_view text);
    std::string to_string() const;
    friend constexpr auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

// One side's view of a datagram's way. For what comes in, `remote` is the sender; for what goes
// out, the destination. `local` is the address of the socket, or of the relay, that it passes.
struct Path {
    SocketAddress local;
    SocketAddress remote;
    friend constexpr auto operator<=>(const Path&, const Path&) = default;
};

// A datagram to send. The payload is valid until the next non-const call on the machine it is from.
struct Transmit {
    Path path;
    BytesView payload;
};

}  // namespace stile
