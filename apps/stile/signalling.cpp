// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "signalling.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace stile::peer {

Signalling::Signalling(drivers::Loop& loop, const Account& account, Handlers handlers)
    : loop_(loop), account_(account), handlers_(std::move(handlers)), dialer_(loop) {}

void Signalling::connect() {
    if (state_ != State::Idle) return;
    state_ = State::Dialling;
    dialer_.dial(account_.server_host, account_.sips_port, {}, [this](auto stream) {
        if (stream) return begin(*std::move(stream));
        state_ = State::Idle;
        handlers_.on_unavailable(stream.error());
    });
}

void Signalling::begin(std::unique_ptr<drivers::Stream> stream) {
    const auto context = drivers::TlsContext::client({.host = account_.domain,
                                                      .names = drivers::NameRules::Sip,
                                                      .ca_pem = account_.ca_pem,
                                                      .certificate_pem = account_.certificate_pem,
                                                      .key_pem = account_.key_pem});
    if (!context) {
        state_ = State::Idle;
        return handlers_.on_unavailable({app::ExitCode::Local,
                                         "The stored certificate cannot be used",
                                         context.error().text, "", "log in again with a new link"});
    }
    state_ = State::Connecting;
    stream_ = std::make_unique<drivers::TlsStream>(loop_, std::move(stream), *context);
    stream_->set_handlers({
        .on_open = [this] { handle_open(); },
        .on_bytes = [this](BytesView bytes) { handlers_.on_bytes(flow_, bytes); },
        .on_end = {},
        .on_writable = {},
        .on_closed = [this](drivers::Closed closed) { handle_closed(closed); },
    });
}

void Signalling::handle_open() {
    state_ = State::Open;
    ++flow_.value;
    const SocketAddress local = stream_->local_address();
    handlers_.on_open(sip::Flow{.id = flow_,
                                .transport = sip::TransportKind::Tls,
                                .remote = stream_->peer_address(),
                                .sent_by = {.host = sip::Host{local.ip}, .port = local.port}});
}

void Signalling::handle_closed(const drivers::Closed& closed) {
    const State before = std::exchange(state_, State::Idle);
    if (before == State::Open) return handlers_.on_closed(flow_);
    const bool not_trusted = closed.reason == drivers::CloseReason::Untrusted ||
                             closed.reason == drivers::CloseReason::WrongName ||
                             closed.reason == drivers::CloseReason::Expired;
    const std::string server = fmt::format("{}:{}", account_.server_host, account_.sips_port.value);
    if (not_trusted) {
        return handlers_.on_unavailable(
            {app::ExitCode::NotAuthorised,
             fmt::format("The server {} is not that of {}", server, account_.domain),
             "its certificate is not of the authority of the login", closed.text,
             "somebody may be in between: ask the server's operator"});
    }
    handlers_.on_unavailable({app::ExitCode::NoPath,
                              fmt::format("The server {} cannot be reached", server),
                              std::string{drivers::to_string(closed.reason)}, closed.text,
                              "check the network and that stiled runs there"});
}

void Signalling::write(sip::FlowId flow, BytesView bytes) {
    // A server that does not read for so long is as good as gone; the flow's own timers see to it.
    if (state_ == State::Open && flow == flow_) (void)stream_->write(bytes);
}

void Signalling::follow_addresses(const std::vector<IpAddress>& addresses) {
    if (state_ != State::Open && state_ != State::Connecting) return;
    const IpAddress local = stream_->local_address().ip;
    if (local.is_unspecified() || std::ranges::find(addresses, local) != addresses.end()) return;
    stream_.reset();
    const State before = std::exchange(state_, State::Idle);
    if (before == State::Open) return handlers_.on_closed(flow_);
    connect();
}

void Signalling::close(sip::FlowId flow) {
    if (state_ == State::Open && flow == flow_) stream_->close();
}

}  // namespace stile::peer
