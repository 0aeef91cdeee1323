// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>
#include <stile/sip/user_agent.hpp>
#include <stile/sip_server/server.hpp>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

namespace stile::sip_server::testing {

using namespace std::chrono_literals;
using sip::FlowId;
using sip::TransportKind;

// A server of the domain example.org and user agents with connections to it, under a virtual clock.
// Messages take 10 ms; over UDP one in `loss_one_in` is lost if that is not 0.
struct World {
    struct Client {
        std::string user;
        sip::UserAgent agent;
        FlowId flow{};
        std::vector<sip::UserAgent::Event> events = {};
        std::vector<std::string> received = {};  // start lines
    };
    struct Options {
        std::string password = "secret";
        std::string instance = {};
        std::string features = {};
        std::string domain = "example.org";
    };

    explicit World(std::uint64_t number = 1) : seed(number), random(number) { start_server(); }

    static ServerConfig config() {
        ServerConfig config;
        config.own.domains = {"example.org"};
        for (const Port port : {Port{5060}, Port{5061}, Port{443}}) {
            config.own.addresses.push_back(
                {.host = sip::Host::parse("sip.example.org").value(), .port = port});
        }
        config.realm = "example.org";
        config.flow_key = Bytes(20, std::byte{7});
        config.nonce_key = Bytes(20, std::byte{8});
        config.registrar.flow_timer_seconds = 120;
        return config;
    }

    void start_server() { start_server(config()); }
    void start_server(ServerConfig server_config) {
        server_config.epoch = {++epoch};
        server = std::make_unique<Server>(now, wall(), std::move(server_config),
                                          crypto::RandomStream{crypto::seed_from_number(seed)});
    }

    WallTime wall() const {
        return WallTime{1'700'000'000s} + std::chrono::floor<std::chrono::seconds>(now - Instant{});
    }

    void add_account(const std::string& user, AccountClass account_class,
                     const std::string& password = "secret") {
        AccountRecord record{.user = user, .account_class = account_class, .secrets = {}};
        for (const auto algorithm : {sip::AuthAlgorithm::Md5, sip::AuthAlgorithm::Sha256,
                                     sip::AuthAlgorithm::Sha512_256}) {
            record.secrets.push_back(
                sip::AuthSecret::from_password(algorithm, user, "example.org", password));
        }
        accounts[user] = std::move(record);
    }

    Client& add_client(const std::string& user, TransportKind transport, Options options) {
        sip::UserAgentConfig agent;
        agent.address = sip::NameAddr::parse("<sip:" + user + "@" + options.domain + ">").value();
        agent.account =
            sip::Account{.username = user, .realm = "example.org", .password = options.password};
        const std::size_t number = clients.size() + 1;
        agent.instance = options.instance.empty() ? "urn:uuid:00000000-0000-4000-8000-0000000000" +
                                                        std::to_string(10 + number)
                                                  : options.instance;
        agent.features =
            sip::Parameters::parse(options.features, sip::ParameterSyntax::Header).value();
        agent.methods = {"MESSAGE"};
        clients.push_back(std::make_unique<Client>(Client{
            .user = user,
            .agent = sip::UserAgent{std::move(agent), crypto::RandomStream{crypto::seed_from_number(
                                                          seed * 100 + number)}}}));
        connect(*clients.back(), transport);
        return *clients.back();
    }
    Client& add_client(const std::string& user, TransportKind transport = TransportKind::Tls) {
        return add_client(user, transport, Options{});
    }

    void connect(Client& client, TransportKind transport,
                 std::optional<std::string> certificate_user = std::nullopt) {
        client.flow = FlowId{++last_flow};
        connections[client.flow] = {&client, transport};
        const std::uint16_t port = transport == TransportKind::Tls   ? 5061
                                   : transport == TransportKind::Wss ? 443
                                                                     : 5060;
        const SocketAddress nat{IpAddress::v4({198, 51, 100, 1}),
                                Port{static_cast<std::uint16_t>(20000 + last_flow)}};
        server->handle_flow_opened(
            now,
            {.id = client.flow,
             .transport = transport,
             .remote = nat,
             .sent_by = {.host = sip::Host::parse("sip.example.org").value(), .port = Port{port}}},
            std::move(certificate_user));
        client.agent.handle_flow_opened(
            now, {.id = client.flow,
                  .transport = transport,
                  .remote = {IpAddress::v4({203, 0, 113, 1}), Port{port}},
                  .sent_by = {
                      .host = sip::Host::parse("10.0.0." + std::to_string(last_flow % 250)).value(),
                      .port = Port{4000}}});
    }

    // Both ends see it at once.
    void disconnect(FlowId flow) {
        Client* client = connections.at(flow).client;
        connections.erase(flow);
        client->agent.handle_flow_closed(now, flow);
        server->handle_flow_closed(now, flow);
        settle();
    }

    // kill -9 and a new process: connections are gone, the store is read.
    void restart_server() {
        std::vector<FlowId> old;
        for (const auto& [flow, connection] : connections) old.push_back(flow);
        start_server();
        for (const FlowId flow : old) {
            Client* client = connections.at(flow).client;
            connections.erase(flow);
            client->agent.handle_flow_closed(now, flow);
        }
        std::vector<BindingRecord> records;
        for (const auto& [key, record] : store) records.push_back(record);
        loaded = server->load_bindings(now, records);
        settle();
    }

    sip::RegistrationId start_registration(Client& client, std::uint32_t reg_id = 1) {
        const auto id = client.agent.register_with(
            now, {.registrar = sip::Uri::parse("sip:example.org").value(), .reg_id = reg_id},
            client.flow);
        REQUIRE(id);
        return *id;
    }
    // Registers and waits for it.
    void register_client(Client& client) {
        (void)start_registration(client);
        run(200ms);
        REQUIRE(take_registered(client));
    }

    static bool take_registered(Client& client) {
        for (auto it = client.events.begin(); it != client.events.end(); ++it) {
            const auto* event = std::get_if<sip::UserAgent::RegistrationEvent>(&*it);
            if (!event || !std::holds_alternative<sip::Registration::Registered>(event->event)) {
                continue;
            }
            client.events.erase(it);
            return true;
        }
        return false;
    }
    static std::optional<sip::Registration::Failed> take_failed(Client& client) {
        for (auto it = client.events.begin(); it != client.events.end(); ++it) {
            const auto* event = std::get_if<sip::UserAgent::RegistrationEvent>(&*it);
            if (!event) continue;
            if (const auto* failed = std::get_if<sip::Registration::Failed>(&event->event)) {
                const auto found = *failed;
                client.events.erase(it);
                return found;
            }
        }
        return std::nullopt;
    }

    sip::InviteRequest invite(const Client& client, const std::string& target,
                              std::vector<sip::HeaderLine> headers = {}) const {
        return {.flow = client.flow,
                .target = sip::Uri::parse(target).value(),
                .route = {},
                .headers = std::move(headers),
                .body = sip::Body{.type = "application/sdp", .octets = to_bytes("offer")}};
    }

    void settle_client(Client& client) {
        while (auto out = client.agent.poll_transmit()) {
            post(out->flow, Direction::ToServer, std::move(out->bytes));
        }
        while (auto event = client.agent.poll_event()) {
            client.events.push_back(*std::move(event));
        }
    }

    void settle() {
        for (const auto& client : clients) settle_client(*client);
        for (;;) {
            if (auto out = server->poll_transmit()) {
                sent_by_server.push_back(to_text(out->bytes));
                post(out->flow, Direction::ToClient, std::move(out->bytes));
            } else if (auto event = server->poll_event()) {
                handle(*std::move(event));
            } else {
                return;
            }
        }
    }

    void handle(Server::Event event) {
        if (const auto* wanted = std::get_if<Server::AccountWanted>(&event)) {
            ++account_queries;
            if (hold_accounts) {
                held_accounts.push_back(wanted->query);
                return;
            }
            const auto found = accounts.find(wanted->user);
            server->handle_account(
                now, wanted->query,
                found == accounts.end() ? std::nullopt : std::optional{found->second});
        } else if (const auto* persist = std::get_if<Server::PersistBindings>(&event)) {
            if (hold_store) {
                held_batches.push_back(*persist);
                return;
            }
            write(*persist);
            server->handle_persisted(now, persist->batch,
                                     fail_store ? PersistResult::Failed : PersistResult::Written);
        } else {
            const auto& route = std::get<Server::RouteWanted>(event);
            routes_wanted.push_back(route.next_hop.to_string());
            const auto found = routes.find(route.next_hop.host.text());
            server->handle_route(
                now, route.query,
                found == routes.end() ? std::nullopt : std::optional{found->second});
        }
    }

    void write(const Server::PersistBindings& batch) {
        for (const BindingChange& change : batch.changes) {
            if (const auto* record = std::get_if<BindingRecord>(&change)) {
                store[{record->user, record->key}] = *record;
            } else {
                const auto& removed = std::get<BindingRemoved>(change);
                store.erase({removed.user, removed.key});
            }
        }
    }

    enum class Direction : std::uint8_t { ToServer, ToClient };
    struct InFlight {
        FlowId flow;
        Direction direction;
        Bytes bytes;
    };

    void post(FlowId flow, Direction direction, Bytes bytes) {
        const auto connection = connections.find(flow);
        if (connection == connections.end()) return;
        const bool lossy = connection->second.transport == TransportKind::Udp && loss_one_in != 0;
        if (lossy && random() % loss_one_in == 0) return;
        network.emplace(now + 10ms, InFlight{flow, direction, std::move(bytes)});
    }

    void deliver(InFlight message) {
        const auto connection = connections.find(message.flow);
        if (connection == connections.end()) return;
        Client& client = *connection->second.client;
        if (message.direction == Direction::ToClient) last_to_client = message.flow;
        const std::string_view text = as_text(message.bytes);
        if (text == "\r\n\r\n") {
            server->handle_ping(now, message.flow);
        } else if (text == "\r\n") {
            client.agent.handle_pong(now, message.flow);
        } else {
            auto parsed = sip::parse_message(BytesView{message.bytes});
            REQUIRE(parsed);
            if (message.direction == Direction::ToServer) {
                server->handle_message(now, message.flow, *std::move(parsed));
            } else {
                client.received.emplace_back(text.substr(0, text.find("\r\n")));
                client.agent.handle_message(now, message.flow, *std::move(parsed));
            }
        }
        settle();
    }

    void run(Duration limit = 1s) {
        const Instant end = now + limit;
        for (;;) {
            settle();
            std::optional<Instant> next = server->poll_timeout();
            for (const auto& client : clients) next = earlier(next, client->agent.poll_timeout());
            if (!network.empty()) next = earlier(next, network.begin()->first);
            if (!next || *next > end) break;
            now = std::max(now, *next);
            while (!network.empty() && network.begin()->first <= now) {
                InFlight message = std::move(network.begin()->second);
                network.erase(network.begin());
                deliver(std::move(message));
            }
            server->handle_timeout(now);
            for (const auto& client : clients) client->agent.handle_timeout(now);
        }
        now = end;
    }

    struct Connection {
        Client* client;
        TransportKind transport;
    };

    std::uint64_t seed;
    std::mt19937_64 random;
    Instant now{};
    std::unique_ptr<Server> server;
    std::vector<std::unique_ptr<Client>> clients;
    std::map<FlowId, Connection> connections;
    std::multimap<Instant, InFlight> network;
    std::map<std::string, AccountRecord> accounts;
    std::map<std::pair<std::string, std::string>, BindingRecord> store;
    std::map<std::string, FlowId> routes;  // by host
    std::vector<std::string> routes_wanted;
    std::vector<std::string> sent_by_server;
    std::vector<AccountQuery> held_accounts;
    std::vector<Server::PersistBindings> held_batches;
    bool hold_accounts = false;
    bool hold_store = false;
    bool fail_store = false;
    std::uint64_t loss_one_in = 0;
    std::uint64_t last_flow = 0;
    FlowId last_to_client{};  // by which the last message was delivered
    std::uint32_t epoch = 0;
    std::size_t account_queries = 0;
    std::size_t loaded = 0;
};

// The first event of a call of that kind, removed from the list.
template <class Kind>
std::optional<std::pair<sip::CallId, Kind>> take(World::Client& client) {
    for (auto it = client.events.begin(); it != client.events.end(); ++it) {
        auto* call = std::get_if<sip::UserAgent::CallEvent>(&*it);
        if (!call) continue;
        if (auto* kind = std::get_if<Kind>(&call->event)) {
            std::pair<sip::CallId, Kind> found{call->call, std::move(*kind)};
            client.events.erase(it);
            return found;
        }
    }
    return std::nullopt;
}

template <class Kind>
std::optional<Kind> take_event(World::Client& client) {
    for (auto it = client.events.begin(); it != client.events.end(); ++it) {
        if (auto* kind = std::get_if<Kind>(&*it)) {
            Kind found = std::move(*kind);
            client.events.erase(it);
            return found;
        }
    }
    return std::nullopt;
}

inline std::size_t count_received(const World::Client& client, std::string_view start) {
    std::size_t count = 0;
    for (const std::string& line : client.received) count += line.starts_with(start) ? 1U : 0U;
    return count;
}

}  // namespace stile::sip_server::testing
