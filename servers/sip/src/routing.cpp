// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip_server/routing.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/sip/auth.hpp>
#include <stile/sip/transport_kind.hpp>
#include <stile/sip_server/limits.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip_server {

using sip::HeaderName;
using sip::Message;
using sip::Uri;

namespace {

// What an absent port means. RFC 3261 Sections 18.2.2 and 19.1.2.
constexpr Port sip_port = sip::default_port(sip::TransportKind::Udp);

Port usual_port(const sip::UriView& uri) {
    const auto named = uri.transport() ? sip::transport_kind_of(*uri.transport()) : std::nullopt;
    const auto kind = named.value_or(sip::TransportKind::Udp);
    const bool secured = uri.scheme == sip::Scheme::Sips && !sip::is_secure(kind);
    return sip::default_port(secured ? sip::TransportKind::Tls : kind);
}

}  // namespace

bool OwnNames::is_own_domain(const sip::UriView& uri) const {
    if (!uri.is_sip_or_sips()) return false;
    std::string host = to_lower(uri.host.text);
    // "example.org." is the same domain, written to the root: it must not pass for a foreign one.
    if (host.ends_with('.')) host.pop_back();
    return std::ranges::find(domains, host) != domains.end();
}

bool OwnNames::is_own_address(const sip::SentByView& sent_by) const {
    return std::ranges::any_of(addresses, [&](const sip::SentBy& own) {
        return own.host.view() == sent_by.host &&
               own.port.value_or(sip_port) == sent_by.port.value_or(sip_port);
    });
}

bool OwnNames::is_own(const sip::UriView& uri) const {
    return is_own_domain(uri) ||
           (uri.is_sip_or_sips() &&
            is_own_address({.host = uri.host, .port = uri.port.value_or(usual_port(uri))}));
}

namespace {

// A strict router before us put our own Record-Route URI where the target belongs: the target is
// the last Route value. RFC 3261 Section 16.4.
Message undo_strict_routing(Message request, const OwnNames& own) {
    const auto target = request.request_uri();
    if (!target || !own.is_own(*target) || !target->is_loose_route()) return request;
    const auto routes = request.routes(HeaderName::Route).all();
    if (!routes || routes->empty()) return request;
    return sip::MessageEdit{request}
        .set_request_uri(routes->back().uri.to_string())
        .remove_last_value(HeaderName::Route)
        .build();
}

}  // namespace

std::expected<RoutePreprocessed, RouteError> preprocess_route(const Message& request,
                                                              sip::FlowId source,
                                                              const RouteKnowledge& knowledge) {
    RoutePreprocessed result{.request = undo_strict_routing(request, knowledge.own)};
    const auto routes = result.request.routes(HeaderName::Route).all();
    if (!routes) return result;
    std::size_t popped = 0;
    bool is_gone = false;
    for (const sip::NameAddrView& route : *routes) {
        if (!knowledge.own.is_own(route.uri)) break;
        if (++popped > most_own_routes) return std::unexpected(RouteError::TooMany);
        // What follows a token is for whoever is at its flow, but for more of ours: then the first
        // is the sender's, who has come back by another flow, and the old one is not yet known to
        // be gone.
        const bool is_second = result.flow.has_value();
        if (is_second) result.left = std::exchange(result.flow, {});
        if (!route.uri.user) continue;
        auto flow = knowledge.tokens.open(*route.uri.user);
        if (!flow && flow.error() == FlowTokenError::Tampered) {
            return std::unexpected(RouteError::Tampered);
        }
        if (flow) flow = knowledge.successors.resolve(*flow);
        if (!flow || !knowledge.layer.find_flow(*flow)) {
            is_gone = true;
            if (flow && !result.left && !result.has_own_token) result.left = *flow;
        } else if (*flow == source) {
            result.has_own_token = true;
        } else {
            result.flow = *flow;
        }
        if (is_second) break;
    }
    if (is_gone && !result.flow) return std::unexpected(RouteError::FlowGone);
    if (popped > 0) {
        sip::MessageEdit edit{result.request};
        for (std::size_t i = 0; i < popped; ++i) edit.pop_route();
        result.request = edit.build();
    }
    return result;
}

std::string loop_value(const Message& request) {
    const auto part = [&](HeaderName name) { return request.find(name).value_or(""); };
    std::string routes;
    for (const std::string_view value : request.values(HeaderName::Route)) {
        routes += value;
        routes += ',';
    }
    const auto cseq = request.cseq();
    const std::string number = cseq ? std::to_string(cseq->number) : "";
    const crypto::Digest digest = crypto::digest(
        crypto::DigestAlgorithm::Sha256,
        {as_bytes(request.request_uri_text()), as_bytes(part(HeaderName::To)),
         as_bytes(part(HeaderName::From)), as_bytes(part(HeaderName::CallId)), as_bytes(number),
         as_bytes(routes), as_bytes(part(HeaderName::ProxyRequire)),
         as_bytes(part(HeaderName::AcceptContact))});
    return "." + to_hex(digest.bytes().first(8));
}

bool is_looping(const Message& request, const OwnNames& own) {
    std::optional<std::string> value;  // costs a digest: only where we have been
    for (const auto& via : request.vias()) {
        if (!via) return false;
        if (!own.is_own_address(via->sent_by)) continue;
        if (!value) value = loop_value(request);
        if (via->branch().value_or("").ends_with(*value)) return true;
    }
    return false;
}

std::string unknown_proxy_requirements(const Message& request) {
    std::string unknown;
    const auto required = request.tokens(HeaderName::ProxyRequire).all();
    if (!required) return unknown;
    for (const std::string_view tag : *required) {
        unknown.append(unknown.empty() ? "" : ", ").append(tag);
    }
    return unknown;
}

void strip_realm(sip::MessageEdit& edit, const Message& message, HeaderName name,
                 std::string_view realm) {
    std::vector<std::string> kept;
    bool found = false;
    for (std::size_t i = 0; i < message.header_count(); ++i) {
        const sip::HeaderField field = message.header(i);
        if (field.name != name) continue;
        const auto challenge = sip::Challenge::parse(field.value);
        const auto credentials = sip::Credentials::parse(field.value);
        const bool ours = (challenge && challenge->realm == realm) ||
                          (credentials && credentials->realm == realm);
        if (ours) {
            found = true;
        } else {
            kept.emplace_back(field.value);
        }
    }
    if (!found) return;
    edit.remove(name);
    for (const std::string& value : kept) edit.append(name, value);
}

}  // namespace stile::sip_server
