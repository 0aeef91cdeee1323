// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "login_service.hpp"

#include <stile/app/json_field.hpp>
#include <stile/base/encoding.hpp>
#include <stile/drivers/random.hpp>
#include <stile/turn/discovery.hpp>
#include <stile/turn/time_limited.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace stile::stiled {
namespace {

using nlohmann::json;

constexpr std::size_t most_body_octets = 16'384;  // a certificate request has under 1000
constexpr std::chrono::seconds relay_lifetime{3600};
constexpr std::chrono::hours link_lifetime{24};
constexpr std::size_t token_octets = 16;

void answer(const std::shared_ptr<drivers::Exchange>& exchange, unsigned status, const json& body) {
    exchange->respond(
        {.status = status,
         .fields = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}},
        body.dump());
}

turn::TurnUri uri_of(const LoginService::Facts::Entrance& entrance) {
    using enum turn::ClientTransport;
    const auto transport = entrance.transport;
    const bool secure = transport == Tls || transport == Dtls;
    const bool datagrams = transport == Udp || transport == Dtls;
    return {.scheme = secure ? turn::TurnUri::Scheme::Turns : turn::TurnUri::Scheme::Turn,
            .host = entrance.address.ip.to_string(),
            .port = entrance.address.port,
            .transport = datagrams ? turn::TurnUri::Transport::Udp : turn::TurnUri::Transport::Tcp};
}

void refuse(const std::shared_ptr<drivers::Exchange>& exchange, unsigned status,
            std::string_view error, std::string_view fix) {
    answer(exchange, status, {{"error", error}, {"fix", fix}});
}

}  // namespace

LoginService::LoginService(drivers::Loop& loop, drivers::ServerStore& store,
                           const Authority& authority, Facts facts, drivers::TlsContext tls)
    : loop_(loop),
      store_(store),
      authority_(authority),
      facts_(std::move(facts)),
      tls_(std::move(tls)),
      web_(loop, [this](Exchange exchange) { handle(exchange); }) {}

std::expected<SocketAddress, drivers::OsError> LoginService::listen(const SocketAddress& address) {
    auto listener = drivers::TcpListener::open(
        loop_, address, [this](std::unique_ptr<drivers::TcpStream> stream) {
            web_.serve(std::make_unique<drivers::TlsStream>(loop_, std::move(stream), tls_),
                       drivers::Exchange::Security::Tls);
        });
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(*std::move(listener));
    return listeners_.back()->local_address();
}

void LoginService::serve(drivers::FileDescriptor decrypted) {
    web_.serve(drivers::TcpStream::adopt(loop_, std::move(decrypted)),
               drivers::Exchange::Security::Tls);
}

void LoginService::handle(const Exchange& exchange) {
    const std::string& method = exchange->request().method;
    const std::string_view target = exchange->request().target;
    constexpr std::string_view certificate_path = "/certificate/";
    if (target == "/login" && method == "POST") {
        auto body = std::make_shared<Bytes>();
        exchange->read_body({
            .on_bytes =
                [body](BytesView bytes) {
                    if (body->size() + bytes.size() <= most_body_octets) {
                        body->insert(body->end(), bytes.begin(), bytes.end());
                    }
                },
            .on_end =
                [this, exchange, body](drivers::BodyEnd end) {
                    if (end == drivers::BodyEnd::Complete) login(exchange, *body);
                },
        });
    } else if (target == "/relay" && method == "GET") {
        relay(exchange);
    } else if (target.starts_with(certificate_path) && method == "GET") {
        certificate(exchange, target.substr(certificate_path.size()));
    } else if (target == "/healthz") {
        exchange->respond({.status = 204}, std::string_view{});
    } else {
        refuse(exchange, 404, "there is nothing at this address", "see the manual page of stiled");
    }
}

void LoginService::login(const Exchange& exchange, BytesView body) {
    const json request = json::parse(as_text(body), nullptr, false);
    const std::string token = app::text_of(request, "token");
    const auto asked = crypto::CertificateRequest::from_pem(app::text_of(request, "request"));
    if (!asked) {
        return refuse(exchange, 400, "the certificate request cannot be used",
                      "check that both sides run current releases");
    }
    const WallTime now = loop_.wall_now();
    const auto owner = store_.take_login_token(as_bytes(token), now);
    if (!owner)
        return refuse(exchange, 500, "the server's store cannot be used", "try again later");
    if (!*owner) {
        return refuse(exchange, 403, "this link was used already, has expired, or never was",
                      "ask the server's operator for a new one: stiled user link NAME");
    }
    const auto account = store_.find_account((*owner)->user, (*owner)->domain);
    if (!account || !*account || (*account)->state != drivers::AccountState::Enabled) {
        return refuse(exchange, 403, "this account is not there any more",
                      "ask the server's operator for a new one");
    }
    const std::string address = (*owner)->user + '@' + (*owner)->domain;
    const crypto::Certificate issued = authority_.certify(asked->public_key(), address, now);
    const auto kept = store_.put_certificate((*owner)->user, (*owner)->domain, issued.pem(),
                                             issued.validity().not_after);
    if (!kept)
        return refuse(exchange, 500, "the server's store cannot be used", "ask for a new link");
    answer(exchange, 200,
           {{"address", address},
            {"certificate", issued.pem()},
            {"ca", authority_.certificate().pem()},
            {"sips_port", facts_.sips_port.value}});
}

void LoginService::relay(const Exchange& exchange) {
    const auto shown = exchange->peer_certificate();
    const auto certificate = shown ? crypto::Certificate::from_der(shown->der)
                                   : std::unexpected(crypto::CertificateError::Malformed);
    const auto address = certificate ? Authority::address_of(*certificate) : std::nullopt;
    if (!address) {
        return refuse(exchange, 403, "relay credentials are for users of this domain",
                      "log in first: stile login LINK");
    }
    const std::string user = address->substr(0, address->find('@'));
    const auto account = store_.find_account(user, facts_.domain);
    if (!account)
        return refuse(exchange, 500, "the server's store cannot be used", "try again later");
    if (!*account || (*account)->state != drivers::AccountState::Enabled ||
        !Authority::is_of_account(*certificate, **account)) {
        return refuse(exchange, 403, "this account is not there any more",
                      "ask the server's operator for a new login link");
    }
    const turn::TimeLimitedCredential credential = turn::make_time_limited(
        {.secret = facts_.relay_secret}, loop_.wall_now() + relay_lifetime, user);
    json stun = json::array();
    json uris = json::array();
    std::vector<std::pair<turn::ClientTransport, IpAddress>> told;
    for (const Facts::Entrance& entrance : reachable(exchange->local_address())) {
        if (entrance.transport == turn::ClientTransport::Udp) {
            stun.push_back(entrance.address.to_string());
        }
        // A second port of an address shows how NATs number theirs, and relays nothing more.
        const std::pair place{entrance.transport, entrance.address.ip};
        if (std::ranges::find(told, place) != told.end()) continue;
        told.push_back(place);
        uris.push_back(uri_of(entrance).to_string());
    }
    answer(exchange, 200,
           {{"username", credential.username},
            {"password", credential.password},
            {"ttl", relay_lifetime.count()},
            {"stun", stun},
            {"turn", uris}});
}

std::vector<LoginService::Facts::Entrance> LoginService::reachable(const SocketAddress& met) const {
    std::vector<Facts::Entrance> reachable;
    for (Facts::Entrance entrance : facts_.relay) {
        IpAddress& ip = entrance.address.ip;
        if (ip.is_unspecified()) {
            if (ip.family() != met.ip.family()) continue;
            ip = met.ip;
        }
        reachable.push_back(entrance);
    }
    return reachable;
}

void LoginService::certificate(const Exchange& exchange, std::string_view user) {
    const auto found = store_.find_certificate(user, facts_.domain);
    if (!found || !*found) return refuse(exchange, 404, "no certificate of that user", "");
    exchange->respond({.fields = {{"Content-Type", "application/pem-certificate-chain"}}}, **found);
}

std::expected<LoginLinkMade, drivers::StoreError> make_login_link(
    drivers::ServerStore& store, const Authority& authority, const std::string& user,
    const std::string& domain, const SocketAddress& https, WallTime now) {
    crypto::RandomStream random{drivers::random_seed()};
    const std::string token = to_base64url(random.bytes(token_octets));
    const auto added = store.add_login_token(as_bytes(token), user, domain, now + link_lifetime);
    if (!added) return std::unexpected(added.error());
    const crypto::Digest fingerprint = authority.certificate().fingerprint();
    return LoginLinkMade{fmt::format("https://{}/login#{}.{}.{}", https.to_string(), user, token,
                                     to_base64url(fingerprint.bytes()))};
}

}  // namespace stile::stiled
