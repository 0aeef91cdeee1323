// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/crypto/random_stream.hpp>
#include <stile/turn/limits.hpp>
#include <stile/turn/turn_uri.hpp>

#include <array>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stile::turn {

struct NaptrAnswer {
    std::uint16_t order = 0;
    std::uint16_t preference = 0;
    std::string flags;
    std::string service;
    std::string regexp;
    std::string replacement;
};

struct SrvAnswer {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    Port port;
    std::string target;
};

struct ServerAddress {
    ClientTransport transport = ClientTransport::Udp;
    SocketAddress address;
    friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

// From a TURN URI to the servers to try, in their order. RFC 5928 Section 3, RFC 7350 Section 4.6,
// RFC 2782, RFC 3958. One question at a time: ask what poll_question gives and call the handle_*
// that fits it, or handle_nothing, until finished(). A certificate must be for the URI's host,
// whatever the names on the way were.
class ServerResolution {
public:
    struct Question {
        enum class Kind : std::uint8_t { Naptr, Srv, Addresses };
        Kind kind = Kind::Addresses;
        std::string name;
        friend bool operator==(const Question&, const Question&) = default;
    };

    // `supported` is what the application can do, best first. What the URI excludes is left out;
    // nothing may remain: then it is finished without a server.
    ServerResolution(TurnUri uri, std::span<const ClientTransport> supported,
                     crypto::RandomStream random);

    // Present until it was answered. At most most_resolution_questions come.
    const std::optional<Question>& poll_question() const { return question_; }
    // Requires: the question is of that kind.
    void handle_naptr(std::vector<NaptrAnswer> records);
    void handle_srv(std::vector<SrvAnswer> records);
    void handle_addresses(std::span<const IpAddress> addresses);  // best first
    // There is no such record, or nobody answered. For Srv and Naptr the next means is tried.
    void handle_nothing();

    bool finished() const { return !question_; }
    // Also while questions are open: what is known can be tried already.
    const std::vector<ServerAddress>& servers() const { return servers_; }

private:
    enum class Means : std::uint8_t { Naptr, Srv, Addresses };
    struct Step {
        Question question;
        std::vector<ClientTransport> transports;
        std::optional<Port> port;  // absent: each transport's default
        unsigned depth = 0;
    };

    void begin(Means means);
    void go_on();
    void add_srv_step(ClientTransport transport);
    std::vector<SrvAnswer> in_order(std::vector<SrvAnswer> records);

    TurnUri uri_;
    std::vector<ClientTransport> transports_;
    crypto::RandomStream random_;
    Means means_ = Means::Addresses;
    std::deque<Step> steps_;  // the first is under way
    std::size_t asked_ = 0;
    std::optional<Question> question_;
    std::vector<ServerAddress> servers_;
};

// ---- without a URI: RFC 8155

// The domain that a person's address names, to be resolved as turn:DOMAIN. Section 4.1.2. Empty
// where there is none: "sip:alice@example.com", "alice@example.com".
std::optional<std::string> domain_of_identity(std::string_view identity);

// Section 6: an Allocate request there is answered with 300 and the nearest server's own address.
inline constexpr std::string_view anycast_v4 = "192.0.0.10";
inline constexpr std::string_view anycast_v6 = "2001:1::2";
// Every supported transport without a certificate (nothing names one) at the anycast address.
std::vector<ServerAddress> anycast_servers(AddressFamily family,
                                           std::span<const ClientTransport> supported);

}  // namespace stile::turn
