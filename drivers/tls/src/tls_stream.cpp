// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "tls_context.hpp"

#include <stile/base/assert.hpp>
#include <stile/drivers/tcp.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace stile::drivers {
namespace {

// One TLS record's plaintext: RFC 8446 Section 5.1.
constexpr std::size_t record_octets = 16'384;
// Plaintext that is kept while the handshake lasts.
constexpr std::size_t most_early_octets = 1'048'576;
// Ciphertext that waits for room in the transport: what was encrypted cannot be taken back.
constexpr std::size_t most_unsent_octets = 1'048'576;

}  // namespace

struct TlsStream::Impl : std::enable_shared_from_this<TlsStream::Impl> {
    enum class State : std::uint8_t {
        Handshake,
        Open,
        Closing,  // nothing is delivered any more; what was written still leaves
        Closed,
    };

    Impl(Loop& owner, std::unique_ptr<Stream> stream, const TlsContext& wanted);

    void begin();
    void pump();  // lets OpenSSL go on with what has come
    void handshake();
    void deliver();
    void encrypt(BytesView bytes);
    void send();  // hands ciphertext, then the end, to the transport
    void transport_writable();
    void peer_has_finished();
    void check_truncation();
    void start_closing(CloseReason reason);
    void fail();
    void end(CloseReason reason, std::string text);
    std::string peer_name() const { return transport->peer_address().to_string(); }
    std::size_t unsent() const { return BIO_ctrl_pending(outgoing) - sent_of_outgoing; }
    bool delivering() const { return !dead && state == State::Open && reading == Reading::Flowing; }

    Loop& loop;
    std::shared_ptr<TlsContext::State> context;
    std::unique_ptr<Stream> transport;
    openssl::Session session;
    BIO* incoming = nullptr;  // both are the session's
    BIO* outgoing = nullptr;
    std::size_t sent_of_outgoing = 0;
    State state = State::Handshake;
    std::shared_ptr<StreamHandlers> handlers = std::make_shared<StreamHandlers>();
    Bytes early;                 // written before the handshake was done
    bool early_refused = false;  // a write did not fit then
    Reading reading = Reading::Flowing;
    bool finish_wanted = false;  // this side's end: close_notify, then the transport's
    bool finish_passed = false;  // the transport knows of it
    bool peer_finished = false;  // close_notify came
    bool transport_ended = false;
    bool dead = false;  // the owner is gone
    bool pumping = false;
    CloseReason closing_reason = CloseReason::Local;
    Timer timer;  // of the handshake
};

TlsStream::Impl::Impl(Loop& owner, std::unique_ptr<Stream> stream, const TlsContext& wanted)
    : loop(owner),
      context(wanted.state_),
      transport(std::move(stream)),
      session(SSL_new(context->context.get())),
      timer(owner, [this] {
          const auto self = shared_from_this();
          end(CloseReason::TimedOut, "TLS handshake with " + peer_name() + ": not done in time");
      }) {
    STILE_ASSERT(session != nullptr);
    STILE_ASSERT(context->carrier == TlsCarrier::Stream);
    incoming = BIO_new(BIO_s_mem());
    outgoing = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(incoming, -1);
    SSL_set_bio(session.get(), incoming, outgoing);
    if (context->role == TlsContext::State::Role::Server) {
        SSL_set_accept_state(session.get());
        return;
    }
    SSL_set_connect_state(session.get());
    send_server_name(session.get(), *context);
}

void TlsStream::Impl::begin() {
    const auto guarded = [weak = weak_from_this()](auto act) {
        return [weak, act](auto&&... arguments) {
            const auto self = weak.lock();
            if (!self || self->dead || self->state == State::Closed) return;
            act(*self, std::forward<decltype(arguments)>(arguments)...);
        };
    };
    transport->set_handlers({
        .on_open = guarded([](Impl& self) { self.pump(); }),
        .on_bytes = guarded([](Impl& self, BytesView bytes) {
            if (self.state == State::Closing) return;
            BIO_write(self.incoming, bytes.data(), static_cast<int>(bytes.size()));
            self.pump();
        }),
        .on_end = guarded([](Impl& self) {
            self.transport_ended = true;
            self.pump();
        }),
        .on_writable = guarded([](Impl& self) { self.transport_writable(); }),
        .on_closed = guarded([](Impl& self, Closed why) {
            const bool orderly =
                why.reason == CloseReason::Local || why.reason == CloseReason::PeerClosed;
            if (orderly && self.state == State::Closing) why.reason = self.closing_reason;
            self.end(why.reason, std::move(why.text));
        }),
    });
    timer.arm_after(context->handshake_timeout);
}

void TlsStream::Impl::pump() {
    if (pumping) return;
    pumping = true;
    if (state == State::Handshake) handshake();
    if (delivering()) deliver();
    pumping = false;
    if (dead || state == State::Closed) return;
    send();
    check_truncation();
}

void TlsStream::Impl::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(session.get());
    if (result != 1) {
        const int error = SSL_get_error(session.get(), result);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) fail();
        return;
    }
    timer.disarm();
    state = State::Open;
    send();
    const auto current = handlers;
    if (current->on_open) current->on_open();
    if (dead || state == State::Closed) return;
    encrypt(std::exchange(early, {}));
    if (finish_wanted) SSL_shutdown(session.get());
    send();
    if (std::exchange(early_refused, false) && state == State::Open && current->on_writable) {
        current->on_writable();
    }
}

void TlsStream::Impl::deliver() {
    std::array<std::byte, record_octets> buffer;  // filled before it is read
    while (delivering() && !peer_finished) {
        ERR_clear_error();
        const int count = SSL_read(session.get(), buffer.data(), static_cast<int>(buffer.size()));
        if (count > 0) {
            const auto current = handlers;
            if (current->on_bytes) {
                current->on_bytes(BytesView{buffer}.first(static_cast<std::size_t>(count)));
            }
            continue;
        }
        switch (SSL_get_error(session.get(), count)) {
            case SSL_ERROR_WANT_READ:
            case SSL_ERROR_WANT_WRITE:
                return;
            case SSL_ERROR_ZERO_RETURN:
                peer_has_finished();
                return;
            default:
                fail();
                return;
        }
    }
}

void TlsStream::Impl::peer_has_finished() {
    peer_finished = true;
    const auto current = handlers;
    if (current->on_end) {
        current->on_end();
    } else {
        start_closing(CloseReason::PeerClosed);
    }
}

// An attacker can end the transport, but not say close_notify. RFC 8446 Section 6.1.
void TlsStream::Impl::check_truncation() {
    if (!transport_ended || peer_finished || state == State::Closing) return;
    if (state == State::Handshake) {
        return end(CloseReason::PeerClosed,
                   peer_name() + " closed the connection during the TLS handshake");
    }
    if (reading == Reading::Paused) return;  // the rest may hold it
    end(CloseReason::Truncated, peer_name() + " ended the connection without TLS's close_notify");
}

void TlsStream::Impl::encrypt(BytesView bytes) {
    while (!bytes.empty()) {
        ERR_clear_error();
        const int count = SSL_write(session.get(), bytes.data(),
                                    static_cast<int>(std::min(bytes.size(), record_octets)));
        if (count <= 0) return;  // memory takes all; a session that has failed ends in deliver()
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
}

void TlsStream::Impl::send() {
    char* start = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(outgoing, &start));
    while (sent_of_outgoing < size) {
        // In pieces, so that a transport with little room takes what it can.
        const std::size_t piece = std::min(size - sent_of_outgoing, record_octets);
        const auto written =
            transport->write(std::as_bytes(std::span{start + sent_of_outgoing, piece}));
        if (written == Written::Full) return;
        if (written == Written::Closed) {
            sent_of_outgoing = size;
            break;
        }
        sent_of_outgoing += piece;
    }
    if (size > 0) BIO_reset(outgoing);
    sent_of_outgoing = 0;
    if (!finish_wanted || state == State::Handshake || std::exchange(finish_passed, true)) return;
    if (state == State::Closing) {
        transport->close();
    } else {
        transport->finish();
    }
}

void TlsStream::Impl::transport_writable() {
    send();
    // The transport was full of what had waited: its next drain will say.
    if (transport->buffered() + unsent() > low_water_octets) return;
    const auto current = handlers;
    if (state == State::Open && current->on_writable) current->on_writable();
}

void TlsStream::Impl::start_closing(CloseReason reason) {
    if (state == State::Closing || state == State::Closed) return;
    closing_reason = reason;
    state = State::Closing;
    if (std::exchange(finish_wanted, true)) {
        transport->close();  // finish() has seen to close_notify
    } else {
        SSL_shutdown(session.get());
        send();
    }
}

void TlsStream::Impl::fail() {
    Closed closed = describe_failure(session.get(), *context, peer_name());
    ERR_clear_error();
    send();  // the alert
    end(closed.reason, std::move(closed.text));
}

void TlsStream::Impl::end(CloseReason reason, std::string text) {
    if (dead || state == State::Closed) return;
    state = State::Closed;
    timer.disarm();
    transport->close();
    const auto current = handlers;
    if (current->on_closed) current->on_closed({reason, std::move(text)});
}

TlsStream::TlsStream(Loop& loop, std::unique_ptr<Stream> transport, const TlsContext& context)
    : impl_(std::make_shared<Impl>(loop, std::move(transport), context)) {
    impl_->begin();
    // A transport that is connected already will not say so.
    loop.post([weak = std::weak_ptr{impl_}] {
        const auto self = weak.lock();
        if (self && !self->dead && self->state == Impl::State::Handshake) self->pump();
    });
}

TlsStream::~TlsStream() {
    impl_->dead = true;
    impl_->timer.disarm();
    impl_->transport.reset();
}

void TlsStream::set_handlers(StreamHandlers handlers) {
    impl_->handlers = std::make_shared<StreamHandlers>(std::move(handlers));
}

Written TlsStream::write(BytesView bytes) {
    using State = Impl::State;
    Impl& impl = *impl_;
    if (impl.finish_wanted || impl.state == State::Closed) return Written::Closed;
    if (impl.state == State::Handshake) {
        if (impl.early.size() + bytes.size() > most_early_octets) {
            impl.early_refused = true;
            return Written::Full;
        }
        impl.early.insert(impl.early.end(), bytes.begin(), bytes.end());
        return Written::Queued;
    }
    const bool transport_is_full = impl.unsent() > 0;
    if (bytes.size() > most_buffered_octets ||
        (transport_is_full && impl.unsent() + bytes.size() > most_unsent_octets)) {
        return Written::Full;
    }
    impl.encrypt(bytes);
    impl.send();
    return Written::Queued;
}

std::size_t TlsStream::buffered() const {
    return impl_->early.size() + impl_->unsent() + impl_->transport->buffered();
}

void TlsStream::finish() {
    if (std::exchange(impl_->finish_wanted, true)) return;
    if (impl_->state != Impl::State::Open) return;  // after the handshake
    SSL_shutdown(impl_->session.get());
    impl_->send();
}

void TlsStream::close() {
    if (impl_->state == Impl::State::Handshake) {
        // Nobody to say anything to yet; what was written goes with it.
        impl_->state = Impl::State::Closing;
        impl_->timer.disarm();
        impl_->transport->close();
        return;
    }
    impl_->start_closing(CloseReason::Local);
}

void TlsStream::set_reading(Reading reading) {
    if (std::exchange(impl_->reading, reading) == reading) return;
    impl_->transport->set_reading(reading);
    if (reading == Reading::Paused) return;
    // What was decrypted or waits in memory already comes from the loop, not from within this call.
    impl_->loop.post([weak = std::weak_ptr{impl_}] {
        const auto self = weak.lock();
        if (self && !self->dead && self->state != Impl::State::Closed) self->pump();
    });
}

SocketAddress TlsStream::local_address() const { return impl_->transport->local_address(); }
SocketAddress TlsStream::peer_address() const { return impl_->transport->peer_address(); }

std::optional<PeerCertificate> TlsStream::peer_certificate() const {
    return verified_certificate(impl_->session.get());
}

std::string TlsStream::alpn() const { return chosen_alpn(impl_->session.get()); }
std::string TlsStream::version() const { return SSL_get_version(impl_->session.get()); }
std::string TlsStream::cipher() const { return SSL_get_cipher_name(impl_->session.get()); }

std::string TlsStream::server_name() const {
    const char* name = SSL_get_servername(impl_->session.get(), TLSEXT_NAMETYPE_host_name);
    return name != nullptr ? name : "";
}

}  // namespace stile::drivers
