// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/machine.hpp>
#include <stile/mdns/message.hpp>

#include <deque>
#include <optional>
#include <variant>
#include <vector>

namespace stile::mdns {

// Looks for the addresses of names on the links of this host. Holds no socket and no clock.
//
// Each query has one question, since resolvers are known that read no second: an A and an AAAA
// query for a name leave together, and the first answer decides.
class Resolver {
public:
    struct Resolved {
        HostName name;
        IpAddress address;
    };
    enum class Failure : std::uint8_t {
        Silent,     // nobody has answered
        Ambiguous,  // several addresses: the candidate is to be ignored
        TooMany,    // limits::most_wanted
    };
    struct Failed {
        HostName name;
        Failure why;
    };
    using Event = std::variant<Resolved, Failed>;

    // One event follows. A name that is looked for already is looked for once.
    void resolve(Instant now, const HostName& name);
    // From the port of multicast DNS only (RFC 6762 Section 6), and from a link of this host.
    void handle_response(Instant now, const Message& message);
    void handle_timeout(Instant now);

    // For the groups of both families on every link, from the port of multicast DNS: answers come
    // to the groups.
    std::optional<BytesView> poll_transmit();  // valid until the next non-const call
    std::optional<Event> poll_event();
    std::optional<Instant> poll_timeout() const;

private:
    struct Wanted {
        HostName name;
        unsigned queries = 0;
        Duration interval{0};
        Instant next{};
    };
    void ask(Instant now, Wanted& wanted);
    void queue_event(Event event);

    std::vector<Wanted> wanted_;
    std::deque<Bytes> transmits_;
    Bytes current_;
    std::deque<Event> events_;
};

}  // namespace stile::mdns
