// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/stun/client_transaction.hpp>
#include <stile/stun/long_term_client.hpp>
#include <stile/turn/connection.hpp>
#include <stile/turn/failure.hpp>

#include <optional>
#include <variant>

namespace stile::turn {

// The client's data connection of a TCP allocation: a TCP or TLS connection of the driver's to the
// server, from another local address than the control connection's. First a ConnectionBind request
// leaves; after Bound all octets are the peer's, both ways, and nothing needs to pass here.
// RFC 6062 Sections 4.3 to 4.5.
class DataConnection {
public:
    struct Bound {};
    // Close the connection.
    struct Failed {
        Failure failure;
    };
    using Event = std::variant<Bound, Failed>;

    // From Client::data_connection.
    DataConnection(Instant now, ConnectionId connection, stun::LongTermClient authentication,
                   crypto::RandomStream random);

    // What arrived, in pieces of any size. Returns what of it is the peer's, a view into `octets`:
    // nothing until Bound, and then everything.
    [[nodiscard]] BytesView handle_octets(Instant now, BytesView octets);
    void handle_timeout(Instant now);
    // The connection is gone, or was never there.
    void handle_unreachable(Instant now);

    std::optional<BytesView> poll_transmit();  // valid until the next non-const call
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    bool bound() const { return phase_ == Phase::Bound; }

private:
    enum class Phase : std::uint8_t { Binding, Bound, Ended };

    void start(Instant now);
    void handle_response(Instant now, const stun::MessageView& response);
    void collect();
    void fail(Failure failure);

    ConnectionId connection_;
    stun::LongTermClient authentication_;
    crypto::RandomStream random_;
    Phase phase_ = Phase::Binding;
    std::optional<stun::ClientTransaction> transaction_;
    Bytes incoming_;  // the beginning of an answer
    std::optional<Bytes> outgoing_;
    Bytes polled_;
    std::optional<Event> event_;
};

}  // namespace stile::turn
