// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/behavior_server.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>

namespace stile::stun {
namespace {

// Numbers of RFC 3489 Section 11.2 that RFC 5780 replaced. They are left to its dialect.
constexpr AttributeType source_address{0x0004};
constexpr AttributeType changed_address{0x0005};

void add_classic(MessageBuilder& builder, AttributeType type, const SocketAddress& address) {
    Bytes value;
    ByteWriter writer{value};
    encode_address(writer, address);
    builder.add_raw(type, value);
}

Bytes success(const MessageView& request, const SocketAddress& client, const SocketAddress& origin,
              const std::optional<SocketAddress>& other, std::string_view software,
              std::optional<Padding> padding) {
    MessageBuilder builder = MessageBuilder::reply(request, Class::SuccessResponse);
    builder.add(MappedAddress{client});
    if (request.dialect() == Dialect::Rfc3489) {
        add_classic(builder, source_address, origin);
        if (other) add_classic(builder, changed_address, *other);
        return builder.finish();
    }
    builder.add(XorMappedAddress{client}).add(ResponseOrigin{origin});
    if (other) builder.add(OtherAddress{*other});
    if (!software.empty()) builder.add(Software{software});
    if (padding) builder.add(*padding);
    if (check_fingerprint(request) == Fingerprint::Correct) builder.add_fingerprint();
    return builder.finish();
}

bool mentions_behavior(const MessageView& request) {
    return request.has(AttributeType::ChangeRequest) || request.has(AttributeType::ResponsePort) ||
           request.has(AttributeType::Padding);
}

bool is_binding_request(const MessageView& message) {
    return message.message_class() == Class::Request && message.method() == Method::Binding;
}

}  // namespace

bool BehaviorServer::serves(const SocketAddress& received_at) const {
    return (received_at.ip == primary || received_at.ip == alternate) &&
           (received_at.port == primary_port || received_at.port == alternate_port);
}

// Ca and Cp of RFC 5780 Table 1.
std::optional<SocketAddress> BehaviorServer::other_than(const SocketAddress& received_at) const {
    STILE_ASSERT(alternate.has_value() == alternate_port.has_value());
    if (!alternate) return std::nullopt;
    return SocketAddress{
        .ip = received_at.ip == primary ? *alternate : primary,
        .port = received_at.port == primary_port ? *alternate_port : primary_port,
    };
}

std::optional<BehaviorServer::Answer> BehaviorServer::respond(const MessageView& request,
                                                              const Path& path) const {
    if (!is_binding_request(request) || !serves(path.local)) return std::nullopt;
    const auto other = other_than(path.local);
    if (!other && !mentions_behavior(request)) {
        return Answer{path, *BindingResponder{software}.respond(request, path.remote)};
    }
    // Nothing but a wish is a reason to refuse: clients of RFC 3489 always send CHANGE-REQUEST.
    const ChangeRequest change = request.get<ChangeRequest>().value_or(ChangeRequest{});
    const UnknownAttributes unknown =
        other || change.asks_for_nothing()
            ? request.unknown_required({AttributeType::ChangeRequest, AttributeType::ResponsePort,
                                        AttributeType::Padding})
            : request.unknown_required({AttributeType::ResponsePort, AttributeType::Padding});
    if (!unknown.empty()) return Answer{path, unknown_attribute_response(request, unknown)};
    const auto port = request.get<ResponsePort>();
    // Or else a forged source could have the long answer sent to any port of its victim.
    // Section 10.
    if (request.has(AttributeType::ResponsePort) && request.has(AttributeType::Padding)) {
        return Answer{path, error_response(request, error::bad_request)};
    }
    SocketAddress origin = path.local;
    if (change.ip == ChangeRequest::Change::Change) origin.ip = other->ip;
    if (change.port == ChangeRequest::Change::Change) origin.port = other->port;
    SocketAddress target = path.remote;
    if (port) target.port = port->port;
    // As much padding as came, where the RFC recommends the interface's MTU: no answer amplifies.
    const auto padding = request.get<Padding>();
    return Answer{.path = {.local = origin, .remote = target},
                  .response = success(request, path.remote, origin, other, software,
                                      padding ? std::optional{*padding} : std::nullopt)};
}

std::optional<Bytes> BehaviorServer::respond_on_connection(const MessageView& request,
                                                           const Path& path) const {
    if (!is_binding_request(request) || !serves(path.local)) return std::nullopt;
    const auto other = other_than(path.local);
    if (!other) return BindingResponder{software}.respond(request, path.remote);
    const UnknownAttributes unknown = request.unknown_required();
    if (!unknown.empty()) return unknown_attribute_response(request, unknown);
    return success(request, path.remote, path.local, other, software, std::nullopt);
}

}  // namespace stile::stun
