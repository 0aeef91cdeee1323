// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn_link/peer_stream.hpp>

#include <utility>

namespace stile::turn_link {

struct PeerStream::Impl : std::enable_shared_from_this<PeerStream::Impl> {
    Impl(drivers::Loop& owner, std::unique_ptr<drivers::Stream> transport,
         turn::DataConnection machine, Handlers callbacks)
        : loop(owner),
          connection(std::move(machine)),
          handlers(std::make_shared<Handlers>(std::move(callbacks))),
          timer(owner,
                [this] {
                    const auto self = shared_from_this();
                    connection.handle_timeout(loop.now());
                    pump();
                }),
          stream(std::move(transport)) {}

    void begin() {
        stream->set_handlers({
            .on_open =
                [weak = weak_from_this()] {
                    if (const auto self = weak.lock()) self->pump();
                },
            .on_bytes =
                [weak = weak_from_this()](BytesView octets) {
                    if (const auto self = weak.lock()) self->take(octets);
                },
            .on_end = {},
            .on_writable = {},
            .on_closed =
                [weak = weak_from_this()](drivers::Closed why) {
                    if (const auto self = weak.lock()) self->end({{}, std::move(why)});
                },
        });
    }
    void take(BytesView octets) {
        const bool open = connection.bound();
        const BytesView payload = connection.handle_octets(loop.now(), octets);
        if (!open) pump();
        const auto kept = handlers;
        if (!payload.empty() && kept->on_bytes) kept->on_bytes(payload);
    }
    void pump() {
        while (const auto request = connection.poll_transmit()) (void)stream->write(*request);
        timer.arm(connection.poll_timeout());
        const auto event = connection.poll_event();
        if (!event) return;
        if (std::holds_alternative<turn::DataConnection::Bound>(*event)) {
            const auto kept = handlers;
            if (kept->on_open) kept->on_open();
            return;
        }
        const auto& failure = std::get<turn::DataConnection::Failed>(*event).failure;
        end({failure,
             {.reason = drivers::CloseReason::Failed,
              .text = "ConnectionBind: " + std::string{turn::to_string(failure.kind)}}});
    }
    void end(End why) {
        timer.disarm();
        const auto kept = std::exchange(handlers, std::make_shared<Handlers>());
        if (kept->on_closed) kept->on_closed(std::move(why));
    }

    drivers::Loop& loop;
    turn::DataConnection connection;
    std::shared_ptr<Handlers> handlers;  // a callback may replace what runs
    drivers::Timer timer;
    std::unique_ptr<drivers::Stream> stream;
};

PeerStream::PeerStream(drivers::Loop& loop, std::unique_ptr<drivers::Stream> stream,
                       turn::DataConnection connection, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, std::move(stream), std::move(connection),
                                   std::move(handlers))) {
    impl_->begin();
}

PeerStream::~PeerStream() { impl_->handlers = std::make_shared<Handlers>(); }

drivers::Written PeerStream::write(BytesView octets) {
    return impl_->connection.bound() ? impl_->stream->write(octets) : drivers::Written::Closed;
}

void PeerStream::close() { impl_->stream->close(); }

}  // namespace stile::turn_link
