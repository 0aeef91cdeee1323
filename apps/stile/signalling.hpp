// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "account.hpp"
#include "dialer.hpp"

#include <stile/drivers/loop.hpp>
#include <stile/drivers/tls.hpp>
#include <stile/sip/transaction_layer.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace stile::peer {

// The connection to our own server: SIP over TLS with the certificate of the login. At most one at
// a time. Its certificate must be for our domain (RFC 5922) and of the authority that the login
// named.
class Signalling {
public:
    struct Handlers {
        std::move_only_function<void(const sip::Flow&)> on_open;
        std::move_only_function<void(sip::FlowId, BytesView)> on_bytes;
        std::move_only_function<void(sip::FlowId)> on_closed;
        // No connection could be made.
        std::move_only_function<void(app::Problem)> on_unavailable;
    };

    Signalling(drivers::Loop& loop, const Account& account, Handlers handlers);

    void connect();
    void write(sip::FlowId flow, BytesView bytes);
    void close(sip::FlowId flow);
    // The host's addresses are these now. A connection from one that is gone ends at once: nothing
    // would come on it any more, not even its end.
    void follow_addresses(const std::vector<IpAddress>& addresses);

private:
    enum class State : std::uint8_t { Idle, Dialling, Connecting, Open };

    void begin(std::unique_ptr<drivers::Stream> stream);
    void handle_open();
    void handle_closed(const drivers::Closed& closed);

    drivers::Loop& loop_;
    const Account& account_;
    Handlers handlers_;
    Dialer dialer_;
    std::unique_ptr<drivers::TlsStream> stream_;
    State state_ = State::Idle;
    sip::FlowId flow_;
};

}  // namespace stile::peer
