// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The only file that sees Beast: it takes many seconds to compile.
#include "http_head.hpp"

#include <stile/base/text.hpp>
#include <stile/drivers/web_limits.hpp>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

namespace stile::drivers {
namespace {

namespace http = boost::beast::http;

HeadFault fault_of(const boost::system::error_code& failed) {
    if (failed == http::error::bad_version) return HeadFault::UnknownVersion;
    if (failed == http::error::header_limit) return HeadFault::TooLong;
    return HeadFault::Malformed;
}

// Bodies are framed by BodyDecoder: Beast 1.81's chunk parser asserts on a final chunk that comes
// in small pieces.
template <class Parser>
std::expected<void, HeadFault> read_head(Parser& parser, BytesView head) {
    parser.header_limit(static_cast<std::uint32_t>(most_head_octets));
    parser.skip(true);
    boost::system::error_code failed;
    const std::size_t used =
        parser.put(boost::asio::const_buffer{head.data(), head.size()}, failed);
    if (failed) return std::unexpected(fault_of(failed));
    if (used != head.size() || !parser.is_done()) return std::unexpected(HeadFault::Malformed);
    return {};
}

template <class Message>
Fields to_fields(const Message& message) {
    Fields fields;
    for (const auto& field : message) {
        fields.add(std::string{field.name_string()}, std::string{field.value()});
    }
    return fields;
}

std::size_t count(const Fields& fields, std::string_view name) {
    std::size_t found = 0;
    for (const Field& field : fields) {
        if (iequals(field.name, name)) ++found;
    }
    return found;
}

}  // namespace

std::optional<std::size_t> find_head_end(BytesView input) {
    constexpr std::string_view end = "\r\n\r\n";
    const auto found = as_text(input).find(end);
    if (found == std::string_view::npos) return std::nullopt;
    return found + end.size();
}

std::expected<RequestHead, HeadFault> parse_request_head(BytesView head) {
    http::request_parser<http::empty_body> parser;
    if (const auto read = read_head(parser, head); !read) return std::unexpected(read.error());
    const auto& message = parser.get();
    RequestHead parsed;
    parsed.request.method = std::string{message.method_string()};
    parsed.request.target = std::string{message.target()};
    parsed.request.fields = to_fields(message);
    parsed.version = message.version() == 11 ? HttpVersion::V1_1 : HttpVersion::V1_0;
    parsed.persistence =
        parser.keep_alive() ? RequestHead::Persistence::KeepAlive : RequestHead::Persistence::Close;
    const Fields& fields = parsed.request.fields;
    // RFC 9112 Section 3.2.
    const std::size_t hosts = count(fields, "Host");
    if (hosts > 1 || (hosts == 0 && parsed.version == HttpVersion::V1_1)) {
        return std::unexpected(HeadFault::Malformed);
    }
    if (const auto coding = fields.find("Transfer-Encoding")) {
        // RFC 9112 Section 6.1: the mark of request smuggling, or of a coding that is not spoken
        // here.
        if (parsed.version == HttpVersion::V1_0) return std::unexpected(HeadFault::Malformed);
        if (!iequals(trim(*coding), "chunked") || count(fields, "Transfer-Encoding") > 1) {
            return std::unexpected(HeadFault::UnknownCoding);
        }
        parsed.framing = Framing::Chunked;
    } else if (const auto length = parser.content_length()) {
        parsed.framing = *length > 0 ? Framing::Length : Framing::None;
        parsed.length = *length;
        parsed.request.content_length = *length;
    }
    return parsed;
}

std::expected<ResponseHead, HeadFault> parse_response_head(BytesView head) {
    http::response_parser<http::empty_body> parser;
    if (const auto read = read_head(parser, head); !read) return std::unexpected(read.error());
    const auto& message = parser.get();
    ResponseHead parsed;
    parsed.status = message.result_int();
    parsed.fields = to_fields(message);
    const bool bodiless = parsed.status / 100 == 1 || parsed.status == 204 || parsed.status == 304;
    if (bodiless) return parsed;
    if (const auto coding = parsed.fields.find("Transfer-Encoding")) {
        if (!iequals(trim(*coding), "chunked")) return std::unexpected(HeadFault::UnknownCoding);
        parsed.framing = Framing::Chunked;
    } else if (const auto length = parser.content_length()) {
        parsed.framing = *length > 0 ? Framing::Length : Framing::None;
        parsed.length = *length;
    } else {
        parsed.framing = Framing::UntilEnd;
    }
    return parsed;
}

}  // namespace stile::drivers
