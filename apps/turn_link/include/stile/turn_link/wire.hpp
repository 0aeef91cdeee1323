// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/turn/discovery.hpp>

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace stile::turn_link {

// ALPN of TURN over TLS and DTLS. RFC 7443 Section 3.
inline constexpr const char* alpn_turn = "stun.turn";

struct Security {
    std::string host;    // the name that the certificate must be for
    std::string ca_pem;  // trusted authorities; empty: the system's
};

struct WireHandlers {
    std::move_only_function<void()> on_open;
    std::move_only_function<void(BytesView)> on_message;  // one whole STUN or ChannelData message
    // A connection: it is gone, the last callback. A datagram socket: ICMP says that the server is
    // not there; it may come again.
    std::move_only_function<void(drivers::Closed)> on_unreachable;
};

// One flow to a TURN server: a UDP socket, a DTLS association, a TCP or a TLS connection. None of
// its callbacks runs inside a call on it; each may destroy it.
class Wire {
public:
    virtual ~Wire() = default;

    // What cannot even begin (no socket, a bad certificate of an authority) comes by
    // on_unreachable, too. `local` is bound to.
    static std::unique_ptr<Wire> open(drivers::Loop& loop, const turn::ServerAddress& server,
                                      std::optional<IpAddress> local, const Security& security,
                                      WireHandlers handlers);

    virtual void send(BytesView message) = 0;
    virtual SocketAddress local_address() const = 0;
    // "TLSv1.3 TLS_AES_256_GCM_SHA384, ALPN stun.turn"; empty where nothing is encrypted.
    virtual std::string security() const = 0;
};

// A stream to the server: TCP, or TLS on it, connecting. For control and data connections.
std::expected<std::unique_ptr<drivers::Stream>, std::string> open_stream(
    drivers::Loop& loop, const turn::ServerAddress& server, std::optional<IpAddress> local,
    const Security& security);

}  // namespace stile::turn_link
