// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.hpp"

#include <stile/drivers/file_descriptor.hpp>
#include <stile/stun/long_term_client.hpp>
#include <stile/turn/channel_data.hpp>

#include <cstdint>
#include <vector>

namespace stile::bench {

// One client: a socket, an allocation, and a channel to one peer.
struct Session {
    enum class State : std::uint8_t {
        Idle,
        Allocating,
        Mismatched,
        Binding,
        Ready,
        Releasing,
        Ended,
        Failed
    };

    drivers::FileDescriptor socket;
    SocketAddress local;
    SocketAddress relayed;
    turn::ChannelNumber channel;
    State state = State::Idle;
    std::optional<stun::LongTermClient> authentication;
    Bytes request;
    std::int64_t sent_at = 0;
    std::size_t sends = 0;
    std::string trouble;
};

// Client sockets of our own side, bound and connected to the server, spread over the addresses.
std::vector<Session> open_sessions(const Options& options, std::size_t count);

// Brings sessions from one state to the next, `at_once` of them under way at a time. The program
// ends where one fails: what follows would measure something else.
class Progress {
public:
    Progress(const Options& options, std::size_t at_once) : options_(options), at_once_(at_once) {}

    // Allocate; with a peer ChannelBind to it, too.
    void establish(std::span<Session> sessions, const std::optional<SocketAddress>& peer);
    void release(std::span<Session> sessions);
    std::uint64_t retransmissions() const { return retransmissions_; }
    // Allocations that needed another local port, by 437.
    std::uint64_t mismatches() const { return mismatches_; }

private:
    void run(std::span<Session> sessions, Session::State first);
    void start(Session& session, Session::State state);
    void reopen(Session& session);
    void send(Session& session);
    void handle(Session& session, BytesView datagram);
    void fail(Session& session, const stun::MessageView& response);
    bool is_under_way(const Session& session) const;

    const Options& options_;
    std::size_t at_once_;
    std::optional<SocketAddress> peer_;
    std::uint64_t next_id_ = 1;
    std::size_t next_user_ = 0;
    std::uint64_t retransmissions_ = 0;
    std::uint64_t mismatches_ = 0;
};

}  // namespace stile::bench
