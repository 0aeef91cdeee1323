// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn_link/wire.hpp>

#include <stile/drivers/dtls.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/udp_socket.hpp>
#include <stile/turn/stream_framing.hpp>

#include <utility>

namespace stile::turn_link {
namespace {

using drivers::Closed;
using drivers::CloseReason;
using turn::ClientTransport;

SocketAddress source_for(const turn::ServerAddress& server, std::optional<IpAddress> local) {
    if (local) return {.ip = *local, .port = {}};
    const auto chosen = drivers::source_address_for(server.address);
    if (chosen) return {.ip = *chosen, .port = {}};
    return {.ip = server.address.ip.is_v6() ? IpAddress::parse("::").value() : IpAddress{},
            .port = {}};
}

std::expected<drivers::TlsContext, std::string> context_for(const Security& security,
                                                            drivers::TlsCarrier carrier) {
    drivers::TlsClientConfig config;
    config.host = security.host;
    config.ca_pem = security.ca_pem;
    config.alpn = {alpn_turn};
    auto context = drivers::TlsContext::client(config, carrier);
    if (!context) return std::unexpected{context.error().text};
    return *std::move(context);
}

std::string describe(const std::string& version, const std::string& cipher,
                     const std::string& alpn) {
    return version + " " + cipher + (alpn.empty() ? std::string{} : ", ALPN " + alpn);
}

// Hard errors alone end what is asked. RFC 8489 Section 6.2.1, RFC 1122 Section 3.2.2.1, RFC 4443.
bool is_hard(const drivers::IcmpError& error) {
    if (error.destination.ip.is_v6()) return error.type == 1 && error.code == 4;
    return error.type == 3 && (error.code == 2 || error.code == 3);
}

std::expected<std::unique_ptr<drivers::UdpSocket>, drivers::OsError> open_socket(
    drivers::Loop& loop, const turn::ServerAddress& server, std::optional<IpAddress> local) {
    drivers::UdpOptions options;
    options.icmp_errors = drivers::UdpOptions::IcmpErrors::Reported;
    return drivers::UdpSocket::open(loop, source_for(server, local), options);
}

// What could not begin: says so when nobody is inside a call.
class BrokenWire final : public Wire {
public:
    BrokenWire(drivers::Loop& loop, std::string text, WireHandlers handlers)
        : handlers_(std::make_shared<WireHandlers>(std::move(handlers))),
          timer_(loop, [kept = handlers_, text = std::move(text)] {
              kept->on_unreachable({.reason = CloseReason::Failed, .text = text});
          }) {
        timer_.arm(loop.now());
    }
    void send(BytesView) override {}
    SocketAddress local_address() const override { return {}; }
    std::string security() const override { return {}; }

private:
    std::shared_ptr<WireHandlers> handlers_;
    drivers::Timer timer_;
};

class UdpWire final : public Wire {
public:
    UdpWire(drivers::Loop& loop, std::unique_ptr<drivers::UdpSocket> socket, SocketAddress server,
            WireHandlers handlers)
        : handlers_(std::make_shared<WireHandlers>(std::move(handlers))),
          path_{.local = socket->local_address(), .remote = server},
          opened_(loop, [kept = handlers_] { kept->on_open(); }),
          socket_(std::move(socket)) {
        socket_->on_datagrams([kept = handlers_, weak = std::weak_ptr{alive_},
                               server](std::span<const drivers::Datagram> batch) {
            for (const drivers::Datagram& datagram : batch) {
                if (weak.expired()) return;
                if (datagram.path.remote == server) kept->on_message(datagram.payload);
            }
        });
        socket_->on_icmp_error([kept = handlers_, server](const drivers::IcmpError& error) {
            if (error.destination != server || !is_hard(error)) return;
            kept->on_unreachable(
                {.reason = CloseReason::Refused,
                 .text = "ICMP says that nothing listens at " + server.to_string() + " (UDP)"});
        });
        opened_.arm(loop.now());
    }
    void send(BytesView message) override {
        socket_->send(Transmit{.path = path_, .payload = message});
    }
    SocketAddress local_address() const override { return path_.local; }
    std::string security() const override { return {}; }

private:
    std::shared_ptr<WireHandlers> handlers_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
    Path path_;
    drivers::Timer opened_;
    std::unique_ptr<drivers::UdpSocket> socket_;
};

class DtlsWire final : public Wire {
public:
    DtlsWire(drivers::Loop& loop, std::unique_ptr<drivers::UdpSocket> socket, SocketAddress server,
             const drivers::TlsContext& context, WireHandlers handlers)
        : handlers_(std::make_shared<WireHandlers>(std::move(handlers))),
          client_(loop, std::move(socket), server, context) {
        client_.set_handlers({
            .on_open = [kept = handlers_] { kept->on_open(); },
            .on_data = [kept = handlers_](MutableBytes data) { kept->on_message(data); },
            .on_closed = [kept = handlers_](Closed why) { kept->on_unreachable(std::move(why)); },
        });
    }
    ~DtlsWire() override { client_.close(); }
    void send(BytesView message) override { (void)client_.send(message); }
    SocketAddress local_address() const override { return client_.local_address(); }
    std::string security() const override {
        return describe(client_.version(), client_.cipher(), client_.alpn());
    }

private:
    std::shared_ptr<WireHandlers> handlers_;
    drivers::DtlsClient client_;
};

class StreamWire final : public Wire {
public:
    StreamWire(std::unique_ptr<drivers::Stream> stream, WireHandlers handlers)
        : handlers_(std::make_shared<WireHandlers>(std::move(handlers))),
          stream_(std::move(stream)) {
        stream_->set_handlers({
            .on_open = [kept = handlers_] { kept->on_open(); },
            .on_bytes = [this](BytesView octets) { take(octets); },
            .on_end = {},
            .on_writable = {},
            .on_closed = [kept = handlers_](Closed why) { kept->on_unreachable(std::move(why)); },
        });
    }
    // What was written still leaves, the release above all.
    ~StreamWire() override { stream_->close(); }
    // A queue that is full loses the message, as a network would.
    void send(BytesView message) override { (void)stream_->write(message); }
    SocketAddress local_address() const override { return stream_->local_address(); }
    std::string security() const override {
        const auto* tls = dynamic_cast<const drivers::TlsStream*>(stream_.get());
        return tls == nullptr ? std::string{}
                              : describe(tls->version(), tls->cipher(), tls->alpn());
    }

private:
    void take(BytesView octets) {
        const auto kept = handlers_;
        const std::weak_ptr alive{alive_};
        incoming_.insert(incoming_.end(), octets.begin(), octets.end());
        std::size_t taken = 0;
        for (;;) {
            const BytesView rest = BytesView{incoming_}.subspan(taken);
            const auto size = turn::framed_size(rest);
            if (!size && size.error() == turn::FramingError::NotTurn) {
                stream_->close();
                kept->on_unreachable(
                    {.reason = CloseReason::Protocol, .text = "the server does not speak TURN"});
                return;
            }
            if (!size || *size > rest.size()) break;
            const Bytes message = to_bytes(rest.first(*size));
            taken += *size;
            kept->on_message(message);
            if (alive.expired()) return;
        }
        incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(taken));
    }

    std::shared_ptr<WireHandlers> handlers_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
    Bytes incoming_;
    std::unique_ptr<drivers::Stream> stream_;
};

}  // namespace

std::expected<std::unique_ptr<drivers::Stream>, std::string> open_stream(
    drivers::Loop& loop, const turn::ServerAddress& server, std::optional<IpAddress> local,
    const Security& security) {
    drivers::TcpOptions options;
    if (local) options.local = SocketAddress{.ip = *local, .port = {}};
    auto tcp = drivers::TcpStream::connect(loop, server.address, options);
    if (server.transport != ClientTransport::Tls) return tcp;
    const auto context = context_for(security, drivers::TlsCarrier::Stream);
    if (!context) return std::unexpected{context.error()};
    return std::make_unique<drivers::TlsStream>(loop, std::move(tcp), *context);
}

std::unique_ptr<Wire> Wire::open(drivers::Loop& loop, const turn::ServerAddress& server,
                                 std::optional<IpAddress> local, const Security& security,
                                 WireHandlers handlers) {
    const auto broken = [&](std::string text) {
        return std::make_unique<BrokenWire>(loop, std::move(text), std::move(handlers));
    };
    if (turn::is_stream(server.transport)) {
        auto stream = open_stream(loop, server, local, security);
        if (!stream) return broken(stream.error());
        return std::make_unique<StreamWire>(*std::move(stream), std::move(handlers));
    }
    auto socket = open_socket(loop, server, local);
    if (!socket) return broken(socket.error().text);
    if (server.transport == ClientTransport::Udp) {
        return std::make_unique<UdpWire>(loop, *std::move(socket), server.address,
                                         std::move(handlers));
    }
    const auto context = context_for(security, drivers::TlsCarrier::Datagrams);
    if (!context) return broken(context.error());
    return std::make_unique<DtlsWire>(loop, *std::move(socket), server.address, *context,
                                      std::move(handlers));
}

}  // namespace stile::turn_link
