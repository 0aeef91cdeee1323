// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "sip_service.hpp"

#include <stile/base/drain.hpp>
#include <stile/drivers/random.hpp>

#include <algorithm>

namespace stile::stiled {
namespace {

// A UDP client that keeps its NAT's mapping open sends more often than this. RFC 5626
// Section 4.4.2.
constexpr Duration udp_flow_lifetime = std::chrono::minutes{10};
constexpr Duration sweep_interval = std::chrono::minutes{1};
constexpr Duration first_message_patience = std::chrono::seconds{30};
constexpr Duration stream_silence = std::chrono::minutes{10};
// Flows that UDP senders can make up; a flood costs the oldest ones.
constexpr std::size_t most_udp_flows = 16'384;
constexpr std::size_t most_connections = 16'384;

sip_server::ServerConfig server_config(const SipService::Facts& facts) {
    sip_server::ServerConfig config;
    config.own = {.domains = {facts.domain}, .addresses = facts.addresses};
    config.realm = facts.domain;
    config.software = "stiled";
    crypto::RandomStream random{drivers::random_seed()};
    config.epoch = {random.u32()};
    config.flow_key = facts.flow_key;
    config.nonce_key = facts.nonce_key;
    config.md5_transports = facts.plain_compatible == Config::PlainCompatible::Allowed
                                ? sip_server::Md5Transports::Any
                                : sip_server::Md5Transports::SecureOnly;
    return config;
}

constexpr char path_separator = '\n';  // in no SIP header value

drivers::StoredBinding to_stored(const sip_server::BindingRecord& record) {
    std::string path;
    for (const std::string& hop : record.path) {
        if (!path.empty()) path += path_separator;
        path += hop;
    }
    return {.user = record.user,
            .key = record.key,
            .contact = record.contact,
            .path = path,
            .call_id = record.call_id,
            .cseq = record.sequence,
            .expires = record.expires_at};
}

sip_server::BindingRecord to_record(const drivers::StoredBinding& stored) {
    sip_server::BindingRecord record{.user = stored.user,
                                     .key = stored.key,
                                     .contact = stored.contact,
                                     .path = {},
                                     .call_id = stored.call_id,
                                     .sequence = stored.cseq,
                                     .expires_at = stored.expires};
    std::string_view rest = stored.path;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(path_separator), rest.size());
        record.path.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return record;
}

sip_server::AccountRecord to_record(const drivers::Account& account) {
    sip_server::AccountRecord record{.user = account.user, .account_class = {}, .secrets = {}};
    record.account_class = account.account_class == drivers::AccountClass::Modern
                               ? sip_server::AccountClass::Modern
                               : sip_server::AccountClass::Compatible;
    const auto add = [&](sip::AuthAlgorithm algorithm, const std::string& ha1) {
        if (!ha1.empty()) record.secrets.push_back({algorithm, ha1});
    };
    add(sip::AuthAlgorithm::Md5, account.ha1_md5);
    add(sip::AuthAlgorithm::Sha256, account.ha1_sha256);
    add(sip::AuthAlgorithm::Sha512_256, account.ha1_sha512_256);
    return record;
}

}  // namespace

SipService::SipService(drivers::Loop& loop, drivers::ServerStore& store, Facts facts,
                       drivers::TlsContext tls)
    : loop_(loop),
      store_(store),
      facts_(std::move(facts)),
      tls_(std::move(tls)),
      server_(loop.now(), loop.wall_now(), server_config(facts_),
              crypto::RandomStream{drivers::random_seed()}),
      timer_(loop,
             [this] {
                 server_.handle_timeout(loop_.now());
                 pump();
             }),
      sweep_(loop, [this] { forget_silent_flows(); }) {
    sweep_.arm_after(sweep_interval);
}

SipService::~SipService() = default;

std::expected<std::size_t, drivers::StoreError> SipService::load_bindings() {
    const auto stored = store_.all_bindings(loop_.wall_now());
    if (!stored) return std::unexpected(stored.error());
    std::vector<sip_server::BindingRecord> records;
    for (const drivers::StoredBinding& binding : *stored) records.push_back(to_record(binding));
    return server_.load_bindings(loop_.now(), records);
}

// ---- listeners ---------------------------------------------------------------------------------

std::expected<SocketAddress, drivers::OsError> SipService::listen_udp(
    const SocketAddress& address) {
    auto socket = drivers::UdpSocket::open(loop_, address);
    if (!socket) return std::unexpected(socket.error());
    drivers::UdpSocket* const opened = socket->get();
    opened->on_datagrams([this, opened](std::span<const drivers::Datagram> batch) {
        handle_datagrams(*opened, batch);
    });
    sockets_.push_back(*std::move(socket));
    return opened->local_address();
}

std::expected<SocketAddress, drivers::OsError> SipService::listen_tcp(
    const SocketAddress& address) {
    auto listener = drivers::TcpListener::open(
        loop_, address, [this](std::unique_ptr<drivers::TcpStream> stream) {
            accept(std::move(stream), sip::TransportKind::Tcp);
        });
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(*std::move(listener));
    return listeners_.back()->local_address();
}

std::expected<SocketAddress, drivers::OsError> SipService::listen_tls(
    const SocketAddress& address) {
    auto listener = drivers::TcpListener::open(
        loop_, address, [this](std::unique_ptr<drivers::TcpStream> stream) {
            accept(std::move(stream), sip::TransportKind::Tls);
        });
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(*std::move(listener));
    return listeners_.back()->local_address();
}

// ---- connections -------------------------------------------------------------------------------

void SipService::accept(std::unique_ptr<drivers::TcpStream> stream, sip::TransportKind transport) {
    if (connections_.size() >= most_connections) return;  // the stream's end closes it
    const sip::FlowId id{++last_flow_};
    Connection& connection = connections_[id];
    connection.last_heard = loop_.now();
    if (transport == sip::TransportKind::Tls) {
        auto tls = std::make_unique<drivers::TlsStream>(loop_, std::move(stream), tls_);
        connection.tls = tls.get();
        connection.stream = std::move(tls);
    } else {
        connection.stream = std::move(stream);
    }
    connection.stream->set_handlers({
        .on_open = [this, id, transport] { handle_open(id, transport); },
        .on_bytes = [this, id](BytesView bytes) { handle_bytes(id, bytes); },
        .on_end = {},
        .on_writable = {},
        .on_closed = [this, id](const drivers::Closed&) { handle_closed(id); },
    });
    // A plain connection is open when it is accepted.
    if (transport == sip::TransportKind::Tcp) handle_open(id, transport);
}

void SipService::handle_open(sip::FlowId id, sip::TransportKind transport) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second.open) return;
    Connection& connection = found->second;
    connection.open = true;
    if (connection.tls != nullptr) connection.certified = certified_by(*connection.tls);
    // A certificate outlives the account that it was made for.
    if (connection.certified && !is_enabled(*connection.certified)) connection.certified.reset();
    std::optional<std::string> user;
    if (connection.certified) user = connection.certified->user;
    server_.handle_flow_opened(loop_.now(),
                               {.id = id,
                                .transport = transport,
                                .remote = connection.stream->peer_address(),
                                .sent_by = sent_by(connection.stream->local_address())},
                               user);
    pump();
}

std::optional<SipService::Certified> SipService::certified_by(
    const drivers::TlsStream& stream) const {
    const auto shown = stream.peer_certificate();
    if (!shown) return std::nullopt;
    auto certificate = crypto::Certificate::from_der(shown->der);
    const auto address = certificate ? Authority::address_of(*certificate) : std::nullopt;
    const std::string suffix = '@' + facts_.domain;
    if (!address || !address->ends_with(suffix)) return std::nullopt;
    return Certified{address->substr(0, address->size() - suffix.size()), *std::move(certificate)};
}

bool SipService::is_enabled(const Certified& certified) {
    const auto account = store_.find_account(certified.user, facts_.domain);
    return account && *account && (*account)->state == drivers::AccountState::Enabled &&
           Authority::is_of_account(certified.certificate, **account);
}

// Accounts are removed by another process: it is noticed at the next sweep. A client that wants to
// be reached pings at least every two minutes (RFC 5626 Section 4.4.1).
bool SipService::may_stay(const Connection& connection) {
    if (connection.certified && !is_enabled(*connection.certified)) return false;
    const Duration silence =
        connection.heard == Connection::Heard::Nothing ? first_message_patience : stream_silence;
    return loop_.now() < connection.last_heard + silence;
}

void SipService::close_unwanted() {
    std::vector<sip::FlowId> closing;
    for (const auto& [id, connection] : connections_) {
        if (!may_stay(connection)) closing.push_back(id);
    }
    for (const sip::FlowId id : closing) {
        const auto found = connections_.find(id);
        if (found != connections_.end()) found->second.stream->close();
    }
}

void SipService::handle_bytes(sip::FlowId id, BytesView bytes) {
    if (const auto heard = connections_.find(id); heard != connections_.end()) {
        heard->second.last_heard = loop_.now();
        heard->second.heard = Connection::Heard::Something;
    }
    for (;;) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) return;
        const std::size_t taken = found->second.framer.feed(bytes);
        bytes = bytes.subspan(taken);
        auto event = found->second.framer.poll_event();
        if (!event) break;
        if (auto* const message = std::get_if<sip::Message>(&*event)) {
            server_.handle_message(loop_.now(), id, std::move(*message));
        } else if (std::holds_alternative<sip::PingReceived>(*event)) {
            server_.handle_ping(loop_.now(), id);
        } else if (const auto* const broken = std::get_if<sip::StreamBroken>(&*event)) {
            server_.handle_parse_failure(loop_.now(), id, broken->failure);
            pump();
            found->second.stream->close();
            return;
        }
    }
    pump();
}

void SipService::handle_closed(sip::FlowId id) {
    auto connection = connections_.extract(id);
    if (!connection) return;
    if (connection.mapped().open) server_.handle_flow_closed(loop_.now(), id);
    closed_.push_back(std::move(connection.mapped().stream));
    loop_.post([this] { closed_.clear(); });
    pump();
}

// ---- datagrams ---------------------------------------------------------------------------------

void SipService::handle_datagrams(drivers::UdpSocket& socket,
                                  std::span<const drivers::Datagram> batch) {
    for (const drivers::Datagram& datagram : batch) {
        const sip::FlowId id = udp_flow(socket, datagram.path);
        if (sip::is_keep_alive(datagram.payload)) continue;
        auto message = sip::parse_message(BytesView{datagram.payload});
        if (message) {
            server_.handle_message(loop_.now(), id, *std::move(message));
        } else {
            server_.handle_parse_failure(loop_.now(), id, message.error());
        }
    }
    pump();
}

sip::FlowId SipService::udp_flow(drivers::UdpSocket& socket, const Path& path) {
    const auto known = udp_flow_ids_.find(path);
    if (known != udp_flow_ids_.end()) {
        udp_flows_.at(known->second).last_seen = loop_.now();
        return known->second;
    }
    if (udp_flows_.size() >= most_udp_flows) {
        const auto oldest = std::ranges::min_element(
            udp_flows_, {}, [](const auto& entry) { return entry.second.last_seen; });
        server_.handle_flow_closed(loop_.now(), oldest->first);
        udp_flow_ids_.erase(oldest->second.path);
        udp_flows_.erase(oldest);
    }
    const sip::FlowId id{++last_flow_};
    udp_flows_[id] = {&socket, path, loop_.now()};
    udp_flow_ids_[path] = id;
    server_.handle_flow_opened(loop_.now(), {.id = id,
                                             .transport = sip::TransportKind::Udp,
                                             .remote = path.remote,
                                             .sent_by = sent_by(path.local)});
    return id;
}

void SipService::forget_silent_flows() {
    const Instant oldest = loop_.now() - udp_flow_lifetime;
    for (auto flow = udp_flows_.begin(); flow != udp_flows_.end();) {
        if (flow->second.last_seen > oldest) {
            ++flow;
            continue;
        }
        server_.handle_flow_closed(loop_.now(), flow->first);
        udp_flow_ids_.erase(flow->second.path);
        flow = udp_flows_.erase(flow);
    }
    close_unwanted();
    (void)store_.remove_expired(loop_.wall_now());  // tokens and bindings; tried again in a minute
    server_.set_wall_time(loop_.now(), loop_.wall_now());
    sweep_.arm_after(sweep_interval);
    pump();
}

// What Via and Record-Route say: the address that the client came to. The server takes it for its
// own when the request comes back.
sip::SentBy SipService::sent_by(const SocketAddress& local) const {
    return {.host = sip::Host{local.ip}, .port = local.port};
}

// ---- the server --------------------------------------------------------------------------------

void SipService::pump() {
    if (pumping_) return;
    pumping_ = true;
    timer_.arm(drain(
        server_, [this](const sip::Outgoing& outgoing) { send(outgoing); },
        [this](const sip_server::Server::Event& event) { handle(event); }));
    pumping_ = false;
}

void SipService::send(const sip::Outgoing& outgoing) {
    if (const auto connection = connections_.find(outgoing.flow);
        connection != connections_.end()) {
        // A client that does not read is closed rather than buffered for ever.
        if (connection->second.stream->write(outgoing.bytes) == drivers::Written::Full) {
            connection->second.stream->close();
        }
        return;
    }
    if (const auto flow = udp_flows_.find(outgoing.flow); flow != udp_flows_.end()) {
        flow->second.socket->send(Transmit{flow->second.path, outgoing.bytes});
    }
}

void SipService::handle(const sip_server::Server::Event& event) {
    if (const auto* const account = std::get_if<sip_server::Server::AccountWanted>(&event)) {
        answer_account(*account);
    } else if (const auto* const batch = std::get_if<sip_server::Server::PersistBindings>(&event)) {
        persist(*batch);
    } else if (const auto* const route = std::get_if<sip_server::Server::RouteWanted>(&event)) {
        // Other domains are not reached yet: only flows that are there lead anywhere.
        server_.handle_route(loop_.now(), route->query, std::nullopt);
    }
}

void SipService::answer_account(const sip_server::Server::AccountWanted& wanted) {
    std::optional<sip_server::AccountRecord> record;
    const auto account = store_.find_account(wanted.user, facts_.domain);
    if (account && *account && (*account)->state == drivers::AccountState::Enabled) {
        record = to_record(**account);
    }
    server_.handle_account(loop_.now(), wanted.query, std::move(record));
}

void SipService::persist(const sip_server::Server::PersistBindings& batch) {
    std::vector<drivers::ServerStore::BindingChange> changes;
    using Kind = drivers::ServerStore::BindingChange::Kind;
    for (const sip_server::BindingChange& change : batch.changes) {
        if (const auto* const record = std::get_if<sip_server::BindingRecord>(&change)) {
            changes.push_back({Kind::Put, to_stored(*record)});
        } else {
            const auto& removed = std::get<sip_server::BindingRemoved>(change);
            changes.push_back({Kind::Remove, {.user = removed.user, .key = removed.key}});
        }
    }
    const auto written = store_.apply(changes);
    server_.handle_persisted(
        loop_.now(), batch.batch,
        written ? sip_server::PersistResult::Written : sip_server::PersistResult::Failed);
}

}  // namespace stile::stiled
