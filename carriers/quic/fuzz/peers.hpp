// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/quic/connection.hpp>

namespace stile::quic {

struct FuzzPeer {
    crypto::PrivateKey key;
    crypto::Certificate certificate;

    explicit FuzzPeer(crypto::RandomStream random)
        : key(crypto::PrivateKey::from_entropy(random.array<48>())),
          certificate(crypto::make_self_signed(
              key, {.names = {.common_name = "peer"}, .serial = random.array<16>()})) {}
};

inline Config fuzz_config() {
    static const FuzzPeer own{crypto::RandomStream{crypto::seed_from_number(1)}};
    return {.credentials = {.key = own.key,
                            .chain = {own.certificate},
                            .expected = {identity::Fingerprint::of(own.certificate)}}};
}

// Feeds the input as datagrams, each with two octets of length before it, and polls all there is.
inline void feed(Connection& connection, BytesView input) {
    Instant now{};
    while (input.size() >= 2) {
        const std::size_t length =
            std::to_integer<std::size_t>(input[0]) << 8U | std::to_integer<std::size_t>(input[1]);
        input = input.subspan(2);
        const BytesView datagram = input.first(std::min(length, input.size()));
        input = input.subspan(datagram.size());
        connection.handle_datagram(now, datagram);
        while (connection.poll_transmit(now)) {
        }
        while (connection.poll_event()) {
        }
        (void)connection.owns(datagram);
        now += std::chrono::milliseconds{300};
        connection.handle_timeout(now);
        if (!connection.poll_timeout()) return;
    }
}

}  // namespace stile::quic
