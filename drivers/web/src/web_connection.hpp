// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "body_decoder.hpp"
#include "response_head.hpp"

#include <stile/drivers/web_server.hpp>

namespace stile::drivers {

class HandedExchange;

// One connection of a server: reads heads, hands out exchanges one after the other, carries out
// what they ask for.
class WebConnection : public std::enable_shared_from_this<WebConnection> {
public:
    WebConnection(Loop& loop, std::weak_ptr<WebServer::Impl> server, std::unique_ptr<Stream> stream,
                  Exchange::Security security, const WebTimeouts& timeouts);

    void begin();
    void drain();  // no further request

    // Of the exchange that is under way; `number` tells whether it still is the caller's.
    bool is_current(std::uint64_t number) const { return number == exchange_number_ && stream_; }
    void read_body(BodyHandlers handlers);
    void set_body_reading(Reading reading);
    void start(const HttpResponse& response);
    Written write(BytesView bytes);
    void finish();
    void abort();
    void dropped();  // the handler let go of it
    std::optional<Exchange::TakenOver> take_over(const HttpResponse& response);
    void set_on_writable(Task task) { on_writable_ = std::make_shared<Task>(std::move(task)); }
    void set_on_aborted(Task task) { on_aborted_ = std::make_shared<Task>(std::move(task)); }
    std::size_t buffered() const { return stream_ ? stream_->buffered() + overflow_.size() : 0; }
    const Stream& stream() const { return *stream_; }

private:
    enum class State : std::uint8_t {
        Waiting,     // for a request's head
        Handling,    // a request is under way
        Discarding,  // answered; the rest of its body is read over
        Closing,     // what was written still leaves, what comes is ignored
    };
    enum class Body : std::uint8_t { Unread, Flowing, Paused };

    void received(BytesView bytes);
    void process();
    void process_later();
    bool read_head();
    void hand_out(RequestHead head);
    bool read_body_step();
    bool discard_step();
    void give_up_body(unsigned status);
    void end_body(BodyEnd how);
    void exchange_finished();
    void refuse(unsigned status);
    void send(BytesView bytes);
    void flush_overflow();
    void writable();
    void closed();
    void give_up();
    void leave();
    void timed_out();
    void stalled();
    void arm_timer();
    void update_reading();

    Loop& loop_;
    std::weak_ptr<WebServer::Impl> server_;
    std::unique_ptr<Stream> stream_;  // empty once the connection is over
    Exchange::Security security_;
    WebTimeouts timeouts_;
    State state_ = State::Waiting;
    Bytes input_;
    std::uint64_t exchange_number_ = 0;
    std::size_t requests_ = 0;
    bool draining_ = false;
    bool processing_ = false;

    // Of the current exchange
    RequestHead head_;
    BodyDecoder body_decoder_;
    Body body_ = Body::Unread;
    std::shared_ptr<BodyHandlers> body_handlers_;
    std::shared_ptr<Task> on_writable_;
    std::shared_ptr<Task> on_aborted_;
    bool started_ = false;
    ResponsePlan::Body response_body_ = ResponsePlan::Body::None;
    std::optional<std::uint64_t> response_left_;  // octets still promised
    RequestHead::Persistence persistence_ = RequestHead::Persistence::Close;
    std::size_t discarded_ = 0;

    Bytes overflow_;                 // what the stream had no room for
    std::uint64_t handed_over_ = 0;  // octets given to the stream in all
    std::uint64_t drained_mark_ = 0;
    Timer timer_;  // of the head, the body, or between requests
    Timer stall_timer_;
};

}  // namespace stile::drivers
