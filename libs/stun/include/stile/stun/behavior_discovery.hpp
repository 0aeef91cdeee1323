// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/client_transaction.hpp>
#include <stile/stun/message_view.hpp>

#include <optional>
#include <string>

namespace stile::stun {

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
enum class FragmentHandling : std::uint8_t {
    Pass,
    Lost,  // a request in fragments, or its answer, does not arrive
};

// The client's side of RFC 5780: finds out how the NATs between one socket and a server of RFC 5780
// behave at this moment. Filtering is tested before mapping, because each request opens the filter
// a little more. Sections 3.5, 3.6 and 4.2 to 4.4.
class BehaviorDiscovery {
public:
    struct Config {
        SocketAddress local;   // of a socket that has not been used lately
        SocketAddress server;  // its primary address and port
        // A missing answer is a finding too: shorter than the schedule of RFC 8489.
        RetransmitSchedule schedule{.rc = 4, .rm = 4};
        // More than the path's MTU asks whether fragments pass; 0 does not ask.
        std::size_t padding = 0;
    };
    struct Findings {
        // Absent: no UDP to the server; then all is absent.
        std::optional<SocketAddress> mapped;
        // What MAPPED-ADDRESS says, where that is another: something rewrites addresses in packets.
        std::optional<SocketAddress> rewritten;
        std::optional<SocketAddress> other;  // the server's second address and port
        std::string software;
        std::optional<Duration> round_trip;
        // Absent: the server has no second address, or answered a test with an error.
        std::optional<MappingBehavior> mapping;
        std::optional<FilteringBehavior> filtering;
        std::optional<FragmentHandling> fragments;  // absent: not asked, or the server refuses
        std::uint16_t refusal = 0;  // the error code with which the server refused to answer at all
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
        Fragments,           // with PADDING
        Done,
    };

    void begin(Instant now, Test test);
    void advance(Instant now);
    void conclude(Instant now, const MessageView* response);
    void conclude_connectivity(Instant now, const MessageView* response);
    void begin_last(Instant now);

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
