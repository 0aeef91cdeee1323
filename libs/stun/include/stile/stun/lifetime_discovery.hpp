// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/client_transaction.hpp>

#include <optional>
#include <variant>

namespace stile::stun {

// How long a NAT keeps a mapping through which nothing goes: one socket makes it, another asks the
// server after a while for an answer to it. The waits double until one is too long and then close
// in by halves. RFC 5780 Section 4.6. Needs a server that knows RESPONSE-PORT.
class LifetimeDiscovery {
public:
    struct Config {
        SocketAddress kept;   // the socket whose mapping is watched; not used lately
        SocketAddress asker;  // the other one
        SocketAddress server;
        Duration first_wait = std::chrono::seconds{15};
        Duration longest_wait = std::chrono::minutes{10};
        Duration resolution = std::chrono::seconds{5};
        Duration budget = std::chrono::minutes{30};  // of the whole
        RetransmitSchedule schedule{.rc = 4, .rm = 4};
    };
    // After each wait.
    struct Probed {
        enum class Outcome : std::uint8_t { Alive, Expired };
        Duration wait;
        Outcome outcome;
    };
    struct Findings {
        enum class End : std::uint8_t {
            Found,          // between longest_alive and shortest_expired, within the resolution
            LongestAlive,   // still there after the longest wait
            BudgetSpent,    // what is known so far
            NoServer,       // no answer at all
            NotOffered,     // the server refuses or ignores RESPONSE-PORT
            NotComparable,  // a mapping just made was not reached: another address for each
                            // socket, or a filter
        };
        End end = End::NoServer;
        std::optional<SocketAddress> mapped;
        std::optional<Duration> longest_alive;
        std::optional<Duration> shortest_expired;
    };
    using Event = std::variant<Probed, Findings>;

    // Requires: 0 < resolution, 0 < first_wait <= longest_wait.
    LifetimeDiscovery(Instant now, Config config, crypto::RandomStream random);

    Verdict handle_datagram(Instant now, const Path& path, BytesView datagram);
    void handle_timeout(Instant now);

    // The view lives until the next call that is not const.
    std::optional<Transmit> poll_transmit();
    std::optional<Event> poll_event();  // Findings is the last
    std::optional<Instant> poll_timeout() const;

private:
    enum class Phase : std::uint8_t { Making, Waiting, Asking, Done };

    void make(Instant now);
    void ask(Instant now);
    void made(Instant now, const MessageView* response);
    void asked(Instant now, Probed::Outcome outcome);
    void next_wait(Instant now);
    void finish(Findings::End end);

    Config config_;
    crypto::RandomStream random_;
    Instant deadline_;
    Phase phase_ = Phase::Done;
    std::optional<ClientTransaction> transaction_;
    Path path_;                    // of the transaction
    Duration wait_{};              // 0 first: shows that the method works at all
    std::optional<Instant> wake_;  // of Waiting
    Port mapped_port_;
    Findings findings_;
    std::optional<Probed> probed_;
    bool told_ = false;
};

}  // namespace stile::stun
