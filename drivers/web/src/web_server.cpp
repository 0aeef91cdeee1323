// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "web_server_impl.hpp"

namespace stile::drivers {

WebServer::WebServer(Loop& loop, Handler handler, WebTimeouts timeouts)
    : impl_(std::make_shared<Impl>(loop, std::move(handler), timeouts)) {}
WebServer::~WebServer() = default;

void WebServer::serve(std::unique_ptr<Stream> stream, Exchange::Security security) {
    // Beyond the limit it goes at once: a refusal in words would cost a TLS handshake first.
    if (impl_->connections.size() >= most_connections) return;
    const auto connection = std::make_shared<WebConnection>(
        impl_->loop, std::weak_ptr{impl_}, std::move(stream), security, impl_->timeouts);
    impl_->connections.insert(connection);
    connection->begin();
}

std::size_t WebServer::connections() const { return impl_->connections.size(); }

void WebServer::drain() {
    const auto connections = impl_->connections;
    for (const auto& connection : connections) connection->drain();
}

HandedExchange::HandedExchange(std::weak_ptr<WebConnection> connection, std::uint64_t number,
                               HttpRequest request, const Stream& stream, Security security)
    : connection_(std::move(connection)),
      number_(number),
      request_(std::move(request)),
      peer_(stream.peer_address()),
      local_(stream.local_address()),
      security_(security) {
    if (const auto* tls = dynamic_cast<const TlsStream*>(&stream)) {
        certificate_ = tls->peer_certificate();
        security_ = Security::Tls;
    }
}

HandedExchange::~HandedExchange() {
    if (const auto connection = current()) connection->dropped();
}

std::shared_ptr<WebConnection> HandedExchange::current() const {
    auto connection = connection_.lock();
    return connection && connection->is_current(number_) ? connection : nullptr;
}

void HandedExchange::read_body(BodyHandlers handlers) {
    if (const auto connection = current()) connection->read_body(std::move(handlers));
}
void HandedExchange::set_reading(Reading reading) {
    if (const auto connection = current()) connection->set_body_reading(reading);
}
void HandedExchange::respond(HttpResponse response, BytesView body) {
    const auto connection = current();
    if (!connection) return;
    response.length = body.size();
    connection->start(response);
    if (connection->is_current(number_)) (void)connection->write(body);
    if (connection->is_current(number_)) connection->finish();
}
void HandedExchange::start(HttpResponse response) {
    if (const auto connection = current()) connection->start(response);
}
Written HandedExchange::write(BytesView bytes) {
    const auto connection = current();
    return connection ? connection->write(bytes) : Written::Closed;
}
std::size_t HandedExchange::buffered() const {
    const auto connection = current();
    return connection ? connection->buffered() : 0;
}
void HandedExchange::on_writable(Task callback) {
    if (const auto connection = current()) connection->set_on_writable(std::move(callback));
}
void HandedExchange::finish() {
    if (const auto connection = current()) connection->finish();
}
void HandedExchange::abort() {
    if (const auto connection = current()) connection->abort();
}
void HandedExchange::on_aborted(Task callback) {
    if (const auto connection = current()) connection->set_on_aborted(std::move(callback));
}
std::optional<Exchange::TakenOver> HandedExchange::take_over(HttpResponse response) {
    const auto connection = current();
    if (!connection) return std::nullopt;
    return connection->take_over(response);
}

}  // namespace stile::drivers
