// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "authority.hpp"
#include "config.hpp"

#include <stile/drivers/tcp.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/drivers/web_server.hpp>
#include <stile/turn/client_flow.hpp>

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace stile::stiled {

// The HTTPS origin of the domain: logins, relay credentials, and whether the server lives.
//
//   POST /login  {"token", "request"}   a certificate for the key of the request; the token works
//                                       once
//   GET /relay                          STUN servers, TURN URIs (RFC 7065) and time-limited
//                                       credentials; the client shows the certificate of its login
//   GET /certificate/USER               the certificate that the domain signed last for this user
//   GET /healthz                        204
class LoginService {
public:
    struct Facts {
        std::string domain;
        Port sips_port;
        // Of the relay, in the order in which clients shall try them. Those over UDP are STUN
        // servers, too.
        struct Entrance {
            turn::ClientTransport transport;
            SocketAddress address;
        };
        std::vector<Entrance> relay;
        std::string relay_secret;
    };

    LoginService(drivers::Loop& loop, drivers::ServerStore& store, const Authority& authority,
                 Facts facts, drivers::TlsContext tls);

    std::expected<SocketAddress, drivers::OsError> listen(const SocketAddress& address);
    // A connection whose TLS ends elsewhere in this process. No client certificate comes with it.
    void serve(drivers::FileDescriptor decrypted);

private:
    using Exchange = std::shared_ptr<drivers::Exchange>;
    void handle(const Exchange& exchange);
    void login(const Exchange& exchange, BytesView body);
    void relay(const Exchange& exchange);
    void certificate(const Exchange& exchange, std::string_view user);
    // Listeners everywhere are told as the address where the client reached us.
    std::vector<Facts::Entrance> reachable(const SocketAddress& met) const;

    drivers::Loop& loop_;
    drivers::ServerStore& store_;
    const Authority& authority_;
    Facts facts_;
    drivers::TlsContext tls_;
    drivers::WebServer web_;
    std::vector<std::unique_ptr<drivers::TcpListener>> listeners_;
};

// https://HOST:PORT/login#USER.TOKEN.FINGERPRINT, good once and for a day. The token's hash goes
// into the store.
struct LoginLinkMade {
    std::string link;
};
std::expected<LoginLinkMade, drivers::StoreError> make_login_link(
    drivers::ServerStore& store, const Authority& authority, const std::string& user,
    const std::string& domain, const SocketAddress& https, WallTime now);

}  // namespace stile::stiled
