// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "association.hpp"

#include <stile/base/assert.hpp>

#include <array>
#include <utility>

namespace stile::drivers {

struct DtlsClient::Impl : std::enable_shared_from_this<DtlsClient::Impl> {
    enum class State : std::uint8_t { Handshake, Open, Closed };

    Impl(Loop& owner, std::unique_ptr<UdpSocket> through, SocketAddress server,
         const std::shared_ptr<TlsContext::State>& context, const DtlsOptions& options);

    void begin();
    void handle_datagram(MutableBytes datagram);
    void work();
    void deliver();
    void time_passed();
    void arm();
    void end(Closed why);
    std::string peer_name() const { return association.path.remote.to_string(); }

    Loop& loop;
    std::unique_ptr<UdpSocket> socket;
    Association::Output output;
    Association association;
    State state = State::Handshake;
    bool dead = false;  // the owner is gone
    std::shared_ptr<DtlsClientHandlers> handlers = std::make_shared<DtlsClientHandlers>();
    Instant deadline;  // of the handshake
    Timer timer;
};

DtlsClient::Impl::Impl(Loop& owner, std::unique_ptr<UdpSocket> through, SocketAddress server,
                       const std::shared_ptr<TlsContext::State>& context,
                       const DtlsOptions& options)
    : loop(owner),
      socket(std::move(through)),
      output([this](const Path& path, BytesView datagram) {
          socket->send(Transmit{.path = path, .payload = datagram});
      }),
      association(context, options, output),
      deadline(owner.now() + context->handshake_timeout),
      timer(owner, [this] {
          const auto self = shared_from_this();
          time_passed();
      }) {
    association.path = {.local = socket->local_address(), .remote = server};
}

void DtlsClient::Impl::begin() {
    socket->on_datagrams([weak = weak_from_this()](std::span<const Datagram> batch) {
        const auto self = weak.lock();
        for (const Datagram& datagram : batch) {
            if (!self || self->dead || self->state == State::Closed) return;
            if (datagram.path.remote != self->association.path.remote) continue;
            if (looks_like_dtls(datagram.payload)) self->handle_datagram(datagram.payload);
        }
    });
    socket->on_icmp_error([weak = weak_from_this()](const IcmpError& error) {
        const auto self = weak.lock();
        if (!self || self->dead || self->state != State::Handshake) return;
        // Port unreachable. Once it is open only the peer's own word counts.
        const bool refused = error.destination.ip.is_v4() ? error.type == 3 && error.code == 3
                                                          : error.type == 1 && error.code == 4;
        if (refused) self->end({CloseReason::Refused, self->peer_name() + ": nothing listens"});
    });
    loop.post([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self && !self->dead && self->state == State::Handshake) self->work();
    });
}

void DtlsClient::Impl::handle_datagram(MutableBytes datagram) {
    association.offer(datagram);
    work();
    association.offer({});
}

void DtlsClient::Impl::work() {
    if (state == State::Handshake) {
        switch (association.handshake()) {
            case Association::Progress::Waiting:
                return arm();
            case Association::Progress::Failed:
                return end(association.failure());
            case Association::Progress::Done:
                break;
        }
        state = State::Open;
        const auto current = handlers;
        if (current->on_open) current->on_open();
    }
    if (!dead && state == State::Open) deliver();
    if (!dead && state == State::Open) arm();
}

void DtlsClient::Impl::deliver() {
    std::array<std::byte, most_dtls_octets> buffer;  // filled before it is read
    while (!dead && state == State::Open) {
        const auto received = association.read(buffer);
        using Kind = Association::Received::Kind;
        switch (received.kind) {
            case Kind::Nothing:
                return;
            case Kind::Data: {
                const auto current = handlers;
                if (current->on_data) {
                    current->on_data(MutableBytes{buffer}.first(received.octets));
                }
                break;
            }
            case Kind::Ended:
                association.say_goodbye();
                return end({CloseReason::PeerClosed, peer_name() + " closed the association"});
            case Kind::Failed:
                return end(association.failure());
        }
    }
}

void DtlsClient::Impl::arm() {
    std::optional<Instant> next;
    if (const auto wait = association.retransmission_in()) next = loop.now() + *wait;
    if (state == State::Handshake) next = std::min(next.value_or(deadline), deadline);
    timer.arm(next);
}

void DtlsClient::Impl::time_passed() {
    if (dead || state == State::Closed) return;
    if (state == State::Handshake && loop.now() >= deadline) {
        return end(
            {CloseReason::TimedOut, "DTLS handshake with " + peer_name() + ": not done in time"});
    }
    if (association.retransmit() == Association::Progress::Failed) {
        return end(association.failure());
    }
    arm();
}

void DtlsClient::Impl::end(Closed why) {
    if (state == State::Closed) return;
    state = State::Closed;
    timer.disarm();
    const auto current = handlers;
    if (current->on_closed) current->on_closed(std::move(why));
}

DtlsClient::DtlsClient(Loop& loop, std::unique_ptr<UdpSocket> socket, SocketAddress server,
                       const TlsContext& context, const DtlsOptions& options)
    : impl_(std::make_shared<Impl>(loop, std::move(socket), server, context.state_, options)) {
    impl_->begin();
}

DtlsClient::~DtlsClient() {
    impl_->dead = true;
    impl_->timer.disarm();
}

void DtlsClient::set_handlers(DtlsClientHandlers handlers) {
    impl_->handlers = std::make_shared<DtlsClientHandlers>(std::move(handlers));
}

DtlsSent DtlsClient::send(BytesView payload, BytesView prefix) {
    if (impl_->state != Impl::State::Open) return DtlsSent::NotOpen;
    return impl_->association.send(payload, prefix);
}

void DtlsClient::close() {
    if (impl_->state == Impl::State::Open) impl_->association.say_goodbye();
    impl_->state = Impl::State::Closed;
    impl_->timer.disarm();
}

SocketAddress DtlsClient::local_address() const { return impl_->association.path.local; }
SocketAddress DtlsClient::peer_address() const { return impl_->association.path.remote; }
std::string DtlsClient::alpn() const { return chosen_alpn(impl_->association.ssl()); }
std::string DtlsClient::version() const { return SSL_get_version(impl_->association.ssl()); }
std::string DtlsClient::cipher() const { return SSL_get_cipher_name(impl_->association.ssl()); }

std::optional<PeerCertificate> DtlsClient::peer_certificate() const {
    return verified_certificate(impl_->association.ssl());
}

}  // namespace stile::drivers
