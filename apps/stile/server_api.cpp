// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "server_api.hpp"

#include <stile/app/json_field.hpp>
#include <stile/crypto/csr.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/http/date.hpp>
#include <stile/turn/discovery.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stile::peer {
namespace {

using nlohmann::json;

constexpr std::uint64_t default_ttl_seconds = 600;
constexpr std::uint64_t most_ttl_seconds = 86'400;

app::Problem unreachable(const std::string& server, const drivers::HttpClientError& error) {
    using drivers::CloseReason;
    const std::string what = fmt::format("The server {} cannot be reached", server);
    switch (error.reason) {
        case CloseReason::Untrusted:
        case CloseReason::WrongName:
        case CloseReason::Expired:
            return {app::ExitCode::NotAuthorised,
                    fmt::format("The server {} is not the one that the link is for", server),
                    "its certificate is not of the authority that was promised", error.text,
                    "somebody may be in between: compare the link with the server's operator"};
        case CloseReason::RejectedByPeer:
            return {app::ExitCode::NotAuthorised,
                    fmt::format("The server {} refuses this account", server),
                    "it does not accept the certificate of the login", error.text,
                    "log in again with a new link"};
        case CloseReason::TimedOut:
            return {app::ExitCode::NoPath, what, "it does not answer", error.text,
                    "check the network and that stiled runs there"};
        case CloseReason::Refused:
            return {app::ExitCode::NoPath, what, "nothing listens there", error.text,
                    "start stiled there, or check the address"};
        case CloseReason::Proxy:
            return {app::ExitCode::NoPath, what, std::string{drivers::to_string(error.reason)},
                    error.text,
                    "check https_proxy and no_proxy in the environment, and the login there"};
        case CloseReason::Local:
        case CloseReason::PeerClosed:
        case CloseReason::Truncated:
        case CloseReason::Reset:
        case CloseReason::Unreachable:
        case CloseReason::Protocol:
        case CloseReason::Failed:
            break;
    }
    return {app::ExitCode::NoPath, what, std::string{drivers::to_string(error.reason)}, error.text,
            "check the network and that stiled runs there"};
}

app::Problem unusable_answer(std::string_view what) {
    return {app::ExitCode::Other, "The server's answer cannot be used", std::string{what}, "",
            "check that both run the same release"};
}

// The server's own words for what it refused: {"error": ..., "fix": ...}.
app::Problem refused(const drivers::HttpAnswer& answer) {
    const json body = json::parse(as_text(answer.body), nullptr, false);
    const bool forbidden = answer.status == 401 || answer.status == 403;
    app::Problem problem{forbidden ? app::ExitCode::NotAuthorised : app::ExitCode::Other,
                         "The server refuses", "", fmt::format("HTTP status {}", answer.status),
                         ""};
    if (body.is_object()) {
        problem.cause = app::text_of(body, "error");
        problem.fix = app::text_of(body, "fix");
    }
    return problem;
}

// Those that name an address and a transport that is spoken to relays, best first.
std::vector<connect::TurnServer> relays_of(const json& reply) {
    std::vector<connect::TurnServer> servers;
    const auto list = reply.find("turn");
    if (list == reply.end() || !list->is_array()) return servers;
    for (const json& text : *list) {
        if (!text.is_string() || servers.size() == connect::limits::most_turn_servers) continue;
        const auto uri = turn::TurnUri::parse(text.get<std::string>());
        const auto address = uri ? uri->address() : std::nullopt;
        if (!address || !uri->transport) continue;
        const auto transport = turn::transport_of(uri->scheme, *uri->transport);
        if (transport == turn::ClientTransport::Dtls) continue;
        servers.push_back({.address = {*address, uri->port.value_or(uri->default_port())},
                           .username = app::text_of(reply, "username"),
                           .password = app::text_of(reply, "password"),
                           .transport = transport,
                           .server_name = uri->host});
    }
    return servers;
}

std::vector<SocketAddress> addresses_of(const json& reply, const char* field) {
    std::vector<SocketAddress> addresses;
    const auto list = reply.find(field);
    if (list == reply.end() || !list->is_array()) return addresses;
    for (const json& text : *list) {
        if (!text.is_string() || addresses.size() == connect::limits::most_servers) continue;
        if (const auto address = SocketAddress::parse(text.get<std::string>())) {
            addresses.push_back(*address);
        }
    }
    return addresses;
}

}  // namespace

ServerApi::ServerApi(drivers::Loop& loop) : loop_(loop), dialer_(loop) {}
ServerApi::~ServerApi() = default;

void ServerApi::login(const LoginLink& link, const crypto::PrivateKey& key, OnAccount done) {
    const auto request = crypto::CertificateRequest::make(key, {});
    const json body{{"token", link.token}, {"request", request.pem()}};
    send({.host = link.host,
          .port = link.port,
          .tls = {.host = link.host, .ca_fingerprints = {link.ca_fingerprint}},
          .http = {.method = "POST",
                   .target = "/login",
                   .fields = {{"Content-Type", "application/json"}},
                   .body = to_bytes(body.dump())}},
         [link, key_pem = key.pkcs8_pem(), done = std::move(done)](auto answer) mutable {
             if (!answer) return done(std::unexpected(answer.error()));
             if (answer->status != 200) return done(std::unexpected(refused(*answer)));
             const json reply = json::parse(as_text(answer->body), nullptr, false);
             if (!reply.is_object())
                 return done(std::unexpected(unusable_answer("it is no JSON object")));
             const std::string address = app::text_of(reply, "address");
             Account account{.address = address,
                             .domain = address.substr(address.find('@') + 1),
                             .server_host = link.host,
                             .sips_port = Port{static_cast<std::uint16_t>(
                                 app::number_of(reply, "sips_port", 65535).value_or(0))},
                             .https_port = link.port,
                             .ca_pem = app::text_of(reply, "ca"),
                             .key_pem = key_pem,
                             .certificate_pem = app::text_of(reply, "certificate")};
             const auto ca = crypto::Certificate::from_pem(account.ca_pem);
             const auto own = crypto::Certificate::from_pem(account.certificate_pem);
             if (!ca || !own || account.sips_port.value == 0 || !address.contains('@')) {
                 return done(std::unexpected(unusable_answer("something is missing in it")));
             }
             if (ca->fingerprint() != link.ca_fingerprint) {
                 return done(
                     std::unexpected(unusable_answer("it names another authority than the link")));
             }
             done(std::move(account));
         });
}

void ServerApi::relay_access(const Account& account, OnRelayAccess done) {
    send({.host = account.server_host,
          .port = account.https_port,
          .tls = {.host = account.server_host,
                  .ca_pem = account.ca_pem,
                  .certificate_pem = account.certificate_pem,
                  .key_pem = account.key_pem},
          .http = {.target = "/relay"}},
         [now = loop_.wall_now(), done = std::move(done)](auto answer) mutable {
             if (!answer) return done(std::unexpected(answer.error()));
             if (answer->status != 200) return done(std::unexpected(refused(*answer)));
             const json reply = json::parse(as_text(answer->body), nullptr, false);
             if (!reply.is_object())
                 return done(std::unexpected(unusable_answer("it is no JSON object")));
             RelayAccess access;
             if (const auto date = answer->fields.find("Date")) {
                 access.server_time = http::parse_http_date(*date, now);
             }
             access.stun_servers = addresses_of(reply, "stun");
             access.turn_servers = relays_of(reply);
             access.valid = std::chrono::seconds{
                 app::number_of(reply, "ttl", most_ttl_seconds).value_or(default_ttl_seconds)};
             done(std::move(access));
         });
}

void ServerApi::send(Request request, OnAnswer done) {
    const std::string host = request.host;
    const Port port = request.port;
    dialer_.dial(host, port, {},
                 [this, request = std::move(request), done = std::move(done)](auto stream) mutable {
                     if (!stream) return done(std::unexpected(stream.error()));
                     send_on(*std::move(stream), std::move(request), std::move(done));
                 });
}

void ServerApi::send_on(std::unique_ptr<drivers::Stream> stream, Request request, OnAnswer done) {
    auto context = drivers::TlsContext::client(request.tls);
    if (!context) {
        return done(std::unexpected(
            app::Problem{app::ExitCode::Local, "The stored certificate cannot be used",
                         context.error().text, "", "log in again with a new link"}));
    }
    const std::string name = fmt::format("{}:{}", request.host, request.port.value);
    request.http.host = name;
    call_ = std::make_unique<drivers::HttpClientCall>(
        loop_, std::make_unique<drivers::TlsStream>(loop_, std::move(stream), *context),
        std::move(request.http), [name, done = std::move(done)](auto answer) mutable {
            if (!answer) return done(std::unexpected(unreachable(name, answer.error())));
            done(*std::move(answer));
        });
}

}  // namespace stile::peer
