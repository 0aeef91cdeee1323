// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "web_connection.hpp"

#include <set>

namespace stile::drivers {

struct WebServer::Impl {
    Impl(Loop& owner, Handler callback, WebTimeouts wanted)
        : loop(owner), handler(std::make_shared<Handler>(std::move(callback))), timeouts(wanted) {}

    Loop& loop;
    std::shared_ptr<Handler> handler;  // outlives the server during a call
    WebTimeouts timeouts;
    std::set<std::shared_ptr<WebConnection>> connections;
};

// What a handler holds. Calls reach the connection only while the request is its current one.
class HandedExchange final : public Exchange {
public:
    HandedExchange(std::weak_ptr<WebConnection> connection, std::uint64_t number,
                   HttpRequest request, const Stream& stream, Security security);
    ~HandedExchange() override;

    const HttpRequest& request() const override { return request_; }
    SocketAddress peer_address() const override { return peer_; }
    SocketAddress local_address() const override { return local_; }
    std::optional<PeerCertificate> peer_certificate() const override { return certificate_; }
    Security security() const override { return security_; }
    void read_body(BodyHandlers handlers) override;
    void set_reading(Reading reading) override;
    using Exchange::respond;
    void respond(HttpResponse response, BytesView body) override;
    void start(HttpResponse response) override;
    Written write(BytesView bytes) override;
    std::size_t buffered() const override;
    void on_writable(Task callback) override;
    void finish() override;
    void abort() override;
    void on_aborted(Task callback) override;
    std::optional<TakenOver> take_over(HttpResponse response) override;

private:
    std::shared_ptr<WebConnection> current() const;

    std::weak_ptr<WebConnection> connection_;
    std::uint64_t number_;
    HttpRequest request_;
    SocketAddress peer_;
    SocketAddress local_;
    std::optional<PeerCertificate> certificate_;
    Security security_;
};

}  // namespace stile::drivers
