// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "describe.hpp"

#include <fmt/format.h>

namespace stile::peer {

std::string describe(const connect::Route& route) {
    std::string text =
        route.kind == connect::RouteKind::Direct
            ? fmt::format("direct {} ⇄ {}", route.wire.local.to_string(),
                          route.wire.remote.to_string())
        : route.wire == route.pair
            ? fmt::format("relayed by their relay at {}", route.pair.remote.to_string())
            : fmt::format("relayed by {}", route.wire.remote.to_string());
    if (turn::is_stream(route.transport)) {
        text += route.transport == turn::ClientTransport::Tls ? " over TLS" : " over TCP";
    }
    if (route.round_trip) {
        const double milliseconds =
            std::chrono::duration<double, std::milli>(*route.round_trip).count();
        text += fmt::format(", {:.1f} ms", milliseconds);
    }
    return text;
}

std::string describe(identity::Standing standing) {
    switch (standing) {
        case identity::Standing::Refused:
            return "refused";
        case identity::Standing::NotVerified:
            return "not verified (first meeting; now pinned)";
        case identity::Standing::Proven:
            return "proven (first meeting; now pinned)";
        case identity::Standing::Pinned:
            return "pinned (the key of earlier meetings)";
    }
    return "";
}

}  // namespace stile::peer
