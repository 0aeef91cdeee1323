// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/client_transaction.hpp>
#include <stile/stun/message_view.hpp>

#include <optional>
#include <variant>

namespace stile::stun {

// The server's side of RFC 5780: a Binding responder with two addresses and two ports, all four of
// which receive and send. Holds no state.
struct BehaviorServer {
    struct Answer {
        Path path;  // from where to where
        Bytes response;
    };

    IpAddress primary;
    IpAddress alternate;  // of the same family, another address
    Port primary_port;
    Port alternate_port;
    std::string_view software;

    // path.local is where the request came in, one of the four. Nothing for what is not a Binding
    // request, nor for another address. RFC 5780 Section 6.1. PADDING is an unknown attribute here.
    std::optional<Answer> respond(const MessageView& request, const Path& path) const;
};

enum class MappingBehavior : std::uint8_t {
    EndpointIndependent,  // also without NAT
    AddressDependent,
    AddressAndPortDependent,
};
enum class FilteringBehavior : std::uint8_t {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
};

// The client's side: finds out how the NATs between one socket and a server of RFC 5780 behave at
// this moment. Filtering is tested before mapping, because each request opens the filter a little
// more. RFC 5780 Sections 4.2 to 4.4.
class BehaviorDiscovery {
public:
    struct Config {
        SocketAddress local;   // of a socket that has not been used lately
        SocketAddress server;  // its primary address and port
        // A missing answer is a finding too: shorter than the schedule of RFC 8489.
        RetransmitSchedule schedule{.rc = 4, .rm = 4};
    };
    struct Findings {
        // Absent: no UDP to the server; then all is absent.
        std::optional<SocketAddress> mapped;
        // Absent: the server has no second address, or answered a test with an error.
        std::optional<MappingBehavior> mapping;
        std::optional<FilteringBehavior> filtering;
    };

    BehaviorDiscovery(Instant now, Config config, crypto::RandomStream random);

    Verdict handle_datagram(Instant now, const Path& path, BytesView datagram);
    void handle_timeout(Instant now);

    // From config.local. The view lives until the next call that is not const.
    std::optional<Transmit> poll_transmit();
    // Once, when all is known.
    std::optional<Findings> poll_event();
    std::optional<Instant> poll_timeout() const;

private:
    enum class Test : std::uint8_t {
        Connectivity,
        FilterOtherAddress,  // change address and port
        FilterOtherPort,     // change port
        MapOtherAddress,     // to the alternate address, primary port
        MapOtherPort,        // to the alternate address and port
        Done,
    };

    void begin(Instant now, Test test);
    void advance(Instant now);
    void conclude(Instant now, const MessageView* response);

    Config config_;
    crypto::RandomStream random_;
    Test test_ = Test::Done;
    SocketAddress target_;
    std::optional<ClientTransaction> transaction_;
    SocketAddress other_;  // OTHER-ADDRESS, meaningful after the first test
    std::optional<SocketAddress> mapped_for_other_;  // by MapOtherAddress
    Findings findings_;
    bool told_ = false;
};

}  // namespace stile::stun
