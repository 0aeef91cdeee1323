// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/relay/settings.hpp>

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stile::relay {

struct Handover;

struct StartError {
    std::string what;   // "cannot listen on 192.0.2.1:3478 (UDP)"
    std::string cause;  // "address already in use"
    // What would take the settings over: other ones, another process that continues this one, or
    // one that starts anew, as the threads are handed over as they are.
    enum class Remedy : std::uint8_t { Correction, Restart, StopAndStart };
    Remedy remedy = Remedy::Correction;
};

// Sums over all shards, for metrics.
struct Statistics {
    turn::ServerCounters relay;
    std::uint64_t binding_answers = 0;
    std::uint64_t strangers_answered = 0;
    std::uint64_t strangers_silenced = 0;
    std::uint64_t kernel_packets = 0;  // of relay.packets_*: those the kernel path forwarded
    std::size_t allocations = 0;
    std::size_t relays = 0;
    std::size_t stream_clients = 0;
    std::size_t dtls_clients = 0;
    std::uint64_t stream_drops = 0;  // data for slow clients on TCP and TLS
    std::uint64_t receive_queue_drops = 0;
    std::uint64_t send_errors = 0;
    std::string kernel_path;  // "xdp native on eth0", "user space"
};

// The relay of one machine: a thread a shard, each with its loop, its sockets and its cores.
// Used from one thread; answers that need the shards wait for them (at most a wake-up).
class Relay {
public:
    // A TLS connection that is not TURN: HTTPS on the same port. Called on the threads of the
    // shards, several at once, with the handshake done; `first` is what was decrypted already, and
    // the stream lives on `loop`. Absent: it is closed.
    using OnHttps = std::function<void(drivers::Loop& loop, std::unique_ptr<drivers::Stream> stream,
                                       Bytes first)>;

    static std::expected<std::unique_ptr<Relay>, StartError> start(Settings settings,
                                                                   OnHttps on_https = {});
    // Continues what another process hands over; its sockets replace those that `settings` names
    // by the same addresses. Everything is in place, and nothing is read before serve(), which
    // comes before any other call.
    static std::expected<std::unique_ptr<Relay>, StartError> resume(Settings settings,
                                                                    Handover handover,
                                                                    OnHttps on_https = {});
    void serve();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    ~Relay();

    // Takes over what differs without dropping an allocation; nothing changes where it fails.
    std::expected<void, StartError> reload(Settings settings);
    // No new allocations: 300 with Settings::redirect where there is one, else 508.
    void drain();

    Statistics statistics();
    std::vector<turn::Session> sessions();
    // Usage records of sessions that ended since the last call; bounded, the oldest are lost.
    std::vector<turn::Usage> take_usage();
    // Copies of all that UDP and plain TCP clients have here, and of the listeners. From here on
    // nothing moves in this relay, and nothing is lost, until one of the two calls below; no other
    // may come in between. The error is for a person, and the relay goes on.
    std::expected<Handover, std::string> hand_over();
    // A successor serves what was copied. TLS and DTLS clients with an allocation stay here,
    // drained as by drain(); those without are closed, and reach the successor when they come
    // again.
    void leave();
    // There is no successor: everything goes on as if nothing had been.
    void stay();
    // The addresses that listeners got, in the order of Settings::listeners.
    std::vector<SocketAddress> listening() const;

private:
    struct Impl;
    explicit Relay(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace stile::relay
