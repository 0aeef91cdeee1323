// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/dtls.hpp>
#include <stile/drivers/udp_socket_set.hpp>
#include <stile/turn/client_flow.hpp>
#include <stile/turn/relay.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace stile::relay {

// DTLS on one UDP listener of one shard. RFC 7350; RFC 7983 tells it from STUN and ChannelData.
class DtlsFront {
public:
    struct Handlers {
        // The socket: one of the client's own, where set_socket() gave it one.
        std::move_only_function<void(std::optional<drivers::UdpSocketSet::Id>, const Path&,
                                     BytesView)>
            on_output;
        std::move_only_function<void(const turn::ClientFlow&, BytesView)> on_message;
        std::move_only_function<void(const turn::ClientFlow&)> on_gone;
    };

    DtlsFront(drivers::Loop& loop, const drivers::TlsContext& context, Handlers handlers);

    void handle_datagram(const Path& path, BytesView datagram) {
        server_.handle_datagram(path, datagram);
    }
    void send(const turn::ClientFlow& flow, BytesView message, BytesView prefix,
              std::size_t padding);
    bool has(const turn::ClientFlow& flow) const { return sessions_.contains(flow); }
    void set_context(const drivers::TlsContext& context) { server_.set_context(context); }
    std::vector<turn::ClientFlow> flows() const;
    void set_socket(const turn::ClientFlow& flow, drivers::UdpSocketSet::Id socket) {
        sockets_[flow] = socket;
    }
    // Says goodbye; nothing is called back.
    void close(const turn::ClientFlow& flow);
    std::size_t clients() const { return sessions_.size(); }

private:
    static turn::ClientFlow flow_of(const Path& path) {
        return {path.local, path.remote, turn::ClientTransport::Dtls};
    }

    Handlers handlers_;
    std::map<turn::ClientFlow, drivers::DtlsSessionId> sessions_;
    std::map<drivers::DtlsSessionId, turn::ClientFlow> flows_;
    std::map<turn::ClientFlow, drivers::UdpSocketSet::Id> sockets_;
    Bytes padded_;
    drivers::DtlsServer server_;
};

}  // namespace stile::relay
