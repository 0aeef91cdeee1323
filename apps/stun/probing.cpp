// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "probing.hpp"

#include <fmt/format.h>

namespace stile::probe {

std::expected<Sockets, app::Problem> open_sockets(drivers::Loop& loop, crypto::RandomStream& random,
                                                  const IpAddress& local, std::size_t count) {
    constexpr std::uint16_t first_port = 32'768;
    constexpr int tries = 20;  // ports that others hold are rare
    Sockets sockets;
    std::string reason;
    for (int i = 0; i < tries && sockets.size() < count; ++i) {
        const Port port{static_cast<std::uint16_t>(first_port + random.below(32'768))};
        auto socket = drivers::UdpSocket::open(loop, {.ip = local, .port = port});
        if (socket) {
            sockets.push_back(*std::move(socket));
        } else {
            reason = socket.error().text;
        }
    }
    if (sockets.size() == count) return sockets;
    return std::unexpected(
        app::Problem{app::ExitCode::Local, "No socket can be opened", reason, "", "check --local"});
}

std::expected<Place, app::Problem> find_place(drivers::Loop& loop, const CommonOptions& options) {
    auto target = parse_target(options);
    if (!target) return std::unexpected(target.error());
    if (target->transport != Transport::Udp) {
        return std::unexpected(
            app::Problem{app::ExitCode::Usage, "This test is about plain UDP",
                         fmt::format("'{}' names another transport", options.server), "",
                         fmt::format("use stun:{}", target->host)});
    }
    const auto addresses = resolve(loop, options, *target, "stun-behavior");
    if (!addresses) return std::unexpected(addresses.error());
    const auto local = local_address(options, addresses->front());
    if (!local) return std::unexpected(local.error());
    return Place{.target = *std::move(target), .server = addresses->front(), .local = *local};
}

}  // namespace stile::probe
