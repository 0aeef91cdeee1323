// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message.hpp>

namespace stile::sip {

// Writes a message from nothing. Header fields stand in the order in which they are added;
// Content-Length comes last and is always there. What could break a line (CR, LF, NUL) becomes a
// space, so no value can smuggle a header field in.
class MessageBuilder {
public:
    static MessageBuilder request(Method method, const Uri& target);  // method is not Other
    // Requires: method is a token; target is a URI.
    static MessageBuilder request(std::string_view method, std::string_view target);
    // Without a reason the default one.
    static MessageBuilder response(Status status, std::string_view reason = {});

    // Requires: name is not Other and not Content-Length.
    MessageBuilder& add(HeaderName name, std::string_view value);
    // Requires: name is a token.
    MessageBuilder& add(std::string_view name, std::string_view value);
    MessageBuilder& add(const Via& via);
    MessageBuilder& add(const CSeq& cseq);
    MessageBuilder& add(HeaderName name, const NameAddr& address);
    MessageBuilder& add(const Contact& contact);
    MessageBuilder& add_number(HeaderName name, std::uint32_t number);
    // Every line of that name in `source`, as it stands.
    MessageBuilder& copy(const Message& source, HeaderName name);
    MessageBuilder& body(const MediaType& type, BytesView octets);
    // For a Content-Type that is written out.
    MessageBuilder& body(std::string_view type, BytesView octets);

    // The message, for further work on it; its wire() is what to send.
    Message build() const;
    Bytes serialize() const;

private:
    MessageBuilder() = default;

    std::string text_;
    Bytes body_;
};

// Does a response bear Record-Route? Only one that makes a dialog does. RFC 3261 Section 12.1.1.
enum class RecordRoutes : std::uint8_t { Leave, Copy };

struct ResponseOptions {
    std::string_view reason = {};  // empty: the default one
    std::string_view to_tag = {};  // added to To if it has none; leave empty for 100
    RecordRoutes record_routes = RecordRoutes::Leave;
};

// Starts a response: all Via values, From, To, Call-ID and CSeq of the request, Timestamp in a 100.
// RFC 3261 Section 8.2.6. Requires: is_answerable(request).
MessageBuilder make_response(const Message& request, Status status,
                             const ResponseOptions& options = {});

}  // namespace stile::sip
