// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/quic/event.hpp>
#include <stile/quic/http_head.hpp>

#include <algorithm>

namespace stile::quic {

std::optional<std::string_view> find_field(const std::vector<Field>& fields,
                                           std::string_view name) {
    const auto found = std::ranges::find(fields, name, &Field::name);
    if (found == fields.end()) return std::nullopt;
    return found->value;
}

std::string_view to_text(CloseReason reason) {
    switch (reason) {
        case CloseReason::ClosedHere:
            return "closed-here";
        case CloseReason::ClosedByPeer:
            return "closed-by-peer";
        case CloseReason::FingerprintMismatch:
            return "fingerprint-mismatch";
        case CloseReason::NoPeerCertificate:
            return "no-peer-certificate";
        case CloseReason::RefusedByPeer:
            return "refused-by-peer";
        case CloseReason::IdleTimeout:
            return "idle-timeout";
        case CloseReason::HandshakeTimeout:
            return "handshake-timeout";
        case CloseReason::PeerBrokeProtocol:
            return "peer-broke-protocol";
        case CloseReason::PeerReportedError:
            return "peer-reported-error";
        case CloseReason::PeerLostState:
            return "peer-lost-state";
        case CloseReason::Internal:
            return "internal";
    }
    return {};
}

}  // namespace stile::quic
