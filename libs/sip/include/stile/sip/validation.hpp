// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message.hpp>

namespace stile::sip {

// Why a request is refused, and with which response. RFC 3261 Sections 8.2, 16.3.
struct Rejection {
    Status status;
    ParseError error;
    HeaderName header = HeaderName::Other;  // the field at fault, Other for the start line
    std::string reason;                     // for the reason phrase: "Bad CSeq"
};

// Is the request sound enough for an element to work on? Looks at the version, the Request-URI, the
// fields that every request has (To, From, CSeq, Call-ID, Via), that what may stand once does, that
// CSeq names the method, and that Max-Forwards, Route and, where there, Contact parse. Does not ask
// for Max-Forwards to be there: RFC 3261 Section 16.3 lets requests of RFC 2543 elements pass.
// Requires: a request.
std::expected<void, Rejection> validate_request(const Message& request);

// Is the response sound? One that is not is dropped. Requires: a response.
std::expected<void, ParseError> validate_response(const Message& response);

// Can a response be made? False for an ACK, and where Via, To, From, Call-ID or CSeq is absent.
// Their values need not parse: where the top Via does not, the response goes back to where the
// request came from.
bool is_answerable(const Message& message);

}  // namespace stile::sip
