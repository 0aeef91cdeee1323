// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/machine.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/mdns/message.hpp>

#include <deque>
#include <optional>
#include <variant>
#include <vector>

namespace stile::mdns {

// A network that this host is on: the system's number of the interface.
struct Link {
    unsigned index = 0;
    friend constexpr auto operator<=>(Link, Link) = default;
};

// Answers for the names that stand for this host's addresses, on the link of each address alone. A
// name is a random number that nobody else has: it is neither probed nor defended (RFC 6762 Section
// 8), and not announced, so that only those hear of it who were told and ask.
class Responder {
public:
    // From the port of multicast DNS, to the group on this link or to one host there.
    struct Outgoing {
        Link link;
        AddressFamily family = AddressFamily::V4;
        std::optional<SocketAddress> to;  // absent: the family's group
        BytesView octets;                 // valid until the next non-const call
    };
    // There is nothing to say but answers.
    using Event = std::monostate;

    // False where there are limits::most_published.
    bool publish(const HostName& name, const IpAddress& address, Link link);
    // Those who have asked are told. RFC 6762 Section 10.1.
    void withdraw(const HostName& name);

    // A query that came in on this link from `source`, whose family is that of the answer.
    void handle_query(Instant now, Link link, const SocketAddress& source, const Message& query);
    void handle_timeout(Instant now);

    std::optional<Outgoing> poll_transmit();
    std::optional<Event> poll_event() { return std::nullopt; }
    std::optional<Instant> poll_timeout() const;

private:
    // What was said on one of the link's groups, and what waits for its time.
    struct Told {
        std::optional<Instant> last;
        std::optional<Instant> due;
    };
    struct Published {
        HostName name;
        IpAddress address;
        Link link;
        Told v4{};
        Told v6{};
        Told& told(AddressFamily family) { return family == AddressFamily::V4 ? v4 : v6; }
    };
    struct Queued {
        Link link;
        AddressFamily family = AddressFamily::V4;
        std::optional<SocketAddress> to;
        Bytes octets;
    };
    void answer_one(Link link, const SocketAddress& source, const Message& response);
    void multicast(Instant now, Published& published, AddressFamily family);
    void queue(Queued queued);

    std::vector<Published> published_;
    std::deque<Queued> transmits_;
    Bytes current_;
};

}  // namespace stile::mdns
