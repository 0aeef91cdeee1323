// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "temp_folder.hpp"

#include <stile/relay/admin.hpp>
#include <stile/relay/external_address.hpp>
#include <stile/relay/handover_wire.hpp>
#include <stile/relay/operation.hpp>

#include <stile/drivers/native_address.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/drivers/web_client.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <array>
#include <future>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

using namespace stile;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

// A running relay on loopback with a folder of its own, and a loop that the test turns.
class World {
public:
    World() {
        state_.emplace(*relay::StateFolder::open(folder_.path()));
        relay::Prepared prepared{relay::default_settings_file(), {}};
        prepared.file.metrics = at("127.0.0.1:0");
        prepared.settings = prepared.file.settings;
        prepared.settings.listeners = {
            {.kind = relay::ListenerKind::Udp, .address = at("127.0.0.1:0")}};
        prepared.settings.relay_addresses = {{*IpAddress::parse("127.0.0.1"), std::nullopt}};
        prepared.settings.shards = 1;
        auto started = relay::Operation::start(
            loop_, *state_, {.prepared = prepared, .version = "test"},
            {.load = [this]() -> std::expected<relay::Prepared, std::string> {
                 if (next) return *next;
                 return std::unexpected("f.toml:1:1: no such key");
             },
             .on_drained = [this] { drained_ = true; },
             .on_command = {},
             .graceful_restart = "'restart'",
             .log = {}});
        if (!started) FAIL(app::to_text(started.error()));
        operation_ = *std::move(started);
        running = prepared;
    }

    relay::Prepared running;
    std::optional<relay::Prepared> next;  // what a reload reads; absent: a mistake

    // Asks as another process would.
    std::expected<json, app::Problem> ask(const json& request) {
        auto answer = std::async(std::launch::async,
                                 [&] { return relay::ask_admin(state_->socket_path(), request); });
        loop_.run_until([&] { return answer.wait_for(0s) == std::future_status::ready; }, 10s);
        return answer.get();
    }

    std::string get(const std::string& target, unsigned& status) {
        const json shown = *ask({{"command", "status"}});
        std::optional<std::string> text;
        drivers::HttpClientCall call{
            loop_,
            drivers::TcpStream::connect(loop_, at(shown.at("metrics").get<std::string>())),
            {.host = "localhost", .target = target},
            [&](std::expected<drivers::HttpAnswer, drivers::HttpClientError> answer) {
                if (answer) status = answer->status;
                text = answer ? to_text(answer->body) : "";
            }};
        loop_.run_until([&] { return text.has_value(); }, 10s);
        return text.value_or("");
    }

    bool turn_until_drained() {
        return loop_.run_until([&] { return drained_; }, 10s) == drivers::Loop::Outcome::Done;
    }
    relay::Operation& operation() { return *operation_; }
    const relay::StateFolder& state() const { return *state_; }

private:
    relay::testing::TempFolder folder_;
    std::optional<relay::StateFolder> state_;
    drivers::Loop loop_;
    std::unique_ptr<relay::Operation> operation_;
    bool drained_ = false;
};

}  // namespace

TEST_CASE("operation: the admin socket is the operator's alone and answers a line for a line") {
    World world;
    struct stat facts{};
    REQUIRE(::stat(world.state().socket_path().c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777U) == 0600U);
    const auto status = world.ask({{"command", "status"}});
    REQUIRE(status);
    CHECK(status->at("allocations") == 0);
    CHECK(status->at("version") == "test");
    CHECK(world.ask({{"command", "sessions"}})->at("sessions").empty());
    const auto unknown = world.ask({{"command", "dance"}});
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().cause == "this command is not known");
    CHECK_FALSE(world.ask({{"command", "session"}, {"session", "000000000000"}}));
}

TEST_CASE("operation: a bad configuration is refused with its reason, and counted") {
    World world;
    const auto refused = world.ask({{"command", "reload"}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().cause == "f.toml:1:1: no such key");
    unsigned status = 0;
    const std::string text = world.get("/metrics", status);
    CHECK(status == 200);
    CHECK(text.find("\nstile_turn_reloads_refused_total 1\n") != std::string::npos);
}

TEST_CASE("operation: what a reload cannot change is named with what can") {
    World world;
    const auto refusal_of = [&](auto change) {
        world.next = world.running;
        change(world.next->settings, world.next->file);
        const auto answer = world.ask({{"command", "reload"}});
        return answer ? std::string{} : answer.error().cause;
    };
    using relay::Settings;
    using relay::SettingsFile;
    CHECK(refusal_of([](Settings&, SettingsFile&) {}).empty());
    CHECK(refusal_of([](Settings& s, SettingsFile&) { s.shards = 2; }) ==
          "cannot change the number of shards: the server runs; drain, stop and start it to change "
          "it");
    const std::string restart =
        ": the server runs; restart gracefully to change it, with 'restart'";
    CHECK(refusal_of([](Settings& s, SettingsFile&) {
              s.relay_addresses.push_back({*IpAddress::parse("127.0.0.2"), std::nullopt});
          }) == "cannot add a relay address, nor change the external one of one" + restart);
    CHECK(refusal_of([](Settings& s, SettingsFile&) {
              s.relay_addresses.front().external = *IpAddress::parse("203.0.113.7");
          }) == "cannot add a relay address, nor change the external one of one" + restart);
    CHECK(refusal_of([](Settings& s, SettingsFile&) { s.kernel_path = relay::KernelPath::Tc; }) ==
          "cannot change the kernel path" + restart);
    CHECK(refusal_of([](Settings& s, SettingsFile&) { s.alternate = at("127.0.0.2:3479"); }) ==
          "cannot change the second address of RFC 5780" + restart);
    CHECK(refusal_of([](Settings&, SettingsFile& f) { f.state_directory = "/elsewhere"; }) ==
          "cannot change the state directory" + restart);
    world.next = world.running;
    world.next->settings.tenants.push_back({.realm = "other.example"});
    REQUIRE(world.ask({{"command", "reload"}}));
    CHECK(refusal_of([](Settings&, SettingsFile&) {}) == "cannot remove a realm" + restart);
}

TEST_CASE("operation: a reload takes the keys of access tokens over, several at once") {
    World world;
    world.next = world.running;
    relay::Tenant& tenant = world.next->settings.tenants.front();
    tenant.limits.authentication.third_party = "turn.example.org";
    tenant.token_keys = {{.kid = "old", .key = Bytes(32)}, {.kid = "new", .key = Bytes(16)}};
    CHECK(world.ask({{"command", "reload"}}));
    tenant.token_keys.push_back({.kid = "old", .key = Bytes(32)});
    const auto refused = world.ask({{"command", "reload"}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().cause.find("token keys") != std::string::npos);
}

TEST_CASE(
    "operation: an empty server that drains is done, and says so to load balancers meanwhile") {
    World world;
    unsigned status = 0;
    CHECK(world.get("/healthz", status) == "ok\n");
    CHECK(status == 200);
    world.operation().drain();
    CHECK(world.get("/healthz", status) == "draining\n");
    CHECK(status == 503);
    CHECK(world.turn_until_drained());
}

TEST_CASE("operation: nobody answers where no server runs") {
    const auto answer = relay::ask_admin("/nonexistent/admin.sock", {{"command", "status"}});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == app::ExitCode::NoPath);
}

TEST_CASE("external address: what a STUN server sees is found; silence and no server are said") {
    drivers::Loop loop;
    const auto server = *drivers::UdpSocket::open(loop, at("127.0.0.1:0"));
    server->on_datagrams([&](std::span<const drivers::Datagram> batch) {
        for (const drivers::Datagram& datagram : batch) {
            const auto request = stun::MessageView::parse(BytesView{datagram.payload});
            if (!request) continue;
            auto answer = stun::MessageBuilder::reply(*request, stun::Class::SuccessResponse);
            answer.add(stun::XorMappedAddress{at("203.0.113.7:9")});
            server->send(Transmit{datagram.path, answer.finish()});
        }
    });
    auto seen = std::async(std::launch::async, [&] {
        return relay::ask_external_address(server->local_address().to_string(),
                                           *IpAddress::parse("127.0.0.1"), 10s);
    });
    loop.run_until([&] { return seen.wait_for(0s) == std::future_status::ready; }, 20s);
    CHECK(seen.get().value_or(IpAddress{}) == *IpAddress::parse("203.0.113.7"));
    const auto silent = *drivers::UdpSocket::open(loop, at("127.0.0.1:0"));
    const auto nothing = relay::ask_external_address(silent->local_address().to_string(),
                                                     *IpAddress::parse("127.0.0.1"), 100ms);
    REQUIRE_FALSE(nothing);
    CHECK(nothing.error().find("no answer from") != std::string::npos);
    CHECK_FALSE(relay::ask_external_address("[::1]:3478", *IpAddress::parse("127.0.0.1")));
}

TEST_CASE("handover: sessions and more sockets than one message takes arrive in their order") {
    constexpr std::size_t relays = 300;
    relay::Handover sent;
    relay::HandedShard& shard = sent.shards.emplace_back();
    const auto bound = [] {
        drivers::FileDescriptor socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        const drivers::NativeAddress native = drivers::to_native(at("127.0.0.1:0"));
        REQUIRE(::bind(socket.get(), native.get(), native.size) == 0);
        return socket;
    };
    const auto add_relay = [&](std::uint32_t index) {
        drivers::FileDescriptor socket = bound();
        const SocketAddress address = drivers::bound_address(socket.get());
        shard.relays.push_back({1, {index, 7}, address, std::move(socket)});
    };
    for (std::uint32_t i = 0; i < relays; ++i) add_relay(i);
    drivers::FileDescriptor listener = bound();
    const SocketAddress listening = drivers::bound_address(listener.get());
    shard.listeners.push_back(
        {{.kind = relay::ListenerKind::Udp, .address = listening, .tenant = 1},
         std::move(listener)});
    const turn::ClientFlow flow{at("192.0.2.1:3478"), at("198.51.100.7:50000"),
                                turn::ClientTransport::Tcp};
    shard.streams.push_back(
        {0, flow, {bound(), Bytes(70'000, std::byte{8})}, Bytes(3, std::byte{9})});
    const Path said{at("198.51.100.2:443"), at("192.0.2.1:50000")};
    shard.incoming.push_back({{.kind = relay::ListenerKind::Tcp, .address = listening},
                              said,
                              bound(),
                              Bytes(5, std::byte{7})});
    shard.incoming.push_back({{.kind = relay::ListenerKind::Tcp,
                               .address = listening,
                               .proxy_protocol = relay::ProxyProtocol::Required},
                              {},
                              bound(),
                              {}});
    shard.connections.push_back({1, {11}, {bound(), Bytes(6, std::byte{6})}, {}});
    shard.connections.push_back({1, {12}, {bound(), {}}, {{bound(), Bytes(7, std::byte{5})}}});
    drivers::FileDescriptor last = bound();
    const SocketAddress of_last = drivers::bound_address(last.get());
    shard.connections.push_back({1, {13}, {bound(), {}}, {{std::move(last), {}}}});
    shard.owners.push_back({flow, 3});
    shard.origins.push_back({flow, 2});
    turn::Snapshot state;
    state.allocations.push_back({.flow = flow, .username = "alice", .owner = "alice"});
    shard.tenants.push_back({"example.org", state});

    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const drivers::FileDescriptor here{ends[0]};
    const drivers::FileDescriptor there{ends[1]};
    auto sending = std::async(std::launch::async,
                              [&] { return relay::send_handover(here.get(), std::move(sent)); });
    const auto received = relay::receive_handover(there.get());
    CHECK(sending.get());
    if (!received) FAIL(received.error());
    REQUIRE(received->shards.size() == 1);
    const relay::HandedShard& got = received->shards.front();
    REQUIRE(got.relays.size() == relays);
    for (std::size_t i = 0; i < relays; ++i) {
        CHECK(got.relays[i].relay.index == i);
        CHECK(drivers::bound_address(got.relays[i].socket.get()) == got.relays[i].address);
    }
    REQUIRE(got.listeners.size() == 1);
    CHECK(got.listeners[0].listener.tenant == 1);
    CHECK(drivers::bound_address(got.listeners[0].socket.get()) == listening);
    REQUIRE(got.streams.size() == 1);
    CHECK(got.streams[0].flow == flow);
    CHECK(got.streams[0].unread.size() == 3);
    CHECK(got.streams[0].connection.unsent.size() == 70'000);
    REQUIRE(got.incoming.size() == 2);
    CHECK(got.incoming[0].addresses == said);
    CHECK(got.incoming[0].unread.size() == 5);
    CHECK_FALSE(got.incoming[1].addresses);
    CHECK(got.incoming[1].listener.proxy_protocol == relay::ProxyProtocol::Required);
    REQUIRE(got.connections.size() == 3);
    CHECK(got.connections[0].connection.value == 11);
    CHECK(got.connections[0].peer.unsent.size() == 6);
    CHECK_FALSE(got.connections[0].client);
    REQUIRE(got.connections[1].client);
    CHECK(got.connections[1].client->unsent.size() == 7);
    REQUIRE(got.connections[2].client);
    CHECK(drivers::bound_address(got.connections[2].client->socket.get()) == of_last);
    REQUIRE(got.owners.size() == 1);
    CHECK((got.owners[0].flow == flow && got.owners[0].shard == 3));
    REQUIRE(got.origins.size() == 1);
    CHECK(got.origins[0].shard == 2);
    REQUIRE(got.tenants.size() == 1);
    CHECK(got.tenants[0].realm == "example.org");
    REQUIRE(got.tenants[0].state.allocations.size() == 1);
    CHECK(got.tenants[0].state.allocations[0].username == "alice");
}

TEST_CASE("handover: what is cut short or not understood is refused") {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const drivers::FileDescriptor there{ends[1]};
    {
        const drivers::FileDescriptor here{ends[0]};
        const std::array<char, 12> nonsense{4, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c', 'd'};
        REQUIRE(::send(here.get(), nonsense.data(), nonsense.size(), 0) == 12);
    }
    CHECK_FALSE(relay::receive_handover(there.get()));
    CHECK_FALSE(relay::receive_handover(there.get()));
}
