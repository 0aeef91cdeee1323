// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/behavior_discovery.hpp>
#include <stile/stun/client_transaction.hpp>

#include <optional>
#include <string>

namespace stile::stun {

// The mapping behaviour for TCP: the tests of RFC 5780 Section 4.3 by connections from one local
// port, one after the other, all of which stay open to the end. The driver connects.
class ConnectionMappingDiscovery {
public:
    struct Config {
        SocketAddress server;
        Duration patience = std::chrono::seconds{10};  // of one test, connecting included
    };
    struct Findings {
        std::optional<SocketAddress> mapped;  // absent: no connection or no answer
        std::optional<SocketAddress> other;   // the server's second address and port
        std::optional<MappingBehavior> mapping;
        std::string software;
        std::uint16_t refusal = 0;  // the error code with which the server refused to answer
    };

    ConnectionMappingDiscovery(Instant now, Config config, crypto::RandomStream random);

    // Where to connect to next, from the same local port as before.
    std::optional<SocketAddress> poll_connect();
    // Of the connection asked for last; of others they change nothing.
    void handle_connected(Instant now, const SocketAddress& server);
    void handle_bytes(Instant now, const SocketAddress& server, BytesView bytes);
    void handle_closed(Instant now, const SocketAddress& server);
    void handle_timeout(Instant now);

    // On the connection asked for last. The view lives until the next call that is not const.
    std::optional<Transmit> poll_transmit();
    std::optional<Findings> poll_event();  // once, when all is known
    std::optional<Instant> poll_timeout() const;

private:
    enum class Test : std::uint8_t { First, Second, Third, Done };

    void begin(Instant now, Test test, const SocketAddress& target);
    void conclude(Instant now, const MessageView* response);

    Config config_;
    crypto::RandomStream random_;
    Test test_ = Test::Done;
    SocketAddress target_;
    bool connect_wanted_ = false;
    bool connected_ = false;
    std::optional<ClientTransaction> transaction_;
    Bytes received_;  // the beginning of a message
    std::optional<SocketAddress> mapped_for_other_;
    Findings findings_;
    bool told_ = false;
};

}  // namespace stile::stun
