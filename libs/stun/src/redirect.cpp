// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/redirect.hpp>

#include <algorithm>

namespace stile::stun {

void RedirectMemory::sent(Instant now, const SocketAddress& server) {
    std::erase_if(visits_, [&](const Visit& visit) { return now - visit.at > redirect_memory; });
    visits_.push_back({.server = server, .at = now});
}

std::expected<Redirect, RedirectRefusal> RedirectMemory::follow(Instant now,
                                                                const MessageView& response,
                                                                const SocketAddress& from) const {
    const auto error = response.get<ErrorCode>();
    if (response.message_class() != Class::ErrorResponse || !error ||
        error->code != error::try_alternate.code) {
        return std::unexpected(RedirectRefusal::NotOne);
    }
    std::optional<SocketAddress> chosen;
    for (const AttributeView attribute : response.attributes()) {
        if (attribute.type != AttributeType::AlternateServer) continue;
        const auto alternate = decode_address(attribute.value);
        if (!alternate) continue;
        const bool same_family = alternate->ip.family() == from.ip.family();
        if (!chosen || same_family) chosen = alternate;
        if (same_family) break;
    }
    if (!chosen) return std::unexpected(RedirectRefusal::NoServer);
    const bool been_there = std::ranges::any_of(visits_, [&](const Visit& visit) {
        return visit.server == *chosen && now - visit.at <= redirect_memory;
    });
    if (been_there) return std::unexpected(RedirectRefusal::BeenThere);
    if (visits_.size() > most_redirects) return std::unexpected(RedirectRefusal::TooManySteps);
    const auto domain = response.get<AlternateDomain>();
    return Redirect{.server = *chosen,
                    .domain = domain ? std::string{domain->text} : std::string{}};
}

Bytes redirect_response(const MessageView& request, std::span<const SocketAddress> alternates,
                        std::string_view domain) {
    STILE_ASSERT(request.message_class() == Class::Request);
    STILE_ASSERT(!alternates.empty() && alternates.size() <= 2);
    MessageBuilder builder = MessageBuilder::reply(request, Class::ErrorResponse);
    builder.add(error::try_alternate);
    for (const SocketAddress& alternate : alternates) builder.add(AlternateServer{alternate});
    if (!domain.empty()) builder.add(AlternateDomain{domain});
    return builder.finish();
}

}  // namespace stile::stun
