// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>

namespace stile::stun {

Bytes error_response(const MessageView& request, const ErrorCode& error) {
    STILE_ASSERT(request.message_class() == Class::Request);
    return MessageBuilder::reply(request, Class::ErrorResponse).add(error).finish();
}

Bytes unknown_attribute_response(const MessageView& request, const UnknownAttributes& unknown) {
    STILE_ASSERT(request.message_class() == Class::Request);
    MessageBuilder builder = MessageBuilder::reply(request, Class::ErrorResponse);
    builder.add(error::unknown_attribute);
    if (request.dialect() == Dialect::Rfc3489 && unknown.types().size() % 2 != 0) {
        // An odd list repeats an attribute, because classic STUN has no padding. RFC 3489 Section
        // 11.2.10.
        Bytes list;
        ByteWriter writer{list};
        unknown.encode(writer, request.id());
        writer.u16(static_cast<std::uint16_t>(unknown.types().back()));
        builder.add_raw(AttributeType::UnknownAttributes, list);
    } else {
        builder.add(unknown);
    }
    return builder.finish();
}

std::optional<Bytes> refuse_classic(const MessageView& message) {
    if (message.dialect() != Dialect::Rfc3489) return std::nullopt;
    if (message.message_class() != Class::Request) return std::nullopt;
    return error_response(message, error::server_error);
}

std::optional<Bytes> BindingResponder::respond(const MessageView& request,
                                               const SocketAddress& source) const {
    if (request.message_class() != Class::Request || request.method() != Method::Binding) {
        return std::nullopt;
    }
    UnknownAttributes unknown;
    const auto change = request.get<ChangeRequest>();
    // Old clients always send CHANGE-REQUEST; if it asks for nothing there is nothing to refuse.
    if (change && change->asks_for_nothing()) {
        unknown = request.unknown_required({AttributeType::ChangeRequest});
    } else {
        unknown = request.unknown_required();
    }
    if (!unknown.empty()) return unknown_attribute_response(request, unknown);

    MessageBuilder builder = MessageBuilder::reply(request, Class::SuccessResponse);
    if (request.dialect() == Dialect::Rfc3489) {
        return builder.add(MappedAddress{source}).finish();
    }
    builder.add(XorMappedAddress{source});
    if (!software.empty()) builder.add(Software{software});
    if (check_fingerprint(request) == Fingerprint::Correct) builder.add_fingerprint();
    return builder.finish();
}

}  // namespace stile::stun
