// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "target.hpp"

#include <stile/crypto/random_stream.hpp>
#include <stile/drivers/loop.hpp>

#include <string>

namespace stile::probe {

// One request and its answer, over any transport.
struct Exchanged {
    Bytes response;                      // success or error, already checked to be one
    std::optional<Duration> round_trip;  // absent if retransmitted
    SocketAddress local;
    SocketAddress server;
    std::string security;  // "TLSv1.3, TLS_AES_256_GCM_SHA384", or empty
};

// Sends a Binding request to one address and waits for the answer, at most options.patience.
std::expected<Exchanged, app::Problem> exchange(drivers::Loop& loop, crypto::RandomStream& random,
                                                const CommonOptions& options, const Target& target,
                                                const SocketAddress& server);

// What an answer that does not come most likely means.
app::Problem no_answer(const SocketAddress& server, Transport transport, Duration waited);
// The server's own refusal.
app::Problem refused(const SocketAddress& server, std::uint16_t code, std::string_view reason);

}  // namespace stile::probe
