// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/http/fields.hpp>
#include <stile/http/status.hpp>

namespace stile::http {

// The head of a request, however it travels: HTTP/1.1, HTTP/2 or HTTP/3.
struct Request {
    std::string method = "GET";  // a token; compare with the names in method.hpp
    std::string scheme = "https";
    std::string authority;                // host and port as in a URI; "" when there is none
    std::string path = "/";               // with the query; "*" for OPTIONS; "" for CONNECT
    std::optional<std::string> protocol;  // of an extended CONNECT (RFC 8441, RFC 9220)
    Fields fields;

    friend bool operator==(const Request&, const Request&) = default;
};

// The head of a response.
struct Response {
    Status status = Status::Ok;
    Fields fields;

    friend bool operator==(const Response&, const Response&) = default;
};

}  // namespace stile::http
