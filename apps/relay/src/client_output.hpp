// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "stream_front.hpp"

#include <stile/turn/server.hpp>

namespace stile::relay {

// The clients as a tenant sees them, whatever they came by. Implemented by the shard.
class ClientOutput {
public:
    virtual void send_to_client(const turn::ToClient& message) = 0;
    // A whole answer; `message` is valid during the call only.
    virtual void send_answer(const turn::ClientFlow& flow, BytesView message) = 0;
    virtual void allocation_opened(const turn::ClientFlow& flow) = 0;
    virtual void allocation_closed(const turn::ClientFlow& flow) = 0;
    virtual void allocation_moved(const turn::ClientFlow& from, const turn::ClientFlow& to) = 0;
    // The connection of a client that is no TURN client any more. RFC 6062 Section 5.4.
    virtual StreamFront::Taken take_connection(const turn::ClientFlow& flow) = 0;

protected:
    ~ClientOutput() = default;
};

}  // namespace stile::relay
