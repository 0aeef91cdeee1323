// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/server_selection.hpp>

namespace stile::drivers {

// What a server may publish at most, so that an answer cannot make us ask for ever.
inline constexpr std::size_t most_records = 16;

// Collects the servers of several sources, each either an SRV name or a host with its port: asks
// for all at once and hands them over in the order of the sources.
class Selection : public std::enable_shared_from_this<Selection> {
public:
    struct Source {
        SipTransport transport = SipTransport::Udp;
        std::string name;  // an SRV name, or a host where there is a port
        std::optional<Port> port;
    };
    struct Found {
        SipTransport transport = SipTransport::Udp;
        SocketAddress address;
        std::string host;
    };
    using Done = OnDnsAnswer<Found>;

    Selection(Loop& loop, NameService& names, Duration deadline, Done done);

    // Asks; when nothing comes of it, asks `fallback`, if there is one.
    void start(std::vector<Source> sources, std::vector<Source> fallback);
    // Keeps the selection alive, and the deadline running, until finish().
    void hold();
    bool finished() const { return !self_; }
    void finish_with(DnsError error);

private:
    struct Host {
        std::string name;
        Port port;
        std::vector<IpAddress> addresses;
    };
    struct Slot {
        SipTransport transport = SipTransport::Udp;
        std::vector<Host> hosts;
    };

    void ask(const std::vector<Source>& sources);
    void ask_addresses(std::size_t slot, std::size_t host);
    void answered();
    void finish();

    Loop& loop_;
    NameService& names_;
    Done done_;
    Timer deadline_;
    std::vector<Slot> slots_;
    std::vector<Source> fallback_;
    std::size_t pending_ = 0;
    std::size_t round_ = 0;  // answers of an earlier round are late
    std::optional<DnsError> last_error_;
    std::shared_ptr<Selection> self_;
};

}  // namespace stile::drivers
