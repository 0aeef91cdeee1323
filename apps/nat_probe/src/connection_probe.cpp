// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/connection_probe.hpp>

#include <utility>

namespace stile::nat_probe {

ConnectionProbe::ConnectionProbe(drivers::Loop& loop, const Config& config,
                                 crypto::RandomStream random)
    : loop_(loop),
      patience_(config.patience),
      from_{.ip = config.local, .port = Port{0}},
      machine_(loop.now(), {.server = config.server, .patience = config.patience},
               std::move(random)),
      timer_(loop, [this] {
          machine_.handle_timeout(loop_.now());
          pump();
      }) {
    pump();
}

void ConnectionProbe::pump() {
    if (const auto target = machine_.poll_connect()) connect(*target);
    while (const auto transmit = machine_.poll_transmit()) {
        streams_.back()->write(transmit->payload);
    }
    timer_.arm(machine_.poll_timeout());
    if (auto found = machine_.poll_event()) findings_ = std::move(found);
}

void ConnectionProbe::connect(const SocketAddress& target) {
    streams_.push_back(
        drivers::TcpStream::connect(loop_, target, {.connect_timeout = patience_, .local = from_}));
    drivers::TcpStream* stream = streams_.back().get();
    const auto then = [this](auto act) {
        return [this, act](auto&&... arguments) {
            act(arguments...);
            pump();
        };
    };
    stream->set_handlers({
        .on_open = then([this, target, stream] {
            from_ = stream->local_address();
            machine_.handle_connected(loop_.now(), target);
        }),
        .on_bytes = then(
            [this, target](BytesView bytes) { machine_.handle_bytes(loop_.now(), target, bytes); }),
        .on_end = {},
        .on_writable = {},
        .on_closed = then([this, target](const drivers::Closed& closed) {
            closed_ = closed;
            machine_.handle_closed(loop_.now(), target);
        }),
    });
}

}  // namespace stile::nat_probe
