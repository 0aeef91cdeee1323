// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/crypto/random_stream.hpp>
#include <stile/stun/client_transaction.hpp>

#include <optional>

namespace stile::stun {

enum class HairpinBehavior : std::uint8_t {
    Always,        // whoever is inside reaches a mapped address
    AfterSending,  // only once its owner has sent to the other's mapped address
    Never,
};

// Whether two sockets behind the same NAT reach each other by their mapped addresses: the first
// asks the server for its own, and then for the other's Binding request. RFC 5780 Section 3.4.
class HairpinDiscovery {
public:
    struct Config {
        SocketAddress first;  // two sockets that have not been used lately
        SocketAddress second;
        SocketAddress server;
        RetransmitSchedule schedule{.rc = 4, .rm = 4};
    };
    struct Findings {
        std::optional<SocketAddress> mapped_first;  // absent: no answer
        std::optional<SocketAddress> mapped_second;
        std::optional<HairpinBehavior> behavior;  // absent: a mapped address is not known
        // The source that a hairpinned request showed: the mapped address, as RFC 4787 Section 6
        // demands, or the inner one.
        std::optional<SocketAddress> seen_source;
    };

    HairpinDiscovery(Instant now, Config config, crypto::RandomStream random);

    Verdict handle_datagram(Instant now, const Path& path, BytesView datagram);
    void handle_timeout(Instant now);

    // The view lives until the next call that is not const.
    std::optional<Transmit> poll_transmit();
    std::optional<Findings> poll_event();  // once, when all is known
    std::optional<Instant> poll_timeout() const;

private:
    enum class Test : std::uint8_t { MapFirst, MapSecond, SecondToFirst, BothWays, Done };
    struct Probe {
        ClientTransaction transaction;
        Path path;
    };

    void begin(Instant now, Test test);
    std::optional<Probe> probe(Instant now, const SocketAddress& from, const SocketAddress& to);
    Verdict handle_request(Instant now, const Path& path, const MessageView& request);
    void advance(Instant now);
    void conclude_mapping(Instant now, const MessageView* response);

    Config config_;
    crypto::RandomStream random_;
    Test test_ = Test::Done;
    std::optional<Probe> one_;
    std::optional<Probe> two_;  // of BothWays: from the first socket to the second
    Findings findings_;
    bool told_ = false;
};

}  // namespace stile::stun
