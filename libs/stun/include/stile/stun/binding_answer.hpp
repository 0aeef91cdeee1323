// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/stun/message_view.hpp>

#include <expected>
#include <optional>
#include <string>

namespace stile::stun {

// What a server says of who asked it.
struct BindingAnswer {
    SocketAddress mapped;
    // MAPPED-ADDRESS, where XOR-MAPPED-ADDRESS is there too: another value shows that something on
    // the way rewrites addresses inside of packets. RFC 5780 Section 3.6.
    std::optional<SocketAddress> mapped_in_clear;
    std::optional<SocketAddress> origin;  // RESPONSE-ORIGIN
    std::optional<SocketAddress> other;   // OTHER-ADDRESS, of the same family as `mapped`
    std::string software;
};

struct BindingRefusal {
    std::uint16_t code = 0;  // 0: a success without a mapped address
    std::string reason;
};

// Reads the response to a Binding request. A server of RFC 3489, which knows no
// XOR-MAPPED-ADDRESS, is understood: RFC 5389 Section 12.1.
// Requires: a success or error response.
std::expected<BindingAnswer, BindingRefusal> read_binding_answer(const MessageView& response);

}  // namespace stile::stun
