// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"

#include <stile/app/text_file.hpp>
#include <stile/base/try.hpp>
#include <stile/drivers/dtls.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/stun/client_transaction.hpp>
#include <stile/stun/message_builder.hpp>

#include <fmt/format.h>
#include <variant>

namespace stile::probe {
namespace {

using drivers::CloseReason;
using Result = std::variant<std::monostate, Bytes, app::Problem>;

bool secure(Transport transport) {
    return transport == Transport::Tls || transport == Transport::Dtls;
}
bool datagrams(Transport transport) {
    return transport == Transport::Udp || transport == Transport::Dtls;
}

app::Problem closed_problem(const Target& target, const SocketAddress& server,
                            const drivers::Closed& why) {
    const std::string what =
        fmt::format("No answer from {} over {}", server.to_string(), to_string(target.transport));
    switch (why.reason) {
        case CloseReason::Untrusted:
        case CloseReason::Expired:
        case CloseReason::WrongName:
            return {app::ExitCode::NotAuthorised,
                    fmt::format("The certificate of {} is not accepted", target.name),
                    std::string{drivers::to_string(why.reason)}, why.text,
                    "check the name, or give the server's authority with --ca"};
        case CloseReason::RejectedByPeer:
            return {app::ExitCode::Declined, what, "the server ended the handshake", why.text,
                    "ask the server's operator what it expects"};
        case CloseReason::Refused:
            return {
                app::ExitCode::NoPath, what, "nothing listens there", why.text,
                "check the port, or ask over another transport: stile-stun binding --transport"};
        case CloseReason::TimedOut:
            return {app::ExitCode::TimedOut, what, "no connection in time", why.text,
                    "a firewall may be in between: try another --transport"};
        case CloseReason::Protocol:
            return {
                app::ExitCode::NoPath, what,
                fmt::format("what answers there does not speak {}", to_string(target.transport)),
                why.text, "check the port and the transport"};
        case CloseReason::Local:
        case CloseReason::PeerClosed:
        case CloseReason::Truncated:
        case CloseReason::Reset:
        case CloseReason::Unreachable:
        case CloseReason::Proxy:
        case CloseReason::Failed:
            break;
    }
    return {app::ExitCode::NoPath, what, std::string{drivers::to_string(why.reason)}, why.text,
            "check that a STUN server runs there"};
}

std::expected<drivers::TlsContext, app::Problem> tls_context(const CommonOptions& options,
                                                             const Target& target) {
    drivers::TlsClientConfig config{.host = target.name, .handshake_timeout = options.patience};
    // RFC 7443 Section 3. Servers that know no ALPN ignore it.
    config.alpn = {"stun.nat-discovery"};
    if (!options.ca_file.empty()) {
        config.ca_pem = STILE_TRY(app::read_file(options.ca_file, authorities));
    }
    auto context = drivers::TlsContext::client(config, target.transport == Transport::Tls
                                                           ? drivers::TlsCarrier::Stream
                                                           : drivers::TlsCarrier::Datagrams);
    if (context) return *std::move(context);
    return std::unexpected(app::Problem{app::ExitCode::Local, "TLS cannot be started here",
                                        context.error().text, options.ca_file,
                                        "check the file given with --ca"});
}

// One transaction over whatever carries it.
class Asking {
public:
    Asking(drivers::Loop& loop, crypto::RandomStream& random, const Target& target,
           const SocketAddress& server, const CommonOptions& options)
        : loop_(loop),
          target_(target),
          server_(server),
          patience_(options.patience),
          request_(stun::MessageBuilder{stun::Class::Request, stun::Method::Binding,
                                        stun::TransactionId::random(random)}
                       .finish()),
          timer_(loop, [this] {
              transaction_->handle_timeout(loop_.now());
              pump();
          }) {}

    std::optional<app::Problem> open(const IpAddress& local, const CommonOptions& options);
    std::expected<Exchanged, app::Problem> wait();

private:
    std::optional<app::Problem> open_datagrams(const SocketAddress& local);
    void open_dtls(const drivers::TlsContext& context);
    drivers::StreamHandlers stream_handlers();
    void begin();
    void pump();
    void send(BytesView message);
    void take_message(BytesView message);
    void take_bytes(BytesView bytes);
    void closed(const drivers::Closed& why) {
        if (std::holds_alternative<std::monostate>(result_)) {
            result_ = closed_problem(target_, server_, why);
        }
    }

    drivers::Loop& loop_;
    const Target& target_;
    SocketAddress server_;
    Duration patience_;
    Bytes request_;
    std::unique_ptr<drivers::UdpSocket> socket_;
    std::unique_ptr<drivers::DtlsClient> dtls_;
    std::unique_ptr<drivers::Stream> stream_;
    drivers::TlsStream* tls_ = nullptr;  // stream_, where it is one
    Path path_;
    std::optional<stun::ClientTransaction> transaction_;
    drivers::Timer timer_;
    Bytes received_;
    Result result_;
    std::optional<Duration> round_trip_;
    std::string security_;
};

std::optional<app::Problem> Asking::open(const IpAddress& local, const CommonOptions& options) {
    const SocketAddress from{.ip = local, .port = Port{0}};
    std::optional<drivers::TlsContext> context;
    if (secure(target_.transport)) {
        auto made = tls_context(options, target_);
        if (!made) return made.error();
        context = *std::move(made);
    }
    if (datagrams(target_.transport)) {
        if (auto problem = open_datagrams(from)) return problem;
        if (context) open_dtls(*context);
        return std::nullopt;
    }
    auto tcp = drivers::TcpStream::connect(loop_, server_,
                                           {.connect_timeout = options.patience, .local = from});
    if (context) {
        auto tls = std::make_unique<drivers::TlsStream>(loop_, std::move(tcp), *context);
        tls_ = tls.get();
        stream_ = std::move(tls);
    } else {
        stream_ = std::move(tcp);
    }
    stream_->set_handlers(stream_handlers());
    return std::nullopt;
}

std::optional<app::Problem> Asking::open_datagrams(const SocketAddress& local) {
    drivers::UdpOptions reporting;
    reporting.icmp_errors = drivers::UdpOptions::IcmpErrors::Reported;
    auto opened = drivers::UdpSocket::open(loop_, local, reporting);
    if (!opened) {
        return app::Problem{app::ExitCode::Local, "No socket can be opened", opened.error().text,
                            "", "check --local"};
    }
    socket_ = *std::move(opened);
    path_ = {.local = socket_->local_address(), .remote = server_};
    if (target_.transport != Transport::Udp) return std::nullopt;
    socket_->on_datagrams([this](std::span<const drivers::Datagram> batch) {
        for (const drivers::Datagram& datagram : batch) {
            if (datagram.path.remote == server_) take_message(datagram.payload);
        }
    });
    socket_->on_icmp_error([this](const drivers::IcmpError& error) {
        const bool refused = error.destination.ip.is_v4() ? error.type == 3 && error.code == 3
                                                          : error.type == 1 && error.code == 4;
        if (refused) {
            closed(
                {CloseReason::Refused, fmt::format("{}: port unreachable", server_.to_string())});
        }
    });
    begin();
    return std::nullopt;
}

void Asking::open_dtls(const drivers::TlsContext& context) {
    dtls_ = std::make_unique<drivers::DtlsClient>(loop_, std::move(socket_), server_, context);
    dtls_->set_handlers({
        .on_open =
            [this] {
                security_ = fmt::format("{}, {}", dtls_->version(), dtls_->cipher());
                begin();
            },
        .on_data = [this](MutableBytes data) { take_message(data); },
        .on_closed = [this](const drivers::Closed& why) { closed(why); },
    });
}

drivers::StreamHandlers Asking::stream_handlers() {
    return {
        .on_open =
            [this] {
                path_ = {.local = stream_->local_address(), .remote = server_};
                if (tls_ != nullptr) {
                    security_ = fmt::format("{}, {}", tls_->version(), tls_->cipher());
                }
                begin();
            },
        .on_bytes = [this](BytesView bytes) { take_bytes(bytes); },
        .on_end = {},
        .on_writable = {},
        .on_closed = [this](const drivers::Closed& why) { closed(why); },
    };
}

void Asking::begin() {
    const auto schedule = datagrams(target_.transport)
                              ? stun::RetransmitSchedule{}
                              : stun::RetransmitSchedule::reliable(patience_);
    transaction_.emplace(loop_.now(), request_, schedule);
    pump();
}

void Asking::pump() {
    while (const auto message = transaction_->poll_transmit()) send(*message);
    timer_.arm(transaction_->poll_timeout());
    const auto event = transaction_->poll_event();
    if (!event || !std::holds_alternative<std::monostate>(result_)) return;
    if (const auto* answered = std::get_if<stun::ClientTransaction::Answered>(&*event)) {
        round_trip_ = answered->round_trip;
        result_ = answered->response;
    } else {
        result_ = no_answer(server_, target_.transport, patience_);
    }
}

void Asking::send(BytesView message) {
    if (dtls_) {
        dtls_->send(message);
    } else if (stream_) {
        stream_->write(message);
    } else {
        socket_->send(Transmit{.path = path_, .payload = message});
    }
}

void Asking::take_message(BytesView message) {
    const auto parsed = stun::MessageView::parse(message);
    if (!parsed || !transaction_) return;
    transaction_->handle_message(loop_.now(), *parsed, stun::Integrity::Passed);
    pump();
}

void Asking::take_bytes(BytesView bytes) {
    received_.insert(received_.end(), bytes.begin(), bytes.end());
    const auto size = stun::framed_size(received_);
    if (!size && size.error() != stun::ParseError::TooShort) {
        closed({CloseReason::Protocol, "what came is not STUN"});
        return;
    }
    if (!size || received_.size() < *size) return;
    take_message(BytesView{received_}.first(*size));
}

std::expected<Exchanged, app::Problem> Asking::wait() {
    const auto answered = [this] { return !std::holds_alternative<std::monostate>(result_); };
    loop_.run_until(answered, patience_);
    if (const auto* problem = std::get_if<app::Problem>(&result_)) return std::unexpected(*problem);
    const auto* response = std::get_if<Bytes>(&result_);
    if (response == nullptr) {
        return std::unexpected(no_answer(server_, target_.transport, patience_));
    }
    if (dtls_) dtls_->close();
    return Exchanged{.response = *response,
                     .round_trip = round_trip_,
                     .local = dtls_ ? dtls_->local_address() : path_.local,
                     .server = server_,
                     .security = security_};
}

}  // namespace

app::Problem no_answer(const SocketAddress& server, Transport transport, Duration waited) {
    const double seconds = std::chrono::duration<double>(waited).count();
    const bool udp = transport == Transport::Udp;
    return {app::ExitCode::TimedOut,
            fmt::format("No answer from {} over {}", server.to_string(), to_string(transport)),
            udp ? "no STUN server is there, or a firewall on the way drops UDP"
                : "the server keeps silent",
            fmt::format("waited {:.1f} s", seconds),
            udp ? "try 'stile-stun binding --transport tcp', or another server"
                : "try another --transport or server"};
}

app::Problem refused(const SocketAddress& server, std::uint16_t code, std::string_view reason) {
    if (code == 0) {
        return {app::ExitCode::Declined,
                fmt::format("The answer of {} cannot be used", server.to_string()),
                "it holds no address", "", "try another server"};
    }
    const bool credentials = code == 401 || code == 403;
    return {app::ExitCode::Declined, fmt::format("{} refuses", server.to_string()),
            credentials ? "it serves only those it knows" : "",
            fmt::format("STUN error {} {}", code, reason), "try another server"};
}

std::expected<Exchanged, app::Problem> exchange(drivers::Loop& loop, crypto::RandomStream& random,
                                                const CommonOptions& options, const Target& target,
                                                const SocketAddress& server) {
    const auto local = local_address(options, server);
    if (!local) return std::unexpected(local.error());
    Asking asking{loop, random, target, server, options};
    if (auto problem = asking.open(*local, options)) return std::unexpected(*std::move(problem));
    return asking.wait();
}

}  // namespace stile::probe
