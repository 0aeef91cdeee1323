// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "message_parser.hpp"
#include "scan.hpp"

#include <stile/base/assert.hpp>
#include <stile/sip/message_builder.hpp>

namespace stile::sip {
namespace {

constexpr std::string_view line_end = "\r\n";

// What could end a line early becomes a space.
void append_value(std::string& text, std::string_view value) {
    for (const char c : value) text += c == '\r' || c == '\n' ? ' ' : c;
}

}  // namespace

MessageBuilder MessageBuilder::request(Method method, const Uri& target) {
    return request(sip::method_text(method), target.to_string());
}

MessageBuilder MessageBuilder::request(std::string_view method, std::string_view target) {
    STILE_ASSERT(scan::is_token(method));
    STILE_ASSERT(!target.empty() && scan::find_any(target, " \t\r\n") == std::string_view::npos);
    MessageBuilder builder;
    builder.text_.reserve(1024);
    builder.text_.append(method).append(" ").append(target).append(" SIP/2.0\r\n");
    return builder;
}

MessageBuilder MessageBuilder::response(Status status, std::string_view reason) {
    STILE_ASSERT(status.code >= 100 && status.code <= 699);
    MessageBuilder builder;
    builder.text_.reserve(1024);
    builder.text_.append("SIP/2.0 ").append(std::to_string(status.code)).append(" ");
    append_value(builder.text_, reason.empty() ? default_reason(status) : reason);
    builder.text_.append(line_end);
    return builder;
}

MessageBuilder& MessageBuilder::add(HeaderName name, std::string_view value) {
    STILE_ASSERT(name != HeaderName::ContentLength);
    return add(header_text(name), value);
}

MessageBuilder& MessageBuilder::add(std::string_view name, std::string_view value) {
    STILE_ASSERT(scan::is_token(name));
    text_.append(name).append(": ");
    append_value(text_, value);
    text_.append(line_end);
    return *this;
}

MessageBuilder& MessageBuilder::add(const Via& via) {
    return add(HeaderName::Via, via.to_string());
}
MessageBuilder& MessageBuilder::add(const CSeq& cseq) {
    return add(HeaderName::CSeq, cseq.to_string());
}
MessageBuilder& MessageBuilder::add(HeaderName name, const NameAddr& address) {
    return add(name, address.to_string());
}
MessageBuilder& MessageBuilder::add(const Contact& contact) {
    return add(HeaderName::Contact, contact.to_string());
}
MessageBuilder& MessageBuilder::add_number(HeaderName name, std::uint32_t number) {
    return add(name, std::to_string(number));
}

MessageBuilder& MessageBuilder::copy(const Message& source, HeaderName name) {
    for (std::size_t i = 0; i < source.header_count(); ++i) {
        const HeaderField field = source.header(i);
        if (field.name == name) add(name, field.value);
    }
    return *this;
}

MessageBuilder& MessageBuilder::body(const MediaType& type, BytesView octets) {
    return body(type.to_string(), octets);
}
MessageBuilder& MessageBuilder::body(std::string_view type, BytesView octets) {
    body_ = to_bytes(octets);
    return add(HeaderName::ContentType, type);
}

Bytes MessageBuilder::serialize() const {
    const std::string tail = "Content-Length: " + std::to_string(body_.size()) + "\r\n\r\n";
    Bytes wire;
    wire.reserve(text_.size() + tail.size() + body_.size());
    for (const BytesView part : {as_bytes(text_), as_bytes(tail), BytesView{body_}}) {
        wire.insert(wire.end(), part.begin(), part.end());
    }
    return wire;
}

Message MessageBuilder::build() const { return MessageParser::parse_own(serialize()); }

MessageBuilder make_response(const Message& request, Status status,
                             const ResponseOptions& options) {
    MessageBuilder builder = MessageBuilder::response(status, options.reason);
    builder.copy(request, HeaderName::Via);
    if (options.record_routes == RecordRoutes::Copy) {
        builder.copy(request, HeaderName::RecordRoute);
    }
    builder.copy(request, HeaderName::From);
    const auto to = request.to();
    if (to && !to->tag() && !options.to_tag.empty()) {
        std::string value{*request.find(HeaderName::To)};
        builder.add(HeaderName::To, value.append(";tag=").append(options.to_tag));
    } else {
        builder.copy(request, HeaderName::To);
    }
    builder.copy(request, HeaderName::CallId);
    builder.copy(request, HeaderName::CSeq);
    if (status == status::Trying) builder.copy(request, HeaderName::Timestamp);
    return builder;
}

}  // namespace stile::sip
