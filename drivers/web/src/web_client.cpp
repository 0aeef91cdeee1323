// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/web_client.hpp>

#include "body_decoder.hpp"

#include <stile/drivers/web_limits.hpp>

#include <utility>

namespace stile::drivers {

struct HttpClientCall::Impl : std::enable_shared_from_this<HttpClientCall::Impl> {
    Impl(Loop& owner, std::unique_ptr<Stream> connection, HttpClientRequest wanted, Done callback)
        : loop(owner),
          stream(std::move(connection)),
          request(std::move(wanted)),
          done(std::move(callback)),
          deadline(owner, [this] {
              const auto self = shared_from_this();
              fail(CloseReason::TimedOut, request.host + ": no answer in time");
          }) {}

    // At once, so that an end of the connection before the request is heard of.
    void listen() {
        const auto guarded = [weak = weak_from_this()](auto act) {
            return [weak, act](auto&&... arguments) {
                const auto self = weak.lock();
                if (self && !self->finished) act(*self, arguments...);
            };
        };
        stream->set_handlers({
            .on_open = {},
            .on_bytes = guarded([](Impl& self, BytesView bytes) { self.received(bytes); }),
            .on_end = {},
            .on_writable = {},
            .on_closed = guarded([](Impl& self, const Closed& why) { self.closed(why); }),
        });
        deadline.arm_after(request.deadline);
    }

    void begin() {
        std::string head = request.method + " " + request.target + " HTTP/1.1\r\n";
        head += "Host: " + request.host + "\r\nConnection: close\r\n";
        if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
            head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
        }
        for (const Field& field : request.fields) head += field.name + ": " + field.value + "\r\n";
        head += "\r\n";
        Bytes wire = to_bytes(head);
        wire.insert(wire.end(), request.body.begin(), request.body.end());
        switch (stream->write(wire)) {
            case Written::Queued:
                return;
            case Written::Full:
                return fail(CloseReason::Failed,
                            request.host + ": the request is too large to send");
            case Written::Closed:
                // Where the end is still to be told, its reason comes first.
                return loop.post([weak = weak_from_this()] {
                    const auto self = weak.lock();
                    if (!self || self->finished) return;
                    self->fail(CloseReason::Reset,
                               self->request.host + ": the connection was closed already");
                });
        }
    }

    void received(BytesView bytes) {
        input.insert(input.end(), bytes.begin(), bytes.end());
        while (!finished && (body ? body_step() : head_step())) {
        }
    }

    bool head_step() {
        const auto end = find_head_end(input);
        if (!end || *end > most_head_octets) {
            if (input.size() > most_head_octets) {
                fail(CloseReason::Protocol, request.host + ": the answer's header is too long");
            }
            return false;
        }
        auto head = parse_response_head(BytesView{input}.first(*end));
        input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(*end));
        if (!head) {
            fail(CloseReason::Protocol, request.host + ": the answer is not HTTP");
            return false;
        }
        if (head->status / 100 == 1) return true;  // the final one follows
        answer.status = head->status;
        answer.fields = std::move(head->fields);
        body.emplace(request.method == "HEAD" ? Framing::None : head->framing, head->length);
        return true;
    }

    bool body_step() {
        if (body->done()) {
            succeed();
            return false;
        }
        const auto step = body->step(input);
        answer.body.insert(answer.body.end(), step.body.begin(), step.body.end());
        input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(step.consumed));
        if (body->broken()) {
            fail(CloseReason::Protocol, request.host + ": the answer's body is malformed");
        } else if (answer.body.size() > request.most_body) {
            fail(CloseReason::Failed, request.host + ": the answer is larger than allowed");
        }
        return step.consumed > 0 || body->done();
    }

    void closed(const Closed& why) {
        if (body && why.reason == CloseReason::PeerClosed) {
            body->end_of_input();
            if (body->done()) return succeed();
        }
        if (why.reason == CloseReason::PeerClosed) {
            return fail(CloseReason::Truncated, request.host + ": the answer was cut off");
        }
        fail(why.reason, why.text);
    }

    void succeed() { finish(std::move(answer)); }
    void fail(CloseReason reason, std::string text) {
        finish(std::unexpected(HttpClientError{reason, std::move(text)}));
    }
    void finish(std::expected<HttpAnswer, HttpClientError> result) {
        if (std::exchange(finished, true)) return;
        deadline.disarm();
        stream->close();
        auto callback = std::move(done);
        callback(std::move(result));
    }

    Loop& loop;
    std::unique_ptr<Stream> stream;
    HttpClientRequest request;
    Done done;
    Timer deadline;
    Bytes input;
    std::optional<BodyDecoder> body;  // once the head is there
    HttpAnswer answer;
    bool finished = false;
};

HttpClientCall::HttpClientCall(Loop& loop, std::unique_ptr<Stream> stream,
                               HttpClientRequest request, Done done)
    : impl_(std::make_shared<Impl>(loop, std::move(stream), std::move(request), std::move(done))) {
    impl_->listen();
    // The callback never runs within this constructor.
    loop.post([weak = std::weak_ptr{impl_}] {
        const auto self = weak.lock();
        if (self && !self->finished) self->begin();
    });
}

HttpClientCall::~HttpClientCall() {
    impl_->finished = true;
    impl_->deadline.disarm();
    impl_->stream.reset();
}

}  // namespace stile::drivers
