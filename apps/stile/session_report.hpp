// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/path_report.hpp>
#include <stile/session/milestones.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace stile::peer {

// All that is known of one session. A copy: it outlives the session.
struct SessionReport {
    connect::PathReport path;
    session::Milestones milestones;
    std::optional<Instant> wanted;    // asked for, where a connection to the server came first
    std::optional<Instant> met;       // both certificates were taken
    std::optional<Instant> answered;  // the first octet of a response came
};

// A part of the way to the first byte that has come to its end. They follow one another, but for
// gathering, which goes on beside the others.
struct Phase {
    std::string_view name;  // "server", "gathering", "signalling", "checks", "handshake", ...
    Duration begun{};       // since the first of all
    Duration took{};
};
std::vector<Phase> phases(const SessionReport& report);

}  // namespace stile::peer
