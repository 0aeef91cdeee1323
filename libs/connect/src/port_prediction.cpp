// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/limits.hpp>
#include <stile/connect/port_prediction.hpp>

#include <cstdlib>
#include <numeric>
#include <utility>

namespace stile::connect {

std::optional<PortStep> port_step(std::span<const Port> in_order) {
    if (in_order.size() < 2) return std::nullopt;
    std::int32_t common = 0;
    std::int32_t first = 0;
    for (std::size_t i = 1; i < in_order.size(); ++i) {
        const std::int32_t distance = std::int32_t{in_order[i].value} - in_order[i - 1].value;
        const bool turns = (distance > 0) != (first > 0);
        if (distance == 0 || std::abs(distance) > limits::most_port_distance) return std::nullopt;
        if (first == 0) {
            first = distance;
        } else if (turns) {
            return std::nullopt;
        }
        common = std::gcd(common, distance);
    }
    return PortStep{first > 0 ? common : -common};
}

std::vector<Port> next_ports(Port last, PortStep step, std::size_t skipped, std::size_t wanted) {
    std::vector<Port> ports;
    for (std::size_t i = 1; i <= wanted; ++i) {
        const std::int64_t port = std::int64_t{last.value} +
                                  std::int64_t{step.step} * static_cast<std::int64_t>(skipped + i);
        if (port < limits::least_guessed_port || port > 65'535) break;
        ports.push_back(Port{static_cast<std::uint16_t>(port)});
    }
    // The first is what our first check to an address that the peer has told comes from; the second
    // what two peers meet at that both guess, each of whom has sent to the other's told one before.
    if (ports.size() >= 2) std::swap(ports[0], ports[1]);
    return ports;
}

}  // namespace stile::connect
