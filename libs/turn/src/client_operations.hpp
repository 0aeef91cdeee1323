// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/message_type.hpp>
#include <stile/turn/limits.hpp>

namespace stile::turn {

// A transaction takes 39.5 s to give up: a third of 300 s has room for two attempts.
inline constexpr Duration permission_refresh = permission_lifetime * 2 / 3;

template <class Operation>
stun::Method method_of(Operation operation) {
    switch (operation) {
        case Operation::Allocate:
            return stun::Method::Allocate;
        case Operation::Refresh:
        case Operation::Release:
            return stun::Method::Refresh;
        case Operation::Permit:
            return stun::Method::CreatePermission;
        case Operation::Bind:
            return stun::Method::ChannelBind;
        case Operation::Connect:
            return stun::Method::Connect;
    }
    return stun::Method::Allocate;
}

}  // namespace stile::turn
