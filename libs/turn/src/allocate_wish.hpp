// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/turn/server.hpp>

namespace stile::turn {

struct Server::AllocateWish {
    std::array<bool, 2> families{};               // to open, by family
    std::array<std::uint16_t, 2> family_error{};  // why one of two is not opened
    RelayProtocol protocol = RelayProtocol::Udp;
    PortRule rule = PortRule::Any;
    std::optional<RelayId> reserved;  // opened already
    bool mobile = false;
    Duration lifetime{};

    std::size_t count() const {
        return std::size_t{families[0]} + std::size_t{families[1]} +
               (rule == PortRule::EvenAndNext ? 1U : 0U);
    }
};

}  // namespace stile::turn
