// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/portmap/epoch.hpp>

namespace stile::portmap {
namespace {

using std::chrono::seconds;

// RFC 6887 Section 8.5: no going back by more than a second, and clocks that differ by no more than
// a sixteenth and the rounding of both.
bool plausible_by_pcp(seconds client, seconds server) {
    if (server < seconds{-1}) return false;
    if (server < seconds{0}) server = seconds{0};
    constexpr seconds rounding{2};
    return client + rounding >= server - server / 16 && server + rounding >= client - client / 16;
}

// RFC 6886 Section 3.6: not behind seven eighths of the time that has passed by more than 2 s.
bool plausible_by_nat_pmp(seconds client, seconds server) {
    return server + seconds{2} >= client * 7 / 8;
}

}  // namespace

Epoch::Finding Epoch::see(Instant now, std::chrono::seconds count, Rule rule) {
    const std::optional<Seen> before = last_;
    last_ = {now, count};
    if (!before) return Finding::Plausible;
    const auto client = std::chrono::floor<seconds>(now - before->when);
    const seconds server = count - before->count;
    const bool plausible =
        rule == Rule::Pcp ? plausible_by_pcp(client, server) : plausible_by_nat_pmp(client, server);
    return plausible ? Finding::Plausible : Finding::Restarted;
}

}  // namespace stile::portmap
