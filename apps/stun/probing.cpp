// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "probing.hpp"

#include <stile/base/try.hpp>
#include <stile/nat_probe/unused_socket.hpp>
#include <stile/stun/binding_answer.hpp>

#include <fmt/format.h>

namespace stile::probe {
namespace {

std::expected<Sockets, app::Problem> open_sockets(drivers::Loop& loop, crypto::RandomStream& random,
                                                  const IpAddress& local, std::size_t count) {
    Sockets sockets;
    while (sockets.size() < count) {
        auto socket = nat_probe::open_unused_socket(loop, random, local);
        if (!socket) {
            return std::unexpected(app::Problem{app::ExitCode::Local, "No socket can be opened",
                                                socket.error().text, "", "check --local"});
        }
        sockets.push_back(*std::move(socket));
    }
    return sockets;
}

// Why this server cannot be used over UDP.
std::optional<app::Problem> ask_once(drivers::Loop& loop, crypto::RandomStream& random,
                                     const CommonOptions& options, const Target& target,
                                     const SocketAddress& server) {
    const auto exchanged = exchange(loop, random, options, target, server);
    if (!exchanged) return exchanged.error();
    const auto answer = stun::read_binding_answer(*stun::MessageView::parse(exchanged->response));
    if (answer) return std::nullopt;
    return refused(server, answer.error().code, answer.error().reason);
}

}  // namespace

std::expected<Place, app::Problem> find_place(drivers::Loop& loop, crypto::RandomStream& random,
                                              const CommonOptions& options, std::size_t sockets,
                                              NoUdp meaning) {
    const Target target = STILE_TRY(parse_target(options));
    if (target.transport != Transport::Udp) {
        return std::unexpected(
            app::Problem{app::ExitCode::Usage, "This test is about plain UDP",
                         fmt::format("'{}' names another transport", options.server), "",
                         fmt::format("use stun:{}", target.host)});
    }
    const auto addresses = STILE_TRY(resolve(loop, options, target, "stun-behavior"));
    Place place{.server = addresses.front(), .sockets = {}, .no_udp = {}};
    for (const SocketAddress& server : addresses) {
        auto problem = ask_once(loop, random, options, target, server);
        if (!problem) {
            place.server = server;
            place.no_udp.reset();
            break;
        }
        // The first address is the most likely to be meant.
        if (!place.no_udp) place.no_udp = std::move(problem);
    }
    if (place.no_udp && meaning == NoUdp::IsTheEnd) return std::unexpected(*place.no_udp);
    const IpAddress local = STILE_TRY(local_address(options, place.server));
    place.sockets = STILE_TRY(open_sockets(loop, random, local, sockets));
    return place;
}

}  // namespace stile::probe
