// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages separated by NUL octets to a server with three flows: the first octet of each chooses
// the flow (a TLS client with alice's certificate, a TLS client, a UDP address). An empty message
// lets 20 s pass.
#include <stile/sip_server/server.hpp>

#include <cstdlib>
#include <variant>

using namespace stile;
using namespace std::chrono_literals;

namespace {

void drain(Instant now, sip_server::Server& server) {
    while (server.poll_transmit()) {
    }
    while (auto event = server.poll_event()) {
        using Server = sip_server::Server;
        if (const auto* account = std::get_if<Server::AccountWanted>(&*event)) {
            if (account->user == "silent") continue;
            server.handle_account(now, account->query,
                                  account->user == "nobody"
                                      ? std::nullopt
                                      : std::optional{sip_server::AccountRecord{
                                            .user = account->user, .secrets = {}}});
        } else if (const auto* batch = std::get_if<Server::PersistBindings>(&*event)) {
            server.handle_persisted(now, batch->batch, sip_server::PersistResult::Written);
        } else if (const auto* route = std::get_if<Server::RouteWanted>(&*event)) {
            server.handle_route(
                now, route->query,
                route->next_hop.user == "gone" ? std::nullopt : std::optional{sip::FlowId{2}});
        }
        while (server.poll_transmit()) {
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Instant now{};
    sip_server::ServerConfig config;
    config.own.domains = {"example.org"};
    config.own.addresses = {{.host = *sip::Host::parse("sip.example.org"), .port = {}}};
    config.realm = "example.org";
    config.flow_key = Bytes(20, std::byte{1});
    config.nonce_key = Bytes(20, std::byte{2});
    sip_server::Server server{now, WallTime{}, config,
                              crypto::RandomStream{crypto::seed_from_number(1)}};
    for (std::uint64_t id = 1; id <= 3; ++id) {
        server.handle_flow_opened(
            now,
            {.id = {id},
             .transport = id == 3 ? sip::TransportKind::Udp : sip::TransportKind::Tls,
             .remote = *SocketAddress::parse("192.0.2.1:5060"),
             .sent_by = {.host = *sip::Host::parse("sip.example.org"), .port = {}}},
            id == 1 ? std::optional<std::string>{"alice"} : std::nullopt);
    }
    std::string_view rest{reinterpret_cast<const char*>(data), size};
    while (!rest.empty()) {
        const std::size_t end = rest.find('\0');
        std::string_view chunk = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (chunk.empty()) {
            now += 20s;
            server.handle_timeout(now);
        } else {
            const sip::FlowId flow{static_cast<std::uint64_t>(chunk.front() - '0') % 3U + 1};
            chunk.remove_prefix(1);
            if (auto message = sip::parse_message(as_bytes(chunk))) {
                server.handle_message(now, flow, *std::move(message));
            } else {
                server.handle_parse_failure(now, flow, message.error());
            }
        }
        drain(now, server);
        const auto wake = server.poll_timeout();
        if (wake && *wake < now) std::abort();  // a deadline that was not dealt with
    }
    server.handle_flow_closed(now, {1});
    drain(now, server);
    return 0;
}
