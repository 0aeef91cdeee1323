// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sim/sessions/scene.hpp>
#include <stile/sim/world.hpp>
#include <stile/sip/stream_framer.hpp>
#include <stile/sip_server/server.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>

namespace stile::sim {

// The SIP server of example.org on the server of a scene. Its streams stand for TLS with client
// certificates: who connects is known by the host it connects from.
class SipHost {
public:
    SipHost(World& world, const Scene& scene, std::uint64_t seed);

    void add_account(std::string user) { accounts_.insert(std::move(user)); }
    // Streams from this host are the user's.
    void set_owner(HostId host, std::string user) { owners_[host] = std::move(user); }
    SocketAddress address() const { return address_; }

    // Every happening of the scene's server that concerns a stream; `client` is who opened it.
    void handle(const StreamAccepted& accepted, HostId client);
    void handle(const StreamArrived& arrived);
    void handle(const StreamClosed& closed);
    void handle_timeout();
    std::optional<Instant> poll_timeout() const;

    // kill -9: streams close, everything is forgotten, and nobody is let in.
    void stop();
    bool is_running() const { return server_.has_value(); }
    const sip_server::Server& server() const { return *server_; }

private:
    void flush();
    void answer(const sip_server::Server::Event& event);

    World& world_;
    SocketAddress address_;
    std::set<std::string, std::less<>> accounts_;
    std::map<HostId, std::string> owners_;
    std::map<sip::FlowId, sip::StreamFramer> framers_;
    std::optional<sip_server::Server> server_;
};

// A stream's number as the flow that it is to both ends.
constexpr sip::FlowId flow_of(StreamId stream) { return {stream.value + 1U}; }
constexpr StreamId stream_of(sip::FlowId flow) {
    return {static_cast<std::uint32_t>(flow.value - 1U)};
}

}  // namespace stile::sim
