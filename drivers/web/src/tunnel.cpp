// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/tunnel.hpp>

#include "http_head.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/drivers/web_limits.hpp>

#include <utility>

namespace stile::drivers {
namespace {

// Written while the proxy still connects: a TLS client's first flight, a few requests.
constexpr std::size_t most_early_octets = 1'048'576;

std::string authority(const TunnelOptions& options) {
    const std::string port = ':' + std::to_string(options.port.value);
    return options.host.contains(':') ? '[' + options.host + ']' + port : options.host + port;
}

// For a person: what the proxy's refusal means.
std::string refusal(const TunnelOptions& options, const ResponseHead& head) {
    const std::string proxy = "the HTTP proxy " + options.proxy.to_string();
    const std::string status = " (status " + std::to_string(head.status) + ')';
    // Some proxies, tinyproxy for one, say 401 to a login that is wrong.
    if (head.status != 407 && head.status != 401) {
        return proxy + " does not connect to " + authority(options) + status;
    }
    if (options.proxy.login) return proxy + " does not take the user and password" + status;
    const auto scheme = head.fields.find("Proxy-Authenticate");
    std::string_view wanted = scheme.value_or("Basic");
    const std::string_view first = trim(wanted).substr(0, trim(wanted).find(' '));
    if (iequals(first, "Basic")) return proxy + " wants a user and a password" + status;
    return proxy + " wants a login that is not spoken here, " + std::string{first} + status;
}

}  // namespace

struct TunnelStream::Impl : std::enable_shared_from_this<TunnelStream::Impl> {
    enum class State : std::uint8_t {
        Asking,   // until the proxy has answered
        Opening,  // on_open, and what came with the answer, are being handed over
        Open,     // everything is the transport's
        Closed,
    };

    Impl(Loop& owner, std::unique_ptr<Stream> stream, TunnelOptions wanted)
        : loop(owner),
          transport(std::move(stream)),
          options(std::move(wanted)),
          patience(owner, [this] {
              const auto self = shared_from_this();
              end(CloseReason::TimedOut, "the HTTP proxy " + options.proxy.to_string() +
                                             " does not answer for " + authority(options));
          }) {}

    void begin();
    void received(BytesView bytes);
    void opened();
    void hand_over();
    void end(CloseReason reason, std::string text);

    Loop& loop;
    std::unique_ptr<Stream> transport;
    TunnelOptions options;
    State state = State::Asking;
    std::shared_ptr<StreamHandlers> handlers = std::make_shared<StreamHandlers>();
    Reading reading = Reading::Flowing;
    Bytes input;  // the answer; then what came behind it
    Bytes early;  // written before it was there
    bool early_refused = false;
    bool finish_wanted = false;
    bool dead = false;  // the owner is gone
    Timer patience;
};

void TunnelStream::Impl::begin() {
    const auto guarded = [weak = weak_from_this()](auto act) {
        return [weak, act](auto&&... arguments) {
            const auto self = weak.lock();
            if (!self || self->dead || self->state != State::Asking) return;
            act(*self, std::forward<decltype(arguments)>(arguments)...);
        };
    };
    transport->set_handlers({
        .on_open = {},
        .on_bytes = guarded([](Impl& self, BytesView bytes) { self.received(bytes); }),
        .on_end = {},
        .on_writable = {},
        .on_closed = guarded([](Impl& self, Closed why) {
            const std::string proxy = "the HTTP proxy " + self.options.proxy.to_string();
            if (why.reason == CloseReason::PeerClosed || why.reason == CloseReason::Reset) {
                return self.end(CloseReason::Proxy, proxy + " closed the connection unasked");
            }
            self.end(why.reason, proxy + ": " + why.text);
        }),
    });
    const std::string target = authority(options);
    std::string head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    if (const auto& login = options.proxy.login) {
        head += "Proxy-Authorization: Basic " +
                to_base64(as_bytes(login->user + ':' + login->password)) + "\r\n";
    }
    head += "\r\n";
    (void)transport->write(as_bytes(head));  // kept until it is connected; its end is told
    patience.arm_after(options.patience);
}

void TunnelStream::Impl::received(BytesView bytes) {
    input.insert(input.end(), bytes.begin(), bytes.end());
    for (;;) {
        const auto size = find_head_end(input);
        if (!size || *size > most_head_octets) {
            if (input.size() <= most_head_octets) return;
            return end(CloseReason::Proxy,
                       "the HTTP proxy " + options.proxy.to_string() + " answers without end");
        }
        const auto head = parse_response_head(BytesView{input}.first(*size));
        input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(*size));
        if (!head) {
            return end(CloseReason::Proxy,
                       options.proxy.to_string() + " does not answer as an HTTP proxy does");
        }
        if (head->status / 100 == 1) continue;  // the final one follows
        // What says that it has a body has none. RFC 9110 Section 9.3.6.
        if (head->status / 100 == 2) return opened();
        return end(CloseReason::Proxy, refusal(options, *head));
    }
}

void TunnelStream::Impl::opened() {
    state = State::Opening;
    patience.disarm();
    const auto current = handlers;
    if (current->on_open) current->on_open();
    if (dead || state == State::Closed) return;
    if (!early.empty()) (void)transport->write(early);  // fits: nothing else waits there
    early = {};
    hand_over();
    if (dead || state != State::Open || !std::exchange(early_refused, false)) return;
    loop.post([weak = weak_from_this(), current] {
        const auto self = weak.lock();
        if (self && !self->dead && current->on_writable) current->on_writable();
    });
}

// What came behind the answer, then the transport itself.
void TunnelStream::Impl::hand_over() {
    if (reading == Reading::Paused && !input.empty()) {
        return transport->set_reading(Reading::Paused);  // set_reading() comes back to it
    }
    if (!input.empty()) {
        const Bytes rest = std::exchange(input, {});
        const auto current = handlers;
        if (current->on_bytes) current->on_bytes(rest);
        if (dead || state != State::Opening) return;
    }
    state = State::Open;
    transport->set_handlers({
        .on_open = {},
        .on_bytes = std::move(handlers->on_bytes),
        .on_end = std::move(handlers->on_end),
        .on_writable = std::move(handlers->on_writable),
        .on_closed = std::move(handlers->on_closed),
    });
    transport->set_reading(reading);
    if (finish_wanted) transport->finish();
}

void TunnelStream::Impl::end(CloseReason reason, std::string text) {
    if (dead || state == State::Closed) return;
    state = State::Closed;
    patience.disarm();
    transport->close();
    const auto current = handlers;
    if (current->on_closed) current->on_closed({reason, std::move(text)});
}

TunnelStream::TunnelStream(Loop& loop, std::unique_ptr<Stream> transport, TunnelOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(transport), std::move(options))) {
    impl_->begin();
}

TunnelStream::~TunnelStream() {
    impl_->dead = true;
    impl_->patience.disarm();
    impl_->transport.reset();
}

void TunnelStream::set_handlers(StreamHandlers handlers) {
    if (impl_->state == Impl::State::Open)
        return impl_->transport->set_handlers(std::move(handlers));
    impl_->handlers = std::make_shared<StreamHandlers>(std::move(handlers));
}

Written TunnelStream::write(BytesView bytes) {
    Impl& impl = *impl_;
    if (impl.state == Impl::State::Open) return impl.transport->write(bytes);
    if (impl.state == Impl::State::Closed || impl.finish_wanted) return Written::Closed;
    if (impl.early.size() + bytes.size() > most_early_octets) {
        impl.early_refused = true;
        return Written::Full;
    }
    impl.early.insert(impl.early.end(), bytes.begin(), bytes.end());
    return Written::Queued;
}

std::size_t TunnelStream::buffered() const {
    return impl_->early.size() + impl_->transport->buffered();
}

void TunnelStream::finish() {
    if (impl_->state == Impl::State::Open) return impl_->transport->finish();
    impl_->finish_wanted = true;
}

void TunnelStream::close() {
    Impl& impl = *impl_;
    if (impl.state == Impl::State::Open) return impl.transport->close();
    if (impl.state == Impl::State::Closed) return;
    impl.patience.disarm();
    impl.loop.post([weak = std::weak_ptr{impl_}] {
        if (const auto self = weak.lock()) self->end(CloseReason::Local, "closed");
    });
}

void TunnelStream::set_reading(Reading reading) {
    Impl& impl = *impl_;
    if (impl.state == Impl::State::Open) return impl.transport->set_reading(reading);
    impl.reading = reading;
    if (reading == Reading::Paused || impl.state != Impl::State::Opening) return;
    impl.loop.post([weak = std::weak_ptr{impl_}] {
        const auto self = weak.lock();
        if (self && !self->dead && self->state == Impl::State::Opening) self->hand_over();
    });
}

SocketAddress TunnelStream::local_address() const { return impl_->transport->local_address(); }

SocketAddress TunnelStream::peer_address() const {
    if (const auto address = IpAddress::parse(impl_->options.host)) {
        return {*address, impl_->options.port};
    }
    return impl_->transport->peer_address();
}

}  // namespace stile::drivers
