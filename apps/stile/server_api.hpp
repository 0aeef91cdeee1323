// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "account.hpp"
#include "dialer.hpp"
#include "login_link.hpp"

#include <stile/connect/connector.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/drivers/web_client.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace stile::peer {

// STUN and TURN servers and the credentials for them, good for a while.
struct RelayAccess {
    std::vector<SocketAddress> stun_servers;
    std::vector<connect::TurnServer> turn_servers;
    Duration valid = std::chrono::minutes{10};
    std::optional<WallTime> server_time;  // the server's clock, to a second
};

// What a peer asks its own server for over HTTPS. One request at a time; destroying it gives up
// without a callback.
class ServerApi {
public:
    explicit ServerApi(drivers::Loop& loop);
    ~ServerApi();

    // Trades the link's token and a certificate request for `key` for an account.
    using OnAccount = std::move_only_function<void(std::expected<Account, app::Problem>)>;
    void login(const LoginLink& link, const crypto::PrivateKey& key, OnAccount done);

    using OnRelayAccess = std::move_only_function<void(std::expected<RelayAccess, app::Problem>)>;
    void relay_access(const Account& account, OnRelayAccess done);

private:
    struct Request {
        std::string host;
        Port port;
        drivers::TlsClientConfig tls;
        drivers::HttpClientRequest http;
    };
    using OnAnswer =
        std::move_only_function<void(std::expected<drivers::HttpAnswer, app::Problem>)>;
    void send(Request request, OnAnswer done);
    void send_on(std::unique_ptr<drivers::Stream> stream, Request request, OnAnswer done);

    drivers::Loop& loop_;
    Dialer dialer_;
    std::unique_ptr<drivers::HttpClientCall> call_;
};

}  // namespace stile::peer
