// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What a run comes to, and what the topology says it should.
#include <stile/sim/oracle.hpp>
#include <stile/sim/sessions/connect_run.hpp>

#include <algorithm>
#include <array>

namespace stile::sim {
namespace {

using connect::RouteKind;

}  // namespace

std::string to_string(const BestPath& path) {
    std::string text{to_string(path.kind)};
    if (path.passage) text += " (" + std::string{to_string(*path.passage)} + ")";
    return text;
}

BestPath expected_path(const Scene& scene) {
    if (scene.middle == Middle::Blocked) return {PathKind::RelayedByOne, {}};
    if (scene.tcp_peer) {
        const HostId side = scene.tcp_peer->host == scene.left ? scene.right : scene.left;
        return best_path_to_tcp_peer(scene.topology, side, scene.tcp_peer->host,
                                     scene.tcp_peer->does, scene.server);
    }
    return best_path(scene.topology, scene.left, scene.right, scene.server, scene.transports);
}

RouteKind expected_kind(const Scene& scene) {
    switch (expected_path(scene).kind) {
        case PathKind::Host:
        case PathKind::Reflexive:
        case PathKind::TcpHost:
        case PathKind::TcpReflexive:
            return RouteKind::Direct;
        case PathKind::RelayedByOne:
        case PathKind::RelayedByBoth:
        case PathKind::None:
            return RouteKind::Relayed;
    }
    return RouteKind::Relayed;
}

BestPath ConnectRun::chosen_path() const {
    const auto left = sides_[0].connector.route();
    const auto right = sides_[1].connector.route();
    return left && right ? path_of(*left, *right) : BestPath{};
}

BestPath path_of(const connect::Route& left, const connect::Route& right) {
    const auto is_relayed = [](const connect::Route& route) {
        return route.local_type == ice::CandidateType::Relayed;
    };
    if (is_relayed(left) || is_relayed(right)) {
        const bool both = is_relayed(left) && is_relayed(right);
        return {both ? PathKind::RelayedByBoth : PathKind::RelayedByOne, {}};
    }
    const bool is_as_sent =
        left.pair.remote == right.pair.local && right.pair.remote == left.pair.local;
    const AddressFamily one = left.pair.local.ip.family();
    const AddressFamily other = right.pair.local.ip.family();
    const Passage same = one == AddressFamily::V4 ? Passage::V4 : Passage::V6;
    const Passage passage = one == other ? same : Passage::Translated;
    if (left.stream || right.stream) {
        return {is_as_sent ? PathKind::TcpHost : PathKind::TcpReflexive, passage};
    }
    return {is_as_sent ? PathKind::Host : PathKind::Reflexive, passage};
}

std::size_t ConnectRun::relays_lost() const {
    std::size_t lost = 0;
    for (const Side& side : sides_) {
        lost += static_cast<std::size_t>(std::ranges::count_if(side.events, [](const auto& event) {
            return std::holds_alternative<connect::RelayFailed>(event);
        }));
    }
    return lost;
}

std::string ConnectRun::report() const {
    constexpr std::array types{"host", "srflx", "prflx", "relay"};
    constexpr std::array states{"frozen",    "waiting", "in progress",
                                "succeeded", "failed",  "removed"};
    std::string text;
    for (const Side& side : sides_) {
        text += &side == &sides_.front() ? "\n  left:" : "\n  right:";
        for (const ice::PairReport& pair : side.connector.pairs()) {
            text += "\n    " + pair.path.local.to_string() + " (" +
                    types.at(static_cast<std::size_t>(pair.local_type)) + ") to " +
                    pair.path.remote.to_string() + " (" +
                    types.at(static_cast<std::size_t>(pair.remote_type)) + ") " +
                    states.at(static_cast<std::size_t>(pair.state));
            if (pair.valid) text += " valid";
            if (pair.nominated) text += " nominated";
            if (pair.selected) text += " selected";
        }
    }
    return text;
}

}  // namespace stile::sim
