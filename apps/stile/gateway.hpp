// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "node.hpp"

#include <stile/drivers/tcp.hpp>
#include <stile/drivers/web_server.hpp>

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::peer {

// Which peer and object a request of a local program is for.
struct GatewayTarget {
    std::string address;
    std::string path;
    // A host of its own is an origin of its own to a browser; under the shared host what a peer
    // sends is put into a sandbox.
    enum class Origin : std::uint8_t { OwnHost, SharedHost };
    Origin origin = Origin::OwnHost;
    std::string host;  // as the program named it, for Forwarded (RFC 7239)
};

// Why a request is not passed on.
struct GatewayRefusal {
    unsigned status = 403;
    std::string cause;
    std::string next_step;
};

// Judges a request by its target, Host, Origin and Sec-Fetch fields alone. A web site must neither
// drive the gateway nor read what it answers; a name that somebody's DNS points here (rebinding) is
// no name of ours.
std::expected<GatewayTarget, GatewayRefusal> judge_request(const drivers::HttpRequest& request,
                                                           const SocketAddress& listening);

// HTTP on this machine for programs that know nothing of peers: browsers, feed readers, curl, git.
class Gateway {
public:
    Gateway(drivers::Loop& loop, Node& node);

    std::expected<SocketAddress, drivers::OsError> listen(const SocketAddress& address);

private:
    using Exchange = std::shared_ptr<drivers::Exchange>;
    void handle(const Exchange& exchange);
    void forward(const Exchange& exchange, const GatewayTarget& target, Link& link);
    void refuse(const Exchange& exchange, const GatewayRefusal& refusal);
    void serve_home(const Exchange& exchange);

    drivers::Loop& loop_;
    Node& node_;
    drivers::WebServer web_;
    std::vector<std::unique_ptr<drivers::TcpListener>> listeners_;
};

}  // namespace stile::peer
