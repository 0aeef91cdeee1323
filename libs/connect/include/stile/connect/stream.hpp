// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/ice/candidate.hpp>

#include <cstdint>
#include <string>

namespace stile::connect {

// Names a TCP connection of a connector, or an attempt to open one, for as long as the connector
// lives.
struct StreamId {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(StreamId, StreamId) = default;
};

// A socket that accepts TCP connections for this connector: one for a passive candidate, another
// for a simultaneous-open one. RFC 6544 Section 5.1.
struct Listener {
    SocketAddress address;
    ice::TcpType type = ice::TcpType::Passive;  // not Active
    friend bool operator==(const Listener&, const Listener&) = default;
};

enum class StreamSecurity : std::uint8_t { None, Tls };

// Wanted: a connection from path.local to path.remote. Answer with Connector::handle_stream_opened
// or handle_stream_failed.
struct StreamWanted {
    enum class LocalPort : std::uint8_t {
        Any,     // path.local has ice::discard_port
        Shared,  // that of the listener at path.local: RFC 6544 Appendix B
    };
    StreamId stream;
    Path path;
    LocalPort local_port = LocalPort::Any;
    StreamSecurity security = StreamSecurity::None;
    std::string server_name;  // whom the certificate must be for, with Tls
};

// Close it: nothing that comes from it is of use any longer. What was polled for it before should
// still leave.
struct StreamUnwanted {
    StreamId stream;
};

// To be written to a stream as it is, or, where that would take too long, not at all: whole
// messages are left out, never a part.
struct StreamTransmit {
    StreamId stream;
    BytesView octets;  // until the next non-const call
};

}  // namespace stile::connect
