// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/stream_relay_probe.hpp>

namespace stile::nat_probe {
namespace {

turn_link::TurnLinkOptions link_options(const connect::TurnServer& server, std::string ca_pem) {
    const bool is_secure = server.transport == turn::ClientTransport::Tls;
    turn_link::TurnLinkOptions options;
    options.uri = {.scheme = is_secure ? turn::TurnUri::Scheme::Turns : turn::TurnUri::Scheme::Turn,
                   .host = server.address.ip.to_string(),
                   .port = server.address.port,
                   .transport = turn::TurnUri::Transport::Tcp};
    options.client.username = server.username;
    options.client.password = server.password;
    options.client.family = server.address.ip.is_v4() ? turn::FamilyWish::V4 : turn::FamilyWish::V6;
    options.ca_pem = std::move(ca_pem);
    options.server_name = server.server_name;
    return options;
}

}  // namespace

StreamRelayProbe::StreamRelayProbe(drivers::Loop& loop, drivers::NameService& names,
                                   const connect::TurnServer& server, std::string ca_pem)
    : loop_(loop),
      begun_(loop.now()),
      findings_{.server = server.address, .transport = server.transport},
      link_(loop, names, link_options(server, std::move(ca_pem)),
            {.on_event =
                 [this](const turn::Client::Event& event) {
                     const auto* const made = std::get_if<turn::Client::Allocated>(&event);
                     if (made == nullptr || findings_.took) return;
                     findings_.relayed = made->relayed.front();
                     findings_.took = loop_.now() - begun_;
                     link_.release();
                 },
             .on_data = [](const SocketAddress&, BytesView) {},
             .on_ended =
                 [this](const turn_link::LinkFailure& why) {
                     if (!findings_.took) findings_.failure = why;
                 }}) {}

}  // namespace stile::nat_probe
