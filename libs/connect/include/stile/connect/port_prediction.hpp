// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace stile::connect {

// How a NAT that maps per destination numbers the ports of one mapping after the other.
struct PortStep {
    std::int32_t step =
        1;  // never 0; 2 where it keeps the parity of ports (RFC 4787 Section 4.2.2)
    friend bool operator==(const PortStep&, const PortStep&) = default;
};

// The step of ports that were given away in this order; others' mappings may lie between. Nothing
// with fewer than two, where two are the same, where the order turns, and where the distances are
// greater than limits::most_port_distance: drawn at random.
std::optional<PortStep> port_step(std::span<const Port> in_order);

// The ports that follow after `skipped` more, likeliest first. Fewer than `wanted` at the end of
// the port numbers, whose other end a NAT chooses as it likes.
std::vector<Port> next_ports(Port last, PortStep step, std::size_t skipped, std::size_t wanted);

}  // namespace stile::connect
