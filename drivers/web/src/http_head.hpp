// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/web.hpp>

#include <expected>

namespace stile::drivers {

enum class HttpVersion : std::uint8_t { V1_0, V1_1 };

// How the end of a body is found. RFC 9112 Section 6.3.
enum class Framing : std::uint8_t { None, Length, Chunked, UntilEnd };

struct RequestHead {
    HttpRequest request;
    HttpVersion version = HttpVersion::V1_1;
    Framing framing = Framing::None;
    std::uint64_t length = 0;
    enum class Persistence : std::uint8_t { Close, KeepAlive };
    Persistence persistence = Persistence::Close;
};

struct ResponseHead {
    unsigned status = 0;
    Fields fields;
    Framing framing = Framing::None;  // as for an answer to GET
    std::uint64_t length = 0;
};

// Why a head cannot be used, as the status that a server answers with.
enum class HeadFault : std::uint16_t {
    Malformed = 400,
    TooLong = 431,
    UnknownCoding = 501,  // a transfer coding other than chunked
    UnknownVersion = 505,
};

// The octets of the head that begins the input, its empty line included; empty if it is not whole.
std::optional<std::size_t> find_head_end(BytesView input);

// `head` is whole.
std::expected<RequestHead, HeadFault> parse_request_head(BytesView head);
std::expected<ResponseHead, HeadFault> parse_response_head(BytesView head);

}  // namespace stile::drivers
