// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/loop.hpp>
#include <stile/drivers/stream.hpp>
#include <stile/drivers/web.hpp>

#include <expected>
#include <functional>
#include <memory>

namespace stile::drivers {

struct HttpAnswer {
    unsigned status = 0;
    Fields fields;
    Bytes body;
};

struct HttpClientError {
    CloseReason reason = CloseReason::Failed;
    std::string text;
};

struct HttpClientRequest {
    std::string method = "GET";
    std::string host;  // the Host field
    std::string target = "/";
    Fields fields;
    Bytes body;
    std::size_t most_body = 1'048'576;  // a larger answer is an error
    Duration deadline = std::chrono::seconds{30};
};

// One request over a stream of its own, which may still be connecting. Destroying it gives the
// request up without a callback.
class HttpClientCall {
public:
    using Done = std::move_only_function<void(std::expected<HttpAnswer, HttpClientError>)>;
    HttpClientCall(Loop& loop, std::unique_ptr<Stream> stream, HttpClientRequest request,
                   Done done);
    HttpClientCall(const HttpClientCall&) = delete;
    HttpClientCall& operator=(const HttpClientCall&) = delete;
    ~HttpClientCall();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace stile::drivers
