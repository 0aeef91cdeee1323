// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/tcp.hpp>

#include <memory>
#include <optional>

namespace stile::relay {

// A stream whose first octets were read already, to find out what it is: they come again, before
// all others. Its addresses can be others than the connection's, where a balancer said so.
class ReplayStream final : public drivers::Stream {
public:
    ReplayStream(drivers::Loop& loop, std::unique_ptr<drivers::Stream> stream, Bytes first,
                 std::optional<Path> addresses);
    ~ReplayStream() override;

    void set_handlers(drivers::StreamHandlers handlers) override;
    drivers::Written write(BytesView bytes) override { return stream_->write(bytes); }
    std::size_t buffered() const override { return stream_->buffered(); }
    void finish() override { stream_->finish(); }
    void close() override { stream_->close(); }
    void set_reading(drivers::Reading reading) override;
    SocketAddress local_address() const override;
    SocketAddress peer_address() const override;

    const drivers::Stream& inner() const { return *stream_; }
    BytesView waiting() const { return first_; }  // what comes again and has not yet

private:
    void install();
    void replay();

    drivers::Loop& loop_;
    std::unique_ptr<drivers::Stream> stream_;
    Bytes first_;
    std::optional<Path> addresses_;
    drivers::Reading reading_ = drivers::Reading::Flowing;
    drivers::StreamHandlers handlers_;
    std::shared_ptr<int> alive_ = std::make_shared<int>();
    unsigned installed_ = 0;  // how often handlers came
    bool scheduled_ = false;
};

// The TCP connection at the bottom of a stream; null where TLS is on it.
const drivers::TcpStream* plain_tcp(const drivers::Stream& stream);
drivers::TcpStream* plain_tcp(drivers::Stream& stream);
// What was read from it and will come again.
BytesView waiting_in(const drivers::Stream& stream);

}  // namespace stile::relay
