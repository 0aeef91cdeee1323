// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "test_certificates.hpp"

#include <stile/drivers/dtls.hpp>
#include <stile/stun/message_builder.hpp>

using namespace stile;
using namespace stile::relay;
using namespace stile::relay::testing;
using drivers::Loop;

namespace {

class DtlsWire final : public Wire {
public:
    DtlsWire(Loop& loop, const SocketAddress& server)
        : client_(loop, *drivers::UdpSocket::open(loop, at("127.0.0.1:0")), server,
                  client_context({"stun.turn"}, drivers::TlsCarrier::Datagrams)) {
        client_.set_handlers({.on_open =
                                  [this] {
                                      open_ = true;
                                      for (const Bytes& early : std::exchange(early_, {})) {
                                          (void)client_.send(early);
                                      }
                                  },
                              .on_data = [this](MutableBytes message) { on_message(message); },
                              .on_closed = [this](drivers::Closed) { ended_ = true; }});
    }
    void send(BytesView message) override {
        if (open_) {
            (void)client_.send(message);
        } else {
            early_.push_back(to_bytes(message));
        }
    }
    bool ended() const override { return ended_; }

private:
    bool open_ = false;
    bool ended_ = false;
    std::vector<Bytes> early_;
    drivers::DtlsClient client_;
};

}  // namespace

TEST_CASE("relay over DTLS: on the port of plain UDP, and alone") {
    Loop loop;
    const auto relay = start(with_certificate(
        settings_of({{.kind = ListenerKind::Udp, .address = at("127.0.0.1:0")},
                     {.kind = ListenerKind::Dtls, .address = at("127.0.0.1:0")}})));
    for (const SocketAddress& server : relay->listening()) {
        TestClient client{loop, std::make_unique<DtlsWire>(loop, server),
                          client_config(turn::ClientTransport::Dtls)};
        REQUIRE(run(loop, [&] { return client.find<turn::Client::Allocated>() != nullptr; }));
        TestPeer peer{loop, at("127.0.0.3:0")};
        client.permit(peer.address());
        REQUIRE(
            run(loop, [&] { return client.find<turn::Client::PermissionInstalled>() != nullptr; }));
        client.send(peer.address(), "odd");
        REQUIRE(run(loop, [&] { return peer.heard.size() == 1; }));
        peer.send(client.relayed(), "odd, too!");  // an indication with padding
        REQUIRE(run(loop, [&] { return client.heard.size() == 1; }));
        CHECK(client.heard[0].text == "odd, too!");
        client.bind(peer.address());
        REQUIRE(run(loop, [&] { return client.find<turn::Client::ChannelBound>() != nullptr; }));
        peer.send(client.relayed(), "channel");
        REQUIRE(run(loop, [&] { return client.heard.size() == 2; }));
        CHECK(client.heard[1].text == "channel");
    }
    const auto plain = udp_client(loop, relay->listening()[0]);
    CHECK(relay->statistics().dtls_clients == 2);
    // DTLS alone answers nothing else.
    const auto socket = *drivers::UdpSocket::open(loop, at("127.0.0.1:0"));
    bool answered = false;
    socket->on_datagrams([&](std::span<const drivers::Datagram>) { answered = true; });
    const Bytes request =
        stun::MessageBuilder{stun::Class::Request, stun::Method::Binding, {}}.finish();
    socket->send(Transmit{{socket->local_address(), relay->listening()[1]}, request});
    socket->send(Transmit{{socket->local_address(), relay->listening()[0]}, request});
    REQUIRE(run(loop, [&] { return answered; }));
    CHECK(relay->statistics().binding_answers == 1);
}
