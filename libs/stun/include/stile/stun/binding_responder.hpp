// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_view.hpp>

#include <optional>

namespace stile::stun {

// An error response with nothing but its ERROR-CODE, as RFC 8489 Section 6.3.1.1 asks.
// Requires: request is of class Request.
Bytes error_response(const MessageView& request, const ErrorCode& error);

// The 420 answer. RFC 8489 Section 6.3.1.
Bytes unknown_attribute_response(const MessageView& request, const UnknownAttributes& unknown);

// Over TLS and DTLS there is no RFC 3489: the 500 answer to a request without the magic cookie
// (parsed with MagicCookie::Optional). Nothing for any other message, which is then not classic, or
// an indication to be ignored. RFC 8489 Section 11.
std::optional<Bytes> refuse_classic(const MessageView& message);

struct BindingResponder {
    std::string_view software;  // absent from answers if empty

    // The answer to a Binding request without credentials, to be sent to `source` from where the
    // request came in: success with the mapped address, or 420. Nothing for any other message.
    // Holds no state: the same request has the same answer. RFC 8489 Sections 6.3.1 and 12.
    //
    // A request of RFC 3489 (parsed with MagicCookie::Optional) gets MAPPED-ADDRESS. FINGERPRINT is
    // answered with FINGERPRINT. CHANGE-REQUEST that asks for a change is an unknown attribute.
    std::optional<Bytes> respond(const MessageView& request, const SocketAddress& source) const;
};

inline std::optional<Bytes> respond_to_binding(const MessageView& request,
                                               const SocketAddress& source,
                                               std::string_view software = {}) {
    return BindingResponder{software}.respond(request, source);
}

}  // namespace stile::stun
