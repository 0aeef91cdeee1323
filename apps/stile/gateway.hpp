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
    // A request on its way to a peer and its answer on the way back.
    struct Passage {
        Exchange exchange;
        GatewayTarget target;
        // A path that was there can be dead: then a second one is tried.
        enum class Attempt : std::uint8_t { First, Second };
        Attempt attempt = Attempt::First;
        enum class State : std::uint8_t { Asked, Answering, Aborted };
        State state = State::Asked;
        std::optional<session::SessionId> session;  // and the stream there
        quic::StreamId stream{};
    };
    void pass_on(const std::shared_ptr<Passage>& passage);
    void forward(const std::shared_ptr<Passage>& passage, Link& link);
    void answer(Passage& passage, const quic::ResponseHead& head);
    void handle_failed(const std::shared_ptr<Passage>& passage, const app::Problem& problem);
    void abort(Passage& passage);
    void refuse(const Exchange& exchange, const app::Problem& problem);
    void refuse(const Exchange& exchange, const GatewayRefusal& refusal);
    void serve_home(const Exchange& exchange);

    drivers::Loop& loop_;
    Node& node_;
    drivers::WebServer web_;
    std::vector<std::unique_ptr<drivers::TcpListener>> listeners_;
};

}  // namespace stile::peer
