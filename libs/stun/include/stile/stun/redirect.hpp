// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/stun/message_view.hpp>

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stile::stun {

// RFC 8489 Section 10: "within the last five minutes".
inline constexpr Duration redirect_memory = std::chrono::minutes{5};
// Servers of one redirected request: honest chains have one or two.
inline constexpr std::size_t most_redirects = 8;

// Where a server sends its client. The transport, and the credentials, stay the same.
struct Redirect {
    SocketAddress server;
    std::string domain;  // whom the certificate must be for; empty: whom it had to be for before
};

enum class RedirectRefusal : std::uint8_t {
    NotOne,       // the response is no error 300
    NoServer,     // without an ALTERNATE-SERVER that can be read
    BeenThere,    // to a server that was asked in the last five minutes
    TooManySteps  // more than most_redirects
};

// The client's side of ALTERNATE-SERVER for one request, with the servers to which it was sent.
class RedirectMemory {
public:
    // Call it before the request goes to a server, the first one included.
    void sent(Instant now, const SocketAddress& server);
    // An address of the family of `from`, the server that answered, is preferred.
    std::expected<Redirect, RedirectRefusal> follow(Instant now, const MessageView& response,
                                                    const SocketAddress& from) const;

private:
    struct Visit {
        SocketAddress server;
        Instant at;
    };
    std::vector<Visit> visits_;
};

// The server's side: an error 300 without credentials.
// Requires: a request; the first of one or two alternates has the family of the request's source,
// a second one the other family; a domain of at most 255 octets, or none.
Bytes redirect_response(const MessageView& request, std::span<const SocketAddress> alternates,
                        std::string_view domain = {});

}  // namespace stile::stun
