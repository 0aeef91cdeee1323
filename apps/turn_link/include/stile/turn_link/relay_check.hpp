// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/turn_link/turn_link.hpp>

#include <string_view>

namespace stile::turn_link {

// How data travelled.
enum class Way : std::uint8_t {
    Indications,
    UnfragmentedIndications,  // with DONT-FRAGMENT
    Channels,
    ChannelsAfterMove,  // the client has changed its address in between
    ActiveConnection,   // RFC 6062: the relay connected to the peer
    PassiveConnection,  // the peer connected to the relay
};
std::string_view to_string(Way way);

struct RelayCheckOptions {
    TurnLinkOptions link;
    std::vector<std::size_t> sizes = {1, 172, 1200};  // octets
    std::size_t count = 10;                           // of each size; at most 256
    Duration interval = std::chrono::milliseconds{10};
    Duration patience = std::chrono::seconds{2};  // for what is still missing
    // Sends back what comes, by UDP or TCP as the allocation does. Without one a second allocation
    // does it; for TCP, a listener here.
    std::optional<SocketAddress> echo;
    enum class Move : std::uint8_t { Skipped, Tested };
    Move move = Move::Skipped;  // needs ClientConfig::Mobility::Wanted
};

// So many octets, so many times, to the peer and back.
struct Series {
    Way way = Way::Indications;
    AddressFamily family = AddressFamily::V4;
    std::size_t octets = 0;
    std::size_t sent = 0;
    std::size_t returned = 0;
    std::size_t damaged = 0;  // came, and was not what was sent, or twice
    Duration least{};
    Duration mean{};
    Duration most{};
};

struct RelayReport {
    std::optional<turn::ServerAddress> server;
    SocketAddress local;
    std::optional<turn::Client::Allocated> allocated;
    std::string security;
    Duration setup{};  // from the first question to the allocation
    std::vector<Series> series;
    // What could not be tried, with the reason; not a failure.
    std::vector<std::string> notes;
    // A step that the server refused: "ChannelBind", "Connect" ...
    struct Refusal {
        std::string step;
        turn::Failure failure;
    };
    std::vector<Refusal> refusals;
    std::optional<LinkFailure> failure;  // of the link itself
    enum class Released : std::uint8_t { No, Yes };
    Released released = Released::No;

    bool lossless() const;  // all that was sent came back, and something was sent
};

// Runs the loop until all is done. Requires: sizes and count are not zero.
RelayReport check_relay(drivers::Loop& loop, drivers::NameService& names,
                        const RelayCheckOptions& options);

}  // namespace stile::turn_link
