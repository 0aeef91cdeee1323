// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/turn/data_connection.hpp>

#include <functional>
#include <memory>

namespace stile::turn_link {

// A connection to a peer by way of a TCP allocation: what is written arrives there, octet for
// octet. RFC 6062 Section 4.5.
class PeerStream {
public:
    struct End {
        std::optional<turn::Failure> failure;  // the server refused it
        drivers::Closed closed;
    };
    // Each may destroy the stream.
    struct Handlers {
        std::move_only_function<void()> on_open;
        std::move_only_function<void(BytesView)> on_bytes;
        std::move_only_function<void(End)> on_closed;  // at most once, the last
    };

    // `connection` for the stream, which is being opened. Use TurnLink::open_connection.
    PeerStream(drivers::Loop& loop, std::unique_ptr<drivers::Stream> stream,
               turn::DataConnection connection, Handlers handlers);
    PeerStream(const PeerStream&) = delete;
    PeerStream& operator=(const PeerStream&) = delete;
    ~PeerStream();

    // After on_open.
    drivers::Written write(BytesView octets);
    // Ends it after what was written.
    void close();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::turn_link
