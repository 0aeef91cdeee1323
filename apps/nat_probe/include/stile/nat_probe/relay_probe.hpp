// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/nat_knowledge.hpp>
#include <stile/drivers/dns.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/stun/client_transaction.hpp>
#include <stile/turn_link/turn_link.hpp>

#include <memory>
#include <optional>
#include <string>

namespace stile::nat_probe {

// What a relay showed of itself, and of the NAT on the way to it.
struct RelayFindings {
    // No allocation: why.
    std::optional<turn_link::LinkFailure> failure;
    std::optional<SocketAddress> relayed;
    std::optional<Duration> allocated_in;
    // The relay does not pass packets to this host's own address: of a policy, or a private one.
    std::optional<turn::Failure> peer_refused;
    enum class Loop : std::uint8_t {
        NotTried,  // no allocation, no permission, or no other way out than by the relay
        Returned,  // a packet went out by the relay, came back by the other way, and the reverse
        Lost,
    };
    Loop loop = Loop::NotTried;
    std::optional<Duration> round_trip;  // both ways together
    // A second socket, as the server's own port and as the relay's port see it. Both are of the
    // same server: what differs is the port alone.
    std::optional<SocketAddress> seen_by_server;
    std::optional<SocketAddress> seen_by_relay;
    // A packet of the relay's port, to which this socket had sent nothing yet.
    enum class Stranger : std::uint8_t { NotTried, LetIn, Dropped };
    Stranger stranger = Stranger::NotTried;
};

// What these findings say of the NAT, beside what is known of it already.
void learn(const RelayFindings& findings, connect::NatKnowledge& nat);

// Allocates at a relay over UDP and sends packets between the relayed address and a second socket,
// both ways. That shows whether the relay works; and since the relayed address is another port of
// the server, it also shows how the NAT maps and filters by port, for which RFC 5780 would want a
// server with two addresses. Begins at once.
class RelayProbe {
public:
    struct Config {
        IpAddress local;
        SocketAddress server;
        std::string username;
        std::string password;
        stun::RetransmitSchedule schedule;  // of STUN and of TURN
    };

    // `names` must outlive this.
    RelayProbe(drivers::Loop& loop, drivers::NameService& names, const Config& config,
               std::unique_ptr<drivers::UdpSocket> second, crypto::RandomStream random);

    bool done() const { return step_ == Step::Done; }
    const RelayFindings& findings() const { return findings_; }

private:
    enum class Step : std::uint8_t {
        Asking,      // for an allocation, and for the second socket's address
        Permitting,  // that address, at the relay
        Intruding,   // from the relay to the second socket, unasked
        Looping,     // from the second socket to the relay, and back
        Done,
    };

    void handle_event(const turn::Client::Event& event);
    void handle_data(const SocketAddress& peer, BytesView payload);
    void handle_datagram(const drivers::Datagram& datagram);
    void handle_timeout();
    void pump_binding();
    void enter(Step step);
    void consider_permission();
    void send_test();
    void finish();

    drivers::Loop& loop_;
    Config config_;
    std::unique_ptr<drivers::UdpSocket> socket_;
    Bytes token_;  // what the packets of the test hold
    std::optional<stun::ClientTransaction> binding_;
    drivers::Timer binding_timer_;
    drivers::Timer timer_;
    Instant begun_;
    Instant sent_{};  // the first packet of the step
    unsigned sends_ = 0;
    Step step_ = Step::Asking;
    RelayFindings findings_;
    std::optional<turn_link::TurnLink> link_;
};

}  // namespace stile::nat_probe
