// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/turn/session.hpp>

#include <memory>
#include <optional>

namespace stile::relay {

// Two connections that are one: what comes on either leaves on the other, as it is. Each side waits
// for the other (back pressure), and an end of one direction leaves the other open. RFC 6062
// Section 5.4.
class Splice {
public:
    enum class Budget : std::uint8_t { Within, Spent };
    struct Handlers {
        // Octets that passed since the last call. Spent: both sides pause for a moment.
        std::move_only_function<Budget(const turn::Traffic&)> on_traffic;
        // Once, when both directions have ended or one connection broke; the other is being closed.
        std::move_only_function<void()> on_ended;
    };

    // `early` is what the client has sent already.
    Splice(drivers::Loop& loop, std::unique_ptr<drivers::Stream> client,
           std::unique_ptr<drivers::Stream> peer, BytesView early, Handlers handlers);
    Splice(const Splice&) = delete;
    Splice& operator=(const Splice&) = delete;
    ~Splice();

    // Ends both, after what was written, without on_ended.
    void close();
    // Both connections for another process, and, once that has them, out of here. Absent where TLS
    // is on one or it is about to end.
    struct Connections {
        drivers::TcpStream::Released client;
        drivers::TcpStream::Released peer;
    };
    [[nodiscard]] std::optional<Connections> copy() const;
    void let_go();
    // Reports what has passed, now.
    void account();
    // Calls back once when nothing is on its way any more; from the loop, where that is so already.
    // The callback must not destroy the splice.
    void on_finished(drivers::Task callback);

private:
    enum class Side : std::uint8_t { Client, Peer };
    struct End {
        std::unique_ptr<drivers::Stream> stream;
        bool waits = false;  // for the other side to take what it sent
        bool ended = false;  // its peer sends no more
        bool closed = false;
    };

    void install(End& end, End& other, std::uint64_t turn::Traffic::* octets);
    void carry(End& from, End& to, std::uint64_t turn::Traffic::* octets, BytesView bytes);
    void update_reading();
    void closed(End& end, End& other);

    drivers::Loop& loop_;
    Handlers handlers_;
    End client_;
    End peer_;
    turn::Traffic passed_;
    bool over_budget_ = false;
    bool announced_ = false;
    drivers::Task finished_;
    drivers::Timer timer_;  // to ask again for budget, and to report what trickles
};

}  // namespace stile::relay
