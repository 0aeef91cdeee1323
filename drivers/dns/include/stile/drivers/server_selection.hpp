// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/dns.hpp>

namespace stile::drivers {

enum class SipTransport : std::uint8_t { Udp, Tcp, Tls, Ws, Wss };

struct SipTarget {
    std::string host;                       // of the URI: name or IP address, without brackets
    std::optional<Port> port;               // of the URI
    std::optional<SipTransport> transport;  // of the URI's transport parameter
    enum class Scheme : std::uint8_t { Sip, Sips };
    Scheme scheme = Scheme::Sip;       // Sips admits only Tls and Wss
    std::vector<SipTransport> wanted;  // what the caller can do, best first; never empty
};

struct SelectedServer {
    SocketAddress address;
    SipTransport transport = SipTransport::Udp;
    // The host that the address belongs to. A certificate must be for the URI's host all the same
    // (RFC 5922 Section 4).
    std::string host;
};

// The servers to try, in their order: RFC 3263 Section 4, RFC 7118 Section 5 for WebSocket,
// RFC 2782 for priorities and weights. The whole is bounded in time by `deadline`: addresses that
// are known by then are handed over. `names` must live until `done` was called.
void select_sip_servers(Loop& loop, NameService& names, SipTarget target, Duration deadline,
                        OnDnsAnswer<SelectedServer> done);

struct ServiceHost {
    SocketAddress address;
    std::string host;
};

// The servers of a service such as "_turn._udp" at a domain: SRV, else the domain's own addresses
// with the default port. RFC 8489 Section 8, RFC 8656 Section 5. An explicit port needs no SRV.
void select_service_hosts(Loop& loop, NameService& names, std::string service, std::string host,
                          std::optional<Port> port, Port default_port, Duration deadline,
                          OnDnsAnswer<ServiceHost> done);

// RFC 2782: by priority, and by weighted chance within one. `draw(n)` is uniform in [0, n].
std::vector<SrvRecord> order_srv(std::vector<SrvRecord> records,
                                 std::move_only_function<std::uint64_t(std::uint64_t)> draw);

}  // namespace stile::drivers
