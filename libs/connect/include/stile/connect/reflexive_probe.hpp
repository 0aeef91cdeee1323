// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/client_transaction.hpp>

#include <optional>
#include <variant>

namespace stile::connect {

// Asks one STUN server how one socket looks from outside. RFC 8445 Section 5.1.1.2.
class ReflexiveProbe {
public:
    struct Found {
        SocketAddress mapped;
    };
    // No usable answer came before the transaction ended.
    struct NothingFound {};
    using Event = std::variant<Found, NothingFound>;

    // `path` is the socket and the server.
    ReflexiveProbe(Instant now, Path path, stun::RetransmitSchedule schedule,
                   crypto::RandomStream& random);

    // True when the message answers this probe.
    bool handle_message(Instant now, const Path& path, const stun::MessageView& message);
    void handle_timeout(Instant now);

    std::optional<Transmit> poll_transmit();
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

    const Path& path() const { return path_; }

private:
    Path path_;
    stun::ClientTransaction transaction_;
};

}  // namespace stile::connect
