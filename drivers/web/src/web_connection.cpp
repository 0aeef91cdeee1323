// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "web_connection.hpp"

#include "web_server_impl.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>

#include <array>
#include <charconv>

namespace stile::drivers {

using Persistence = RequestHead::Persistence;

WebConnection::WebConnection(Loop& loop, std::weak_ptr<WebServer::Impl> server,
                             std::unique_ptr<Stream> stream, Exchange::Security security,
                             const WebTimeouts& timeouts)
    : loop_(loop),
      server_(std::move(server)),
      stream_(std::move(stream)),
      security_(security),
      timeouts_(timeouts),
      timer_(loop, [this] { timed_out(); }),
      stall_timer_(loop, [this] { stalled(); }) {}

void WebConnection::begin() {
    const auto guarded = [weak = weak_from_this()](auto act) {
        return [weak, act](auto&&... arguments) {
            const auto self = weak.lock();
            if (self && self->stream_) act(*self, arguments...);
        };
    };
    stream_->set_handlers({
        .on_open = {},
        .on_bytes = guarded([](WebConnection& self, BytesView bytes) { self.received(bytes); }),
        .on_end = {},
        .on_writable = guarded([](WebConnection& self) { self.writable(); }),
        .on_closed = guarded([](WebConnection& self, const Closed&) { self.closed(); }),
    });
    timer_.arm_after(timeouts_.head);
}

void WebConnection::drain() {
    draining_ = true;
    if (state_ == State::Waiting && input_.empty() && stream_) give_up();
}

void WebConnection::received(BytesView bytes) {
    if (state_ == State::Closing) return;
    if (state_ == State::Waiting && input_.empty() && requests_ > 0)
        timer_.arm_after(timeouts_.head);
    input_.insert(input_.end(), bytes.begin(), bytes.end());
    process();
    update_reading();
}

// Goes as far as the input and the handlers let it. Handlers that call back into this connection
// only change its state: the loop here carries on from it.
void WebConnection::process() {
    if (processing_) return;
    const auto self = shared_from_this();
    processing_ = true;
    bool progress = true;
    while (progress && stream_) {
        switch (state_) {
            case State::Waiting:
                progress = read_head();
                break;
            case State::Handling:
                progress = read_body_step();
                break;
            case State::Discarding:
                progress = discard_step();
                break;
            case State::Closing:
                progress = false;
                break;
        }
    }
    processing_ = false;
    update_reading();
}

void WebConnection::process_later() {
    if (processing_) return;
    loop_.post([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self && self->stream_) self->process();
    });
}

bool WebConnection::read_head() {
    // RFC 9112 Section 2.2: empty lines before a request are read over.
    std::size_t blank = 0;
    while (blank < input_.size() &&
           (input_[blank] == std::byte{'\r'} || input_[blank] == std::byte{'\n'})) {
        ++blank;
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(blank));
    if (input_.empty()) return false;
    // What does not begin with a method, a TLS handshake for example, need not be waited for.
    if (!is_alpha(static_cast<char>(input_[0]))) {
        refuse(400);
        return false;
    }
    const auto end =
        find_head_end(BytesView{input_}.first(std::min(input_.size(), most_head_octets)));
    if (!end) {
        if (input_.size() >= most_head_octets) {
            // Without the end of its first line it is the target that is too long.
            refuse(as_text(input_).substr(0, most_head_octets).contains('\n') ? 431 : 414);
        }
        return false;
    }
    auto head = parse_request_head(BytesView{input_}.first(*end));
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(*end));
    if (!head) {
        refuse(std::to_underlying(head.error()));
        return false;
    }
    if (const auto expected = head->request.fields.find("Expect");
        expected && !iequals(*expected, "100-continue")) {
        refuse(417);
        return false;
    }
    hand_out(*std::move(head));
    return true;
}

void WebConnection::hand_out(RequestHead head) {
    const auto server = server_.lock();
    if (!server) return give_up();
    state_ = State::Handling;
    timer_.disarm();
    ++exchange_number_;
    ++requests_;
    body_decoder_ = BodyDecoder{head.framing, head.length};
    body_ = Body::Unread;
    started_ = false;
    discarded_ = 0;
    persistence_ = head.persistence;
    if (draining_ || requests_ >= most_requests_a_connection) persistence_ = Persistence::Close;
    HttpRequest request = head.request;
    head_ = std::move(head);
    const auto handler = server->handler;
    (*handler)(std::make_shared<HandedExchange>(weak_from_this(), exchange_number_,
                                                std::move(request), *stream_, security_));
}

void WebConnection::read_body(BodyHandlers handlers) {
    STILE_ASSERT(body_ == Body::Unread);
    body_handlers_ = std::make_shared<BodyHandlers>(std::move(handlers));
    body_ = Body::Flowing;
    const auto expected = head_.request.fields.find("Expect");
    // RFC 9110 Section 10.1.1; who has begun to send does not wait any more.
    if (expected && head_.version == HttpVersion::V1_1 && !started_ && input_.empty() &&
        !body_decoder_.done()) {
        send(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    arm_timer();
    process_later();
}

void WebConnection::set_body_reading(Reading reading) {
    if (body_ == Body::Unread) return;
    body_ = reading == Reading::Flowing ? Body::Flowing : Body::Paused;
    arm_timer();
    if (body_ == Body::Flowing) process_later();
}

bool WebConnection::read_body_step() {
    if (body_ != Body::Flowing || !body_handlers_) return false;
    if (body_decoder_.done()) {
        end_body(BodyEnd::Complete);
        return true;
    }
    const auto step = body_decoder_.step(input_);
    if (body_decoder_.broken()) {
        // Where the next request would begin is not known any more.
        give_up_body(400);
        return false;
    }
    if (step.consumed == 0) return false;
    // The handler may end everything: the bytes it sees must not be the connection's.
    const Bytes body = to_bytes(step.body);
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(step.consumed));
    arm_timer();
    const auto handlers = body_handlers_;
    if (!body.empty() && handlers->on_bytes) handlers->on_bytes(body);
    return true;
}

// The body's rest will not come: a refusal if nothing was answered yet, else the end. The handler
// learns it last, when nothing it does can answer any more.
void WebConnection::give_up_body(unsigned status) {
    if (started_) return closed();
    const auto handlers = std::exchange(body_handlers_, nullptr);
    refuse(status);
    if (handlers && handlers->on_end) handlers->on_end(BodyEnd::Aborted);
}

void WebConnection::end_body(BodyEnd how) {
    const auto handlers = std::exchange(body_handlers_, nullptr);
    timer_.disarm();
    if (handlers && handlers->on_end) handlers->on_end(how);
}

bool WebConnection::discard_step() {
    if (body_decoder_.done()) {
        state_ = State::Waiting;
        timer_.arm_after(input_.empty() ? timeouts_.keep_alive : timeouts_.head);
        if (draining_ && input_.empty()) give_up();
        return true;
    }
    const auto step = body_decoder_.step(input_);
    discarded_ += step.consumed;
    if (body_decoder_.broken() || discarded_ > most_discarded_octets) {
        give_up();
        return false;
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(step.consumed));
    return step.consumed > 0;
}

void WebConnection::start(const HttpResponse& response) {
    STILE_ASSERT(!started_);
    started_ = true;
    const ResponsePlan plan = plan_response(head_, response, loop_.wall_now(), persistence_);
    response_body_ = plan.body;
    response_left_ = plan.body == ResponsePlan::Body::Length ? response.length : std::nullopt;
    send(as_bytes(plan.head));
}

Written WebConnection::write(BytesView bytes) {
    STILE_ASSERT(started_);
    if (bytes.empty()) return Written::Queued;
    if (!overflow_.empty()) return Written::Full;
    switch (response_body_) {
        case ResponsePlan::Body::None:
            return Written::Queued;
        case ResponsePlan::Body::Length:
            // More than was promised would be read as the next response.
            if (bytes.size() > response_left_.value_or(0)) {
                abort();
                return Written::Closed;
            }
            *response_left_ -= bytes.size();
            send(bytes);
            break;
        case ResponsePlan::Body::UntilEnd:
            send(bytes);
            break;
        case ResponsePlan::Body::Chunked: {
            std::array<char, 18> digits{};
            const auto [end, failed] =
                std::to_chars(digits.data(), digits.data() + 16, bytes.size(), 16);
            STILE_ASSERT(failed == std::errc{});
            Bytes chunk = to_bytes(std::string_view{digits.data(), end});
            chunk.reserve(chunk.size() + bytes.size() + 4);
            for (const BytesView part : {as_bytes("\r\n"), bytes, as_bytes("\r\n")}) {
                chunk.insert(chunk.end(), part.begin(), part.end());
            }
            send(chunk);
            break;
        }
    }
    return stream_ ? Written::Queued : Written::Closed;
}

void WebConnection::finish() {
    if (!started_) return;
    if (response_left_.value_or(0) > 0) return abort();
    if (response_body_ == ResponsePlan::Body::Chunked) send(as_bytes("0\r\n\r\n"));
    if (stream_) exchange_finished();
}

void WebConnection::exchange_finished() {
    ++exchange_number_;  // what the handler still holds has no say any more
    on_aborted_.reset();
    on_writable_.reset();
    timer_.disarm();
    // A handler that answered before the body's end learns nothing more about it.
    body_handlers_.reset();
    started_ = false;
    if (persistence_ == Persistence::Close) return give_up();
    state_ = State::Discarding;
    timer_.arm_after(timeouts_.body);
    // A client that waits for 100 (Continue) will not send the body after a final answer.
    if (head_.request.fields.find("Expect") && body_ == Body::Unread && !body_decoder_.done()) {
        return give_up();
    }
    process_later();
}

void WebConnection::abort() {
    const auto self = shared_from_this();
    leave();
    stream_.reset();  // a reset, or TLS's missing close_notify: nobody takes it for the end
}

// The connection is no longer the server's business. The caller keeps this alive.
void WebConnection::leave() {
    ++exchange_number_;
    body_handlers_.reset();
    on_aborted_.reset();
    on_writable_.reset();
    timer_.disarm();
    stall_timer_.disarm();
    if (const auto server = server_.lock()) server->connections.erase(shared_from_this());
}

void WebConnection::dropped() {
    if (started_) return abort();
    HttpResponse response{.status = 500, .fields = {}, .length = 0};
    persistence_ = Persistence::Close;
    start(response);
    if (stream_) finish();
}

std::optional<Exchange::TakenOver> WebConnection::take_over(const HttpResponse& response) {
    const auto self = shared_from_this();
    persistence_ = Persistence::KeepAlive;
    const ResponsePlan plan = plan_response(head_, response, loop_.wall_now(), persistence_);
    send(as_bytes(plan.head));
    if (!overflow_.empty()) {
        closed();  // it does not even take the answers to its earlier requests
        return std::nullopt;
    }
    leave();
    Exchange::TakenOver taken{.stream = std::move(stream_), .received = std::move(input_)};
    taken.stream->set_handlers({});
    taken.stream->set_reading(Reading::Flowing);
    return taken;
}

// For a request that never became an exchange, or whose handler has not answered.
void WebConnection::refuse(unsigned status) {
    ++exchange_number_;
    persistence_ = Persistence::Close;
    std::string body = std::to_string(status) + " ";
    body += reason_phrase(status);
    body += "\n";
    HttpResponse response{
        .status = status, .fields = {{"Content-Type", "text/plain"}}, .length = body.size()};
    head_ = {};
    started_ = false;
    start(response);
    send(as_bytes(body));
    give_up();
}

void WebConnection::send(BytesView bytes) {
    if (!stream_) return;
    const bool idle = buffered() == 0;
    if (overflow_.empty() && stream_->write(bytes) != Written::Full) {
        handed_over_ += bytes.size();
    } else {
        overflow_.insert(overflow_.end(), bytes.begin(), bytes.end());
        flush_overflow();
    }
    if (idle && buffered() > 0) {
        drained_mark_ = handed_over_ - stream_->buffered();
        stall_timer_.arm_after(timeouts_.body);
    }
}

void WebConnection::flush_overflow() {
    constexpr std::size_t piece_octets = 65'536;
    std::size_t sent = 0;
    while (sent < overflow_.size()) {
        const BytesView piece =
            BytesView{overflow_}.subspan(sent, std::min(piece_octets, overflow_.size() - sent));
        if (stream_->write(piece) == Written::Full) break;
        sent += piece.size();
    }
    handed_over_ += sent;
    overflow_.erase(overflow_.begin(), overflow_.begin() + static_cast<std::ptrdiff_t>(sent));
}

void WebConnection::writable() {
    flush_overflow();
    if (!overflow_.empty()) return;
    if (state_ == State::Closing) return stream_->close();
    const auto callback = on_writable_;
    if (callback && *callback) (*callback)();
}

// A client that takes nothing for a whole period holds memory for nothing.
void WebConnection::stalled() {
    if (!stream_ || buffered() == 0) return;
    const std::uint64_t drained = handed_over_ - stream_->buffered();
    if (std::exchange(drained_mark_, drained) == drained) {
        closed();
        return;
    }
    stall_timer_.arm_after(timeouts_.body);
}

// The client went away.
void WebConnection::closed() {
    const auto self = shared_from_this();
    const bool handling = state_ == State::Handling;
    const auto aborted = on_aborted_;
    const auto body = body_handlers_;
    leave();
    stream_.reset();
    if (!handling) return;
    if (body && body->on_end) body->on_end(BodyEnd::Aborted);
    if (aborted && *aborted) (*aborted)();
}

// The orderly end: what was written still leaves.
void WebConnection::give_up() {
    if (!stream_ || state_ == State::Closing) return;
    ++exchange_number_;
    body_handlers_.reset();
    on_aborted_.reset();
    on_writable_.reset();
    timer_.disarm();
    state_ = State::Closing;
    input_.clear();
    if (overflow_.empty()) stream_->close();  // else writable() does it
}

void WebConnection::timed_out() {
    const auto self = shared_from_this();
    switch (state_) {
        case State::Waiting:
            // RFC 9110 Section 15.5.9; an idle connection just ends.
            if (input_.empty()) return give_up();
            return refuse(408);
        case State::Handling:
            return give_up_body(408);
        case State::Discarding:
            return give_up();
        case State::Closing:
            return;
    }
}

void WebConnection::arm_timer() {
    if (state_ != State::Handling) return;
    if (body_ == Body::Flowing && body_handlers_ && !body_decoder_.done()) {
        timer_.arm_after(timeouts_.body);
    } else {
        timer_.disarm();
    }
}

void WebConnection::update_reading() {
    if (!stream_) return;
    stream_->set_reading(input_.size() < most_pipelined_octets ? Reading::Flowing
                                                               : Reading::Paused);
}

}  // namespace stile::drivers
