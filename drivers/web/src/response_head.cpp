// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "response_head.hpp"

#include <stile/base/text.hpp>

#include <algorithm>

namespace stile::drivers {
namespace {

using Persistence = RequestHead::Persistence;

// Set from the response's own framing, whatever a handler passes on from elsewhere.
bool is_ours(std::string_view name) {
    return iequals(name, "Content-Length") || iequals(name, "Transfer-Encoding") ||
           iequals(name, "Connection") || iequals(name, "Keep-Alive");
}

// A gateway passes on what others wrote: nothing in it may end a line. RFC 9110 Section 5.5.
bool is_clean(const Field& field) {
    const auto is_token_char = [](char c) {
        return is_alnum(c) || std::string_view{"!#$%&'*+-.^_`|~"}.contains(c);
    };
    const auto is_value_char = [](char c) { return c != '\r' && c != '\n' && c != '\0'; };
    return !field.name.empty() && std::ranges::all_of(field.name, is_token_char) &&
           std::ranges::all_of(field.value, is_value_char);
}

}  // namespace

ResponsePlan plan_response(const RequestHead& request, const HttpResponse& response, WallTime now,
                           Persistence& persistence) {
    using Body = ResponsePlan::Body;
    const unsigned status = response.status;
    const bool switches =
        status == 101 || (request.request.method == "CONNECT" && status / 100 == 2);
    const bool never_a_body = switches || status / 100 == 1 || status == 204 || status == 304;

    ResponsePlan plan;
    if (never_a_body || request.request.method == "HEAD") {
        plan.body = Body::None;
    } else if (response.length) {
        plan.body = Body::Length;
    } else if (request.version == HttpVersion::V1_1) {
        plan.body = Body::Chunked;
    } else {
        plan.body = Body::UntilEnd;
        persistence = Persistence::Close;
    }

    std::string& head = plan.head;
    head = "HTTP/1.1 " + std::to_string(status) + " ";
    head += reason_phrase(status);
    head += "\r\n";
    if (!response.fields.find("Date")) {
        head += "Date: " + http_date(now.time_since_epoch().count()) + "\r\n";
    }
    for (const Field& field : response.fields) {
        if (switches ? !is_clean(field) : is_ours(field.name) || !is_clean(field)) continue;
        head += field.name + ": " + field.value + "\r\n";
    }
    if (!never_a_body || (status == 304 && response.length)) {
        if (response.length) {
            head += "Content-Length: " + std::to_string(*response.length) + "\r\n";
        } else if (request.version == HttpVersion::V1_1) {
            head += "Transfer-Encoding: chunked\r\n";
        }
    }
    if (!switches && persistence == Persistence::Close) {
        head += "Connection: close\r\n";
    } else if (!switches && request.version == HttpVersion::V1_0) {
        head += "Connection: keep-alive\r\n";
    }
    head += "\r\n";
    return plan;
}

}  // namespace stile::drivers
