// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/random.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/turn/client.hpp>

#include <memory>
#include <string>
#include <vector>

namespace stile::relay::testing {

// What carries messages between a client and the server.
class Wire {
public:
    using OnMessage = std::move_only_function<void(BytesView)>;
    virtual ~Wire() = default;
    virtual void send(BytesView message) = 0;
    virtual bool ended() const { return false; }
    OnMessage on_message;
};

std::unique_ptr<Wire> udp_wire(drivers::Loop& loop, SocketAddress local, SocketAddress server);
// Messages on a stream, cut by turn::framed_size.
std::unique_ptr<Wire> stream_wire(std::unique_ptr<drivers::Stream> stream);

// A TURN client core on a wire, remembering what it was told.
class TestClient {
public:
    TestClient(drivers::Loop& loop, std::unique_ptr<Wire> wire, turn::ClientConfig config);

    turn::Client& core() { return core_; }
    Wire& wire() { return *wire_; }
    // After each input to the core.
    void pump();

    void permit(const SocketAddress& peer);
    void bind(const SocketAddress& peer);
    void send(const SocketAddress& peer, std::string_view text);

    template <class Event>
    const Event* find() const {
        for (const auto& event : events) {
            if (const auto* const found = std::get_if<Event>(&event)) return found;
        }
        return nullptr;
    }
    const SocketAddress& relayed() const { return core_.relayed().at(0); }

    std::vector<turn::Client::Event> events;
    struct Heard {
        SocketAddress peer;
        std::string text;
    };
    std::vector<Heard> heard;

private:
    drivers::Loop& loop_;
    std::unique_ptr<Wire> wire_;
    turn::Client core_;
    drivers::Timer timer_;
};

// A plain UDP socket that remembers what it hears.
class TestPeer {
public:
    TestPeer(drivers::Loop& loop, const SocketAddress& local);
    void send(const SocketAddress& to, std::string_view text);
    SocketAddress address() const { return socket_->local_address(); }

    std::vector<TestClient::Heard> heard;

private:
    std::unique_ptr<drivers::UdpSocket> socket_;
};

}  // namespace stile::relay::testing
