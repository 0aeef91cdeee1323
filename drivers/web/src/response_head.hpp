// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http_head.hpp"

#include <stile/base/time.hpp>

namespace stile::drivers {

struct ResponsePlan {
    enum class Body : std::uint8_t {
        None,    // HEAD, 1xx, 204 and 304
        Length,  // as many octets as were told
        Chunked,
        UntilEnd,  // the connection's end is the body's
    };
    Body body = Body::None;
    std::string head;
};

// What a response's head and framing must be for this request.
ResponsePlan plan_response(const RequestHead& request, const HttpResponse& response, WallTime now,
                           RequestHead::Persistence& persistence);

}  // namespace stile::drivers
