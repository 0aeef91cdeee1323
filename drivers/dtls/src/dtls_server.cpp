// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "association.hpp"
#include "client_hello.hpp"
#include "cookie_jar.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/keyed_table.hpp>
#include <stile/drivers/random.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

namespace stile::drivers {
namespace {

using AddressWords = std::array<std::uint64_t, 2>;

AddressWords words_of(const IpAddress& ip) {
    AddressWords words{};
    std::size_t at = 0;
    for (const std::byte octet : ip.octets()) {
        auto& word = words[at++ / 8];
        word = word << 8U | std::to_integer<std::uint64_t>(octet);
    }
    return words;
}

std::array<std::uint64_t, 5> words_of(const Path& path) {
    const AddressWords local = words_of(path.local.ip);
    const AddressWords remote = words_of(path.remote.ip);
    // Both addresses are of one family, so that one bit tells 1.2.3.4 from ::1.2.3.4.
    const std::uint64_t rest = std::uint64_t{path.local.port.value} << 32U |
                               std::uint64_t{path.remote.port.value} << 16U |
                               static_cast<std::uint64_t>(path.remote.ip.family());
    return {local[0], local[1], remote[0], remote[1], rest};
}

AddressWords network_of(const IpAddress& ip) {
    return {words_of(ip)[0], static_cast<std::uint64_t>(ip.family())};
}

HashSeed table_seed(crypto::RandomStream& random) {
    return {.k0 = random.u64(), .k1 = random.u64()};
}

}  // namespace

struct DtlsServer::Impl : std::enable_shared_from_this<DtlsServer::Impl> {
    struct Session {
        Session(std::unique_ptr<Association> of, Impl& server, DtlsSessionId named)
            : id(named),
              association(std::move(of)),
              timer(server.loop, [this, &server] { server.time_passed(*this); }) {}

        DtlsSessionId id;
        std::unique_ptr<Association> association;
        std::array<std::byte, 32> hello_random{};
        enum class State : std::uint8_t { Handshake, Open, Ended };
        State state = State::Handshake;
        Instant deadline;  // of the handshake, or of the silence
        Timer timer;       // after what it needs
    };
    using SessionPointer = std::shared_ptr<Session>;

    Impl(Loop& owner, std::shared_ptr<TlsContext::State> wanted, const DtlsServerOptions& options,
         DtlsServerHandlers callbacks, crypto::RandomStream random);

    void prepare(SSL_CTX* raw) const;
    void handle_datagram(const Path& path, BytesView datagram);
    void listen(const Path& path, BytesView datagram, BytesView hello_random);
    void welcome(BytesView hello_random);
    bool room_for(const IpAddress& client);
    void work(Session& session);
    bool open(Session& session);
    void deliver(Session& session);
    void time_passed(Session& session);
    void arm(Session& session);
    void end(Session& session, Closed why);
    void forget(Session& session);
    Session* find(DtlsSessionId id);
    Session* find_open(DtlsSessionId id);
    void leave_handshake(const Session& session);

    Loop& loop;
    std::shared_ptr<TlsContext::State> context;
    DtlsServerOptions limits;
    DtlsServerHandlers handlers;
    CookieJar cookies;
    // Looks at ClientHellos until one returns its cookie, and then becomes that client's.
    std::unique_ptr<Association> listener;
    KeyedTable<5, SessionPointer> by_path;
    KeyedTable<1, SessionPointer> by_id;
    KeyedTable<2, std::size_t> handshakes_of_network;
    std::size_t open_sessions = 0;
    std::size_t in_handshake = 0;
    std::uint64_t last_id = 0;
    DtlsServerCounters counters;
    bool dead = false;
};

DtlsServer::Impl::Impl(Loop& owner, std::shared_ptr<TlsContext::State> wanted,
                       const DtlsServerOptions& options, DtlsServerHandlers callbacks,
                       crypto::RandomStream random)
    : loop(owner),
      context(std::move(wanted)),
      limits(options),
      handlers(std::move(callbacks)),
      cookies(random.bytes(32)),
      by_path(table_seed(random)),
      by_id(table_seed(random)),
      handshakes_of_network(table_seed(random)) {}

// Whether a ClientHello shows its cookie is asked by OpenSSL, which finds this server through the
// association. The same for all servers that share the context.
void DtlsServer::Impl::prepare(SSL_CTX* raw) const {
    SSL_CTX_set_cookie_generate_cb(raw, [](SSL* ssl, unsigned char* cookie, unsigned* size) {
        const Association& association = Association::of(ssl);
        const auto& self = *static_cast<const Impl*>(association.owner);
        const auto baked = self.cookies.bake(self.loop.now(), association.path);
        std::memcpy(cookie, baked.data(), baked.size());
        *size = static_cast<unsigned>(baked.size());
        return 1;
    });
    SSL_CTX_set_cookie_verify_cb(raw, [](SSL* ssl, const unsigned char* cookie, unsigned size) {
        const Association& association = Association::of(ssl);
        const auto& self = *static_cast<const Impl*>(association.owner);
        const BytesView shown = std::as_bytes(std::span{cookie, size});
        return self.cookies.taste(self.loop.now(), association.path, shown) ==
                       CookieJar::Taste::Good
                   ? 1
                   : 0;
    });
}

void DtlsServer::Impl::handle_datagram(const Path& path, BytesView datagram) {
    if (!looks_like_dtls(datagram)) return;
    const auto hello_random = client_hello_random(datagram);
    const SessionPointer* found = by_path.find(words_of(path));
    const SessionPointer session = found != nullptr ? *found : nullptr;
    if (session && (!hello_random || equal(*hello_random, session->hello_random))) {
        session->association->offer(datagram);
        work(*session);
        session->association->offer({});
        return;
    }
    // A client that began again. The old session lives until the cookie is back, or else anybody
    // could end it with a forged datagram. RFC 6347 Section 4.2.8.
    if (hello_random) listen(path, datagram, *hello_random);
}

void DtlsServer::Impl::listen(const Path& path, BytesView datagram, BytesView hello_random) {
    struct FreeAddress {
        void operator()(BIO_ADDR* address) const { BIO_ADDR_free(address); }
    };
    if (!listener) {
        listener = std::make_unique<Association>(context, limits, handlers.on_output);
        listener->owner = this;
    }
    listener->path = path;
    listener->offer(datagram);
    const std::unique_ptr<BIO_ADDR, FreeAddress> unused{BIO_ADDR_new()};
    ERR_clear_error();
    const int result = DTLSv1_listen(listener->ssl(), unused.get());
    if (dead) return;
    listener->offer({});
    if (result != 1) {
        ERR_clear_error();
        ++counters.hellos;
        return;
    }
    welcome(hello_random);
}

bool DtlsServer::Impl::room_for(const IpAddress& client) {
    if (open_sessions + in_handshake >= limits.most_sessions) return false;
    const std::size_t* known = handshakes_of_network.find(network_of(client));
    return known == nullptr || *known < limits.most_handshakes_an_address;
}

// The listener holds a ClientHello with a good cookie.
void DtlsServer::Impl::welcome(BytesView hello_random) {
    auto association = std::exchange(listener, nullptr);
    const Path path = association->path;
    if (const SessionPointer* old = by_path.find(words_of(path))) {
        const SessionPointer replaced = *old;
        end(*replaced, {CloseReason::PeerClosed, path.remote.to_string() + " began again"});
        if (dead) return;
    }
    if (!room_for(path.remote.ip)) {
        ++counters.refused_for_room;
        return;
    }
    const DtlsSessionId id{++last_id};
    const auto session = std::make_shared<Session>(std::move(association), *this, id);
    std::ranges::copy(hello_random, session->hello_random.begin());
    session->deadline = loop.now() + context->handshake_timeout;
    by_path.insert(words_of(path), session);
    by_id.insert({id.value}, session);
    ++handshakes_of_network.insert(network_of(path.remote.ip), 0);
    ++in_handshake;
    work(*session);
}

// Lets OpenSSL go on with what it was offered.
void DtlsServer::Impl::work(Session& session) {
    if (session.state == Session::State::Handshake && !open(session)) return;
    if (session.state == Session::State::Open) deliver(session);
    if (dead || session.state == Session::State::Ended) return;
    session.association->rest();
    arm(session);
}

// False where there is nothing more to do with the session now.
bool DtlsServer::Impl::open(Session& session) {
    switch (session.association->handshake()) {
        case Association::Progress::Waiting:
            arm(session);
            return false;
        case Association::Progress::Failed:
            end(session, session.association->failure());
            return false;
        case Association::Progress::Done:
            break;
    }
    leave_handshake(session);
    session.state = Session::State::Open;
    session.deadline = loop.now() + limits.idle_timeout;
    ++open_sessions;
    ++counters.opened;
    if (handlers.on_opened) handlers.on_opened(session.id, session.association->path);
    return !dead;
}

void DtlsServer::Impl::deliver(Session& session) {
    std::array<std::byte, most_dtls_octets> buffer;  // filled before it is read
    while (!dead && session.state == Session::State::Open) {
        const auto received = session.association->read(buffer);
        using Kind = Association::Received::Kind;
        switch (received.kind) {
            case Kind::Nothing:
                return;
            case Kind::Data:
                session.deadline = loop.now() + limits.idle_timeout;
                if (handlers.on_data) {
                    handlers.on_data(session.id, MutableBytes{buffer}.first(received.octets));
                }
                break;
            case Kind::Ended:
                session.association->say_goodbye();
                end(session, {CloseReason::PeerClosed,
                              session.association->path.remote.to_string() + " said goodbye"});
                return;
            case Kind::Failed:
                end(session, session.association->failure());
                return;
        }
    }
}

void DtlsServer::Impl::arm(Session& session) {
    Instant next = session.deadline;
    if (const auto wait = session.association->retransmission_in()) {
        next = std::min(next, loop.now() + *wait);
    }
    session.timer.arm(next);
}

void DtlsServer::Impl::time_passed(Session& session) {
    const auto self = shared_from_this();
    const SessionPointer* found = by_id.find({session.id.value});
    if (found == nullptr) return;
    const SessionPointer keep = *found;
    if (loop.now() >= session.deadline) {
        const std::string peer = session.association->path.remote.to_string();
        const bool opened = session.state == Session::State::Open;
        if (opened) session.association->say_goodbye();
        end(session,
            {CloseReason::TimedOut, opened ? peer + " has been silent for too long"
                                           : "DTLS handshake with " + peer + ": not done in time"});
        return;
    }
    if (session.association->retransmit() == Association::Progress::Failed) {
        end(session, session.association->failure());
        return;
    }
    arm(session);
}

void DtlsServer::Impl::leave_handshake(const Session& session) {
    --in_handshake;
    const auto network = network_of(session.association->path.remote.ip);
    std::size_t* count = handshakes_of_network.find(network);
    STILE_ASSERT(count != nullptr && *count > 0);
    if (--*count == 0) handshakes_of_network.erase(network);
}

// The session's memory may be gone afterwards unless the caller holds it.
void DtlsServer::Impl::forget(Session& session) {
    if (session.state == Session::State::Handshake) leave_handshake(session);
    if (session.state == Session::State::Open) --open_sessions;
    session.state = Session::State::Ended;
    session.timer.disarm();
    const DtlsSessionId id = session.id;
    by_path.erase(words_of(session.association->path));
    by_id.erase({id.value});
}

void DtlsServer::Impl::end(Session& session, Closed why) {
    if (session.state == Session::State::Ended) return;
    const bool opened = session.state == Session::State::Open;
    const DtlsSessionId id = session.id;
    if (!opened) ++counters.failed;
    // Its own callback may be running, and the caller looks at its state: it goes with the next
    // turn of the loop.
    const SessionPointer keep = *by_id.find({id.value});
    loop.post([keep] {});
    forget(session);
    if (opened && handlers.on_closed) handlers.on_closed(id, std::move(why));
}

DtlsServer::Impl::Session* DtlsServer::Impl::find(DtlsSessionId id) {
    const SessionPointer* found = by_id.find({id.value});
    return found != nullptr ? found->get() : nullptr;
}

DtlsServer::Impl::Session* DtlsServer::Impl::find_open(DtlsSessionId id) {
    Session* session = find(id);
    return session != nullptr && session->state == Session::State::Open ? session : nullptr;
}

DtlsServer::DtlsServer(Loop& loop, const TlsContext& context, const DtlsServerOptions& options,
                       DtlsServerHandlers handlers)
    : impl_(std::make_shared<Impl>(loop, context.state_, options, std::move(handlers),
                                   crypto::RandomStream{random_seed()})) {
    set_context(context);
}

DtlsServer::~DtlsServer() { impl_->dead = true; }

void DtlsServer::set_context(const TlsContext& context) {
    STILE_ASSERT(context.state_->carrier == TlsCarrier::Datagrams);
    STILE_ASSERT(context.state_->role == TlsContext::State::Role::Server);
    // Servers of several threads may share the context.
    std::call_once(context.state_->cookies_prepared,
                   [&] { impl_->prepare(context.state_->context.get()); });
    impl_->context = context.state_;
    impl_->listener.reset();
}

void DtlsServer::handle_datagram(const Path& path, BytesView datagram) {
    const auto self = impl_;
    self->handle_datagram(path, datagram);
}

DtlsSent DtlsServer::send(DtlsSessionId session, BytesView payload, BytesView prefix) {
    Impl::Session* found = impl_->find_open(session);
    if (found == nullptr) return DtlsSent::NotOpen;
    const DtlsSent sent = found->association->send(payload, prefix);
    found->association->rest();
    return sent;
}

void DtlsServer::close(DtlsSessionId session) {
    Impl::Session* found = impl_->find_open(session);
    if (found == nullptr) return;
    const Impl::SessionPointer keep = *impl_->by_id.find({session.value});
    impl_->loop.post([keep] {});  // it may be the one whose data is being delivered
    found->association->say_goodbye();
    impl_->forget(*found);
}

std::size_t DtlsServer::sessions() const { return impl_->open_sessions; }
std::size_t DtlsServer::handshakes() const { return impl_->in_handshake; }
const DtlsServerCounters& DtlsServer::counters() const { return impl_->counters; }

std::optional<Path> DtlsServer::path(DtlsSessionId session) const {
    const Impl::Session* found = impl_->find_open(session);
    if (found == nullptr) return std::nullopt;
    return found->association->path;
}

std::string DtlsServer::alpn(DtlsSessionId session) const {
    const Impl::Session* found = impl_->find_open(session);
    return found != nullptr ? chosen_alpn(found->association->ssl()) : std::string{};
}

std::string DtlsServer::cipher(DtlsSessionId session) const {
    const Impl::Session* found = impl_->find_open(session);
    return found != nullptr ? SSL_get_cipher_name(found->association->ssl()) : "";
}

std::optional<PeerCertificate> DtlsServer::peer_certificate(DtlsSessionId session) const {
    const Impl::Session* found = impl_->find_open(session);
    if (found == nullptr) return std::nullopt;
    return verified_certificate(found->association->ssl());
}

}  // namespace stile::drivers
