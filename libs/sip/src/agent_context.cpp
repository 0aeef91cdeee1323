// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/agent_context.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>

namespace stile::sip {

Uri contact_uri(const AgentContext& context, FlowId flow, ContactUse use) {
    const Flow* found = context.layer.find_flow(flow);
    STILE_ASSERT(found);
    Uri uri;
    uri.user = context.config.address.uri.user;
    uri.host = found->sent_by.host;
    uri.port = found->sent_by.port;
    switch (found->transport) {
        case TransportKind::Udp:
            break;
        case TransportKind::Tcp:
            uri.parameters.set("transport", "tcp");
            break;
        case TransportKind::Tls:
            uri.parameters.set("transport", "tls");
            break;
        // RFC 7118 Section 5.2: the URI parameter is "ws" for both.
        case TransportKind::Ws:
        case TransportKind::Wss:
            uri.parameters.set("transport", "ws");
            break;
    }
    if (use == ContactUse::Dialog) uri.parameters.set_flag("ob");
    return uri;
}

Contact contact(const AgentContext& context, FlowId flow, ContactUse use) {
    Contact result;
    result.address.uri = contact_uri(context, flow, use);
    for (const Parameter& parameter : context.config.features) {
        if (parameter.value) {
            result.address.parameters.set(parameter.name, *parameter.value);
        } else {
            result.address.parameters.set_flag(parameter.name);
        }
    }
    if (!context.config.instance.empty()) {
        result.address.parameters.set("+sip.instance", "\"<" + context.config.instance + ">\"");
    }
    return result;
}

std::string random_token(crypto::RandomStream& random) { return to_hex(random.array<10>()); }

std::string allowed_methods(const UserAgentConfig& config) {
    std::string allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO";
    for (const std::string& method : config.methods) allow += ", " + method;
    return allow;
}

void add_software(const AgentContext& context, MessageBuilder& builder, HeaderName name) {
    if (!context.config.software.empty()) builder.add(name, context.config.software);
}

void add_capabilities(const AgentContext& context, MessageBuilder& builder) {
    std::string supported = "outbound";
    for (const std::string& tag : context.config.supported) supported += ", " + tag;
    builder.add(HeaderName::Supported, supported)
        .add(HeaderName::Allow, allowed_methods(context.config));
    add_info_packages(context.config, builder);
}

void add_info_packages(const UserAgentConfig& config, MessageBuilder& builder) {
    std::string packages;
    for (const std::string& package : config.info_packages) {
        packages += (packages.empty() ? "" : ", ") + package;
    }
    if (!packages.empty()) builder.add(HeaderName::RecvInfo, packages);
}

bool takes_info(const Message& message, std::string_view package) {
    for (std::string_view value : message.values(HeaderName::RecvInfo)) {
        // Parameters of a package may follow its name.
        if (iequals(trim(take_until(value, ';')), package)) return true;
    }
    return false;
}

void add_lines(MessageBuilder& builder, const std::vector<HeaderLine>& headers,
               const std::optional<Body>& body) {
    for (const HeaderLine& line : headers) builder.add(line.name, line.value);
    if (body) builder.body(body->type, body->octets);
}

void add_credentials(MessageBuilder& builder, DigestClient* digest, std::string_view method,
                     std::string_view request_uri, const std::optional<Body>& body) {
    if (!digest) return;
    const BytesView octets = body ? BytesView{body->octets} : BytesView{};
    for (const auto& answer : digest->authorize(method, request_uri, octets)) {
        builder.add(answer.name, answer.value);
    }
}

}  // namespace stile::sip
