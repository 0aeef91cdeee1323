// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn_link/turn_link.hpp>

#include <stile/drivers/random.hpp>
#include <stile/stun/opaque_string.hpp>
#include <stile/turn_link/resolve.hpp>

#include <algorithm>
#include <utility>

namespace stile::turn_link {

using turn::Client;
using turn::ClientTransport;
using Stage = LinkFailure::Stage;

struct TurnLink::Impl : std::enable_shared_from_this<TurnLink::Impl> {
    Impl(drivers::Loop& owner, drivers::NameService& service, TurnLinkOptions wishes,
         Handlers callbacks)
        : loop(owner),
          names(service),
          options(std::move(wishes)),
          handlers(std::make_shared<Handlers>(std::move(callbacks))),
          security{.host = options.server_name.empty() ? options.uri.host : options.server_name,
                   .ca_pem = options.ca_pem},
          timer(owner, [this] {
              const auto self = shared_from_this();
              if (client) client->handle_timeout(loop.now());
              pump();
          }) {}

    void begin();
    std::optional<LinkFailure> prepare();
    void try_server();
    void try_next(LinkFailure why);
    std::unique_ptr<Wire> open_wire(const turn::ServerAddress& to, std::optional<IpAddress> from,
                                    void (Impl::*opened)());
    void wire_opened();
    void move_opened();
    void unreachable(const Wire* which, const drivers::Closed& why);
    void pump();
    void handle(const Client::Event& event);
    void handle_failed(const turn::Failure& failure);
    void redirect(const turn::Failure& failure);
    void moved();
    void end(LinkFailure why);
    void notify(const Client::Event& event) {
        const auto kept = handlers;
        if (kept->on_event) kept->on_event(event);
    }
    void forget_handlers() { handlers = std::make_shared<Handlers>(); }
    LinkFailure at(Stage stage, std::string text) const {
        return {.stage = stage, .server = server, .text = std::move(text)};
    }

    drivers::Loop& loop;
    drivers::NameService& names;
    TurnLinkOptions options;
    std::shared_ptr<Handlers> handlers;  // a callback may replace what runs
    Security security;
    std::shared_ptr<void> resolving;
    std::vector<turn::ServerAddress> servers;  // still to be tried
    std::vector<turn::ServerAddress> asked;
    unsigned redirections = 0;
    std::optional<turn::ServerAddress> server;
    std::optional<Client> client;
    drivers::Timer timer;
    std::unique_ptr<Wire> wire;
    std::unique_ptr<Wire> next_wire;  // of a move
    turn::ServerAddress next_server;
    std::optional<drivers::Closed> closed;  // what the wire said last
    bool allocated = false;
    bool ended = false;
    bool pumping = false;
};

namespace {

bool is_secure(ClientTransport transport) {
    return transport == ClientTransport::Tls || transport == ClientTransport::Dtls;
}

// Another server may do better. What is wrong with the credentials or the wish is wrong there, too.
bool is_worth_another(turn::FailureKind kind) {
    switch (kind) {
        case turn::FailureKind::TimedOut:
        case turn::FailureKind::Unreachable:
        case turn::FailureKind::IntegrityViolated:
        case turn::FailureKind::ProtocolViolated:
        case turn::FailureKind::ServerError:
        case turn::FailureKind::InsufficientCapacity:
        case turn::FailureKind::AllocationMismatch:
            return true;
        // An answer that stands.
        case turn::FailureKind::TryAlternate:
        case turn::FailureKind::BadRequest:
        case turn::FailureKind::Unauthenticated:
        case turn::FailureKind::Forbidden:
        case turn::FailureKind::MobilityForbidden:
        case turn::FailureKind::UnknownAttribute:
        case turn::FailureKind::StaleNonce:
        case turn::FailureKind::AddressFamilyNotSupported:
        case turn::FailureKind::WrongCredentials:
        case turn::FailureKind::UnsupportedTransportProtocol:
        case turn::FailureKind::PeerFamilyMismatch:
        case turn::FailureKind::ConnectionExists:
        case turn::FailureKind::ConnectionFailed:
        case turn::FailureKind::QuotaReached:
        case turn::FailureKind::RoleConflict:
        case turn::FailureKind::OtherCode:
        case turn::FailureKind::count:
            return false;
    }
    return false;
}

}  // namespace

std::optional<LinkFailure> TurnLink::Impl::prepare() {
    const bool secure = options.uri.scheme == turn::TurnUri::Scheme::Turns;
    if (secure && options.uri.address() && options.server_name.empty()) {
        return at(Stage::Options,
                  "a turns URI with an address names nobody whose certificate "
                  "could be checked; name the server besides");
    }
    const auto prepare_text = [](std::string& text) {
        if (text.empty()) return true;
        const auto prepared = stun::opaque_string(text);
        if (prepared) text = *prepared;
        return prepared.has_value();
    };
    if (!prepare_text(options.client.username) || !prepare_text(options.client.password)) {
        return at(Stage::Options, "user name or password has characters that STUN cannot carry");
    }
    if (options.client.protocol == turn::RelayProtocol::Tcp) {
        if (options.uri.transport == turn::TurnUri::Transport::Udp) {
            return at(Stage::Options,
                      "connections are relayed for clients over TCP and TLS only (RFC 6062)");
        }
        std::erase_if(options.transports, [](auto each) { return !turn::is_stream(each); });
    }
    return std::nullopt;
}

void TurnLink::Impl::begin() {
    // By the resolver's callback: nobody is called from within the constructor.
    const auto refused = prepare();
    resolving = resolve_servers(
        loop, names, options.uri, refused ? std::span<const ClientTransport>{} : options.transports,
        resolving_time, [weak = weak_from_this(), refused](std::vector<turn::ServerAddress> found) {
            const auto self = weak.lock();
            if (!self || self->ended) return;
            if (refused) return self->end(*refused);
            self->servers = std::move(found);
            if (!self->servers.empty()) return self->try_server();
            self->end(self->at(Stage::Resolving,
                               "no server was found for " + self->options.uri.to_string()));
        });
}

std::unique_ptr<Wire> TurnLink::Impl::open_wire(const turn::ServerAddress& to,
                                                std::optional<IpAddress> from,
                                                void (Impl::*opened)()) {
    // Which wire it was is known only after it was made.
    const auto which = std::make_shared<const Wire*>(nullptr);
    auto made = Wire::open(loop, to, from, security,
                           {.on_open =
                                [weak = weak_from_this(), opened] {
                                    if (const auto self = weak.lock(); self && !self->ended)
                                        ((*self).*opened)();
                                },
                            .on_message =
                                [weak = weak_from_this()](BytesView message) {
                                    const auto self = weak.lock();
                                    if (!self || self->ended || !self->client) return;
                                    const auto data =
                                        self->client->handle_message(self->loop.now(), message);
                                    const auto kept = self->handlers;
                                    if (data && kept->on_data)
                                        kept->on_data(data->peer, data->payload);
                                    self->pump();
                                },
                            .on_unreachable =
                                [weak = weak_from_this(), which](const drivers::Closed& why) {
                                    if (const auto self = weak.lock(); self && !self->ended) {
                                        self->unreachable(*which, why);
                                    }
                                }});
    *which = made.get();
    return made;
}

void TurnLink::Impl::try_server() {
    server = servers.front();
    servers.erase(servers.begin());
    asked.push_back(*server);
    closed.reset();
    client.reset();
    wire = open_wire(*server, options.local, &Impl::wire_opened);
}

void TurnLink::Impl::try_next(LinkFailure why) {
    if (servers.empty()) return end(std::move(why));
    try_server();
}

void TurnLink::Impl::wire_opened() {
    auto config = options.client;
    config.transport = server->transport;
    client.emplace(loop.now(), std::move(config), crypto::RandomStream{drivers::random_seed()});
    pump();
}

void TurnLink::Impl::unreachable(const Wire* which, const drivers::Closed& why) {
    if (next_wire && which == next_wire.get()) {
        client->handle_move_unreachable(loop.now());
        return pump();
    }
    closed = why;
    if (!client) {
        LinkFailure failure = at(Stage::Connecting, why.text);
        failure.closed = why;
        return try_next(std::move(failure));
    }
    client->handle_unreachable(loop.now());
    pump();
}

void TurnLink::Impl::pump() {
    if (pumping || !client) return;
    const auto self = shared_from_this();
    pumping = true;
    while (!ended && client) {
        if (const auto message = client->poll_transmit()) {
            if (wire) wire->send(*message);
        } else if (const auto moving = client->poll_move_transmit()) {
            if (next_wire) next_wire->send(*moving);
        } else if (const auto event = client->poll_event()) {
            handle(*event);
        } else {
            timer.arm(client->poll_timeout());
            break;
        }
    }
    pumping = false;
}

void TurnLink::Impl::handle(const Client::Event& event) {
    if (const auto* failed = std::get_if<Client::Failed>(&event)) {
        return handle_failed(failed->failure);
    }
    if (const auto* expired = std::get_if<Client::Expired>(&event)) {
        LinkFailure why = at(Stage::Using, "the allocation is gone: " +
                                               std::string{to_string(expired->failure.kind)});
        why.failure = expired->failure;
        why.closed = closed;
        notify(event);
        return end(std::move(why));
    }
    if (std::holds_alternative<Client::Allocated>(event)) allocated = true;
    if (std::holds_alternative<Client::Moved>(event)) moved();
    if (std::holds_alternative<Client::MoveFailed>(event)) next_wire.reset();
    notify(event);
    if (std::holds_alternative<Client::Released>(event)) {
        ended = true;
        forget_handlers();
    }
}

void TurnLink::Impl::handle_failed(const turn::Failure& failure) {
    if (failure.kind == turn::FailureKind::TryAlternate && failure.alternate) {
        return redirect(failure);
    }
    LinkFailure why =
        at(Stage::Allocating, "no allocation: " + std::string{to_string(failure.kind)});
    why.failure = failure;
    why.closed = closed;
    if (is_worth_another(failure.kind)) return try_next(std::move(why));
    end(std::move(why));
}

// RFC 8489 Section 10: the same transport; for its certificate, the name that came along.
void TurnLink::Impl::redirect(const turn::Failure& failure) {
    const turn::ServerAddress to{.transport = server->transport, .address = *failure.alternate};
    if (std::ranges::find(asked, to) != asked.end() || ++redirections > most_redirections) {
        LinkFailure why = at(Stage::Allocating, "sent in a circle of servers");
        why.failure = failure;
        return try_next(std::move(why));
    }
    if (is_secure(to.transport) && !failure.alternate_domain.empty()) {
        security.host = failure.alternate_domain;
    }
    servers.insert(servers.begin(), to);
    try_server();
}

void TurnLink::Impl::move_opened() {
    if (!client || client->move(loop.now(), next_server.transport) == Client::Moving::UnderWay) {
        return pump();
    }
    next_wire.reset();
    notify(Client::MoveFailed{{.kind = turn::FailureKind::MobilityForbidden}});
}

void TurnLink::Impl::moved() {
    server = next_server;
    wire = std::move(next_wire);
    closed.reset();
}

void TurnLink::Impl::end(LinkFailure why) {
    const auto self = shared_from_this();
    ended = true;
    timer.disarm();
    wire.reset();
    next_wire.reset();
    const auto kept = std::exchange(handlers, std::make_shared<Handlers>());
    if (kept->on_ended) kept->on_ended(why);
}

TurnLink::TurnLink(drivers::Loop& loop, drivers::NameService& names, TurnLinkOptions options,
                   Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, names, std::move(options), std::move(handlers))) {
    impl_->begin();
}

TurnLink::~TurnLink() {
    impl_->ended = true;
    impl_->forget_handlers();
    impl_->resolving.reset();
    impl_->timer.disarm();
}

turn::Client::Accepted TurnLink::permit(const IpAddress& peer) {
    if (!impl_->client) return Client::Accepted::Ended;
    const auto accepted = impl_->client->permit(impl_->loop.now(), peer);
    impl_->pump();
    return accepted;
}

turn::Client::Accepted TurnLink::bind_channel(const SocketAddress& peer) {
    if (!impl_->client) return Client::Accepted::Ended;
    const auto accepted = impl_->client->bind_channel(impl_->loop.now(), peer);
    impl_->pump();
    return accepted;
}

turn::Client::Accepted TurnLink::connect(const SocketAddress& peer) {
    if (!impl_->client) return Client::Accepted::Ended;
    const auto accepted = impl_->client->connect(impl_->loop.now(), peer);
    impl_->pump();
    return accepted;
}

turn::Client::Sent TurnLink::send(const SocketAddress& peer, BytesView payload,
                                  turn::ClientConfig::DontFragment fragment) {
    if (!impl_->client) return Client::Sent::NotPermitted;
    const auto sent = impl_->client->send(impl_->loop.now(), peer, payload, fragment);
    impl_->pump();
    return sent;
}

void TurnLink::authorize(stun::LongTermClient::Grant grant) {
    if (!impl_->client) return;
    impl_->client->authorize(impl_->loop.now(), std::move(grant));
    impl_->pump();
}

void TurnLink::release() {
    if (!impl_->client) return;
    impl_->client->release(impl_->loop.now());
    impl_->pump();
}

std::unique_ptr<PeerStream> TurnLink::open_connection(turn::ConnectionId connection,
                                                      PeerStream::Handlers handlers) {
    Impl& impl = *impl_;
    if (impl.ended || !impl.client || !impl.allocated) return nullptr;
    auto stream = open_stream(impl.loop, *impl.server, impl.options.local, impl.security);
    if (!stream) return nullptr;
    return std::make_unique<PeerStream>(impl.loop, *std::move(stream),
                                        impl.client->data_connection(impl.loop.now(), connection),
                                        std::move(handlers));
}

turn::Client::Moving TurnLink::move(std::optional<IpAddress> local,
                                    std::optional<turn::ClientTransport> transport) {
    Impl& impl = *impl_;
    if (impl.ended || !impl.allocated) return Client::Moving::NoTicket;
    impl.next_server = *impl.server;
    impl.next_server.transport = transport.value_or(impl.server->transport);
    impl.next_wire =
        impl.open_wire(impl.next_server, local ? local : impl.options.local, &Impl::move_opened);
    return Client::Moving::UnderWay;
}

std::optional<turn::ServerAddress> TurnLink::server() const { return impl_->server; }

SocketAddress TurnLink::local_address() const {
    return impl_->wire ? impl_->wire->local_address() : SocketAddress{};
}

std::string TurnLink::security() const {
    return impl_->wire ? impl_->wire->security() : std::string{};
}

std::vector<SocketAddress> TurnLink::relayed() const {
    return impl_->client ? impl_->client->relayed() : std::vector<SocketAddress>{};
}

}  // namespace stile::turn_link
