// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "test_client.hpp"

#include <stile/turn/stream_framing.hpp>

namespace stile::relay::testing {
namespace {

class UdpWire final : public Wire {
public:
    UdpWire(drivers::Loop& loop, SocketAddress local, SocketAddress server)
        : server_(server), socket_(*drivers::UdpSocket::open(loop, local)) {
        socket_->on_datagrams([this](std::span<const drivers::Datagram> batch) {
            for (const auto& datagram : batch) {
                if (datagram.path.remote == server_) on_message(datagram.payload);
            }
        });
    }
    void send(BytesView message) override {
        socket_->send(Transmit{{socket_->local_address(), server_}, message});
    }

private:
    SocketAddress server_;
    std::unique_ptr<drivers::UdpSocket> socket_;
};

class StreamWire final : public Wire {
public:
    explicit StreamWire(std::unique_ptr<drivers::Stream> stream) : stream_(std::move(stream)) {
        stream_->set_handlers({.on_open = {},
                               .on_bytes = [this](BytesView bytes) { take(bytes); },
                               .on_end = {},
                               .on_writable = {},
                               .on_closed = [this](drivers::Closed) { ended_ = true; }});
    }
    void send(BytesView message) override {
        Bytes whole = to_bytes(message);
        whole.resize((whole.size() + 3) / 4 * 4);
        (void)stream_->write(whole);
    }
    bool ended() const override { return ended_; }

private:
    void take(BytesView bytes) {
        unread_.insert(unread_.end(), bytes.begin(), bytes.end());
        for (;;) {
            const auto size = turn::framed_size(unread_);
            if (!size || *size > unread_.size()) return;
            const Bytes message{unread_.begin(),
                                unread_.begin() + static_cast<std::ptrdiff_t>(*size)};
            unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(*size));
            on_message(message);
        }
    }

    std::unique_ptr<drivers::Stream> stream_;
    Bytes unread_;
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<Wire> udp_wire(drivers::Loop& loop, SocketAddress local, SocketAddress server) {
    return std::make_unique<UdpWire>(loop, local, server);
}

std::unique_ptr<Wire> stream_wire(std::unique_ptr<drivers::Stream> stream) {
    return std::make_unique<StreamWire>(std::move(stream));
}

TestClient::TestClient(drivers::Loop& loop, std::unique_ptr<Wire> wire, turn::ClientConfig config)
    : loop_(loop),
      wire_(std::move(wire)),
      core_(loop.now(), std::move(config), crypto::RandomStream{drivers::random_seed()}),
      timer_(loop, [this] {
          core_.handle_timeout(loop_.now());
          pump();
      }) {
    wire_->on_message = [this](BytesView message) {
        if (const auto data = core_.handle_message(loop_.now(), message)) {
            heard.push_back({data->peer, std::string{as_text(data->payload)}});
        }
        pump();
    };
    pump();
}

void TestClient::pump() {
    while (const auto message = core_.poll_transmit()) wire_->send(*message);
    while (auto event = core_.poll_event()) events.push_back(*std::move(event));
    timer_.arm(core_.poll_timeout());
}

void TestClient::permit(const SocketAddress& peer) {
    (void)core_.permit(loop_.now(), peer.ip);
    pump();
}

void TestClient::bind(const SocketAddress& peer) {
    (void)core_.bind_channel(loop_.now(), peer);
    pump();
}

void TestClient::send(const SocketAddress& peer, std::string_view text) {
    (void)core_.send(loop_.now(), peer, as_bytes(text));
    pump();
}

TestPeer::TestPeer(drivers::Loop& loop, const SocketAddress& local)
    : socket_(*drivers::UdpSocket::open(loop, local)) {
    socket_->on_datagrams([this](std::span<const drivers::Datagram> batch) {
        for (const auto& datagram : batch) {
            heard.push_back({datagram.path.remote, std::string{as_text(datagram.payload)}});
        }
    });
}

void TestPeer::send(const SocketAddress& to, std::string_view text) {
    socket_->send(Transmit{{socket_->local_address(), to}, as_bytes(text)});
}

}  // namespace stile::relay::testing
