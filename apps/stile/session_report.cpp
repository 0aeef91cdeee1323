// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "session_report.hpp"

namespace stile::peer {

std::vector<Phase> phases(const SessionReport& report) {
    const session::Milestones& at = report.milestones;
    const Instant first = report.wanted.value_or(at.begun);
    std::vector<Phase> told;
    const auto add = [&](std::string_view name, const std::optional<Instant>& from,
                         const std::optional<Instant>& to) {
        if (from && to) told.push_back({name, *from - first, *to - *from});
    };
    add("server", report.wanted, at.begun);
    add("gathering", at.begun, at.gathered);
    add("signalling", at.described, at.agreed);
    add("checks", at.agreed, at.routed);
    add("handshake", at.routed, report.met);
    add("first byte", report.met, report.answered);
    return told;
}

}  // namespace stile::peer
