// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A NAT that maps per destination shows the peer another port than any server: where it counts
// upwards, the answers that gathering gets tell the next ones. They are told as further reflexive
// candidates, so that the peer sends there and its own filter lets in what comes from there.
#include <stile/connect/connector.hpp>
#include <stile/connect/port_prediction.hpp>

#include <algorithm>

namespace stile::connect {
namespace {

constexpr std::uint16_t best_preference = 1000;  // below what servers see

}  // namespace

// In the order in which the mappings were made, as far as that can be known here.
std::vector<Connector::SeenMapping> Connector::seen_mappings() const {
    std::vector<SeenMapping> seen;
    const auto add = [&](const SourceReport& report) {
        const auto known = std::ranges::find(seen, report.path, &SeenMapping::path);
        if (known == seen.end()) {
            seen.push_back({report.path, report.asked, report.mapped});
        } else {
            known->asked = std::min(known->asked, report.asked);
            if (!known->mapped) known->mapped = report.mapped;
        }
    };
    for (const Relay& relay : relays_) {
        if (!relay.stream) add(relay.report);
    }
    for (const Probe& probe : probes_) {
        if (!probe.stream) add(probe.report);
    }
    std::ranges::stable_sort(seen, {}, &SeenMapping::asked);
    return seen;
}

void Connector::guess_ports(Instant now, const SocketAddress& host) {
    if (!waiting_.empty() || !between_.empty() || guessed_ == limits::most_guessed_ports) return;
    const std::vector<SeenMapping> all = seen_mappings();
    const auto last = std::ranges::find_if(all.rbegin(), all.rend(), [&](const auto& seen) {
        return seen.path.local == host && seen.mapped;
    });
    if (last == all.rend()) return;
    const IpAddress outside = last->mapped->ip;
    if (outside == host.ip) return;
    // With one port for two servers there is nothing to guess.
    std::vector<Port> own;
    std::vector<Port> common;
    std::size_t skipped = 0;
    for (const SeenMapping& seen : all) {
        if (!can_reach(host, seen.path.remote)) continue;
        if (!seen.mapped) {
            ++skipped;
        } else if (seen.mapped->ip == outside) {
            common.push_back(seen.mapped->port);
            if (seen.path.local == host) own.push_back(seen.mapped->port);
            skipped = 0;
        }
    }
    if (!port_step(own)) return;
    // One row of numbers for all sockets, or one for each.
    const auto step = port_step(common);
    const std::vector<Port> ports =
        step ? next_ports(common.back(), *step, skipped, limits::most_guesses_a_socket)
             : next_ports(own.back(), *port_step(own), 0, limits::most_guesses_a_socket);
    if (std::ranges::find(guessed_for_, host) != guessed_for_.end()) return;
    guessed_for_.push_back(host);
    for (const Port port : ports) {
        if (guessed_ == limits::most_guessed_ports) return;
        ++guessed_;
        // No server has said so: by one of its own, each has a foundation of its own. The peer
        // would try one of a foundation after the other (RFC 8445 Section 6.1.2.6).
        add_gathered(now,
                     {.type = ice::CandidateType::ServerReflexive,
                      .address = {outside, port},
                      .base = host,
                      .component = {},
                      .related = host,
                      .server = IpAddress::v4(static_cast<std::uint32_t>(guessed_)),
                      .local_preference = static_cast<std::uint16_t>(best_preference - guessed_),
                      .protocol = {}});
    }
}

}  // namespace stile::connect
