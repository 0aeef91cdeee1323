// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/assert.hpp>
#include <stile/sip/validation.hpp>

#include <bitset>
#include <utility>

namespace stile::sip {
namespace {

using Result = std::expected<void, Rejection>;

std::unexpected<Rejection> reject(ParseError error, HeaderName header,
                                  Status status = status::BadRequest) {
    std::string reason{default_reason(status)};
    if (status == status::BadRequest) {
        const bool known = header != HeaderName::Other;
        reason = error == ParseError::Missing     ? "Missing "
                 : error == ParseError::Duplicate ? "Duplicate "
                                                  : "Bad ";
        reason += known ? header_text(header) : "Request-URI";
    }
    return std::unexpected(
        Rejection{.status = status, .error = error, .header = header, .reason = std::move(reason)});
}

template <class T>
Result check(const std::expected<T, ParseError>& value, HeaderName header) {
    if (!value) return reject(value.error(), header);
    return {};
}
template <class T>
Result check_if_there(const std::expected<T, ParseError>& value, HeaderName header) {
    if (!value && value.error() != ParseError::Missing) return reject(value.error(), header);
    return {};
}

Result check_duplicates(const Message& message) {
    std::bitset<std::to_underlying(HeaderName::Other) + 1U> seen;
    for (std::size_t i = 0; i < message.header_count(); ++i) {
        const HeaderName name = message.header(i).name;
        if (value_form(name) != ValueForm::Single) continue;
        if (seen.test(std::to_underlying(name))) return reject(ParseError::Duplicate, name);
        seen.set(std::to_underlying(name));
    }
    return {};
}

Result check_target(const Message& request) {
    const auto uri = request.request_uri();
    if (!uri) return reject(uri.error(), HeaderName::Other);
    if (uri->scheme == Scheme::Other) {
        return reject(ParseError::BadUri, HeaderName::Other, status::UnsupportedUriScheme);
    }
    // RFC 3261 Section 19.1.1, table 1: no headers in a Request-URI.
    if (!uri->headers.empty()) return reject(ParseError::BadUri, HeaderName::Other);
    return {};
}

template <class Values>
Result check_all(const Values& values, HeaderName name) {
    for (const auto& value : values) {
        if (!value) return reject(value.error(), name);
    }
    return {};
}

// What requests and responses share.
Result check_common(const Message& message) {
    if (auto bad = check_duplicates(message); !bad) return bad;
    if (auto bad = check(message.to(), HeaderName::To); !bad) return bad;
    if (auto bad = check(message.from(), HeaderName::From); !bad) return bad;
    if (auto bad = check(message.call_id(), HeaderName::CallId); !bad) return bad;
    if (auto bad = check(message.cseq(), HeaderName::CSeq); !bad) return bad;
    return check(message.top_via(), HeaderName::Via);
}

}  // namespace

std::expected<void, Rejection> validate_request(const Message& request) {
    STILE_ASSERT(request.is_request());
    if (!request.is_version_2()) {
        return reject(ParseError::BadVersion, HeaderName::Other, status::VersionNotSupported);
    }
    if (auto bad = check_common(request); !bad) return bad;
    const auto cseq = request.cseq();
    if (cseq->method_text() != request.method_text()) {
        return reject(ParseError::BadMethod, HeaderName::CSeq);
    }
    if (auto bad = check_if_there(request.max_forwards(), HeaderName::MaxForwards); !bad)
        return bad;
    if (auto bad = check_all(request.routes(HeaderName::Route), HeaderName::Route); !bad)
        return bad;
    if (auto bad = check(request.contacts(), HeaderName::Contact); !bad) return bad;
    // Last, so that what is both malformed and of an unknown scheme is told the more useful thing.
    return check_target(request);
}

std::expected<void, ParseError> validate_response(const Message& response) {
    STILE_ASSERT(response.is_response());
    if (!response.is_version_2()) return std::unexpected(ParseError::BadVersion);
    if (const auto bad = check_common(response); !bad) return std::unexpected(bad.error().error);
    return {};
}

bool is_answerable(const Message& message) {
    if (!message.is_request() || message.method() == Method::Ack) return false;
    for (const HeaderName name : {HeaderName::Via, HeaderName::To, HeaderName::From,
                                  HeaderName::CallId, HeaderName::CSeq}) {
        if (!message.contains(name)) return false;
    }
    return true;
}

}  // namespace stile::sip
