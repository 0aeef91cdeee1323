// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::bench {

// What the generator does in one call; it prints one line of JSON.
enum class Mode : std::uint8_t {
    Relay,     // application data through the server, or around it
    Allocate,  // allocations made and released
    Binding,   // Binding requests, or anything that is echoed
    Memory,    // allocations held, the server's memory read at each count
};

// Which way the data of Mode::Relay takes.
enum class Way : std::uint8_t {
    Turn,    // allocations and channels of a TURN server
    Bare,    // bench_turn_bare: channels without TURN
    Direct,  // straight into sockets at the server's place: what the generator itself costs
    Drop,    // to the discard port at the server's place, where the packet filter drops it
};

enum class Direction : std::uint8_t { Up, Down };  // client to peer, peer to client

struct Options {
    Mode mode = Mode::Relay;
    Way way = Way::Turn;
    Direction direction = Direction::Up;
    SocketAddress server;
    std::vector<IpAddress> clients;  // client sockets are spread over these
    IpAddress peer;
    // The server's address towards peers, where no relayed address says it; else the server's.
    std::optional<IpAddress> relay;
    std::vector<std::string> usernames;  // sessions take them in turn
    std::string password = "secret";
    std::string client_namespace;  // paths such as /run/netns/client; empty: where we are
    std::string server_namespace;
    std::string peer_namespace;
    std::size_t flows = 100;
    std::size_t payload = 172;
    std::size_t train = 1;               // datagrams of one flow sent by one UDP_SEGMENT call
    std::optional<double> rate;          // packets a second; absent: as many as the server takes
    std::chrono::microseconds tick{50};  // how often what is due is sent
    std::size_t window = 512;            // packets under way at most, where there is no rate
    std::chrono::duration<double> warm_up{0.3};
    std::chrono::duration<double> measured{1.5};
    enum class Latency : std::uint8_t { Ignored, Measured };
    Latency latency = Latency::Ignored;  // its time stamps cost CPU
    enum class Answer : std::uint8_t { Stun, Echo };
    Answer answer = Answer::Stun;       // of Mode::Binding
    std::vector<std::size_t> counts;    // of Mode::Memory and Mode::Allocate
    std::vector<int> server_processes;  // whose CPU and memory are read
};

// Ends the program with a message where the words are no options.
Options parse_options(std::vector<std::string_view> words);

[[noreturn]] void give_up(const std::string& why);
// With what errno says.
[[noreturn]] void give_up_errno(const std::string& what);

}  // namespace stile::bench
