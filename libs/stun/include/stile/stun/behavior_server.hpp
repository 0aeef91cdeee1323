// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/stun/message_view.hpp>

#include <optional>
#include <string_view>

namespace stile::stun {

// The server's side of RFC 5780: a Binding responder that tells and shows what NATs on the way do.
// With two addresses and two ports, all four of which receive and send, it does all of it. With one
// it tells no other and refuses CHANGE-REQUEST, but knows RESPONSE-PORT and PADDING (Section 6);
// requests without any of these are answered as BindingResponder does, in few octets. Holds no
// state. No answer is longer than its request by more than an empty Binding answer, whatever
// PADDING asks.
struct BehaviorServer {
    struct Answer {
        Path path;  // from where to where
        Bytes response;
    };

    IpAddress primary;
    std::optional<IpAddress> alternate;  // of the same family, another address
    Port primary_port;
    std::optional<Port> alternate_port;  // absent together with the alternate address
    std::string_view software;

    // path.local is where the request came in, one of the four. Nothing for what is not a Binding
    // request, nor for another address. RFC 5780 Section 6.1. A request of RFC 3489 (parsed with
    // MagicCookie::Optional) is answered in that dialect.
    std::optional<Answer> respond(const MessageView& request, const Path& path) const;
    // The same for a connection: CHANGE-REQUEST, RESPONSE-PORT and PADDING are about datagrams and
    // refused. The answer goes back on the connection.
    std::optional<Bytes> respond_on_connection(const MessageView& request, const Path& path) const;

private:
    std::optional<SocketAddress> other_than(const SocketAddress& received_at) const;
    bool serves(const SocketAddress& received_at) const;
};

}  // namespace stile::stun
