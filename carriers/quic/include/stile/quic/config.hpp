// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/crypto/certificate.hpp>
#include <stile/identity/fingerprint.hpp>
#include <stile/quic/limits.hpp>

#include <optional>
#include <vector>

namespace stile::quic {

// Which side of HTTP a peer is: who fetches is the QUIC client. RFC 9114 Section 3.
enum class Role : std::uint8_t { Client, Server };

enum class CongestionControl : std::uint8_t { Cubic, Bbr };

// Explicit congestion notification in the IP header. RFC 3168 Section 5.
enum class Ecn : std::uint8_t { NotCapable = 0, Capable1 = 1, Capable0 = 2, Congested = 3 };

// What a peer shows of itself and whom it expects.
struct Credentials {
    crypto::PrivateKey key;
    // The certificate of `key` first, then that of the address which signed it, if there is one.
    std::vector<crypto::Certificate> chain;
    // The peer's, as the signalling told them. With none every handshake fails.
    std::vector<identity::Fingerprint> expected;
};

struct Config {
    Credentials credentials;
    CongestionControl congestion = CongestionControl::Cubic;
    // The round trip that the connectivity check measured: the first flights are paced and repeated
    // by it. Without one QUIC assumes 333 ms (RFC 9002 Section 6.2.2).
    std::optional<Duration> initial_rtt;
    // UDP payload that the path may carry; less where a relay's header comes before it.
    // Requires: from least_datagram_octets to most_datagram_octets.
    std::size_t datagram_octets = most_datagram_octets;
    Duration idle_timeout = std::chrono::seconds{30};
    // A PING when nothing was sent for so long; absent: a silent connection ends by idle_timeout.
    std::optional<Duration> keep_alive;
    Duration handshake_timeout = std::chrono::seconds{10};
    // How far the peer may run ahead of the reader; see limits.hpp. Requires: first <= most.
    std::uint64_t first_window = first_receive_window;
    std::uint64_t most_window = most_receive_window;
};

}  // namespace stile::quic
