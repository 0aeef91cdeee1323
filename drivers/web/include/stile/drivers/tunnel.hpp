// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/http_proxy.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>

#include <memory>
#include <optional>
#include <string>

namespace stile::drivers {

struct TunnelOptions {
    HttpProxy proxy;
    std::string host;  // where to: a name or an address, IPv6 without brackets
    Port port;
    Duration patience = std::chrono::seconds{15};  // for the proxy's answer
};

// A connection through an HTTP proxy: CONNECT (RFC 9110 Section 9.3.6), with the proxy's login by
// the Basic scheme (RFC 7617) where there is one. on_open means that the proxy has connected; what
// it refuses is CloseReason::Proxy with a text for a person.
class TunnelStream final : public Stream {
public:
    // `transport` leads to the proxy and may still be connecting; it is owned.
    TunnelStream(Loop& loop, std::unique_ptr<Stream> transport, TunnelOptions options);
    ~TunnelStream() override;

    void set_handlers(StreamHandlers handlers) override;
    Written write(BytesView bytes) override;
    std::size_t buffered() const override;
    void finish() override;
    void close() override;
    void set_reading(Reading reading) override;
    SocketAddress local_address() const override;
    // The other end of the tunnel, where `host` is an address; else the proxy.
    SocketAddress peer_address() const override;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::drivers
