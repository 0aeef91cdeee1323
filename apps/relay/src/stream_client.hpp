// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/turn/client_flow.hpp>

#include <cstddef>
#include <memory>
#include <optional>

namespace stile::relay {

// A TURN client on a TCP or TLS connection.
struct StreamClient {
    enum class Standing : std::uint8_t {
        Stranger,  // counted, and closed when it is idle
        Known,     // has an allocation
        Gone,      // closed, or its connection is another's now
    };

    turn::ClientFlow flow;
    std::size_t tenant = 0;
    std::optional<IpAddress> source;  // whose strangers it is one of
    Standing standing = Standing::Stranger;
    std::unique_ptr<drivers::Stream> stream;
    Bytes unread;             // the begin of a message
    BytesView after_message;  // what has been read beyond the message that is looked at
    Bytes outgoing;           // of this round: leaves with one call
    bool listed = false;      // among those with something outgoing
    std::unique_ptr<drivers::Timer> deadline;
};

}  // namespace stile::relay
