// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/drivers/web.hpp>
#include <stile/drivers/web_limits.hpp>

#include <functional>
#include <memory>

namespace stile::drivers {

enum class BodyEnd : std::uint8_t {
    Complete,
    Aborted,  // the connection ended first, or what came broke the framing
};

struct BodyHandlers {
    std::move_only_function<void(BytesView)> on_bytes;  // decoded from chunks, never empty
    std::move_only_function<void(BodyEnd)> on_end;      // once
};

// One request and its response. A handler may keep it for as long as it likes: when the client has
// gone, calls do nothing. A handler that lets go of it unanswered makes it a 500.
class Exchange {
public:
    virtual ~Exchange() = default;

    virtual const HttpRequest& request() const = 0;
    virtual SocketAddress peer_address() const = 0;
    virtual SocketAddress local_address() const = 0;
    // Of a TLS client that proved one.
    virtual std::optional<PeerCertificate> peer_certificate() const = 0;
    enum class Security : std::uint8_t { Plain, Tls };
    virtual Security security() const = 0;

    // The request's body flows after this is called, once; sends 100 (Continue) where it is
    // awaited. A body that is never read is discarded, up to a limit, after the response.
    virtual void read_body(BodyHandlers handlers) = 0;
    virtual void set_reading(Reading reading) = 0;

    // The whole response at once. To a HEAD request its length is told and the body left out.
    virtual void respond(HttpResponse response, BytesView body) = 0;
    void respond(HttpResponse response, std::string_view body) {
        respond(std::move(response), as_bytes(body));
    }
    // Or piecewise: start, write ..., finish. Without a length HTTP/1.1 clients get chunks, older
    // ones the connection's end. To a HEAD request writes are accepted and go nowhere.
    virtual void start(HttpResponse response) = 0;
    virtual Written write(BytesView bytes) = 0;
    virtual std::size_t buffered() const = 0;
    virtual void on_writable(Task callback) = 0;
    virtual void finish() = 0;
    // Ends the connection so that the client sees a broken body, not a complete one.
    virtual void abort() = 0;
    // The client went away before the response was finished.
    virtual void on_aborted(Task callback) = 0;

    // For an Upgrade or CONNECT: sends this head (101 or 200) and hands over the connection and the
    // bytes that came after the request. Empty when the client has gone.
    struct TakenOver {
        std::unique_ptr<Stream> stream;
        Bytes received;
    };
    virtual std::optional<TakenOver> take_over(HttpResponse response) = 0;
};

// Times that tests shorten.
struct WebTimeouts {
    Duration head = head_timeout;
    Duration keep_alive = keep_alive_timeout;
    Duration body = body_timeout;
};

// HTTP/1.1 (RFC 9112) over streams that are handed in, plain or TLS. Requests of one connection are
// answered in their order. Malformed ones get 400, 408, 413, 414, 431, 501 or 505 and the end.
class WebServer {
public:
    using Handler = std::move_only_function<void(std::shared_ptr<Exchange>)>;

    WebServer(Loop& loop, Handler handler, WebTimeouts timeouts = {});
    WebServer(const WebServer&) = delete;
    WebServer& operator=(const WebServer&) = delete;
    ~WebServer();

    // A TlsStream may still be in its handshake.
    void serve(std::unique_ptr<Stream> stream,
               Exchange::Security security = Exchange::Security::Plain);
    std::size_t connections() const;
    // Finishes what is under way and closes what is idle; for an orderly stop.
    void drain();

    struct Impl;

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::drivers
